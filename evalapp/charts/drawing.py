"""Charts drawn on the server, with the library that also gives pages their script."""

from collections.abc import Mapping
from typing import Any

from evalapp.charts.chart import Chart
from evalapp.charts.theme import Scheme, Spec, resolved

WIDTH = 620


def as_svg(chart: Chart, *, scheme: Scheme = "light", width: int = WIDTH) -> str:
    """A picture without links, scripts or addresses; nothing is fetched for it."""
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(_still(chart.spec, scheme, width), allowed_base_urls=[])
    return svg


def as_png(chart: Chart, *, scheme: Scheme = "light", width: int = WIDTH, scale: float = 2) -> bytes:
    import vl_convert

    png: bytes = vl_convert.vegalite_to_png(
        _still(chart.spec, scheme, width), scale=scale, allowed_base_urls=[]
    )
    return png


def _still(spec: Spec, scheme: Scheme, width: int) -> Spec:
    """The specification for paper: a width of its own, and nothing that answers a pointer."""
    return resolved(_without_links({**spec, "width": width}), scheme)


def _without_links(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_links(each) for key, each in value.items() if key not in {"href", "tooltip"}}
    if isinstance(value, list):
        return [_without_links(each) for each in value]
    return value
