"""Words for numbers in the sentences that programs and pages show. Standard library only."""


def counted(number: int | str, one: str) -> str:
    """“1 step”, “2,000 steps”; a number that is written already stays as it is."""
    shown = f"{number:,}" if isinstance(number, int) else number
    return f"{shown} {one if shown == '1' else _several(one)}"


def _several(one: str) -> str:
    return f"{one}es" if one.endswith(("s", "x", "ch", "sh")) else f"{one}s"
