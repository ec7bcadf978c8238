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
    """What the numbers rest on."""

    items = serializers.IntegerField()
    reviewers = serializers.IntegerField()
    reviews = serializers.IntegerField()
    assignments_submitted = serializers.IntegerField(
        allow_null=True, help_text="null for a large campaign of which nothing is computed yet"
    )
    assignments_total = serializers.IntegerField()
    is_simulated = serializers.BooleanField()
    is_mixed = serializers.BooleanField()
    groups = serializers.IntegerField(
        help_text="Groups of items that are independent of one another; without a group field, the items."
    )
    population = serializers.ChoiceField(
        choices=ResultsApplyTo.choices, help_text="Whose scores the means and differences are about."
    )
    names_are_positions = serializers.BooleanField(
        help_text="Reviewer names are positions that different people filled: intervals rest on items alone."
    )


class ImportedRecordsSerializer(serializers.Serializer[Any]):
    read = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Refused at import, so no result contains them.")


class HumanCellSerializer(serializers.Serializer[Any]):
    """One criterion of one candidate. Yes/no: ``mean`` is the share of items most reviewers said yes to."""

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
    """``candidate`` is the id that filters cases; ``metrics`` and ``corpus`` go by the metric's name."""

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
    """Tokens and seconds of an answer, and what 1,000 answers cost in ``currency`` at the
    price that is set.
    """

    candidate = serializers.IntegerField(source="candidate.pk")
    prompt_tokens = MeasureSerializer()
    completion_tokens = MeasureSerializer()
    seconds = MeasureSerializer(help_text="For answers generated here: their share of the batch's time.")
    cost_per_thousand = MeasureSerializer(source="cost")
    currency = serializers.CharField(allow_blank=True)


class ContradictionSerializer(serializers.Serializer[Any]):
    """The metric puts one candidate first, and people significantly prefer another on ``criterion``."""

    metric = serializers.CharField(source="metric.name")
    metric_first = serializers.IntegerField(source="metric_first.candidate.pk")
    people_first = serializers.IntegerField(source="people_first.candidate.pk")
    criterion = serializers.CharField(source="cell.criterion.key")
    mean_of_metric_first = MeasureSerializer(source="cell.mean")
    mean_of_people_first = MeasureSerializer(source="best.mean")


class CandidateRankSerializer(RankSerializer):
    """By the total, for the population of the results."""

    candidate = serializers.IntegerField()


class ComparisonSerializer(serializers.Serializer[Any]):
    """Every number with its interval, what it rests on, or why there is none."""

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
        help_text="Of the imported file; null where the reviews were given here.",
    )
    rubric_version = serializers.IntegerField(help_text="Id of the version.")
    coverage = CoverageSerializer(
        allow_null=True,
        help_text=(
            "How much of the campaign the filter keeps; null without a filter. A filtered view is"
            " exploratory."
        ),
    )
    candidates = CandidateRowSerializer(many=True)
    ranks = CandidateRankSerializer(many=True, help_text="Empty with fewer than three candidates.")
    usage = UsageSerializer(many=True)
    contradiction = ContradictionSerializer(allow_null=True)
    freshness = FreshnessSerializer(
        allow_null=True, help_text="Null where everything was computed for this answer."
    )


class RecordSerializer(serializers.Serializer[Any]):
    """Pairs of one reviewer's two scores of one item, counted; shares are means over items. Won: rated
    better, which is lower on a scale where lower is better, and in the share of answers that are not wanted.
    """

    won = serializers.IntegerField()
    tied = serializers.IntegerField()
    lost = serializers.IntegerField()
    win = MeasureSerializer()
    tie = MeasureSerializer()
    loss = MeasureSerializer()


class DifferenceSerializer(serializers.Serializer[Any]):
    """A candidate less the reference on one criterion; ``adjusted_p`` is Holm's over the table.

    With ``is_total`` it is of the weighted total, on 1–5; of a criterion without a mean, of the share of its
    counted answers.
    """

    criterion = serializers.CharField(source="criterion.key")
    is_total = serializers.BooleanField()
    candidate = serializers.IntegerField(source="challenger.candidate.pk")
    difference = MeasureSerializer(source="difference.difference")
    p = MeasureSerializer(source="difference.p")
    verdict = serializers.ChoiceField(
        choices=VERDICTS,
        help_text="Of the candidate: after Holm's adjustment, at 5%.",
    )
    adjusted = MeasureSerializer(help_text="The difference with the interval that the verdict rests on.")
    other_difference = MeasureSerializer(
        source="difference.other_difference", help_text="The same about the other population."
    )
    p_permutation = MeasureSerializer(source="difference.p_permutation")
    win_rate = MeasureSerializer(
        help_text="Of the candidate; ties count half, and lower wins where lower is better."
    )
    adjusted_p = serializers.FloatField(allow_null=True)
    is_significant = serializers.BooleanField()
    record = RecordSerializer()


