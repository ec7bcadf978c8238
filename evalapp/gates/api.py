"""Gates, the gate of a campaign, and its evaluations."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.models import ResultsApplyTo
from evalapp.accounts.permissions import Permission
from evalapp.api.fields import (
    Body,
    CreatedByField,
    Id,
    List,
    MeasureSerializer,
    Number,
    ReadOnlySerializer,
    Text,
    Whole,
)
from evalapp.api.operations import Answer, ProjectView, chosen, operation, route
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.http import get_or_missing
from evalapp.core.names import LONGEST_NAME
from evalapp.gates.attestations import LONGEST_STATEMENT, attest_training_data
from evalapp.gates.conditions import (
    LARGEST_COUNT,
    MOST_CHALLENGERS,
    MOST_CONDITIONS,
    TOTAL,
    Condition,
    ConditionKind,
)
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import CampaignGate, Gate, GateEvaluation, GateVerdict, TrainingDataAttestation
from evalapp.gates.queries import applied_gates, candidate_named, evaluations_of, gates_of, last_evaluation
from evalapp.gates.reviews_needed import reviews_needed_of
from evalapp.gates.services import GatePlan, apply_gate, save_gate
from evalapp.registry.queries import versions_of
from evalapp.rubrics.models import Criterion

KINDS = [kind.value for kind in ConditionKind]
STATES = ("met", "not_met", "undecided")
LEVEL_DIGITS = 12


class GateConditionSerializer(serializers.Serializer[Any]):
    """``threshold`` is a mean, a share from 0 to 1, a margin in points, or a count, depending on ``kind``."""

    kind = serializers.ChoiceField(choices=KINDS)
    criterion = serializers.CharField(
        help_text=f"Key of a criterion, or “{TOTAL}”; empty if the condition has none."
    )
    name = serializers.CharField()
    threshold = serializers.FloatField(allow_null=True)
    at_most = serializers.IntegerField(allow_null=True, help_text="The highest score that counts as low.")


class GateSerializer(ReadOnlySerializer):
    """``alpha`` is one-sided, for all evaluations of all candidates on one test version together.
    ``challengers`` is null for a standard gate.
    """

    rubric = serializers.IntegerField(source="rubric_id")
    conditions = GateConditionSerializer(many=True)
    created_by = CreatedByField()

    class Meta:
        model = Gate
        fields = (
            "id", "name", "version", "rubric", "alpha", "planned_reviews", "challengers", "population",
            "conditions", "body_hash", "frozen_at",
            "created_by", "created_at",
        )  # fmt: skip


class GateConditionBody(Body):
    kind = serializers.ChoiceField(choices=KINDS)
    criterion = Text(
        max_length=40, allow_blank=True, default="", help_text=f"Key of a criterion, or “{TOTAL}”."
    )
    threshold = Number(required=False, default=None, allow_null=True)
    at_most = Whole(required=False, default=None, allow_null=True, max_value=100)

    @staticmethod
    def condition_of(values: dict[str, Any], criteria: dict[str, Criterion]) -> Condition:
        """With the criterion's name, as people read it."""
        key = values["criterion"]
        known = criteria.get(key)
        name = "Total" if key == TOTAL else known.name if known is not None else key
        return Condition(ConditionKind(values["kind"]), key, name, values["threshold"], values["at_most"])


class GateBody(Body):
    name = Text(max_length=LONGEST_NAME)
    rubric = Id()
    conditions = List(child=GateConditionBody(), max_length=MOST_CONDITIONS)
    alpha = Number(default=0.05, min_value=0.0001, max_value=0.2)
    planned_reviews = Whole(
        default=None,
        allow_null=True,
        min_value=1,
        max_value=LARGEST_COUNT,
        help_text=(
            "Planned reviews of each candidate; most of the budget is spent when they are in. null: as "
            "its campaign plans."
        ),
    )
    challengers = Whole(
        required=False,
        default=None,
        allow_null=True,
        min_value=1,
        max_value=MOST_CHALLENGERS,
        help_text=(
            "Number of candidates for which a sequential gate is evaluated as reviews come in. Null: a "
            "standard gate, evaluated once for each candidate of its campaign, when all planned reviews "
            "are in."
        ),
    )
    population = serializers.ChoiceField(
        choices=ResultsApplyTo.choices,
        allow_null=True,
        default=None,
        help_text="Population that the conditions describe; null: the population of the project's results.",
    )


