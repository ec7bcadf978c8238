"""The tables of the planner's page, for copies."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from evalapp.analysis.planning.planner import Variance
from evalapp.core.tables import Cell, Column, Table

CRITERION = Column("Criterion")


def detectable_table(context: Mapping[str, Any]) -> Table | None:
    """The smallest difference and distance that the campaign finds with 80% power."""
    found = context.get("detectable")
    if not found:
        return None
    rows: list[list[Cell]] = [[each.criterion.name, each.difference, each.distance] for each in found]
    columns = [
        CRITERION,
        Column("Difference", "number", is_measure=True, anchor="planner"),
        Column("Distance from the minimum", "number", is_measure=True, anchor="planner"),
    ]
    note = (
        "The smallest detected with 80% power: a difference two-sided at 5%, a distance from a gate's"
        " minimum one-sided at 5%."
    )
    return Table("detectable", f"Statistical power of “{context['campaign'].name}”", columns, rows, note)


def power_table(context: Mapping[str, Any]) -> Table | None:
    """The power of each aim of the plan, and of all together."""
    planned = context.get("planned")
    if planned is None:
        return None
    rows: list[list[Cell]] = [
        [each.aim.name, each.aim.kind, each.aim.expected, each.aim.bound, each.power] for each in planned.aims
    ]
    rows.append(["All aims", "", None, None, planned.joint])
    columns = [
        CRITERION,
        Column("Aim"),
        Column("Expected", "number"),
        Column("Margin or minimum", "number"),
        Column("Power", "share", is_measure=True, anchor="planner"),
    ]
    items = planned.items
    if not planned.joint.defined:
        return Table("power", "Power", columns, rows, f"{planned.joint.reason.capitalize()}.")
    requirement = f"needs {items.value:.0f} items with these reviewers" if items.defined else items.reason
    return Table("power", "Power", columns, rows, f"80% power for all aims {requirement}.")


def variances_table(context: Mapping[str, Any]) -> Table | None:
    """The standard deviations that a plan starts from."""
    found = context.get("variances")
    if not found:
        return None
    design = context.get("design")
    parts = {"item": "Items", "reviewer": "Reviewers", "rest": "Residual"}
    if design is not None and design.groups:
        parts["group"] = "Groups"
    rows = [
        _spread(each.criterion.name, of, variance, parts)
        for each in found
        for of, variance in (("scores", each.scores), ("paired differences", each.differences))
    ]
    numbers = [Column(label, "number") for label in parts.values()]
    columns = [CRITERION, Column("Values"), *numbers, Column("Note")]
    sample = context.get("sample")
    note = f"From {sample.words}." if sample is not None else ""
    return Table("variances", f"Standard deviations in “{context['campaign'].name}”", columns, rows, note)


def _spread(name: str, of: str, variance: Variance, parts: Iterable[str]) -> list[Cell]:
    components = [getattr(variance.spread, part, None) for part in parts]
    return [name, of, *components, variance.reason if variance.spread is None else variance.note]


PLAN_TABLES: Mapping[str, Callable[[Mapping[str, Any]], Table | None]] = {
    "detectable": detectable_table,
    "power": power_table,
    "variances": variances_table,
}
