"""Writes of gates: saving versions, and applying one to a campaign."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now

from evalapp.accounts.models import Project, ResultsApplyTo, User
from evalapp.audit.services import record
from evalapp.campaigns.allocation import block_submissions
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name
from evalapp.core.uniqueness import unless_taken
from evalapp.datasets.counterfactuals.variants import FIELD
from evalapp.gates.conditions import (
    AGAINST_CHAMPION,
    Condition,
    ConditionKind,
    body_hash,
    body_of,
    require_sound,
)
from evalapp.gates.measuring import why_unusable
from evalapp.gates.models import CampaignGate, Gate
from evalapp.gates.queries import has_reviews
from evalapp.registry.models import ModelAlias, ModelVersion
from evalapp.rubrics.models import Criterion, Rubric

PICKED = "The items of this campaign were picked for their scores, so no gate can be applied."
COMPARES = "This campaign compares outputs; a gate needs ratings, so none can be applied."


@dataclass(frozen=True)
class GatePlan:
    """The content of a gate. ``alpha``: one-sided, for all evaluations of all candidates on one test version.
    ``challengers``: number of candidates that a sequential gate is evaluated for; None: a standard gate,
    evaluated once for each candidate of its campaign. ``planned_reviews``: of each candidate; None: the
    campaign's plan. ``population``: whose scores the conditions are about; None: as in the project's results.
    """

    name: str
    rubric: Rubric
    conditions: Sequence[Condition]
    alpha: float = 0.05
    planned_reviews: int | None = None
    challengers: int | None = None
    population: str | None = None


@transaction.atomic
def save_gate(*, project: Project, plan: GatePlan, by: User | None, gate: Gate | None = None) -> Gate:
    """Store a new gate or, with ``gate``, an edit: in place while no campaign applies it, else as the next
    version.

    Without a change nothing is stored. Raises InvalidError naming every invalid field, ConflictError for a
    name already in use, or an edit of a version that is not the latest.
    """
    name = gate.name if gate is not None else checked_name(plan.name, of="the gate")
    conditions = list(plan.conditions)
    alpha = float(plan.alpha)
    require_sound(
        alpha=alpha,
        planned_reviews=plan.planned_reviews,
        challengers=plan.challengers,
        conditions=conditions,
    )
    _require_criteria(plan.rubric, conditions)
    # The project's row serialises simultaneous saves.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    latest = project.gates.filter(name=name).order_by("-version").first()
    if gate is None and latest is not None:
        raise ConflictError(
            f"The project has a gate called “{name}” already. Open it to change it, or choose another name.",
            field="name",
        )
    if gate is not None and latest is not None and latest.pk != gate.pk:
        raise ConflictError(f"There is a newer version of “{name}”. Open {latest} and change that one.")
    population = ResultsApplyTo(plan.population or project.population)
    version = 1 if latest is None else latest.version + (latest.frozen_at is not None)
    body = body_of(
        name=name,
        version=version,
        alpha=alpha,
        planned_reviews=plan.planned_reviews,
        challengers=plan.challengers,
        population=population,
        conditions=conditions,
    )
    if latest is not None and _has_body(latest, body):
        return latest
    fields = {
        "rubric": plan.rubric,
        "alpha": alpha,
        "planned_reviews": plan.planned_reviews,
        "challengers": plan.challengers,
        "population": population,
        "conditions": body["conditions"],
        "body_hash": body_hash(body),
    }
    if latest is not None and latest.frozen_at is None:
        Gate.objects.filter(pk=latest.pk, frozen_at=None).update(**fields)
        saved = Gate.objects.select_related("project", "rubric").get(pk=latest.pk)
    else:
        saved = Gate.objects.create(project=project, name=name, version=version, created_by=by, **fields)
    record("gate.saved", by=by, obj=saved, project=project, data={"body_hash": saved.body_hash})
    return saved


def _has_body(gate: Gate, body: dict[str, object]) -> bool:
    return gate.body_hash == body_hash({**body, "version": gate.version})


def _require_criteria(rubric: Rubric, conditions: Sequence[Condition]) -> None:
    latest = rubric.versions.order_by("-number").first()
    criteria = {each.key: each for each in latest.criteria.all()} if latest is not None else {}
    _require_usable(conditions, criteria, f"“{rubric}”")


def _require_usable(conditions: Sequence[Condition], criteria: dict[str, Criterion], where: str) -> None:
    problems = [why_unusable(each, criteria.get(each.criterion)) for each in conditions]
    found = [f"{where}: {problem}." for problem in dict.fromkeys(problems) if problem]
    if found:
        raise InvalidError(" ".join(found), fields={"conditions": found})


@transaction.atomic
def apply_gate(
    *, campaign: Campaign, gate: Gate, by: User | None, champion: ModelVersion | None = None
) -> CampaignGate:
    """Apply a gate to a campaign, which freezes it. ``champion`` None: the current champion among the
    candidates.

    Before the first review it becomes the campaign's gate, replacing one applied earlier; afterwards it is an
    additional exploratory gate. Raises InvalidError if the campaign's rubric or candidates do not fit,
    ConflictError if it is applied already.
    """
    if campaign.compares:
        raise InvalidError(COMPARES, field="gate")
    if campaign.picked_because:
        raise InvalidError(PICKED, field="gate")
    # A gate binds every decision of the project, so the project's row serialises gates and decisions.
    Project.objects.select_for_update(no_key=True).get(pk=campaign.project_id)
    conditions = gate.parsed_conditions
    criteria = {each.key: each for each in campaign.rubric_version.criteria.all()}
    _require_usable(conditions, criteria, f"The rubric of {campaign}")
    if champion is not None or any(each.kind in AGAINST_CHAMPION for each in conditions):
        champion = _require_champion(campaign, champion)
    if any(each.kind == ConditionKind.COUNTERFACTUAL for each in conditions):
        _require_counterfactuals(campaign)
    # No review can come between the search for the first one and the application.
    block_submissions(campaign.pk)
    is_late = has_reviews(campaign)
    if not is_late:
        campaign.applied_gates.exclude(gate=gate, champion=champion).delete()
    # Before any result is known the gate may change; from here on it may not.
    Gate.objects.filter(pk=gate.pk, frozen_at=None).update(frozen_at=Now())
    with unless_taken(f"{campaign} has the gate {gate} already."):
        campaign_gate = CampaignGate.objects.create(
            campaign=campaign, gate=gate, champion=champion, is_exploratory=is_late, applied_by=by
        )
    data = {"campaign": campaign.pk, "body_hash": gate.body_hash, "is_exploratory": is_late}
    record("gate.applied", by=by, obj=gate, project=campaign.project, data=data)
    return campaign_gate


def _require_counterfactuals(campaign: Campaign) -> None:
    rows = campaign.dataset_version.examples.filter(split=campaign.split, metadata__has_key=FIELD)
    if not rows.exists():
        raise InvalidError(
            f"This gate asks for counterfactual fairness, and the rows of {campaign.dataset_version} are not"
            " counterfactual pairs. Create a counterfactual dataset on the page of a dataset version, and"
            " review its rows.",
            field="gate",
        )


def _require_champion(campaign: Campaign, wanted: ModelVersion | None) -> ModelVersion:
    candidates = [entry.model_version for entry in campaign.candidates.select_related("model_version")]
    if wanted is None:
        found = next((each for each in candidates if each.alias == ModelAlias.CHAMPION), None)
    else:
        found = next((each for each in candidates if each.pk == wanted.pk), None)
    if found is None:
        raise InvalidError(
            "This gate compares a candidate with the champion, and the campaign has no champion among its"
            " candidates. Choose which candidate is the champion here."
            if wanted is None
            else f"{wanted.label} is not a candidate of {campaign}.",
            field="champion",
        )
    if len(candidates) < 2:
        raise InvalidError(
            "The champion is the campaign's only candidate, so there is no candidate to compare with it.",
            field="champion",
        )
    return found
