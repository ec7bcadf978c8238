from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.analysis.cases import CaseRow
from evalapp.analysis.comparison import CandidateRow, HumanCell
from evalapp.analysis.filters import is_filter
from evalapp.analysis.finder import MetricSide, ScoreSide
from evalapp.analysis.models import AnalysisKind
from evalapp.api.fields import Body, Paging, Query, Text
from evalapp.api.serializers.common import MeasureSerializer
from evalapp.metrics.registry import HEADLINE_METRIC

METRIC_WORDS = "A metric's name in the comparison, such as rougeL or external:7."
REVIEWER_TYPES = ("all", "human", "simulated")
SCORE_SOURCES = ("original", "adjudicated")


class DesignSerializer(serializers.Serializer[Any]):
    """What the numbers rest on."""

    items = serializers.IntegerField()
    reviewers = serializers.IntegerField()
    reviews = serializers.IntegerField()
    assignments_submitted = serializers.IntegerField(
        allow_null=True, help_text="null of a large campaign of which nothing is computed yet"
    )
    assignments_total = serializers.IntegerField()
    is_simulated = serializers.BooleanField()
    is_mixed = serializers.BooleanField()


class ImportedRecordsSerializer(serializers.Serializer[Any]):
    read = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Refused at import: what they said is in no figure.")


class HumanCellSerializer(serializers.Serializer[Any]):
    """One criterion of one candidate. Yes/no: ``mean`` is the share of items most reviewers said yes to."""

    criterion = serializers.CharField(source="criterion.key")
    mean = MeasureSerializer()
    low_share = MeasureSerializer(allow_null=True)
    counts = serializers.SerializerMethodField()
    not_applicable = serializers.IntegerField()

    def get_counts(self, cell: HumanCell) -> dict[str, int]:
        """Answers by level."""
        return {str(level): count for level, count in cell.counts.items()}


class RuleShareSerializer(serializers.Serializer[Any]):
    rule = serializers.IntegerField()
    kept = MeasureSerializer()


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
        shares = [{"rule": rule, "kept": measure} for rule, measure in row.rules.items()]
        return RuleShareSerializer(shares, many=True).data


class UsageSerializer(serializers.Serializer[Any]):
    """Tokens and seconds of an answer, and what 1,000 answers cost in ``currency`` at the price that is set."""

    candidate = serializers.IntegerField(source="candidate.pk")
    prompt_tokens = MeasureSerializer()
    completion_tokens = MeasureSerializer()
    seconds = MeasureSerializer(help_text="Of answers made here the share of their batch.")
    cost_per_thousand = MeasureSerializer(source="cost")
    currency = serializers.CharField(allow_blank=True)


class CoverageSerializer(serializers.Serializer[Any]):
    """How much of the campaign a filter leaves."""

    items = serializers.IntegerField()
    of_items = serializers.IntegerField()
    reviews = serializers.IntegerField()
    of_reviews = serializers.IntegerField()


class ContradictionSerializer(serializers.Serializer[Any]):
    """The metric puts one candidate first, and people significantly prefer another on ``criterion``."""

    metric = serializers.CharField(source="metric.name")
    metric_first = serializers.IntegerField(source="metric_first.candidate.pk")
    people_first = serializers.IntegerField(source="people_first.candidate.pk")
    criterion = serializers.CharField(source="cell.criterion.key")
    mean_of_metric_first = MeasureSerializer(source="cell.mean")
    mean_of_people_first = MeasureSerializer(source="best.mean")


class StandingSerializer(serializers.Serializer[Any]):
    """How far stored figures are behind; ``computed_at`` is null where a job has not computed any yet."""

    computed_at = serializers.DateTimeField(allow_null=True)
    reviews_since = serializers.IntegerField()
    changes_since = serializers.IntegerField(help_text="Reviews that were stored, amended or deleted since.")
    is_being_computed = serializers.BooleanField()


class ComputedAnalysisSerializer(StandingSerializer):
    """A stored analysis by what it is of, as computations/ is asked for it."""

    kind = serializers.ChoiceField(choices=AnalysisKind.choices, source="wanted.kind")
    reviewer_type = serializers.ChoiceField(choices=REVIEWER_TYPES, source="wanted.reviewer_type")
    score_source = serializers.ChoiceField(choices=SCORE_SOURCES, source="wanted.score_source")
    view = serializers.CharField(source="wanted.view", allow_blank=True)


class ComputeBody(Body):
    kind = serializers.ChoiceField(choices=AnalysisKind.choices)
    reviewer_type = serializers.ChoiceField(choices=REVIEWER_TYPES, required=False, default="all")
    score_source = serializers.ChoiceField(choices=SCORE_SOURCES, required=False, default="original")
    view = Text(
        max_length=4_000,
        required=False,
        allow_blank=True,
        default="",
        help_text="A filter as the comparison's URL has it: split=test&reviewers=2. Empty for the whole.",
    )


class ComparisonSerializer(serializers.Serializer[Any]):
    """Every number with its interval, what it rests on, or why there is none."""

    campaign = serializers.IntegerField()
    reviewer_type = serializers.ChoiceField(choices=REVIEWER_TYPES)
    score_source = serializers.ChoiceField(choices=SCORE_SOURCES)
    adjudicated = serializers.IntegerField(help_text="How many answers of outputs are decided.")
    is_reviewing = serializers.BooleanField(
        help_text="You still review this campaign blind; its results and cases show what you should not know."
    )
    design = DesignSerializer()
    records = ImportedRecordsSerializer(
        allow_null=True,
        help_text="Of the file that the reviews were imported from; null where they were given here.",
    )
    rubric_version = serializers.IntegerField(help_text="The version's id.")
    coverage = CoverageSerializer(
        allow_null=True, help_text="What a filtered view, which is exploratory, keeps; null for the whole."
    )
    candidates = CandidateRowSerializer(many=True)
    usage = UsageSerializer(many=True)
    contradiction = ContradictionSerializer(allow_null=True)
    standing = StandingSerializer(
        allow_null=True, help_text="Null where everything was computed for this answer."
    )


