"""Appearance of all charts: one Vega-Lite configuration with the colours of `static/css/tokens.css`.

A specification names colours as "var(--ink)". In a page, `static/js/chart.js` replaces them by the colours of
the reader's theme; on the server, `resolved` does so for either theme. A chart and its print thus share one
specification.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

Scheme = Literal["light", "dark"]
Spec = dict[str, Any]

TOKENS = Path(__file__).parents[2] / "static" / "css" / "tokens.css"
# Liberation Sans has the character widths that the server measures with.
SERVER_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
RATINGS = [f"var(--rating-{number})" for number in range(1, 6)]
CANDIDATES = [f"var(--candidate-{number})" for number in range(1, 9)]
# The shapes of components/candidate.html, in the same order.
SHAPES = [
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "triangle-down",
    "cross",
    "M-0.5,-0.9L0.5,-0.9L1,0L0.5,0.9L-0.5,0.9L-1,0Z",
    "M0,-1L0.25,-0.35L0.95,-0.3L0.4,0.15L0.6,0.85L0,0.45L-0.6,0.85L-0.4,0.15L-0.95,-0.3L-0.25,-0.35Z",
]
_SMALL = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 400}
_TOKEN = re.compile(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
_VARIABLE = re.compile(r"var\(--([\w-]+)\)")
# Text by users must not be replaced by a colour.
_LITERAL_KEYS = frozenset({"data", "datasets", "domain", "sort", "description"})


def theme() -> Spec:
    """The configuration, with colours as names of tokens."""
    return {
        "background": "transparent",
        "font": "var(--font)",
        "view": {"stroke": None},
        "axis": {
            "domainColor": "var(--rule)",
            "gridColor": "var(--rule)",
            "tickColor": "var(--rule)",
            "labelColor": "var(--ink-soft)",
            "titleColor": "var(--ink-soft)",
            "labelSeparation": 6,
            **_SMALL,
        },
        "legend": {
            "labelColor": "var(--ink)",
            "titleColor": "var(--ink-soft)",
            "symbolBaseFillColor": "var(--ink-soft)",
            "symbolBaseStrokeColor": "var(--ink-soft)",
            "orient": "top",
            **_SMALL,
        },
        "header": {"labelColor": "var(--ink)", "titleColor": "var(--ink-soft)", **_SMALL},
        "title": {"color": "var(--ink)", "fontSize": 13, "fontWeight": 600, "anchor": "start"},
        "text": {"color": "var(--ink)", "fontSize": 12},
        "rule": {"color": "var(--ink-soft)"},
        "point": {"size": 60, "filled": True},
        "range": {
            "category": CANDIDATES,
            "symbol": SHAPES,
            "ordinal": RATINGS,
            "diverging": RATINGS,
        },
    }


def themed(spec: Spec) -> Spec:
    """The specification with the theme, which replaces any configuration that it has."""
    return {**spec, "config": theme()}


def resolved(spec: Spec, scheme: Scheme = "light") -> Spec:
    """The themed specification with actual colours, for drawing on the server."""

    def value_of(name: str) -> str:
        return SERVER_FONT if name == "font" else colour(name, scheme)

    found: Spec = _replaced(themed(spec), value_of)
    return found


def colour(token: str, scheme: Scheme = "light") -> str:
    """Colour of a token as #rrggbb. Raises KeyError for an unknown token."""
    return _tokens()[token][scheme == "dark"]


@cache
def _tokens() -> dict[str, tuple[str, str]]:
    return {name: (light, dark) for name, light, dark in _TOKEN.findall(TOKENS.read_text(encoding="utf-8"))}


def _replaced(value: Any, value_of: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {
            key: each
            if key in _LITERAL_KEYS or (key == "title" and isinstance(each, str))
            else _replaced(each, value_of)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_replaced(each, value_of) for each in value]
    if isinstance(value, str) and (found := _VARIABLE.fullmatch(value)):
        return value_of(found[1])
    return value
