import json
from typing import Any, cast

from django.db import transaction

from evalapp.accounts.models import Project, ResultsApplyTo, User
from evalapp.accounts.queries import may_create_project
from evalapp.accounts.services import create_project as create_bare_project
from evalapp.analysis.comparison.candidates import CandidateRow, Comparison
from evalapp.analysis.pairwise.pairs import PairResults, load_preferences, pair_results
from evalapp.analysis.stored.comparison_result import ComparisonResult, comparison_of
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.decisions.dossiers import seal_of
from evalapp.decisions.models import Decision, DecisionVerdict
from evalapp.decisions.signing import (
    newest_signing_decision,
    require_decision_seen,
    require_no_gate,
    require_signable,
)
from evalapp.gates.models import GateEvaluation
from evalapp.registry.models import ModelAlias, ModelVersion
from evalapp.registry.services import set_alias
from evalapp.rubrics.services import add_default_rubric

MAX_NOTE = 5_000


def check_may_open_project(person: User) -> None:
    """Raises NotAllowedError for people who neither own a project nor administer the site."""
    if not may_create_project(person):
        raise NotAllowedError(
            "Only owners of other projects and the site admin can create projects. Ask one of them."
        )


def open_project(
    *, name: str, description: str = "", population: str = ResultsApplyTo.PANEL, by: User
) -> Project:
    """`set_up_project` on a person's request. Raises NotAllowedError if they may not."""
    check_may_open_project(by)
    return set_up_project(name=name, description=description, population=population, by=by)


@transaction.atomic
def set_up_project(
    *,
    name: str,
    description: str = "",
    population: str = ResultsApplyTo.PANEL,
    by: User,
    is_demonstration: bool = False,
) -> Project:
    """Create a project ready for work: with its owner, and the rubric template.

    For the operator, who creates it in the name of its first owner; requests of people use `open_project`.
    """
    project = create_bare_project(
        name=name,
        description=description,
        population=population,
        by=by,
        is_demonstration=is_demonstration,
    )
    add_default_rubric(project=project, by=by)
    return project


@transaction.atomic
def decide(
    *,
    campaign: Campaign,
    candidate: ModelVersion,
    verdict: str,
    note: str,
    by: User,
    evaluation: GateEvaluation | None = None,
    replaces: int | None = None,
) -> Decision:
    """Record a decision on a candidate with the current numbers. "Release" makes it the champion.

    With ``evaluation`` it signs a gate's verdict (`signing.require_signable` raises what it refuses). Where a
    campaign of the project has a gate, nothing is released without one, and deciding otherwise than the gate
    needs a note. ``replaces``: the id of the newest decision on the evaluation, or else the campaign; raises
    ConflictError for another id, so that nobody overrides a decision unseen. Repeating a decision, by the
    same person on the same numbers, returns the existing one. For a large campaign the numbers are those that
    a job has stored, and the evidence keeps how far they are behind; without stored numbers raises
    ConflictError, unless an evaluation is signed, which has its own. Outside a demonstration simulated
    reviews are never read.
    """
    _require_sound(campaign=campaign, verdict=verdict, note=note)
    found = comparison_of(campaign)
    comparison = found.comparison
    row = _row_of(comparison, campaign, candidate)
    judged = pair_results(load_preferences(campaign)) if campaign.compares else None
    _require_evidence(found, judged, has_evaluation=evaluation is not None)
    fields = {
        "candidate": candidate,
        "verdict": verdict,
        "note": note.strip(),
        "evidence": _evidence(found, row, judged),
        "decided_by": by,
        "evaluation_id": evaluation.pk if evaluation is not None else None,
    }
    # The project's row serialises decisions and applications of gates: none comes in after it is looked for
    # here, and the newest decision is what this one is compared with.
    Project.objects.select_for_update(no_key=True).get(pk=campaign.project_id)
    if evaluation is None:
        require_no_gate(campaign=campaign, verdict=verdict)
    else:
        require_signable(
            evaluation=evaluation, campaign=campaign, candidate=candidate, verdict=verdict, by=by
        )
        _require_reason(evaluation, verdict=verdict, note=note)
    standing = campaign.decisions.select_related("candidate", "decided_by").order_by("-id").first()
    if standing is not None and _is_same_decision(standing, fields):
        return standing
    require_decision_seen(standing if evaluation is None else newest_signing_decision(evaluation), replaces)
    # A signed evaluation uses human reviews only.
    is_simulated = comparison.design.is_simulated or bool(judged and judged.preferences.is_simulated)
    is_simulated = is_simulated and evaluation is None
    return _record_decision(
        Decision(project=campaign.project, campaign=campaign, is_simulated=is_simulated, **fields), by=by
    )


