"""A chart: its specification, a summary sentence, and the same numbers as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from evalapp.charts.theme import Spec

if TYPE_CHECKING:
    import altair as alt

# Most clauses in a summary; the table has the rest.
MOST_CLAUSES = 4


class Chart(NamedTuple):
    """A chart for a page.

    ``spec``: a Vega-Lite specification without configuration, which the theme adds.
    ``says``: the text alternative. ``columns`` and ``rows``: the same numbers as a table.
    """

    spec: Spec
    columns: list[str]
    rows: list[list[Any]]
    says: str = ""


class Panel(NamedTuple):
    """One of several charts side by side; ``of`` names its axis, such as "1–5" or "shares"."""

    of: str
    chart: Chart


def chart_from(
    drawing: "alt.Chart | alt.LayerChart | alt.FacetChart",
    *,
    says: str,
    columns: list[str],
    rows: list[list[Any]],
) -> Chart:
    """A Chart from Altair's drawing, with the summary as its description for screen readers."""
    # Not validated here, which takes as long as building it; the tests draw every kind of chart.
    spec: Spec = drawing.to_dict(validate=False)
    spec.pop("config", None)
    return Chart({**spec, "description": says}, columns, rows, says)


def joined_clauses(parts: Sequence[str]) -> str:
    """Clauses as one sentence, such as "a; b; and 3 more, in the table.", cut after `MOST_CLAUSES`."""
    shown = list(parts[:MOST_CLAUSES])
    if len(parts) > MOST_CLAUSES:
        shown.append(f"and {len(parts) - MOST_CLAUSES} more, in the table")
    return "; ".join(shown) + "." if shown else ""


def distinct_names(names: Sequence[str]) -> list[str]:
    """The names, with their position added where several are the same."""
    return [
        name if names.count(name) == 1 else f"{name} ({position})"
        for position, name in enumerate(names, start=1)
    ]
