"""The disagreement finder."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.analysis.api.shared import METRIC_WORDS, AnalysisView, CoverageSerializer, ViewQuery
from evalapp.analysis.cases.case_lists import CaseList
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.finder import Finder, MetricSide, ScoreSide, finder_from
from evalapp.analysis.scores.finder_campaign import pick_found
from evalapp.api.operations import operation, route
from evalapp.campaigns.api.campaigns import CampaignSerializer
from evalapp.campaigns.queries import campaigns_of
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing


class FinderQuery(ViewQuery):
    """A condition on a metric and one on a criterion, as in the URL of the finder's page."""

    find = serializers.CharField(max_length=40, required=False, help_text=f"Required. {METRIC_WORDS}")
    find_is = serializers.ChoiceField(
        choices=[side.value for side in MetricSide],
        required=False,
        default=MetricSide.TOP.value,
        help_text="Its highest or lowest 10%, or a value.",
    )
    find_value = serializers.FloatField(required=False)
    criterion = serializers.CharField(required=False, max_length=40, help_text="Key of a scale; required.")
    score_is = serializers.ChoiceField(
        choices=[side.value for side in ScoreSide], required=False, default=ScoreSide.AT_MOST.value
    )
    score = serializers.FloatField(
        required=False, help_text="Required. A score that at least two reviewers gave, or a more extreme one."
    )
    candidate = serializers.IntegerField(required=False, min_value=1)
    reviewer = serializers.IntegerField(required=False, min_value=1, help_text="A pseudonym's number.")


class FinderResultSerializer(serializers.Serializer[Any]):
    """``expected`` is the number expected by chance: by_metric × by_people / outputs. ``reason`` says why
    nothing can be found.
    """

    words = serializers.CharField()
    count = serializers.IntegerField()
    expected = serializers.FloatField()
    outputs = serializers.IntegerField()
    by_metric = serializers.IntegerField()
    by_people = serializers.IntegerField()
    reason = serializers.CharField()
    coverage = CoverageSerializer(
        allow_null=True, help_text="Items and reviews that the filter keeps; null without a filter."
    )
    cases = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_cases(self, found: Any) -> list[int]:
        """The items, in the order of the list of cases."""
        return list(found["cases"])


@route("campaigns/<int:campaign_id>/finder/", "api_finder")
class FinderDetail(AnalysisView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.EDIT_CAMPAIGNS

    @operation("Find where a metric and people disagree", query=FinderQuery, result=FinderResultSerializer)
    def get(self, campaign_id: int) -> object:
        """The number of outputs that meet both conditions, the number expected by chance, and the items."""
        cases = CaseList(self.view(campaign_id), {}, reviewer_type=self.reviewer_type())
        wanted, url = self._wanted(cases.scores)
        found = cases.found(wanted)
        names = ("count", "expected", "outputs", "by_metric", "by_people", "reason")
        return {
            "words": wanted.describe(),
            **{name: getattr(found, name) for name in names},
            "coverage": cases.coverage,
            "cases": cases.with_filters_of(url).items(),
        }

    @operation(
        "Create a campaign over the cases found", query=FinderQuery, result=CampaignSerializer, status=201
    )
    def post(self, campaign_id: int) -> object:
        """Creates a draft whose items are marked as picked, so they are in no candidate's mean."""
        view = self.view(campaign_id)
        cases = CaseList(view, {}, reviewer_type=self.reviewer_type())
        wanted, _ = self._wanted(cases.scores)
        self.body()
        picked = pick_found(wanted=wanted, found=cases.found(wanted), view=view, by=self.person)
        return get_or_missing(campaigns_of(self.project), pk=picked.pk)

    def _wanted(self, scores: CampaignScores) -> tuple[Finder, dict[str, str]]:
        given: dict[str, Any] = self.query
        # Looked for after the campaign, so that a foreign one is not there whatever else is sent.
        if missing := [name for name in ("find", "criterion", "score") if name not in given]:
            raise InvalidError(
                f"The URL lacks {', '.join(missing)}.",
                fields={name: ["This parameter is required."] for name in missing},
            )
        url = {name: str(value) for name, value in given.items() if name not in ("reviewer_type", "view")}
        wanted = finder_from(scores, url)
        assert wanted is not None
        return wanted, url
