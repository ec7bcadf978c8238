"""Who may sign which verdict of a gate, and promotion through a campaign's gate."""

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.decisions.models import Decision, DecisionVerdict
from evalapp.gates.lineage import training_of
from evalapp.gates.models import CampaignGate, GateEvaluation, GateVerdict
from evalapp.gates.queries import deciding_gate
from evalapp.registry.models import ModelVersion


def trainer_of(candidate: ModelVersion) -> User | None:
    """Who started the candidate's training run; for an imported adapter, who imported it."""
    run = training_of(candidate)
    if run is not None:
        return run.created_by
    return candidate.created_by if candidate.is_tuned else None


def why_not_signed_by(evaluation: GateEvaluation, person: User) -> str:
    """Why this person cannot sign it, as a sentence; empty if they can."""
    if evaluation.why_not_signed:
        return evaluation.why_not_signed
    trainer = trainer_of(evaluation.candidate)
    if trainer is not None and trainer.pk == person.pk:
        return (
            f"You started the training of {evaluation.candidate.label}, so somebody else has to approve it."
        )
    return ""


def require_signable(
    *, evaluation: GateEvaluation, campaign: Campaign, candidate: ModelVersion, verdict: str, by: User
) -> None:
    """Raises InvalidError for an evaluation of something else or one that cannot be signed, NotAllowedError
    for the person who trained the candidate, ConflictError for an evaluation that is not the newest, or a
    release that did not pass.
    """
    if evaluation.campaign_gate.campaign_id != campaign.pk or evaluation.candidate_id != candidate.pk:
        raise InvalidError("This evaluation belongs to another candidate or campaign.", field="evaluation")
    if not evaluation.may_be_signed:
        raise InvalidError(evaluation.why_not_signed, field="evaluation")
    if message := why_not_signed_by(evaluation, by):
        raise NotAllowedError(message)
    newer = evaluation.campaign_gate.evaluations.filter(candidate=candidate, pk__gt=evaluation.pk)
    if newer.exists():
        raise ConflictError("There is a newer evaluation of this candidate; sign that one.")
    if verdict == DecisionVerdict.RELEASE and evaluation.verdict != GateVerdict.RELEASE:
        raise ConflictError(
            f"The gate says “{evaluation.get_verdict_display().lower()}”, so it cannot be signed as"
            " “release”."
        )


def newest_signing_decision(evaluation: GateEvaluation) -> Decision | None:
    """The newest decision that signs this evaluation."""
    found: Decision | None = evaluation.decisions.select_related("decided_by").order_by("-pk").first()
    return found


def require_decision_seen(standing: Decision | None, replaces: int | None) -> None:
    """Raises ConflictError if a decision on the evaluation, or on the campaign without one, exists and
    ``replaces`` is not its id, so that nobody overrides it unseen. Call it under the project's lock, so that
    no other is made meanwhile.
    """
    if standing is None or standing.pk == replaces:
        return
    who = standing.decided_by or "A former member"
    verdict = standing.get_verdict_display().lower()
    if standing.evaluation_id is None:
        raise ConflictError(
            f"{who} has decided “{verdict}” on {standing.candidate.label} of this campaign (decision"
            f" {standing.pk}). Your decision was not recorded; read theirs, and decide again if yours"
            " replaces it."
        )
    raise ConflictError(
        f"{who} has signed “{verdict}” on this evaluation (decision {standing.pk}). Your signature was not"
        " recorded; read theirs, and sign again if yours replaces it."
    )


def binding_gate(campaign: Campaign) -> CampaignGate | None:
    """The gate that releases of the campaign must pass: its own, else the project's deciding gate."""
    own = campaign.applied_gates.filter(is_exploratory=False).select_related("gate", "campaign").first()
    return own or deciding_gate(campaign.project_id)


def why_not_released(campaign: Campaign, campaign_gate: CampaignGate) -> str:
    """Why nothing of the campaign is released without a signed evaluation, and what to do, as a sentence."""
    if campaign_gate.campaign_id == campaign.pk:
        return (
            f"{campaign} has the gate “{campaign_gate.gate}”: a candidate is released by signing an"
            " evaluation that says “release”."
        )
    late = campaign.applied_gates.filter(is_exploratory=True).select_related("gate").first()
    own = (
        "has no gate"
        if late is None
        else f"applied “{late.gate}” after its first review, so it is exploratory"
    )
    return (
        f"This project decides by the gate “{campaign_gate.gate}” (campaign {campaign_gate.campaign.name}),"
        f" and {campaign} {own}: a candidate is released by signing an evaluation that says “release”. Sign"
        " an evaluation in a campaign with a gate, or decide here “not yet” or “do not release”."
    )


def require_no_gate(*, campaign: Campaign, verdict: str) -> None:
    """Raises ConflictError for a release that bypasses the gate of the campaign or of another in its project.
    Call it under the project's lock, so that no gate is applied meanwhile.
    """
    if verdict == DecisionVerdict.RELEASE and (campaign_gate := binding_gate(campaign)) is not None:
        raise ConflictError(why_not_released(campaign, campaign_gate))
