"""A chart: a specification, a summary sentence, and the same numbers as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from evalapp.charts.theme import Spec

if TYPE_CHECKING:
    import altair as alt

# More is told by the table.
MOST_SAID = 4


class Chart(NamedTuple):
    """``spec`` is a Vega-Lite specification without a configuration, which is the theme's; ``says`` is the
    text alternative; ``columns`` and ``rows`` are for readers without the drawing.
    """

    spec: Spec
    columns: list[str]
    rows: list[list[Any]]
    says: str = ""


class Panel(NamedTuple):
    """One of several charts side by side; ``of`` says what its axis is: "1–5", "shares"."""

    of: str
    chart: Chart


def finished(
    drawing: "alt.Chart | alt.LayerChart | alt.FacetChart",
    *,
    says: str,
    columns: list[str],
    rows: list[list[Any]],
) -> Chart:
    """Altair's drawing as a Chart, the sentence on it for screen readers."""
    # The tests draw each kind; checking it against the schema here takes as long as building it.
    spec: Spec = drawing.to_dict(validate=False)
    spec.pop("config", None)
    return Chart({**spec, "description": says}, columns, rows, says)


def listed(parts: Sequence[str]) -> str:
    """Clauses as one sentence, the many cut short: "a; b; and 3 more"."""
    shown = list(parts[:MOST_SAID])
    if len(parts) > MOST_SAID:
        shown.append(f"and {len(parts) - MOST_SAID} more, in the table")
    return "; ".join(shown) + "." if shown else ""


def unlike(names: Sequence[str]) -> list[str]:
    """The names, told apart by their number where two are the same."""
    return [
        name if names.count(name) == 1 else f"{name} ({position})"
        for position, name in enumerate(names, start=1)
    ]
