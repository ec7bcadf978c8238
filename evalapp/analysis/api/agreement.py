"""Agreement of reviewers: of the panel, of pairs, and by level."""

from typing import Any

from rest_framework import serializers

from evalapp.analysis.agreement.reviewer_agreement import (
    CriterionAgreement,
    LevelsToClarify,
    PairAgreement,
    Panel,
    ReviewerAgreement,
    why_no_pair,
)
from evalapp.analysis.api.shared import METRIC_WORDS, AnalysisView, ViewQuery, not_computed
from evalapp.analysis.comparison.simpson import FoundParadox
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.stored.agreement_result import agreement_result
from evalapp.analysis.tables.choices import chosen_criterion, chosen_pair
from evalapp.api.fields import MeasureSerializer, Paging
from evalapp.api.operations import operation, route
from evalapp.core.errors import InvalidError
from evalapp.metrics.registry import HEADLINE_METRIC
from evalapp.reviews.pseudonyms import ReviewerNames
from evalapp.rubrics.models import Criterion


class AgreementRowSerializer(serializers.Serializer[Any]):
    criterion = serializers.CharField(source="criterion.key")
    alpha = MeasureSerializer()
    exact = MeasureSerializer()
    within_one = MeasureSerializer(allow_null=True)


class CorrelationRowSerializer(serializers.Serializer[Any]):
    """Correlations of a metric with people. ``spearman``, ``kendall`` (tau-b) and ``pearson`` are over all
    outputs, ``within_item`` is Spearman within items, and ``between`` is Spearman over the candidates' means
    (from 4 candidates on). ``pairs`` is the share of pairs of outputs of one item that the metric and people
    put in the same order.
    """

    criterion = serializers.CharField(source="criterion.key")
    spearman = MeasureSerializer()
    within_item = MeasureSerializer()
    between = MeasureSerializer()
    kendall = MeasureSerializer()
    pearson = MeasureSerializer()
    pairs = MeasureSerializer()


class AgreementSerializer(serializers.Serializer[Any]):
    """Agreement between reviewers, and correlation of a metric with their scores."""

    metric = serializers.CharField()
    agreement = AgreementRowSerializer(many=True)
    correlations = CorrelationRowSerializer(many=True)


class AgreementQuery(ViewQuery):
    metric = serializers.CharField(
        max_length=40, required=False, default=HEADLINE_METRIC, help_text=METRIC_WORDS
    )


class AgreementMeasuresSerializer(serializers.Serializer[Any]):
    """All agreement coefficients; ``signature`` gives the seed and the method of each interval."""

    alpha = MeasureSerializer()
    kappa = MeasureSerializer()
    ac2 = MeasureSerializer()
    icc_1 = MeasureSerializer()
    icc_2_1 = MeasureSerializer()
    icc_2_k = MeasureSerializer()
    exact = MeasureSerializer()
    within_one = MeasureSerializer()


class CriterionAgreementSerializer(serializers.Serializer[Any]):
    """Agreement of the whole panel on one criterion; ``kappa`` is the mean over its pairs of reviewers."""

    criterion = serializers.CharField(source="criterion.key")
    scores = serializers.IntegerField()
    measures = AgreementMeasuresSerializer()


class ReviewerAgreementSerializer(serializers.Serializer[Any]):
    """Agreement of one reviewer with the others on the outputs they share."""

    reviewer = serializers.IntegerField(source="number", help_text="Number of the pseudonym.")
    name = serializers.CharField()
    measures = AgreementMeasuresSerializer()


class PairAgreementSerializer(serializers.Serializer[Any]):
    """Agreement of two reviewers, identified by the numbers of their pseudonyms."""

    first = serializers.IntegerField()
    second = serializers.IntegerField()
    first_name = serializers.CharField()
    second_name = serializers.CharField()
    measures = AgreementMeasuresSerializer()


