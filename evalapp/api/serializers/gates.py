from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Id, List, Number, Shown, Text, Whole
from evalapp.api.serializers.common import CreatedByField, MeasureSerializer
from evalapp.core.names import LONGEST_NAME
from evalapp.gates.conditions import (
    LARGEST_COUNT,
    MOST_CHALLENGERS,
    MOST_CONDITIONS,
    TOTAL,
    Condition,
    ConditionKind,
)
from evalapp.gates.models import CampaignGate, Gate, GateEvaluation, GateVerdict
from evalapp.rubrics.models import Criterion

KINDS = [kind.value for kind in ConditionKind]
STATES = ("met", "not_met", "undecided")
LEVEL_DIGITS = 12


class GateConditionSerializer(serializers.Serializer[Any]):
    """``threshold``: a mean, a share from 0 to 1, a margin in points, or a count."""

    kind = serializers.ChoiceField(choices=KINDS)
    criterion = serializers.CharField(help_text=f"A criterion's key, or “{TOTAL}”; empty where it has none.")
    name = serializers.CharField()
    threshold = serializers.FloatField(allow_null=True)
    at_most = serializers.IntegerField(allow_null=True, help_text="What counts as a low score.")


class GateSerializer(Shown):
    """``alpha`` is one-sided, over all evaluations of all challengers on one test version."""

    rubric = serializers.IntegerField(source="rubric_id")
    conditions = GateConditionSerializer(many=True)
    created_by = CreatedByField()

    class Meta:
        model = Gate
        fields = (
            "id", "name", "version", "rubric", "alpha", "planned_reviews", "challengers", "conditions", "body_hash", "frozen_at",
            "created_by", "created_at",
        )  # fmt: skip


class GateConditionBody(Body):
    kind = serializers.ChoiceField(choices=KINDS)
    criterion = Text(
        max_length=40, allow_blank=True, default="", help_text=f"A criterion's key, or “{TOTAL}”."
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
        help_text="Of each candidate; evaluations spend most of the budget there. null: what its campaign plans.",
    )
    challengers = Whole(default=5, min_value=1, max_value=MOST_CHALLENGERS)


class ApplyGateBody(Body):
    gate = Id()
    champion = Id(
        required=False,
        default=None,
        allow_null=True,
        help_text="Id of a model version; null: the champion now.",
    )


class EvaluateGateBody(Body):
    candidate = Text(
        max_length=80,
        allow_blank=True,
        default="",
        help_text="Its label; without one, the newest tuned candidate.",
    )


class ResultSerializer(serializers.Serializer[Any]):
    """What became of a condition, and why."""

    condition = GateConditionSerializer()
    words = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    reason = serializers.CharField()
    measure = MeasureSerializer(allow_null=True)
    more_reviews = serializers.IntegerField(allow_null=True)


class EvaluationSerializer(Shown):
    """A recorded evaluation. ``number`` and ``challenger`` are its numbers in the ledger of the tested split, ``share`` what was
    in of the ``planned`` reviews of the candidate; null where
    it is exploratory or simulated. ``more_reviews`` of the candidate would show what is open.
    """

    candidate = serializers.IntegerField(source="candidate_id")
    label = serializers.CharField(source="candidate.label")
    results = ResultSerializer(many=True)
    level = serializers.SerializerMethodField()
    items = serializers.SerializerMethodField()
    reviewers = serializers.SerializerMethodField()
    reviews = serializers.SerializerMethodField()
    why_beside_ledger = serializers.SerializerMethodField()
    evaluated_by = serializers.CharField(allow_null=True)

    class Meta:
        model = GateEvaluation
        fields = (
            "id", "candidate", "label", "verdict", "results", "level", "number", "challenger", "planned", "share", "is_exploratory",
            "is_simulated", "why_beside_ledger", "more_reviews", "items", "reviewers", "reviews", "reviews_digest",
            "body_hash", "evaluated_at", "evaluated_by",
        )  # fmt: skip

    def get_level(self, evaluation: GateEvaluation) -> float:
        # The hashed record keeps every digit; here 0.050000000000000044 would only be read as a mistake.
        return float(f"{evaluation.level:.{LEVEL_DIGITS}g}")

    def get_items(self, evaluation: GateEvaluation) -> int:
        return int(evaluation.record["items"])

    def get_reviewers(self, evaluation: GateEvaluation) -> int:
        return int(evaluation.record["reviewers"])

    def get_reviews(self, evaluation: GateEvaluation) -> int:
        return int(evaluation.record["reviews"])

    def get_why_beside_ledger(self, evaluation: GateEvaluation) -> str:
        """Why the evaluation is not on the ledger; empty where it is."""
        return str(evaluation.record["why_beside_ledger"])


class AppliedGateSerializer(Shown):
    gate = GateSerializer()
    champion = serializers.IntegerField(source="champion_id", allow_null=True)

    class Meta:
        model = CampaignGate
        fields = ("id", "gate", "champion", "is_exploratory", "created_at")


class CampaignGateSerializer(serializers.Serializer[Any]):
    """The campaign's gate with its last recorded evaluation; null where there is none. ``verdict`` is for continuous delivery:
    not yet before the first review, and where the evaluation is exploratory or simulated, whatever the verdict of its own
    figures is (``evaluation``); ``reason`` says which. Before the first review ``more_reviews`` of each candidate are
    planned.
    """

    verdict = serializers.ChoiceField(choices=GateVerdict.choices, allow_null=True)
    more_reviews = serializers.IntegerField(
        allow_null=True, help_text="Of the candidate, for what is open; null where unknown, or nothing is."
    )
    reason = serializers.CharField(help_text="Why it is not yet whatever the numbers say; empty otherwise.")
    campaign_gate = AppliedGateSerializer(allow_null=True)
    evaluation = EvaluationSerializer(allow_null=True)
