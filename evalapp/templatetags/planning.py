"""Tags for the power of a design or a gate."""

from typing import Any

from django import template

from evalapp.analysis.planning.design_power import DesignPower, power_of_design
from evalapp.campaigns.queries import Cost
from evalapp.rubrics.models import RubricVersion
from evalapp.stats.planning import Design
from evalapp.stats.populations import Population

register = template.Library()


@register.inclusion_tag("analysis/design_power.html", takes_context=True)
def design_power(
    context: template.Context, version: RubricVersion | None, cost: Cost | None
) -> dict[str, Any]:
    """The smallest differences that a campaign's design can find, and what would help most; empty if outputs
    are not rated or the design is incomplete.
    """
    return {"power": _power(context, version, cost)}


def _power(context: template.Context, version: RubricVersion | None, cost: Cost | None) -> DesignPower | None:
    if not version or not cost or "VIEW_ANALYSIS" not in (context.get("may") or ()):
        return None
    rates_two = cost.unit == "candidate" and cost.candidates > 1
    if not rates_two or cost.items < 2 or cost.groups == 1 or not 1 <= cost.overlap <= cost.people:
        return None
    project = version.rubric.project
    design = Design(
        items=cost.items,
        reviewers=cost.people,
        overlap=cost.overlap,
        population=Population(project.population),
        groups=cost.groups,
    )
    return power_of_design(version, design)
