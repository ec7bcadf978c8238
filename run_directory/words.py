"""Helpers for sentences that programs and pages show. Standard library only."""


def counted(number: int | str, one: str) -> str:
    """A number with its noun, as in “1 step” or “2,000 steps”; an already formatted number is kept."""
    shown = f"{number:,}" if isinstance(number, int) else number
    return f"{shown} {one if shown == '1' else _several(one)}"


def _several(one: str) -> str:
    return f"{one}es" if one.endswith(("s", "x", "ch", "sh")) else f"{one}s"


def as_sentence(text: str) -> str:
    """Turn a message of a program or library into a sentence: capitalised, with a full stop."""
    text = text.strip()
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    # A path or file name keeps its own spelling.
    return ended if "." in ended.split()[0].rstrip(".:") else ended[:1].upper() + ended[1:]
