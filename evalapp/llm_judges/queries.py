from django.db.models import QuerySet

from evalapp.accounts.models import Project
from evalapp.campaigns.models import Campaign, CampaignState, Method
from evalapp.llm_judges.models import LLMJudge, LLMScore, LLMScoreState
from evalapp.rubrics.kinds import answered_by
from evalapp.rubrics.models import Criterion


def judges_of(project: Project) -> QuerySet[LLMJudge]:
    return project.llm_judges.select_related("project", "criterion__version__rubric", "created_by")


def askable_criteria(project: Project) -> QuerySet[Criterion]:
    """Criteria with levels of versions that are in use, the latest first."""
    return (
        Criterion.objects.filter(version__rubric__project=project, version__frozen_at__isnull=False)
        .filter(kind__in=answered_by("level"))
        .select_related("version__rubric")
        .order_by("-version_id", "position")
    )


def campaigns_of(judge: LLMJudge) -> QuerySet[Campaign]:
    """Those that were opened with the judge's rubric version and rate outputs one by one,
    the latest first.
    """
    return (
        judge.project.campaigns.filter(rubric_version=judge.criterion.version_id, method=Method.POINTWISE)
        .exclude(state=CampaignState.DRAFT)
        .select_related("project", "rubric_version__rubric", "dataset_version__dataset")
        .order_by("-pk")
    )


def unusable_scores(judge: LLMJudge, campaign: Campaign) -> QuerySet[LLMScore]:
    """Those that failed or are no answer, by output."""
    return (
        LLMScore.objects.filter(
            judge=judge,
            output__item_outputs__item__campaign=campaign,
            state__in=[LLMScoreState.FAILED, LLMScoreState.UNPARSED],
        )
        .distinct()
        .order_by("output_id")
    )
