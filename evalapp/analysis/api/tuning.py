"""Whether tuning is better than a good prompt."""

from typing import Any

from rest_framework import serializers

from evalapp.analysis.api.comparison import DifferenceSerializer, UsageSerializer
from evalapp.analysis.api.shared import (
    AnalysisView,
    CoverageSerializer,
    FreshnessSerializer,
    ViewQuery,
    require_no_problem,
)
from evalapp.analysis.tuning.answer import Verdict
from evalapp.analysis.tuning.contest import campaigns_between, chosen_campaign, chosen_tuned, contest_filter
from evalapp.analysis.tuning.evidence import Evidence, TuningCost, evidence_of
from evalapp.analysis.tuning.steps import steps_to_answer
from evalapp.api.fields import MeasureSerializer
from evalapp.api.operations import operation, route


class TuningQuery(ViewQuery):
    candidate = serializers.CharField(
        required=False,
        default="",
        max_length=20,
        help_text="Id of a tuned model version; if omitted, one is proposed.",
    )
    campaign = serializers.CharField(
        required=False,
        default="",
        max_length=20,
        help_text="Id of a campaign with the candidate and a prompt; default: the one with the most reviews.",
    )


class TuningAnswerSerializer(serializers.Serializer[Any]):
    """``more_reviews`` per candidate would settle an open answer if the difference stays the same; null if
    more reviews are unlikely to settle it.
    """

    verdict = serializers.ChoiceField(choices=[each.value for each in Verdict])
    words = serializers.CharField()
    more_reviews = serializers.IntegerField(allow_null=True)


class ContestantSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk", help_text="Id of the candidate in the campaign.")
    model_version = serializers.IntegerField(source="model_version_id")
    label = serializers.CharField(source="model_version.label")
    kind = serializers.CharField(source="model_version.kind")


class TriesSerializer(serializers.Serializer[Any]):
    """The position of this prompt among all prompts tried on the base."""

    number = serializers.IntegerField()
    of = serializers.IntegerField()


class MetricDifferenceSerializer(serializers.Serializer[Any]):
    """``difference`` is over the same items; null for a large campaign, where it is not computed."""

    metric = serializers.CharField(source="metric.name")
    tuned = MeasureSerializer()
    other = MeasureSerializer()
    difference = MeasureSerializer(allow_null=True)


class BaselineDifferenceSerializer(serializers.Serializer[Any]):
    """The tuned candidate minus this one."""

    candidate = ContestantSerializer(source="row.candidate")
    tries = TriesSerializer(source="named_tries", allow_null=True)
    differences = DifferenceSerializer(source="pairs", many=True)
    metrics = MetricDifferenceSerializer(many=True)


class DecodingDifferenceSerializer(serializers.Serializer[Any]):
    setting = serializers.CharField()
    values = serializers.ListField(
        child=serializers.CharField(allow_blank=True), help_text="One value for each candidate, in order."
    )


class DecodingSerializer(serializers.Serializer[Any]):
    """Whether all answers were decoded with the same settings; ``unknown`` lists candidates with imported
    outputs.
    """

    is_same = serializers.BooleanField()
    differences = DecodingDifferenceSerializer(many=True)
    unknown = serializers.ListField(child=serializers.IntegerField())
    shared = serializers.CharField()


class EarnedBackSerializer(serializers.Serializer[Any]):
    """``answers`` is the number of answers after which tuning is cheaper than this prompt; null if it never
    is.
    """

    candidate = serializers.IntegerField()
    answers = serializers.IntegerField(allow_null=True)


class TrainingCostSerializer(serializers.Serializer[Any]):
    seconds = serializers.FloatField()
    trainings = serializers.IntegerField()
    cost = serializers.FloatField(allow_null=True)
    currency = serializers.CharField(allow_blank=True)
    unknown = serializers.CharField(allow_blank=True)
    earned_back = EarnedBackSerializer(many=True)


class TuningStepSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    is_done = serializers.BooleanField()


class TuningSerializer(serializers.Serializer[Any]):
    """While there is no answer, ``steps`` lists what is left to do, and everything else is null or empty."""

    candidate = ContestantSerializer(allow_null=True)
    campaign = serializers.IntegerField(allow_null=True)
    answer = TuningAnswerSerializer(allow_null=True)
    against = BaselineDifferenceSerializer(many=True)
    usage = UsageSerializer(many=True)
    decoding = DecodingSerializer(allow_null=True)
    training = TrainingCostSerializer(allow_null=True)
    coverage = CoverageSerializer(allow_null=True)
    freshness = FreshnessSerializer(allow_null=True)
    steps = TuningStepSerializer(many=True)


@route("analysis/tuning/", "api_tuning")
class TuningOrPrompt(AnalysisView):
    @operation("Ask whether tuning is better than a prompt", query=TuningQuery, result=TuningSerializer)
    def get(self) -> object:
        """The tuned candidate minus each prompt on its base, on the items that they share in one campaign: by
        criterion and in total with intervals, by metric, and with costs. A sentence gives the answer; if
        there is none yet, ``steps`` lists what is left to do.
        """
        tuned = chosen_tuned(self.project, self.query["candidate"])
        campaigns = list(campaigns_between(tuned)) if tuned is not None else []
        campaign = chosen_campaign(campaigns, self.query["campaign"])
        found: Evidence | None = None
        if tuned is not None and campaign is not None:
            wanted = require_no_problem(contest_filter(campaign, tuned, self.query["view"]))
            found = evidence_of(wanted, tuned, reviewer_type=self.reviewer_type(), reader_id=self.person.pk)
        contest = found.contest if found is not None else None
        return {
            "campaign": campaign.pk if campaign is not None else None,
            "candidate": contest.tuned.candidate if contest is not None else None,
            "answer": contest.answer._asdict() if contest is not None else None,
            "against": contest.against if contest is not None else [],
            "usage": found.usage if found is not None and contest is not None else [],
            **_tuning_cost_values(found.spent if found is not None else None),
            "coverage": found.coverage if found is not None else None,
            "freshness": found.freshness if found is not None else None,
            "steps": steps_to_answer(self.project, tuned) if contest is None else [],
        }


def _tuning_cost_values(spent: TuningCost | None) -> dict[str, Any]:
    if spent is None:
        return {"decoding": None, "training": None}
    decoding = spent.decoding
    return {
        "decoding": {
            "is_same": decoding.is_same,
            "differences": [
                {"setting": each.name, "values": [value for _, value in each.values]}
                for each in decoding.differences
            ],
            "unknown": [each.pk for each in decoding.unknown],
            "shared": decoding.shared,
        },
        "training": {
            **spent.training._asdict(),
            "earned_back": [
                {"candidate": each.candidate.pk, "answers": each.answers} for each in spent.earned_back
            ],
        },
    }
