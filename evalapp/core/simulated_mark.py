"""The text mark for results of simulated reviews."""


def marked(words: str, *things: object) -> str:
    """``words``, with "(simulated)" behind them when one of the things bears that mark.

    For options, labels of charts and sentences; pages show the chip of components/simulated.html.
    """
    return f"{words} (simulated)" if any(getattr(each, "is_simulated", False) for each in things) else words
