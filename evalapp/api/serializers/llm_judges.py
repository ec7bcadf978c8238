from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Id, Number, Shown, Text
from evalapp.api.serializers.common import MeasureSerializer
from evalapp.core.outgoing import LONGEST_URL
from evalapp.core.sealing import LONGEST_KEY
from evalapp.llm_judges.models import LLMJudge
from evalapp.llm_judges.questions import LONGEST_PROMPT
from evalapp.llm_judges.services import LONGEST_MODEL, LONGEST_VERSION


class LLMJudgeSerializer(Shown):
    """A criterion asked of a model; ``endpoint`` is shown without its path, the API key never."""

    url = serializers.CharField(source="origin")
    has_key = serializers.SerializerMethodField()

    class Meta:
        model = LLMJudge
        fields = (
            *("id", "name", "criterion", "url", "model", "model_version", "temperature", "prompt"),
            *("has_key", "created_at"),
        )

    def get_has_key(self, judge: LLMJudge) -> bool:
        return bool(judge.sealed_key)


class LLMJudgeBody(Body):
    name = Text(max_length=60)
    criterion = Id(help_text="With levels, of a rubric version that is in use.")
    url = Text(max_length=LONGEST_URL, help_text="OpenAI-compatible, up to /v1.")
    model = Text(max_length=LONGEST_MODEL)
    model_version = Text(max_length=LONGEST_VERSION, required=False, allow_blank=True, default="")
    temperature = Number(required=False, default=0.0, min_value=0, max_value=2)
    prompt = Text(
        max_length=LONGEST_PROMPT,
        required=False,
        allow_blank=True,
        default="",
        help_text="Empty: the criterion's own words. Names {prompt}, {context}, {reference}, {answer}.",
    )
    secret = Text(
        max_length=LONGEST_KEY, required=False, allow_blank=True, default="", help_text="The API key."
    )


class AskAgainBody(Body):
    output = Id(required=False, help_text="That one alone; all that brought no answer where it is left out.")


class JudgedCandidateSerializer(serializers.Serializer[Any]):
    candidate = serializers.IntegerField(source="candidate.pk")
    outputs = serializers.IntegerField(help_text="Those that both judged.")
    people = MeasureSerializer()
    judge = MeasureSerializer()
    gap = MeasureSerializer(help_text="The judge's mean less the people's.")


class JudgeAgreementSerializer(serializers.Serializer[Any]):
    """``alpha`` and ``kappa``: the judge with a person; beside them two people with each other, and the judge's less
    the people's. All are of the outputs that the judge and at least two people answered.
    """

    outputs = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Scores by state.")
    waiting = serializers.IntegerField(help_text="Outputs not asked about.")
    sentence = serializers.CharField()
    alpha = MeasureSerializer()
    people_alpha = MeasureSerializer()
    alpha_gap = MeasureSerializer()
    kappa = MeasureSerializer(allow_null=True)
    people_kappa = MeasureSerializer(allow_null=True)
    kappa_gap = MeasureSerializer(allow_null=True)
    correlation = MeasureSerializer(allow_null=True)
    ceiling = MeasureSerializer(allow_null=True)
    candidates = JudgedCandidateSerializer(many=True)
    reported_models = serializers.ListField(child=serializers.CharField())
