"""The tokens' colours can be read: contrast by WCAG 2.2 (relative luminance)."""

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).parents[2] / "static" / "css" / "tokens.css"
PAIRS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS.read_text(encoding="utf-8")
    )
}
TEXT = [
    *(
        (ink, ground)
        for ink in ("ink", "ink-soft", "accent", "ok", "warn", "bad")
        for ground in ("paper", "surface")
    ),
    *((tone, f"{tone}-soft") for tone in ("ok", "warn", "bad", "accent")),
    ("accent-ink", "accent"),
    ("ink", "accent-soft"),
    ("ink-soft", "surface-sunk"),
]
CONTROLS = [
    *((part, ground) for part in ("rule-strong", "focus", "accent") for ground in ("paper", "surface")),
    *((f"candidate-{number}", "surface") for number in range(1, 9)),
]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "ground", "least"), [(*pair, 4.5) for pair in TEXT] + [(*pair, 3.0) for pair in CONTROLS]
)
def test_contrast(front: str, ground: str, least: float, theme: int) -> None:
    assert contrast(PAIRS[front][theme], PAIRS[ground][theme]) >= least
