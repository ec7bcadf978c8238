"""LLM judges and their agreement with people."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.api.fields import Body, Id, MeasureSerializer, Number, ReadOnlySerializer, Text
from evalapp.api.operations import ProjectView, chosen, operation, route
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import NotAllowedError
from evalapp.core.http import get_or_missing
from evalapp.core.outgoing import LONGEST_URL
from evalapp.core.sealing import LONGEST_KEY
from evalapp.jobs.api import JobSerializer
from evalapp.llm_judges import queries, services
from evalapp.llm_judges.agreement import judge_agreement
from evalapp.llm_judges.models import LLMJudge
from evalapp.llm_judges.questions import LONGEST_PROMPT
from evalapp.llm_judges.services import LONGEST_MODEL, LONGEST_VERSION


class LLMJudgeSerializer(ReadOnlySerializer):
    """A criterion that a model scores. ``endpoint`` is shown without its path, the API key never."""

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
    criterion = Id(help_text="Id of a criterion with levels, from a rubric version in use.")
    url = Text(max_length=LONGEST_URL, help_text="Base URL of an OpenAI-compatible API, up to /v1.")
    model = Text(max_length=LONGEST_MODEL)
    model_version = Text(max_length=LONGEST_VERSION, required=False, allow_blank=True, default="")
    temperature = Number(required=False, default=0.0, min_value=0, max_value=2)
    prompt = Text(
        max_length=LONGEST_PROMPT,
        required=False,
        allow_blank=True,
        default="",
        help_text=(
            "Prompt with the placeholders {prompt}, {context}, {reference} and {answer}. Empty: written "
            "from the criterion's text."
        ),
    )
    secret = Text(
        max_length=LONGEST_KEY,
        required=False,
        allow_blank=True,
        default="",
        help_text="API key of the endpoint.",
    )


class AskAgainBody(Body):
    output = Id(required=False, help_text="Id of one output to score; default: all outputs without a score.")


class JudgedCandidateSerializer(serializers.Serializer[Any]):
    candidate = serializers.IntegerField(source="candidate.pk")
    outputs = serializers.IntegerField(help_text="Number of outputs that both scored.")
    people = MeasureSerializer()
    judge = MeasureSerializer()
    gap = MeasureSerializer(help_text="Mean of the judge's scores minus the human mean.")


class JudgeAgreementSerializer(serializers.Serializer[Any]):
    """``alpha`` and ``kappa`` are for the judge with a person; beside them are the values for two people, and
    the difference. All are computed on outputs that the judge and at least two people scored.
    """

    outputs = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Number of scores by state.")
    waiting = serializers.IntegerField(help_text="Number of outputs that were not yet sent to the judge.")
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


class JudgeView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.MANAGE_WEBHOOKS

    def judge(self, judge_id: int) -> LLMJudge:
        return get_or_missing(queries.judges_of(self.project), pk=judge_id)

    def campaign(self, judge: LLMJudge, campaign_id: int) -> Campaign:
        return get_or_missing(queries.campaigns_of(judge), pk=campaign_id)


@route("judges/", "api_judges")
class JudgeList(JudgeView):
    @operation("List LLM judges", result=LLMJudgeSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.judges_of(self.project))

    @operation("Create an LLM judge", body=LLMJudgeBody, result=LLMJudgeSerializer, status=201)
    def post(self) -> object:
        """Sends nothing to the endpoint yet. The API key is stored encrypted and never shown again."""
        values = self.body()
        pk = values.pop("criterion")
        criterion = chosen(
            queries.askable_criteria(self.project), pk, "criterion", "criterion in use with the id"
        )
        return services.create_judge(project=self.project, criterion=criterion, by=self.person, **values)


@route("judges/<int:judge_id>/", "api_judge")
class JudgeDetail(JudgeView):
    @operation("Read an LLM judge", result=LLMJudgeSerializer)
    def get(self, judge_id: int) -> object:
        return self.judge(judge_id)

    @operation("Delete an LLM judge", status=204)
    def delete(self, judge_id: int) -> object:
        """Deletes its scores, too. 409 while the judge is scoring."""
        services.delete_judge(judge=self.judge(judge_id), by=self.person)
        return Response(status=204)


@route("judges/<int:judge_id>/campaigns/<int:campaign_id>/", "api_judge_campaign")
class JudgeCampaign(JudgeView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.START_RUNS

    @operation("Read a judge's agreement with people", result=JudgeAgreementSerializer)
    def get(self, judge_id: int, campaign_id: int) -> object:
        """403 while you still review the campaign blind."""
        judge = self.judge(judge_id)
        campaign = self.campaign(judge, campaign_id)
        if is_reviewing_blind(campaign, self.person):
            raise NotAllowedError(
                "You review this campaign blind; read the judge's scores when your part is done."
            )
        return judge_agreement(judge, load_scores(campaign))

    @operation("Score a campaign with an LLM judge", result=JobSerializer, status=202)
    def post(self, judge_id: int, campaign_id: int) -> object:
        """Scores every output that the judge has not scored yet."""
        judge = self.judge(judge_id)
        campaign = self.campaign(judge, campaign_id)
        self.body()
        return services.start_judging(judge=judge, campaign=campaign, by=self.person)


@route("judges/<int:judge_id>/campaigns/<int:campaign_id>/again/", "api_judge_again")
class JudgeAgain(JudgeView):
    required_permission = Permission.START_RUNS
    post_permission = Permission.START_RUNS

    @operation("Score failed outputs again", body=AskAgainBody, result=JobSerializer, status=202)
    def post(self, judge_id: int, campaign_id: int) -> object:
        """Scores all failed and unparsed outputs again."""
        judge = self.judge(judge_id)
        campaign = self.campaign(judge, campaign_id)
        output = self.body().get("output")
        return services.ask_again(judge=judge, campaign=campaign, by=self.person, output_id=output)
