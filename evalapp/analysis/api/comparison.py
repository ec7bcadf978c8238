"""Candidates compared, all together and in pairs."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.accounts.models import ResultsApplyTo
from evalapp.analysis.api.shared import (
    REVIEWER_TYPES,
    SCORE_SOURCES,
    AnalysisView,
    CoverageSerializer,
    FreshnessSerializer,
    RankSerializer,
    ViewQuery,
)
from evalapp.analysis.comparison.candidates import CandidateRow, Comparison, HumanCell
from evalapp.analysis.comparison.counterfactuals import CounterfactualDifference
from evalapp.analysis.comparison.differences import ComparedPair
from evalapp.analysis.comparison.subgroups import Subgroup
from evalapp.api.fields import MeasureSerializer, Paging
from evalapp.api.operations import operation, route
from evalapp.campaigns.imported_records import imported_records
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import MissingError
from evalapp.dossier import digest
from evalapp.stats.rank_intervals import Rank

VERDICTS = ("better", "worse", "undecided", "untested")


class DesignSerializer(serializers.Serializer[Any]):
    """The data behind the numbers."""

    items = serializers.IntegerField()
    reviewers = serializers.IntegerField()
    reviews = serializers.IntegerField()
    assignments_submitted = serializers.IntegerField(
        allow_null=True, help_text="null for a large campaign without any computed result"
    )
    assignments_total = serializers.IntegerField()
    is_simulated = serializers.BooleanField()
    is_mixed = serializers.BooleanField()
    groups = serializers.IntegerField(
        help_text="Number of independent groups of items; without a group field each item is its own group."
    )
    population = serializers.ChoiceField(
        choices=ResultsApplyTo.choices, help_text="Population that the means and differences describe."
    )
    names_are_positions = serializers.BooleanField(
        help_text=(
            "Each reviewer name is a position that different people filled, so intervals use the items alone."
        )
    )


class ImportedRecordsSerializer(serializers.Serializer[Any]):
    read = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Refused at import, so no result contains them.")


class HumanCellSerializer(serializers.Serializer[Any]):
    """One criterion of one candidate. For yes/no, ``mean`` is the share of items that most reviewers answered
    yes.
    """

    criterion = serializers.CharField(source="criterion.key")
    mean = MeasureSerializer()
    low_share = MeasureSerializer(allow_null=True)
    counts = serializers.SerializerMethodField()
    not_applicable = serializers.IntegerField()

    def get_counts(self, cell: HumanCell) -> dict[str, int]:
        """Answers by level."""
        rules = cell.criterion.rules
        name = rules.words if rules.has_mean else str
        return {name(level): count for level, count in cell.counts.items()}


class RuleShareSerializer(serializers.Serializer[Any]):
    rule = serializers.IntegerField()
    passed = MeasureSerializer()


class TagCountSerializer(serializers.Serializer[Any]):
    tag = serializers.IntegerField(source="tag_id")
    label = serializers.CharField()
    count = serializers.IntegerField()
    share = MeasureSerializer()


class CandidateRowSerializer(serializers.Serializer[Any]):
    """``candidate`` is the id for filtering cases; the keys of ``metrics`` and ``corpus`` are names of
    metrics.
    """

    candidate = serializers.IntegerField(source="candidate.pk")
    model_version = serializers.IntegerField(source="candidate.model_version_id")
    label = serializers.CharField()
    human = HumanCellSerializer(many=True)
    total = MeasureSerializer()
    metrics = serializers.DictField(child=MeasureSerializer())
    corpus = serializers.DictField(child=MeasureSerializer())
    rules = serializers.SerializerMethodField()
    tags = TagCountSerializer(many=True)

    @extend_schema_field(RuleShareSerializer(many=True))
    def get_rules(self, row: CandidateRow) -> Any:
        shares = [{"rule": rule, "passed": measure} for rule, measure in row.rules.items()]
        return RuleShareSerializer(shares, many=True).data


class UsageSerializer(serializers.Serializer[Any]):
    """Tokens and seconds per answer, and the cost of 1,000 answers in ``currency`` at the set price."""

    candidate = serializers.IntegerField(source="candidate.pk")
    prompt_tokens = MeasureSerializer()
    completion_tokens = MeasureSerializer()
    seconds = MeasureSerializer(
        help_text="For answers generated here: the answer's share of the batch's time."
    )
    cost_per_thousand = MeasureSerializer(source="cost")
    currency = serializers.CharField(allow_blank=True)


class ContradictionSerializer(serializers.Serializer[Any]):
    """A metric prefers one candidate, but people significantly prefer another on ``criterion``."""

    metric = serializers.CharField(source="metric.name")
    metric_first = serializers.IntegerField(source="metric_first.candidate.pk")
    people_first = serializers.IntegerField(source="people_first.candidate.pk")
    criterion = serializers.CharField(source="cell.criterion.key")
    mean_of_metric_first = MeasureSerializer(source="cell.mean")
    mean_of_people_first = MeasureSerializer(source="best.mean")


class CandidateRankSerializer(RankSerializer):
    """Ranks by the weighted total, for the population of the results."""

    candidate = serializers.IntegerField()


class ComparisonSerializer(serializers.Serializer[Any]):
    """Each number has its interval, its sample size and method, or the reason why it is missing."""

    campaign = serializers.IntegerField()
    reviewer_type = serializers.ChoiceField(choices=REVIEWER_TYPES)
    score_source = serializers.ChoiceField(choices=SCORE_SOURCES)
    adjudicated = serializers.IntegerField(help_text="Number of adjudicated scores.")
    is_reviewing = serializers.BooleanField(
        help_text="You still review this campaign blind; its results and cases would unblind you."
    )
    design = DesignSerializer()
    records = ImportedRecordsSerializer(
        allow_null=True,
        help_text="Records of the imported file; null if the reviews were given in this system.",
    )
    rubric_version = serializers.IntegerField(help_text="Id of the rubric version.")
    coverage = CoverageSerializer(
        allow_null=True,
        help_text=(
            "Items and reviews that the filter keeps; null without a filter. Filtered results are "
            "exploratory."
        ),
    )
    candidates = CandidateRowSerializer(many=True)
    ranks = CandidateRankSerializer(many=True, help_text="Empty with fewer than three candidates.")
    usage = UsageSerializer(many=True)
    contradiction = ContradictionSerializer(allow_null=True)
    freshness = FreshnessSerializer(
        allow_null=True, help_text="Null if everything was computed for this request."
    )


class RecordSerializer(serializers.Serializer[Any]):
    """Counts pairs of scores that one reviewer gave to the same item; shares are means over items. “Won”
    means rated better, which is lower where lower is better, as in the share of unwanted answers.
    """

    won = serializers.IntegerField()
    tied = serializers.IntegerField()
    lost = serializers.IntegerField()
    win = MeasureSerializer()
    tie = MeasureSerializer()
    loss = MeasureSerializer()


class DifferenceSerializer(serializers.Serializer[Any]):
    """The candidate minus the reference on one criterion; ``adjusted_p`` is Holm-adjusted over the table.

    If ``is_total`` is true, the difference is of the weighted total (1–5); for a criterion without a mean, of
    the share of its counted answers.
    """

    criterion = serializers.CharField(source="criterion.key")
    is_total = serializers.BooleanField()
    candidate = serializers.IntegerField(source="challenger.candidate.pk")
    difference = MeasureSerializer(source="difference.difference")
    p = MeasureSerializer(source="difference.p")
    verdict = serializers.ChoiceField(
        choices=VERDICTS,
        help_text="Verdict on the candidate at 5%, after Holm's adjustment.",
    )
    adjusted = MeasureSerializer(help_text="The difference with the interval that the verdict uses.")
    other_difference = MeasureSerializer(
        source="difference.other_difference", help_text="The same difference for the other population."
    )
    p_permutation = MeasureSerializer(source="difference.p_permutation")
    win_rate = MeasureSerializer(
        help_text="Win rate of the candidate: ties count half, the lower score wins where lower is better."
    )
    adjusted_p = serializers.FloatField(allow_null=True)
    is_significant = serializers.BooleanField()
    record = RecordSerializer()


class SubgroupDifferenceSerializer(serializers.Serializer[Any]):
    """The candidate minus the reference on the items whose metadata ``field`` has this ``value``.
    ``adjusted_p`` is Holm-adjusted over all subgroups of the candidate.
    """

    field = serializers.CharField()
    value = serializers.CharField()
    criterion = serializers.CharField(source="pair.criterion.key")
    candidate = serializers.IntegerField(source="pair.challenger.candidate.pk")
    difference = MeasureSerializer(source="pair.difference.difference")
    adjusted = MeasureSerializer(
        source="pair.adjusted", help_text="The difference with the interval that the verdict uses."
    )
    p = MeasureSerializer(source="pair.difference.p")
    adjusted_p = serializers.FloatField(source="pair.adjusted_p", allow_null=True)
    verdict = serializers.ChoiceField(choices=VERDICTS, source="pair.verdict")


class LargestLossSerializer(serializers.Serializer[Any]):
    pair = serializers.CharField(help_text="`counterfactual.pair` in the metadata of its rows.")
    difference = serializers.FloatField()


class CounterfactualDifferenceSerializer(serializers.Serializer[Any]):
    """A candidate's scores on the variants minus its scores on the originals, over the pairs. ``adjusted_p``
    is Holm-adjusted over all variants and criteria of the candidate. ``perturbation`` and ``value`` come from
    the rows' metadata.
    """

    perturbation = serializers.CharField()
    value = serializers.CharField()
    criterion = serializers.CharField(source="pair.criterion.key")
    candidate = serializers.IntegerField(source="pair.challenger.candidate.pk")
    difference = MeasureSerializer(source="pair.difference.difference")
    adjusted = MeasureSerializer(
        source="pair.adjusted", help_text="The difference with the interval that the verdict uses."
    )
    p = MeasureSerializer(source="pair.difference.p")
    adjusted_p = serializers.FloatField(source="pair.adjusted_p", allow_null=True)
    verdict = serializers.ChoiceField(
        choices=VERDICTS, source="pair.verdict", help_text="Verdict on the answers to the variants."
    )
    largest_loss = LargestLossSerializer(
        allow_null=True, help_text="The pair whose variant lost most against its original; null if none lost."
    )


class ComparisonQuery(ViewQuery):
    score_source = serializers.ChoiceField(
        choices=SCORE_SOURCES,
        required=False,
        default="original",
        help_text="“adjudicated” replaces scores on which reviewers differ by adjudicated scores.",
    )


class DifferenceQuery(Paging, ViewQuery):
    against = serializers.IntegerField(
        min_value=1,
        max_value=2**63 - 1,
        required=False,
        help_text="Id of the reference candidate; default: the campaign's first candidate.",
    )


@route("campaigns/<int:campaign_id>/comparison/", "api_comparison")
class ComparisonDetail(AnalysisView):
    @operation("Compare a campaign's candidates", query=ComparisonQuery, result=ComparisonSerializer)
    def get(self, campaign_id: int) -> object:
        """Human means by criterion with 95% intervals, beside the metrics; ``design`` names the population.

        For a campaign with more than 20,000 scores, counts are current and all other numbers are as of
        ``freshness``. A filtered view needs compute/ first; its counts are as of that computation, too.
        """
        found = self.comparison(campaign_id, self.query["score_source"])
        campaign, figures = found.campaign, found.figures
        return {
            "campaign": campaign_id,
            "reviewer_type": self.reviewer_type(),
            "score_source": self.query["score_source"],
            "adjudicated": figures.decided,
            "is_reviewing": is_reviewing_blind(campaign, self.person),
            "design": found.comparison.design,
            "records": imported_records(campaign),
            "rubric_version": campaign.rubric_version_id,
            "coverage": figures.coverage,
            "usage": figures.usage,
            "candidates": found.comparison.rows,
            "ranks": _ranked(figures.ranks),
            "contradiction": figures.contradiction,
            "freshness": found.freshness,
        }


def _ranked(ranks: Mapping[int, Rank]) -> list[dict[str, int]]:
    return [{"candidate": candidate, **rank._asdict()} for candidate, rank in ranks.items()]


class AgainstReferenceView(AnalysisView):
    def reference(self, comparison: Comparison) -> CandidateRow:
        """The reference candidate. Raises MissingError if the campaign has no such candidate."""
        against = self.query.get("against")
        for row in comparison.rows:
            if against in (None, row.candidate.pk):
                return row
        raise MissingError("There is no such candidate in this comparison.")


@route("campaigns/<int:campaign_id>/differences/", "api_differences")
class DifferenceList(AgainstReferenceView):
    @operation("Compare candidates in pairs", query=DifferenceQuery, result=DifferenceSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Each other candidate minus ``against``, paired by item and reviewer, with wins, ties and losses."""
        found = self.comparison(campaign_id)
        return self.page(found.chosen(reference=self.reference(found.comparison)).pairs)

    def key_of(self, row: ComparedPair) -> str:
        of = "" if row.is_total else row.criterion.key
        return f"{of}.{row.challenger.candidate.pk}"


