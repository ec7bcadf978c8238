"""Words of the sentences that programs and pages show. Standard library only."""


def counted(number: int | str, one: str) -> str:
    """“1 step”, “2,000 steps”; a number that is written already stays as it is."""
    shown = f"{number:,}" if isinstance(number, int) else number
    return f"{shown} {one if shown == '1' else _several(one)}"


def _several(one: str) -> str:
    return f"{one}es" if one.endswith(("s", "x", "ch", "sh")) else f"{one}s"


def as_sentence(text: str) -> str:
    """What a program or a library says, as a sentence of ours."""
    text = text.strip()
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    # A path or a file's name keeps its own spelling.
    return ended if "." in ended.split()[0].rstrip(".:") else ended[:1].upper() + ended[1:]
