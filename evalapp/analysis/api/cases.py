"""The cases behind a number."""

from typing import Any

from rest_framework import serializers

from evalapp.analysis.api.shared import METRIC_WORDS, AnalysisView, ViewQuery
from evalapp.analysis.case_lists import CaseList as CaseSequence
from evalapp.analysis.case_lists import cases_at
from evalapp.analysis.cases import LONGEST_NUMBER, CaseRow
from evalapp.api.fields import Paging
from evalapp.api.operations import operation, route
from evalapp.rubrics.models import Criterion


class CaseQuery(Paging, ViewQuery):
    """Every part given must hold; the ids are the comparison's."""

    candidate = serializers.IntegerField(required=False, min_value=1)
    criterion = serializers.CharField(required=False, max_length=40)
    level = serializers.IntegerField(required=False, min_value=0, help_text="A reviewer gave it.")
    low = serializers.BooleanField(required=False, default=False, help_text="A reviewer gave a low level.")
    na = serializers.BooleanField(required=False, default=False, help_text="A reviewer said N/A.")
    differ = serializers.BooleanField(
        required=False, default=False, help_text="Reviewers gave different answers; the farthest apart first."
    )
    tag = serializers.IntegerField(required=False, min_value=1)
    rule = serializers.IntegerField(required=False, min_value=1)
    broken = serializers.BooleanField(required=False, default=False, help_text="The rule is broken.")
    metric = serializers.CharField(max_length=40, required=False, help_text=METRIC_WORDS)
    disagreement = serializers.CharField(
        max_length=40, required=False, help_text="The metric is high and people rate it low."
    )
    reviewer = serializers.IntegerField(required=False, min_value=1, help_text="A pseudonym's number.")
    gave = serializers.CharField(
        required=False,
        max_length=200,
        help_text="Where people gave the criterion these levels: “1:4,3:5” is Reviewer 1's 4 beside Reviewer 3's 5.",
    )
    true = serializers.CharField(required=False, max_length=200, help_text="The example's label.")
    said = serializers.CharField(required=False, max_length=200, help_text="The label that the output says.")
    unsaid = serializers.BooleanField(required=False, default=False, help_text="The output says no label.")


class CaseRowSerializer(serializers.Serializer[Any]):
    """An output that the filter picks, those to look at first on top."""

    item = serializers.IntegerField(source="item_id")
    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    excerpt = serializers.CharField(allow_blank=True)
    means = serializers.SerializerMethodField()
    metric = serializers.FloatField(allow_null=True)
    reviews = serializers.IntegerField()
    differ_on = serializers.CharField(
        source="differs.criterion.key",
        default=None,
        allow_null=True,
        help_text="The criterion on which its reviewers differ most, in a list of where they do.",
    )
    answers = serializers.ListField(
        source="differs.levels",
        default=None,
        allow_null=True,
        child=serializers.IntegerField(),
        help_text="Their different answers to it, lowest first.",
    )

    def get_means(self, row: CaseRow) -> dict[str, float | None]:
        """By criterion."""
        criteria = self.context["view"].criteria
        return {criterion.key: mean for criterion, mean in zip(criteria, row.means, strict=True)}


_FLAGS = ("low", "na", "differ", "broken", "unsaid")


@route("campaigns/<int:campaign_id>/cases/", "api_cases")
class CaseList(AnalysisView):
    criteria: list[Criterion]

    @operation("List the cases behind a number", query=CaseQuery, result=CaseRowSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """The filters are those of the comparison's numbers."""
        found = cases_at(self.view(campaign_id), self._as_address(), reviewer_type=self.reviewer_type())
        self.criteria = found.scores.criteria
        return self.page(found)

    def place_of(self, found: CaseSequence, after: str) -> int | None:
        """Where the output with this key stands in the list."""
        item_id, _, candidate_id = after.partition(".")
        is_key = item_id.isdecimal() and candidate_id.isdecimal() and len(after) <= LONGEST_NUMBER
        return found.place_of(int(item_id), int(candidate_id)) if is_key else None

    def key_of(self, row: CaseRow) -> str:
        return f"{row.item_id}.{row.candidate.pk}"

    def _as_address(self) -> dict[str, str]:
        """The filter as the pages' URLs hold it."""
        given: dict[str, Any] = {
            name: value
            for name, value in self.query.items()
            if name not in ("after", "limit", "reviewer_type", "view", *_FLAGS)
        }
        flags = {name: "1" for name in _FLAGS if self.query[name]}
        return {**{name: str(value) for name, value in given.items()}, **flags}