@route("campaigns/<int:campaign_id>/analysis/subgroups/", "api_subgroups")
class SubgroupList(AgainstReferenceView):
    @operation(
        "Compare candidates in subgroups",
        query=DifferenceQuery,
        result=SubgroupDifferenceSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """Every other candidate minus ``against`` for each value of each metadata field, worst first; values
        with fewer than 10 items are left out.
        """
        found = self.comparison(campaign_id)
        return self.page(found.chosen(reference=self.reference(found.comparison)).subgroups)

    def key_of(self, row: Subgroup) -> str:
        # Fields and values are anybody's words, of any length.
        return digest([row.field, row.value, row.pair.criterion.key, row.pair.challenger.candidate.pk])


class CounterfactualQuery(Paging, ViewQuery):
    pass


@route("campaigns/<int:campaign_id>/analysis/counterfactuals/", "api_counterfactuals")
class CounterfactualDifferences(AnalysisView):
    @operation(
        "Compare counterfactual variants with their originals",
        query=CounterfactualQuery,
        result=CounterfactualDifferenceSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """Variant minus original for every candidate and criterion, worst first; variants with fewer than 10
        pairs are left out.
        """
        return self.page(self.comparison(campaign_id).figures.counterfactuals.differences)

    def key_of(self, row: CounterfactualDifference) -> str:
        return digest([row.perturbation, row.value, row.pair.criterion.key, row.pair.challenger.candidate.pk])