def _record_decision(decision: Decision, *, by: User) -> Decision:
    """Store and audit the decision, seal it if it signs an evaluation, and promote the candidate if it
    releases.
    """
    decision.save()
    if decision.evaluation_id is not None:
        decision.seal = seal_of(decision)
        decision.save(update_fields=["seal"])
    data = {"verdict": decision.verdict, **({"seal": decision.seal} if decision.seal else {})}
    record("decision.made", by=by, obj=decision, project=decision.project, data=data)
    if decision.verdict == DecisionVerdict.RELEASE:
        set_alias(version=decision.candidate, alias=ModelAlias.CHAMPION, by=by, decision=decision.pk)
    return decision


def _row_of(comparison: Comparison, campaign: Campaign, candidate: ModelVersion) -> CandidateRow:
    row = next((row for row in comparison.rows if row.candidate.model_version_id == candidate.pk), None)
    if row is None:
        raise InvalidError(
            f"{candidate.label} is not a candidate of {campaign.name}.",
            fields={"candidate": ["Choose one of the campaign's candidates."]},
        )
    return row


def _require_sound(*, campaign: Campaign, verdict: str, note: str) -> None:
    if verdict not in DecisionVerdict.values:
        raise InvalidError("Choose release, do not release, or not yet.", fields={"verdict": ["Choose one."]})
    if campaign.state == CampaignState.DRAFT:
        raise InvalidError("The campaign has not been opened, so there is nothing to decide on.")
    if campaign.picked_because:
        raise InvalidError(
            f"The items of {campaign.name} were picked for their scores, so no candidate can be decided on"
            " them. Decide on a campaign whose items were sampled at random."
        )
    if len(note) > MAX_NOTE or "\x00" in note:
        raise InvalidError(f"The note takes at most {MAX_NOTE:,} characters, none of them NUL.", field="note")


def _require_evidence(found: ComparisonResult, judged: PairResults | None, *, has_evaluation: bool) -> None:
    """Signing an evaluation does not wait for the comparison's numbers, because it has its own."""
    name = found.campaign.name
    if not found.comparison.design.reviews and not (judged and judged.preferences.rows):
        raise InvalidError(f"{name} has no review yet; a decision needs evidence.")
    if not has_evaluation and not found.is_computed:
        raise ConflictError(
            f"The results of {name} are not computed yet, so the decision would have none to store."
            " Compute them on its results page, then decide."
        )


def _require_reason(evaluation: GateEvaluation, *, verdict: str, note: str) -> None:
    """A decision against a gate's verdict needs a reason for auditors."""
    if verdict != evaluation.verdict and not note.strip():
        raise InvalidError(
            f"The gate says {evaluation.get_verdict_display().lower()}."
            " Give a reason for deciding otherwise.",
            field="note",
        )


def _is_same_decision(standing: Decision, fields: dict[str, Any]) -> bool:
    """Whether the same was decided and still applies: the champion may have changed since."""
    is_same = all(getattr(standing, name) == value for name, value in fields.items())
    is_released = standing.candidate.alias == ModelAlias.CHAMPION
    return is_same and (is_released or standing.verdict != DecisionVerdict.RELEASE)


def _evidence(found: ComparisonResult, row: CandidateRow, judged: PairResults | None) -> dict[str, Any]:
    """The evidence of the decision, as the database returns it."""
    comparison, freshness = found.comparison, found.freshness
    evidence: dict[str, Any] = {
        "design": comparison.design._asdict(),
        "human": {cell.criterion.key: cell.mean.as_dict() for cell in row.human},
        "total": row.total.as_dict(),
        "metrics": {name: measure.as_dict() for name, measure in row.metrics.items()},
        "rules": {rule.name: row.rules[rule.pk].as_dict() for rule in comparison.rules},
    }
    if judged is not None:
        evidence["pairs"] = judged.as_dict()
    if freshness is not None:
        # The design is counted now; the other numbers are as of the job.
        computed_at = freshness.computed_at
        evidence["freshness"] = {
            "computed_at": computed_at.isoformat() if computed_at is not None else None,
            "reviews_since": freshness.reviews_since,
            "changes_since": freshness.changes_since,
        }
    return cast(dict[str, Any], json.loads(json.dumps(evidence)))
