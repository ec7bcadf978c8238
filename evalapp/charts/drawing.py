"""Charts drawn on the server, by the library that also provides the pages' script."""

from collections.abc import Mapping
from typing import Any

from evalapp.charts.chart import Chart
from evalapp.charts.theme import Scheme, Spec, resolved

# Widths of the whole drawing with names and marks, in pixels: on paper or a screen, and on a phone, where a
# wide drawing shrunk to fit would be illegible.
WIDTH, PHONE_WIDTH = 780, 340

# Parts of a specification that are evaluated when it is drawn.
EXPRESSIONS = {"expr", "labelExpr"}


def as_svg(chart: Chart, *, scheme: Scheme = "light", width: int = WIDTH) -> str:
    """An SVG picture without links, scripts or addresses; nothing is fetched to draw it."""
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(_static_spec(chart.spec, scheme, width), allowed_base_urls=[])
    return svg


def _static_spec(spec: Spec, scheme: Scheme, width: int) -> Spec:
    """The specification for paper: a fixed width, and nothing that reacts to a pointer."""
    fit = {"width": width, "autosize": {"type": "fit-x", "contains": "padding"}}
    return resolved(_on_paper({**spec, **fit}, width), scheme)


def _on_paper(value: Any, width: int) -> Any:
    """The value without links, and with the paper's width in expressions that ask for the page's."""
    if isinstance(value, Mapping):
        return {
            key: each.replace("containerSize()[0]", str(width))
            if key in EXPRESSIONS and isinstance(each, str)
            else _on_paper(each, width)
            for key, each in value.items()
            if key not in {"href", "tooltip"}
        }
    if isinstance(value, list):
        return [_on_paper(each, width) for each in value]
    return value