class ConfusionSerializer(serializers.Serializer[Any]):
    """``counts[i][j]`` is the number of outputs that the first gave ``levels[i]`` and the second
    ``levels[j]``.
    """

    first = serializers.IntegerField()
    second = serializers.IntegerField()
    items = serializers.IntegerField()
    levels = serializers.ListField(child=serializers.FloatField())
    counts = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class ConfusedLevelsSerializer(serializers.Serializer[Any]):
    """Two neighbouring levels that reviewers do not demonstrably distinguish: the interval of the share of
    differing pairs of scores reaches ``by_chance``.
    """

    lower = serializers.FloatField()
    upper = serializers.FloatField()
    lower_description = serializers.CharField(allow_blank=True)
    upper_description = serializers.CharField(allow_blank=True)
    pairs = serializers.IntegerField(source="found.pairs")
    apart = serializers.IntegerField(source="found.apart")
    share = MeasureSerializer(source="found.share")
    by_chance = serializers.FloatField(source="found.by_chance")
    items = serializers.SerializerMethodField(
        help_text="The first items with an output on which reviewers disagree."
    )

    def get_items(self, row: Any) -> list[int]:
        return [item for _, item, _ in row.item_outputs]


class SubgroupSerializer(serializers.Serializer[Any]):
    subgroup = serializers.CharField(source="name")
    items = serializers.IntegerField()
    difference = serializers.FloatField()
    p = MeasureSerializer()


class ParadoxSerializer(serializers.Serializer[Any]):
    """Simpson's paradox: ``higher`` minus ``lower`` is positive overall, negative in the ``subgroups``."""

    criterion = serializers.CharField(source="criterion.key")
    higher = serializers.IntegerField(source="higher.pk")
    lower = serializers.IntegerField(source="lower.pk")
    field = serializers.CharField()
    kind = serializers.ChoiceField(choices=["subgroup", "most", "all"], source="paradox.kind")
    overall = serializers.FloatField()
    items = serializers.IntegerField(source="paradox.stratified.items")
    adjusted_p = serializers.FloatField(source="paradox.adjusted_p", allow_null=True)
    subgroups = SubgroupSerializer(many=True, source="paradox.telling")
    sentence = serializers.CharField()
    view = serializers.CharField(source="query", help_text="Filter for the subgroup with the smallest p.")


class OfCriterionQuery(ViewQuery):
    criterion = serializers.CharField(
        max_length=40, required=False, default="", help_text="Key of the criterion; default: the first scale."
    )


class OfCriterionPage(Paging, OfCriterionQuery):
    pass


class AgreementPage(Paging, ViewQuery):
    pass


class ConfusionQuery(OfCriterionQuery):
    first = serializers.IntegerField(
        min_value=1, required=False, help_text="Number of a pseudonym; default: the first two reviewers."
    )
    second = serializers.IntegerField(min_value=1, required=False, help_text="A pseudonym's number.")


class SimpsonQuery(Paging, ViewQuery):
    pass


@route("campaigns/<int:campaign_id>/agreement/", "api_agreement")
class AgreementDetail(AnalysisView):
    @operation("Read the agreement between reviewers", query=AgreementQuery, result=AgreementSerializer)
    def get(self, campaign_id: int) -> object:
        """Krippendorff's alpha and shares of equal answers; correlation of a metric with people."""
        found, name = self.comparison(campaign_id), self.query["metric"]
        metric = found.metric_named(name) if found.is_computed else None
        correlations = found.chosen(metric=metric).correlations
        return {"metric": name, "agreement": found.figures.agreement, "correlations": correlations}


class PanelView(AnalysisView):
    def panel(self, campaign_id: int) -> Panel:
        """What the URL filters to. Raises InvalidError where a job has not computed it yet."""
        view = self.view(campaign_id)
        panel = agreement_result(view, reviewer_type=self.reviewer_type(), reader_id=self.person.pk).panel
        if panel is None:
            raise not_computed(AnalysisKind.AGREEMENT)
        return panel


class OfCriterionView(PanelView):
    names: ReviewerNames

    def chosen(self, campaign_id: int) -> tuple[Panel, Criterion]:
        panel = self.panel(campaign_id)
        self.names = panel.names
        criterion = chosen_criterion(panel.criteria, self.query["criterion"])
        if criterion is None:
            raise InvalidError("This campaign's rubric has no criterion with levels.", field="criterion")
        return panel, criterion


