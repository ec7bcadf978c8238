"""Lists of cases, and one case with all its reviews."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.adjudication.api.comparisons import StatedSerializer
from evalapp.analysis.api.preferences import GivenPreferenceSerializer
from evalapp.analysis.api.shared import METRIC_WORDS, AnalysisView, ViewQuery
from evalapp.analysis.cases.case import CaseReview, load_case
from evalapp.analysis.cases.case_lists import CaseList as CaseSequence
from evalapp.analysis.cases.cases import LONGEST_NUMBER, CaseRow
from evalapp.analysis.pairwise.compared_case import CaseComparison, comparisons_of_item
from evalapp.api.fields import Paging
from evalapp.api.operations import operation, route
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.datasets.api.datasets import ConversationField, MessageSerializer
from evalapp.rubrics.models import Criterion


class CaseMarkSerializer(serializers.Serializer[Any]):
    """A marked span of the output, in code points of its text."""

    criterion = serializers.CharField(source="criterion.key")
    label = serializers.CharField()
    start = serializers.IntegerField(source="span.start")
    end = serializers.IntegerField(source="span.end")
    text = serializers.CharField(source="quote")
    comment = serializers.CharField(source="span.comment", allow_blank=True)


class CaseReviewSerializer(serializers.Serializer[Any]):
    review = serializers.IntegerField(source="review.pk")
    reviewer = serializers.CharField(source="name", help_text="A pseudonym, or “You”.")
    is_simulated = serializers.BooleanField(source="review.is_simulated")
    has_change_request = serializers.SerializerMethodField()
    answers = serializers.SerializerMethodField()
    tags = serializers.ListField(child=serializers.CharField())
    comment = serializers.CharField(source="review.comment", allow_blank=True)
    correction = serializers.SerializerMethodField()
    marks = CaseMarkSerializer(many=True)

    def get_has_change_request(self, given: CaseReview) -> bool:
        """The reviewer was asked to change this review and has not yet done so."""
        return given.change_request is not None

    def get_answers(self, given: CaseReview) -> dict[str, str]:
        """By criterion."""
        return {criterion.key: answer for criterion, answer in given.answers}

    def get_correction(self, given: CaseReview) -> str | None:
        correction = getattr(given.review, "correction", None)
        return correction.text if correction else None


class CaseMetricSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    spans = serializers.ListField(child=serializers.CharField())
    is_rule = serializers.BooleanField()


class CaseDecisionSerializer(serializers.Serializer[Any]):
    """A decision where reviewers differ; their reviews stay. ``value`` null means N/A."""

    criterion = serializers.CharField(source="criterion.key")
    value = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()


class CaseOutputSerializer(serializers.Serializer[Any]):
    item_output = serializers.IntegerField(
        source="entry.pk", help_text="Id that decisions and discussions use."
    )
    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    text = serializers.CharField(source="entry.output.text", allow_blank=True)
    reviews = CaseReviewSerializer(many=True)
    metrics = CaseMetricSerializer(many=True)
    decisions = CaseDecisionSerializer(many=True)


class CaseComparisonAdjudicationSerializer(StatedSerializer):
    """A decision where preferences differ, in the order of the comparison's ``outputs``; the preferences
    stay.
    """

    reason = serializers.CharField(source="adjudication.reason")


class CaseComparisonSerializer(serializers.Serializer[Any]):
    """Compared answers. ``adjudication`` is null without a decision."""

    comparison = serializers.IntegerField(
        source="comparison.pk", help_text="Id that decisions and discussions use."
    )
    outputs = serializers.ListField(source="comparison.outputs", child=serializers.IntegerField())
    reviews = GivenPreferenceSerializer(source="lines", many=True)
    adjudication = serializers.SerializerMethodField()

    @extend_schema_field(CaseComparisonAdjudicationSerializer(allow_null=True))
    def get_adjudication(self, compared: CaseComparison) -> Any:
        if compared.adjudication is None or compared.adjudicated is None:
            return None
        shown = {
            "choice": compared.adjudicated.choice,
            "ranks": compared.adjudicated.ranks,
            "adjudication": compared.adjudication,
        }
        return CaseComparisonAdjudicationSerializer(shown).data


class CaseSerializer(serializers.Serializer[Any]):
    """One item with all its reviews."""

    item = serializers.IntegerField(source="case.item.pk")
    row_number = serializers.IntegerField(source="case.item.example.row_number")
    sample_index = serializers.IntegerField(
        source="case.item.sample_index", help_text="Which of several outputs per example, from 0."
    )
    messages = MessageSerializer(many=True, source="case.item.example.messages")
    conversation = ConversationField(source="case.item.example.conversation")
    context = serializers.CharField(source="case.item.example.context", allow_blank=True)
    outputs = CaseOutputSerializer(source="case.outputs", many=True)
    comparisons = CaseComparisonSerializer(
        many=True,
        help_text="In campaigns that compare answers: comparisons of this item with at least one preference.",
    )
    is_reviewing = serializers.BooleanField(
        help_text="You still review this campaign blind; this page would unblind you."
    )


class CaseQuery(Paging, ViewQuery):
    """An output must match every given parameter; ids are those of the comparison."""

    candidate = serializers.IntegerField(required=False, min_value=1)
    criterion = serializers.CharField(required=False, max_length=40)
    level = serializers.IntegerField(
        required=False, min_value=0, help_text="At least one reviewer gave this level."
    )
    low = serializers.BooleanField(
        required=False, default=False, help_text="At least one reviewer gave a low level."
    )
    na = serializers.BooleanField(
        required=False, default=False, help_text="At least one reviewer answered N/A."
    )
    differ = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Reviewers gave different answers; largest differences first.",
    )
    tag = serializers.IntegerField(required=False, min_value=1)
    rule = serializers.IntegerField(required=False, min_value=1)
    failed = serializers.BooleanField(
        required=False, default=False, help_text="The output fails the rule check."
    )
    metric = serializers.CharField(max_length=40, required=False, help_text=METRIC_WORDS)
    disagreement = serializers.CharField(
        max_length=40, required=False, help_text="The metric is high and people rate it low."
    )
    reviewer = serializers.IntegerField(required=False, min_value=1, help_text="A pseudonym's number.")
    gave = serializers.CharField(
        required=False,
        max_length=200,
        help_text="Outputs by who gave which level: “1:4,3:5” means 4 by Reviewer 1 and 5 by Reviewer 3.",
    )
    true = serializers.CharField(required=False, max_length=200, help_text="The row's label.")
    predicted = serializers.CharField(
        required=False, max_length=200, help_text="The output's predicted label."
    )
    unparsed = serializers.BooleanField(
        required=False, default=False, help_text="No label was found in the output."
    )


class CaseRowSerializer(serializers.Serializer[Any]):
    """An output that matches the filter; the ones most worth reading come first."""

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
        help_text=(
            "Criterion with the largest difference between reviewers; set if the list is filtered by "
            "`differ`."
        ),
    )
    answers = serializers.ListField(
        source="differs.numbers",
        default=None,
        allow_null=True,
        child=serializers.FloatField(),
        help_text="The different answers to that criterion, lowest first.",
    )

    def get_means(self, row: CaseRow) -> dict[str, float | None]:
        """By criterion."""
        criteria = self.context["view"].criteria
        return {criterion.key: mean for criterion, mean in zip(criteria, row.means, strict=True)}


_FLAGS = ("low", "na", "differ", "failed", "unparsed")


@route("campaigns/<int:campaign_id>/cases/", "api_cases")
class CaseList(AnalysisView):
    criteria: list[Criterion]

    @operation("List the cases behind a number", query=CaseQuery, result=CaseRowSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Takes the same filters as the results."""
        found = CaseSequence(self.view(campaign_id), self._as_url(), reviewer_type=self.reviewer_type())
        self.criteria = found.scores.criteria
        return self.page(found)

    def place_of(self, found: CaseSequence, after: str) -> int | None:
        """Position in the list of the output with this key."""
        item_id, _, candidate_id = after.partition(".")
        is_key = item_id.isdecimal() and candidate_id.isdecimal() and len(after) <= LONGEST_NUMBER
        return found.place_of(int(item_id), int(candidate_id)) if is_key else None

    def key_of(self, row: CaseRow) -> str:
        return f"{row.item_id}.{row.candidate.pk}"

    def _as_url(self) -> dict[str, str]:
        """The filter as the pages' URLs write it."""
        given: dict[str, Any] = {
            name: value
            for name, value in self.query.items()
            if name not in ("after", "limit", "reviewer_type", "view", *_FLAGS)
        }
        flags = {name: "1" for name in _FLAGS if self.query[name]}
        return {**{name: str(value) for name, value in given.items()}, **flags}


@route("campaigns/<int:campaign_id>/cases/<int:item_id>/", "api_case")
class CaseDetail(AnalysisView):
    @operation("Read a case", result=CaseSerializer)
    def get(self, campaign_id: int, item_id: int) -> object:
        """Prompt, candidates, scores, reasons, corrections and metrics of one item, with preferences and
        decisions. Reviewers are pseudonyms unless the project shows names.
        """
        campaign = self.campaign(campaign_id)
        return {
            "case": load_case(campaign, item_id, reader_id=self.person.pk),
            "comparisons": comparisons_of_item(campaign, item_id, reader=self.person),
            "is_reviewing": is_reviewing_blind(campaign, self.person),
        }