class ApplyGateBody(Body):
    gate = Id()
    champion = Id(
        required=False,
        default=None,
        allow_null=True,
        help_text="Id of a model version; null: the current champion.",
    )


class EvaluateGateBody(Body):
    candidate = Text(
        max_length=80,
        allow_blank=True,
        default="",
        help_text="Label of the candidate; default: the newest tuned one.",
    )


class AttestationBody(Body):
    candidate = Text(max_length=80, help_text="Label of a candidate that was trained elsewhere.")
    statement = Text(
        max_length=LONGEST_STATEMENT,
        help_text="How you know that no test prompt is in its training data.",
    )


class AttestationSerializer(ReadOnlySerializer):
    candidate = serializers.IntegerField(source="candidate_id")
    label = serializers.CharField(source="candidate.label")
    attested_by = serializers.CharField(allow_null=True)

    class Meta:
        model = TrainingDataAttestation
        fields = ("id", "candidate", "label", "statement", "attested_by", "created_at")


class ResultSerializer(serializers.Serializer[Any]):
    """State of one condition, with the reason."""

    condition = GateConditionSerializer()
    words = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    reason = serializers.CharField()
    measure = MeasureSerializer(allow_null=True)
    more_reviews = serializers.IntegerField(allow_null=True)


class EvaluationSerializer(ReadOnlySerializer):
    """A recorded evaluation. ``number`` and ``challenger`` count evaluations and candidates in the ledger of
    the tested split; ``share`` is the share of the candidate's ``planned`` reviews that were in. All three
    are null for an exploratory or simulated evaluation. ``reviewers_added_later`` counts the ``reviewers``
    added after the campaign's first review. ``more_reviews`` of the candidate would decide the open
    conditions.
    """

    candidate = serializers.IntegerField(source="candidate_id")
    label = serializers.CharField(source="candidate.label")
    results = ResultSerializer(many=True)
    level = serializers.SerializerMethodField()
    items = serializers.SerializerMethodField()
    reviewers = serializers.SerializerMethodField()
    reviewers_added_later = serializers.SerializerMethodField()
    reviews = serializers.SerializerMethodField()
    why_beside_ledger = serializers.SerializerMethodField()
    evaluated_by = serializers.CharField(allow_null=True)

    class Meta:
        model = GateEvaluation
        fields = (
            "id", "candidate", "label", "verdict", "results", "level", "number", "challenger", "planned",
            "share", "is_exploratory",
            "is_simulated", "why_beside_ledger", "more_reviews", "items", "reviewers",
            "reviewers_added_later", "reviews",
            "reviews_digest",
            "body_hash", "evaluated_at", "evaluated_by",
        )  # fmt: skip

    def get_level(self, evaluation: GateEvaluation) -> float:
        # The hashed record keeps every digit; here 0.050000000000000044 would only be read as a mistake.
        return float(f"{evaluation.level:.{LEVEL_DIGITS}g}")

    def get_items(self, evaluation: GateEvaluation) -> int:
        return int(evaluation.record["items"])

    def get_reviewers(self, evaluation: GateEvaluation) -> int:
        return int(evaluation.record["reviewers"])

    def get_reviewers_added_later(self, evaluation: GateEvaluation) -> int:
        return int(evaluation.record["reviewers_added_later"])

    def get_reviews(self, evaluation: GateEvaluation) -> int:
        return int(evaluation.record["reviews"])

    def get_why_beside_ledger(self, evaluation: GateEvaluation) -> str:
        """Why the evaluation is not in the ledger; empty if it is."""
        return str(evaluation.record["why_beside_ledger"])