class RecordSerializer(serializers.Serializer[Any]):
    """Pairs of one reviewer's two scores of one item, counted; shares are means over items. Won: rated better,
    which is lower on a scale where lower is better, and in the share of answers that are not wanted.
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
    p_model = MeasureSerializer(source="difference.p_model")
    p_permutation = MeasureSerializer(source="difference.p_permutation")
    superiority = MeasureSerializer(
        help_text="Chance that the candidate is rated better, ties counting half; lower is better where the rubric says so."
    )
    adjusted_p = serializers.FloatField(allow_null=True)
    is_significant = serializers.BooleanField()
    record = RecordSerializer()


class AgreementRowSerializer(serializers.Serializer[Any]):
    criterion = serializers.CharField(source="criterion.key")
    alpha = MeasureSerializer()
    exact = MeasureSerializer()
    within_one = MeasureSerializer(allow_null=True)


class CorrelationRowSerializer(serializers.Serializer[Any]):
    """Spearman over all outputs, ``within_item``, and ``between`` the candidates' means (from 4 candidates on);
    Kendall's tau-b and Pearson over all outputs; ``pairs``: the share of an item's pairs of outputs of which the
    metric says what people say.
    """

    criterion = serializers.CharField(source="criterion.key")
    spearman = MeasureSerializer()
    within_item = MeasureSerializer()
    between = MeasureSerializer()
    kendall = MeasureSerializer()
    pearson = MeasureSerializer()
    pairs = MeasureSerializer()


class AgreementSerializer(serializers.Serializer[Any]):
    """How far reviewers agree, and how far a metric follows them."""

    metric = serializers.CharField()
    agreement = AgreementRowSerializer(many=True)
    correlations = CorrelationRowSerializer(many=True)


class ReviewerTypeQuery(Query):
    reviewer_type = serializers.ChoiceField(
        choices=REVIEWER_TYPES,
        required=False,
        default="all",
        help_text="A choice in demonstration projects alone.",
    )


class ViewQuery(ReviewerTypeQuery):
    """What a page's URL filters by, read into ``view``. Metadata fields are given as ``field.NAME=value``."""

    candidates = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        help_text="Candidates, compared on the items they share. Example metadata: field.NAME=value.",
    )
    split = serializers.ListField(child=serializers.CharField(), required=False, help_text="Items of it.")
    reviewers = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="Reviewers, by their pseudonyms' numbers."
    )
    since = serializers.DateField(required=False, help_text="Reviews from this day on, UTC.")
    until = serializers.DateField(required=False, help_text="Reviews up to this day, UTC.")
    rubric = serializers.IntegerField(required=False, help_text="The campaign's rubric version.")

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        rest, view = QueryDict(mutable=True), QueryDict(mutable=True)
        for name in data:
            (view if is_filter(name) else rest).setlist(name, data.getlist(name))
        return {**super().to_internal_value(rest), "view": view}


class ComparisonQuery(ViewQuery):
    score_source = serializers.ChoiceField(
        choices=SCORE_SOURCES,
        required=False,
        default="original",
        help_text="“adjudicated”: what was decided stands in place of the mean that reviewers differ on.",
    )


class DifferenceQuery(Paging, ViewQuery):
    against = serializers.IntegerField(
        min_value=1,
        max_value=2**63 - 1,
        required=False,
        help_text="Candidate that the others are compared with; the campaign's first where it is left out.",
    )


class AgreementQuery(ViewQuery):
    metric = serializers.CharField(
        max_length=40, required=False, default=HEADLINE_METRIC, help_text=METRIC_WORDS
    )


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


class FinderQuery(ViewQuery):
    """A metric's condition and a criterion's, as the page of the finder has them in its URL."""

    find = serializers.CharField(max_length=40, required=False, help_text=f"Needed. {METRIC_WORDS}")
    find_is = serializers.ChoiceField(
        choices=[side.value for side in MetricSide],
        required=False,
        default=MetricSide.TOP.value,
        help_text="Its highest or lowest tenth, or a value.",
    )
    find_value = serializers.FloatField(required=False)
    criterion = serializers.CharField(required=False, max_length=40, help_text="The key of a scale; needed.")
    score_is = serializers.ChoiceField(
        choices=[side.value for side in ScoreSide], required=False, default=ScoreSide.AT_MOST.value
    )
    score = serializers.IntegerField(
        required=False, help_text="At least two reviewers each gave this or beyond; needed."
    )
    candidate = serializers.IntegerField(required=False, min_value=1)
    reviewer = serializers.IntegerField(required=False, min_value=1, help_text="A pseudonym's number.")


class FoundSerializer(serializers.Serializer[Any]):
    """``expected`` by chance: by_metric × by_people / outputs. ``reason``: why nothing can be found."""

    words = serializers.CharField()
    count = serializers.IntegerField()
    expected = serializers.FloatField()
    outputs = serializers.IntegerField()
    by_metric = serializers.IntegerField()
    by_people = serializers.IntegerField()
    reason = serializers.CharField()
    coverage = CoverageSerializer(
        allow_null=True, help_text="How much of the campaign a filter leaves; null for the whole."
    )
    cases = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_cases(self, found: Any) -> list[int]:
        """The items, in the order of the list of cases."""
        return list(found["cases"])


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
