"""Attestations about the training data of candidates trained elsewhere."""

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.core.uniqueness import unless_taken
from evalapp.gates.conditions import ConditionKind
from evalapp.gates.lineage import training_data_of
from evalapp.gates.models import CampaignGate, TrainingDataAttestation
from evalapp.gates.queries import choices_of
from evalapp.registry.models import ModelVersion

LONGEST_STATEMENT = 2_000


@transaction.atomic
def attest_training_data(
    *, campaign: Campaign, candidate: ModelVersion, statement: str, by: User | None
) -> TrainingDataAttestation:
    """Attest that no prompt of the campaign is in the candidate's training data.

    Raises InvalidError without a statement, for a candidate of another campaign and for one whose training
    data is known here; ConflictError if it is attested already.
    """
    statement = " ".join(statement.split())
    problem = ""
    if not statement:
        problem = "Say how you know this, for example who trained the model on which data."
    elif len(statement) > LONGEST_STATEMENT:
        problem = f"Give at most {LONGEST_STATEMENT:,} characters."
    if problem:
        raise InvalidError(problem, field="statement")
    if not campaign.candidates.filter(model_version=candidate).exists():
        problem = f"{candidate.label} is not a candidate of {campaign}."
    elif not training_data_of(candidate).unknown:
        problem = f"The training data of {candidate.label} is known here, so it is compared with the prompts."
    if problem:
        raise InvalidError(problem, field="candidate")
    with unless_taken(f"The training data of {candidate.label} is attested already."):
        attestation = TrainingDataAttestation.objects.create(
            campaign=campaign, candidate=candidate, statement=statement, attested_by=by
        )
    data = {"campaign": campaign.pk, "candidate": candidate.pk}
    record("training_data.attested", by=by, obj=attestation, project=campaign.project, data=data)
    return attestation


def attestations_needed(campaign_gate: CampaignGate) -> list[ModelVersion]:
    """Candidates that cannot pass because nobody has attested their training data; empty if the gate has no
    such condition.
    """
    if all(each.kind != ConditionKind.CONTAMINATION for each in campaign_gate.gate.parsed_conditions):
        return []
    attested = set(campaign_gate.campaign.attestations.values_list("candidate", flat=True))
    return [
        candidate
        for candidate in choices_of(campaign_gate)
        if candidate.pk not in attested and training_data_of(candidate).unknown
    ]