class AppliedGateSerializer(ReadOnlySerializer):
    gate = GateSerializer()
    champion = serializers.IntegerField(source="champion_id", allow_null=True)

    class Meta:
        model = CampaignGate
        fields = ("id", "gate", "champion", "is_exploratory", "created_at")


class CampaignGateSerializer(serializers.Serializer[Any]):
    """A campaign's gate with its last recorded evaluation; null if there is none. ``verdict`` is for
    continuous delivery. It is “not yet” before the first review, and for every exploratory or simulated
    evaluation, whatever the verdict of the ``evaluation`` itself; ``reason`` says which. Before the first
    review, ``more_reviews`` is the number of planned reviews per candidate.
    """

    verdict = serializers.ChoiceField(choices=GateVerdict.choices, allow_null=True)
    more_reviews = serializers.IntegerField(
        allow_null=True,
        help_text=(
            "Reviews of the candidate that would decide the undecided conditions; null if unknown, or if "
            "none are needed."
        ),
    )
    reason = serializers.CharField(
        help_text="Why the verdict is “not yet” whatever the numbers are; otherwise empty."
    )
    campaign_gate = AppliedGateSerializer(allow_null=True)
    evaluation = EvaluationSerializer(allow_null=True)


@route("gates/", "api_gates")
class GateList(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.EDIT_CAMPAIGNS

    @operation("List gates", result=GateSerializer, paged=True)
    def get(self) -> object:
        """One entry for each version, newest first."""
        return self.page(gates_of(self.project))

    @operation("Save a gate", body=GateBody, result=GateSerializer, status=201)
    def post(self) -> object:
        """A new name creates a gate. An existing name changes that gate: in place if no campaign uses it,
        otherwise as a new version.
        """
        values = self.body()
        rubric = chosen(self.project.rubrics.all(), values["rubric"], "rubric", "rubric with id")
        latest = rubric.versions.order_by("-number").first()
        criteria = {each.key: each for each in latest.criteria.all()} if latest is not None else {}
        plan = GatePlan(
            **{
                **values,
                "rubric": rubric,
                "conditions": [
                    GateConditionBody.condition_of(each, criteria) for each in values["conditions"]
                ],
            }
        )
        gate = self.project.gates.filter(name=" ".join(plan.name.split())).order_by("-version").first()
        return save_gate(project=self.project, plan=plan, by=self.person, gate=gate)


@route("gates/<int:gate_id>/", "api_gate")
class GateDetail(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Read a gate", result=GateSerializer)
    def get(self, gate_id: int) -> object:
        return get_or_missing(gates_of(self.project), pk=gate_id)


class CampaignGateView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def campaign(self, campaign_id: int) -> Campaign:
        campaigns = self.project.campaigns.select_related(
            "project", "rubric_version", "dataset_version__dataset"
        )
        return get_or_missing(campaigns, pk=campaign_id)


@route("campaigns/<int:campaign_id>/gate/", "api_campaign_gate")
class CampaignGateDetail(CampaignGateView):
    post_permission = Permission.DECIDE

    @operation("Read a campaign's gate", result=CampaignGateSerializer)
    def get(self, campaign_id: int) -> object:
        """The gate with its last recorded evaluation. The verdict is “not yet” before the first review, and
        if nobody can sign it. Reading spends no budget.
        """
        campaign_gate = next(iter(applied_gates(self.campaign(campaign_id))), None)
        return _campaign_gate_values(
            campaign_gate, last_evaluation(campaign_gate) if campaign_gate is not None else None
        )

    @operation(
        "Evaluate a gate",
        body=EvaluateGateBody,
        result=CampaignGateSerializer,
        status=201,
        also={
            200: (
                "There are no new reviews since the last evaluation, so it remains valid. Without any review"
                " the verdict is “not yet” and is not recorded."
            )
        },
    )
    def post(self, campaign_id: int) -> object:
        """Records an evaluation, which spends false-release budget. The verdict is release, do not release,
        or not yet.
        """
        campaign = self.campaign(campaign_id)
        values = self.body()
        campaign_gate = next(iter(applied_gates(campaign)), None)
        if campaign_gate is None:
            raise ConflictError(f"{campaign} has no gate to evaluate. Apply one first.")
        candidate = candidate_named(campaign_gate, values["candidate"])
        if reviews_needed_of(campaign_gate):
            return Answer(_campaign_gate_values(campaign_gate, None), 200)
        found = evaluate_gate(campaign_gate=campaign_gate, candidate=candidate, by=self.person)
        return Answer(_campaign_gate_values(campaign_gate, found.evaluation), 201 if found.is_new else 200)


def _campaign_gate_values(
    campaign_gate: CampaignGate | None, evaluation: GateEvaluation | None
) -> dict[str, Any]:
    waiting = reviews_needed_of(campaign_gate) if campaign_gate is not None and evaluation is None else None
    if waiting is not None:
        values = {
            "verdict": GateVerdict.NOT_YET,
            "more_reviews": waiting.more_reviews,
            "reason": waiting.words,
        }
    elif evaluation is not None:
        values = {
            "verdict": evaluation.verdict_for_delivery,
            "more_reviews": evaluation.more_reviews,
            "reason": evaluation.why_not_signed,
        }
    else:
        values = {"verdict": None, "more_reviews": None, "reason": ""}
    return {**values, "campaign_gate": campaign_gate, "evaluation": evaluation}


@route("campaigns/<int:campaign_id>/gate/apply/", "api_campaign_gate_apply")
class CampaignGateApply(CampaignGateView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Apply a gate to a campaign", body=ApplyGateBody, result=AppliedGateSerializer, status=201)
    def post(self, campaign_id: int) -> object:
        """If applied before the first review, the gate decides; if applied later, it is exploratory."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        gate = chosen(gates_of(self.project), values["gate"], "gate", "gate with id")
        champion = None
        if values["champion"] is not None:
            versions = versions_of(self.project)
            champion = chosen(versions, values["champion"], "champion", "candidate with id")
        campaign_gate = apply_gate(campaign=campaign, gate=gate, champion=champion, by=self.person)
        campaign_gate.gate.refresh_from_db()
        return campaign_gate


@route("campaigns/<int:campaign_id>/gate/attestations/", "api_campaign_gate_attestations")
class CampaignGateAttestations(CampaignGateView):
    post_permission = Permission.DECIDE

    @operation("List the attestations of training data", result=AttestationSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        attestations = self.campaign(campaign_id).attestations.select_related("candidate", "attested_by")
        return self.page(attestations)

    @operation(
        "Attest a candidate's training data", body=AttestationBody, result=AttestationSerializer, status=201
    )
    def post(self, campaign_id: int) -> object:
        """States that no test prompt is in the training data of a candidate that was trained elsewhere. The
        next evaluation of a gate takes it into account.
        """
        campaign = self.campaign(campaign_id)
        values = self.body()
        candidates = [entry.model_version for entry in campaign.candidates.select_related("model_version")]
        candidate = next((each for each in candidates if each.label == values["candidate"]), None)
        if candidate is None:
            raise InvalidError(f"{campaign} has no candidate “{values['candidate']}”.", field="candidate")
        return attest_training_data(
            campaign=campaign, candidate=candidate, statement=values["statement"], by=self.person
        )


@route("campaigns/<int:campaign_id>/gate/evaluations/", "api_campaign_gate_evaluations")
class CampaignGateEvaluations(CampaignGateView):
    @operation("List the evaluations of a campaign's gate", result=EvaluationSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Newest first; for the gate that was applied before the first review, or else for the exploratory
        gate.
        """
        campaign_gate = next(iter(applied_gates(self.campaign(campaign_id))), None)
        return self.page(
            evaluations_of(campaign_gate) if campaign_gate is not None else GateEvaluation.objects.none()
        )