@route("campaigns/<int:campaign_id>/analysis/agreement/", "api_criterion_agreement")
class CriterionAgreementList(PanelView):
    @operation(
        "Read agreement by criterion", query=AgreementPage, result=CriterionAgreementSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """Only the base overlap counts: reviews that were added because reviewers differed are left out. For
        a campaign with more than 20,000 scores, all lists of agreement show the last result of computations/;
        its time is there, too.
        """
        panel = self.panel(campaign_id)
        return self.page(panel.criteria, dress=lambda chosen: [panel.overall(each) for each in chosen])

    def key_of(self, row: Criterion | CriterionAgreement) -> str:
        return row.key if isinstance(row, Criterion) else row.criterion.key


@route("campaigns/<int:campaign_id>/analysis/agreement/reviewers/", "api_reviewer_agreement")
class ReviewerAgreementList(OfCriterionView):
    @operation(
        "Read each reviewer's agreement with the others",
        query=OfCriterionPage,
        result=ReviewerAgreementSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """Over the outputs that a reviewer shares with others; each output counts once."""
        panel, criterion = self.chosen(campaign_id)
        return self.page(panel.reviewers(criterion))

    def key_of(self, row: ReviewerAgreement) -> str:
        return str(row.number)


@route("campaigns/<int:campaign_id>/analysis/agreement/pairs/", "api_pair_agreement")
class PairAgreementList(OfCriterionView):
    @operation(
        "Read the agreement of pairs", query=OfCriterionPage, result=PairAgreementSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """Every pair of reviewers, over the outputs that both scored on the criterion."""
        panel, criterion = self.chosen(campaign_id)

        def measured(pairs: list[tuple[int, int]]) -> list[PairAgreement]:
            panel.prepare(criterion, pairs)
            return [panel.pair(criterion, pair) for pair in pairs]

        return self.page(panel.pairs(criterion), dress=measured)

    def key_of(self, row: tuple[int, int]) -> str:
        # By number: a URL must not tell who somebody is.
        first, second = (self.names.numbers[person] for person in row)
        return f"{first}.{second}"


@route("campaigns/<int:campaign_id>/analysis/agreement/confusion/", "api_confusion")
class ConfusionDetail(OfCriterionView):
    @operation("Read two reviewers' confusion table", query=ConfusionQuery, result=ConfusionSerializer)
    def get(self, campaign_id: int) -> object:
        """Number of outputs for each pair of levels that the two reviewers gave."""
        panel, criterion = self.chosen(campaign_id)
        reviewer_names = (str(self.query.get(name, "")) for name in ("first", "second"))
        pair = chosen_pair(panel, criterion, *reviewer_names)
        if pair is None:
            raise InvalidError(f"{why_no_pair(panel, criterion)}.")
        agreement = panel.pair(criterion, pair)
        found = agreement.confusion
        if found is None:
            raise InvalidError(
                f"The scale of {criterion.name} is too wide for a table of levels.", field="criterion"
            )
        return {
            "first": agreement.first,
            "second": agreement.second,
            "items": found.items,
            "levels": [criterion.rules.number(level) for level in found.levels],
            "counts": found.counts,
        }


@route("campaigns/<int:campaign_id>/analysis/agreement/levels/", "api_confused_levels")
class ConfusedLevelsList(OfCriterionView):
    @operation("List levels to clarify", query=OfCriterionPage, result=ConfusedLevelsSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Neighbouring levels that reviewers confuse, most differing pairs first."""
        panel, criterion = self.chosen(campaign_id)
        return self.page(panel.clarify(criterion))

    def key_of(self, row: LevelsToClarify) -> str:
        return f"{row.found.lower:g}"


@route("campaigns/<int:campaign_id>/analysis/simpson/", "api_simpson")
class SimpsonList(AnalysisView):
    @operation("Read the Simpson's paradox check", query=SimpsonQuery, result=ParadoxSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Differences between two candidates that change direction for a value of a metadata field."""
        found = self.comparison(campaign_id)
        if not found.is_computed:
            raise not_computed(AnalysisKind.COMPARISON)
        return self.page(found.figures.simpson.found)

    def key_of(self, row: FoundParadox) -> str:
        return f"{row.criterion.key}.{row.higher.pk}.{row.lower.pk}.{row.field}"
