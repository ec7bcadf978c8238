"""Reasons that reviewers give, before and after training rows were added; an association, not a cause."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from django.db.models import BigIntegerField, Count, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from evalapp.analysis.versions.progress import trained_on
from evalapp.campaigns.models import Purpose
from evalapp.datasets.models import Dataset, DatasetVersion, Split
from evalapp.reviews.models import Review, ReviewTag
from evalapp.reviews.reviewer_types import of_reviewer_type

MOST_REASONS = 12
_PROMPT = "item_output__output__example__prompt_hash"


class ReasonStep(NamedTuple):
    """A reason in the reviews of models of two versions, on ``items`` that both answered: the mean share of
    an item's reviews that give it, before and after, and the number of training rows of the later version
    that were made from reviews that give it.
    """

    label: str
    criterion: str
    before: float
    after: float
    rows: int


class ReasonChange(NamedTuple):
    """``steps``: reasons, largest change of their share first."""

    before: DatasetVersion
    after: DatasetVersion
    items: int
    steps: Sequence[ReasonStep]


def reason_changes(
    dataset: Dataset, versions: Sequence[DatasetVersion], campaigns: Sequence[int]
) -> list[ReasonChange]:
    """Changes from each version to the next, if reviews of both are about the same items and give reasons."""
    reviews = Review.objects.filter(
        of_reviewer_type(dataset.project),
        campaign__in=campaigns,
        purpose=Purpose.REVIEW,
        item_output__output__candidate__trained_by__dataset_version__in=versions,
    ).exclude(item_output__output__example__split=Split.TRAIN)
    found = []
    for before, after in pairwise(versions):
        old, new = _reason_counts(reviews, before), _reason_counts(reviews, after)
        shared = old.reviews.keys() & new.reviews.keys()
        shared -= trained_on([before, after], shared)
        labels = {label for label, prompt in [*old.tags, *new.tags] if prompt in shared}
        if not labels:
            continue
        rows = _rows_by_reason(before, after)
        steps = [
            ReasonStep(*label, old.share(label, shared), new.share(label, shared), rows[label])
            for label in labels
        ]
        steps.sort(key=lambda step: (-abs(step.after - step.before), step.label))
        found.append(ReasonChange(before, after, len(shared), steps[:MOST_REASONS]))
    return found


# Names of a reason and its criterion: rubrics change, their words stay.
Label = tuple[str, str]


class _ReasonCounts(NamedTuple):
    """Numbers of reviews by prompt, and of reviews that give a reason, by reason and prompt."""

    reviews: Mapping[str, int]
    tags: Mapping[tuple[Label, str], int]

    def share(self, label: Label, prompts: Collection[str]) -> float:
        return fmean(self.tags.get((label, prompt), 0) / self.reviews[prompt] for prompt in prompts)


def _reason_counts(reviews: QuerySet[Review], version: DatasetVersion) -> _ReasonCounts:
    of = reviews.filter(item_output__output__candidate__trained_by__dataset_version=version)
    counts = dict(of.order_by().values_list(_PROMPT).annotate(Count("pk")))
    tags = (
        ReviewTag.objects.filter(review__in=of)
        .order_by()
        .values_list("tag__label", "tag__criterion__name", f"review__{_PROMPT}")
        .annotate(Count("review", distinct=True))
    )
    return _ReasonCounts(
        counts, {((label, criterion), prompt): count for label, criterion, prompt, count in tags}
    )


def _rows_by_reason(before: DatasetVersion, after: DatasetVersion) -> Counter[Label]:
    """Training rows added since ``before``, by the reasons of the review that they were made from."""
    known = before.examples.filter(split=Split.TRAIN).values("content_hash")
    added = after.examples.filter(split=Split.TRAIN, provenance__has_key="review").exclude(
        content_hash__in=known
    )
    made_from = Counter(
        review
        for review in added.values_list(
            Cast(KeyTextTransform("review", "provenance"), BigIntegerField()), flat=True
        )
        if review is not None
    )
    tags = ReviewTag.objects.filter(review__in=list(made_from))
    found: Counter[Label] = Counter()
    for label, criterion, review in tags.values_list("tag__label", "tag__criterion__name", "review"):
        found[label, criterion] += made_from[review]
    return found