class SubgroupDifferenceSerializer(serializers.Serializer[Any]):
    """A candidate less the reference on the items whose metadata ``field`` has this ``value``.
    ``adjusted_p`` is Holm's over all subgroups of the candidate.
    """

    field = serializers.CharField()
    value = serializers.CharField()
    criterion = serializers.CharField(source="pair.criterion.key")
    candidate = serializers.IntegerField(source="pair.challenger.candidate.pk")
    difference = MeasureSerializer(source="pair.difference.difference")
    adjusted = MeasureSerializer(
        source="pair.adjusted", help_text="The difference with the interval that the verdict rests on."
    )
    p = MeasureSerializer(source="pair.difference.p")
    adjusted_p = serializers.FloatField(source="pair.adjusted_p", allow_null=True)
    verdict = serializers.ChoiceField(choices=VERDICTS, source="pair.verdict")


class LargestLossSerializer(serializers.Serializer[Any]):
    pair = serializers.CharField(help_text="`counterfactual.pair` of its rows.")
    difference = serializers.FloatField()


class CounterfactualDifferenceSerializer(serializers.Serializer[Any]):
    """A candidate's scores of the variants less those of their originals, over the pairs. ``adjusted_p`` is
    Holm's over all variants and criteria of the candidate. ``perturbation`` and ``value`` are those of the
    rows' metadata.
    """

    perturbation = serializers.CharField()
    value = serializers.CharField()
    criterion = serializers.CharField(source="pair.criterion.key")
    candidate = serializers.IntegerField(source="pair.challenger.candidate.pk")
    difference = MeasureSerializer(source="pair.difference.difference")
    adjusted = MeasureSerializer(
        source="pair.adjusted", help_text="The difference with the interval that the verdict rests on."
    )
    p = MeasureSerializer(source="pair.difference.p")
    adjusted_p = serializers.FloatField(source="pair.adjusted_p", allow_null=True)
    verdict = serializers.ChoiceField(
        choices=VERDICTS, source="pair.verdict", help_text="Of the variants' answers."
    )
    largest_loss = LargestLossSerializer(
        allow_null=True, help_text="The pair whose variant lost most; null where none did."
    )


class ComparisonQuery(ViewQuery):
    score_source = serializers.ChoiceField(
        choices=SCORE_SOURCES,
        required=False,
        default="original",
        help_text="“adjudicated”: adjudicated scores replace the scores that reviewers differ on.",
    )


class DifferenceQuery(Paging, ViewQuery):
    against = serializers.IntegerField(
        min_value=1,
        max_value=2**63 - 1,
        required=False,
        help_text="Candidate that the others are compared with; default: the campaign's first.",
    )


@route("campaigns/<int:campaign_id>/comparison/", "api_comparison")
class ComparisonDetail(AnalysisView):
    @operation("Compare a campaign's candidates", query=ComparisonQuery, result=ComparisonSerializer)
    def get(self, campaign_id: int) -> object:
        """Human means per criterion with 95% intervals, beside the metrics; about whom says `design`.

        For a campaign with more than 20,000 scores the counts are current, and everything else is as of
        ``freshness``; a filtered view needs compute/ first, and its counts are as of then, too.
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
        """The candidate that the others are compared with. Raises MissingError where there is none such."""
        against = self.query.get("against")
        for row in comparison.rows:
            if against in (None, row.candidate.pk):
                return row
        raise MissingError("There is no such candidate in this comparison.")


@route("campaigns/<int:campaign_id>/differences/", "api_differences")
class DifferenceList(AgainstReferenceView):
    @operation("Compare candidates in pairs", query=DifferenceQuery, result=DifferenceSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Every other candidate minus ``against``, paired by item and reviewer, with wins, ties and
        losses.
        """
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
        """Every other candidate minus ``against`` inside the values of each metadata field, the worst first;
        values with fewer than 10 items are left out.
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
        """Every candidate on every criterion, variant less original, the worst first; variants with fewer
        than 10 pairs are left out.
        """
        return self.page(self.comparison(campaign_id).figures.counterfactuals.differences)

    def key_of(self, row: CounterfactualDifference) -> str:
        return digest([row.perturbation, row.value, row.pair.criterion.key, row.pair.challenger.candidate.pk])
