"""Judges for machines: what each asks, and what it said beside what people say."""

from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.analysis.scores import load_scores
from evalapp.api.operations import ProjectView, chosen, operation
from evalapp.api.serializers.jobs import JobSerializer
from evalapp.api.serializers.llm_judges import (
    AskAgainBody,
    JudgeAgreementSerializer,
    LLMJudgeBody,
    LLMJudgeSerializer,
)
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import NotAllowedError
from evalapp.core.http import get_or_missing
from evalapp.llm_judges import queries, services
from evalapp.llm_judges.agreement import judge_agreement
from evalapp.llm_judges.models import LLMJudge


class JudgeView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.MANAGE_WEBHOOKS

    def judge(self, judge_id: int) -> LLMJudge:
        return get_or_missing(queries.judges_of(self.project), pk=judge_id)

    def campaign(self, judge: LLMJudge, campaign_id: int) -> Campaign:
        return get_or_missing(queries.campaigns_of(judge), pk=campaign_id)


class JudgeList(JudgeView):
    @operation("List LLM judges", result=LLMJudgeSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.judges_of(self.project))

    @operation("Create an LLM judge", body=LLMJudgeBody, result=LLMJudgeSerializer, status=201)
    def post(self) -> object:
        """Nothing is asked yet. The API key is stored encrypted and never shown again."""
        values = self.body()
        pk = values.pop("criterion")
        criterion = chosen(
            queries.askable_criteria(self.project), pk, "criterion", "criterion in use with the id"
        )
        return services.create_judge(project=self.project, criterion=criterion, by=self.person, **values)


class JudgeDetail(JudgeView):
    @operation("Read an LLM judge", result=LLMJudgeSerializer)
    def get(self, judge_id: int) -> object:
        return self.judge(judge_id)

    @operation("Delete an LLM judge", status=204)
    def delete(self, judge_id: int) -> object:
        """Its scores go with it. 409 while it scores."""
        services.delete_judge(judge=self.judge(judge_id), by=self.person)
        return Response(status=204)


class JudgeCampaign(JudgeView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.START_RUNS

    @operation("Read a judge's agreement with people", result=JudgeAgreementSerializer)
    def get(self, judge_id: int, campaign_id: int) -> object:
        """403 for who reviews the campaign blind and has not finished."""
        judge = self.judge(judge_id)
        campaign = self.campaign(judge, campaign_id)
        if is_reviewing_blind(campaign, self.person):
            raise NotAllowedError("You review this campaign blind; read the judge when your part is done.")
        return judge_agreement(judge, load_scores(campaign))

    @operation("Score a campaign with an LLM judge", result=JobSerializer, status=202)
    def post(self, judge_id: int, campaign_id: int) -> object:
        """About every output that it has not answered about yet."""
        judge = self.judge(judge_id)
        campaign = self.campaign(judge, campaign_id)
        self.body()
        return services.start_judging(judge=judge, campaign=campaign, by=self.person)


class JudgeAgain(JudgeView):
    required_permission = Permission.START_RUNS
    post_permission = Permission.START_RUNS

    @operation("Score failed outputs again", body=AskAgainBody, result=JobSerializer, status=202)
    def post(self, judge_id: int, campaign_id: int) -> object:
        """Where a question failed or brought no answer that counts."""
        judge = self.judge(judge_id)
        campaign = self.campaign(judge, campaign_id)
        output = self.body().get("output")
        return services.ask_again(judge=judge, campaign=campaign, by=self.person, output_id=output)
