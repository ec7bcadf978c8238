"""What the operations of analysis share: filters of the URLs, and freshness of stored results."""

from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from evalapp.analysis.models import AnalysisKind, ReviewerType, ScoreSource
from evalapp.analysis.scores.filtered_scores import FilteredScores, load_filtered
from evalapp.analysis.scores.filters import ComparisonFilter, is_filter, read_filter
from evalapp.analysis.stored.comparison_result import ComparisonResult, comparison_result
from evalapp.analysis.stored.inputs import INPUTS
from evalapp.api.fields import Query
from evalapp.campaigns.api.campaigns import OpenedCampaignView
from evalapp.core.errors import InvalidError

METRIC_WORDS = "A metric's name in the results, such as rougeL or external:7."
REVIEWER_TYPES = tuple(ReviewerType.values)
SCORE_SOURCES = tuple(ScoreSource.values)


class CoverageSerializer(serializers.Serializer[Any]):
    """The part of the campaign that a filter keeps."""

    items = serializers.IntegerField()
    of_items = serializers.IntegerField()
    reviews = serializers.IntegerField()
    of_reviews = serializers.IntegerField()


class RankSerializer(serializers.Serializer[Any]):
    """The range of ranks that a candidate may have; 1 is the best."""

    best = serializers.IntegerField()
    worst = serializers.IntegerField()


class FreshnessSerializer(serializers.Serializer[Any]):
    """How out of date stored numbers are; ``computed_at`` is null before the first computation."""

    computed_at = serializers.DateTimeField(allow_null=True)
    reviews_since = serializers.IntegerField()
    changes_since = serializers.IntegerField(help_text="Reviews stored, amended or deleted since then.")
    inputs_changed = serializers.ListField(
        child=serializers.ChoiceField(choices=tuple(INPUTS)),
        help_text="Other inputs that changed since then.",
    )
    is_being_computed = serializers.BooleanField()


class ReviewerTypeQuery(Query):
    reviewer_type = serializers.ChoiceField(
        choices=REVIEWER_TYPES,
        required=False,
        default="all",
        help_text="Which reviewers count; demonstration projects only.",
    )


class ViewQuery(ReviewerTypeQuery):
    """What a page's URL filters by, read into ``view``. Metadata fields are given as ``field.NAME=value``."""

    candidates = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        help_text=(
            "Ids of candidates to compare on the items they share. Filter by metadata with field.NAME=value."
        ),
    )
    split = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Only items of these splits."
    )
    reviewers = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="Numbers of the reviewers' pseudonyms."
    )
    since = serializers.DateField(required=False, help_text="Only reviews from this day on, UTC.")
    until = serializers.DateField(required=False, help_text="Only reviews up to this day, UTC.")
    rubric = serializers.IntegerField(required=False, help_text="Number of the campaign's rubric version.")

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        rest, view = QueryDict(mutable=True), QueryDict(mutable=True)
        for name in data:
            (view if is_filter(name) else rest).setlist(name, data.getlist(name))
        return {**super().to_internal_value(rest), "view": view}


class SampledItemsSerializer(serializers.Serializer[Any]):
    """A random sample of the items reviewed so far; it stays the same until more items are reviewed."""

    items = serializers.IntegerField()
    of_items = serializers.IntegerField()


def not_computed(kind: AnalysisKind) -> InvalidError:
    """The error for a list that no job has computed yet; it says how to start the job."""
    return InvalidError(
        "This campaign is large, and this analysis has not been computed yet. Start it at "
        f"analysis/computations/ with the kind “{kind}”."
    )


def require_no_problem(wanted: ComparisonFilter) -> ComparisonFilter:
    """The filter. Raises InvalidError where it names what is not there."""
    if wanted.problems:
        fields: dict[str, list[str]] = {}
        for problem in wanted.problems:
            fields.setdefault(problem.part or "non_field_errors", []).append(problem.message)
        raise InvalidError(
            "The filter names something that does not exist; see the message of each part.", fields=fields
        )
    return wanted


class AnalysisView(OpenedCampaignView):
    def reviewer_type(self) -> str:
        """Whose reviews count; a choice only where simulated ones are read at all."""
        return str(self.query["reviewer_type"]) if self.project.is_demonstration else "all"

    def view(self, campaign_id: int) -> ComparisonFilter:
        """What the URL filters to. Raises InvalidError for what is not there."""
        return require_no_problem(read_filter(self.campaign(campaign_id), self.query["view"]))

    def filtered(self, campaign_id: int) -> FilteredScores:
        """The scores of the view that the URL filters to."""
        return load_filtered(self.view(campaign_id), reviewer_type=self.reviewer_type())

    def comparison(self, campaign_id: int, score_source: str = ScoreSource.ORIGINAL) -> ComparisonResult:
        """Of the view that the URL filters to."""
        return comparison_result(
            self.view(campaign_id),
            reviewer_type=self.reviewer_type(), score_source=score_source, reader_id=self.person.pk,
        )  # fmt: skip
