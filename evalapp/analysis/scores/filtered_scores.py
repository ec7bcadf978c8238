"""A campaign's scores filtered as the URL asks, and the coverage of the filter."""

import datetime as dt
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlencode

from django.db.models import QuerySet

from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.campaigns.models import CampaignCandidate
from evalapp.reviews.models import Review


class FilterCoverage(NamedTuple):
    """The share that a filter leaves; ``of_items`` and ``of_reviews``: the numbers without it."""

    items: int
    of_items: int
    reviews: int
    of_reviews: int


class FilteredScores(NamedTuple):
    """``reviews``: those that count; None for all."""

    scores: CampaignScores
    coverage: FilterCoverage | None
    reviews: QuerySet[Review] | None


def load_filtered(wanted: ComparisonFilter, *, reviewer_type: str = "all") -> FilteredScores:
    """`load_scores` of the filter's campaign, without what the filter excludes.

    Chosen candidates are compared on items on which each has a score; if reviews are chosen, on items with at
    least one of them. Whole-set metrics are left out, because they include outputs outside the view.
    """
    everything = load_scores(wanted.campaign, reviewer_type=reviewer_type)
    if not wanted.is_filtered:
        return FilteredScores(everything, None, None)
    reviews = reviews_of(wanted)
    source = everything
    if wanted.filters_reviews:
        source = load_scores(wanted.campaign, reviewer_type=reviewer_type, reviews=reviews)
    scores = _filtered(source, wanted)
    in_view = {output.item_id for output in scores.outputs}
    if wanted.filters_reviews:
        in_view = {answer.item_id for answer in scores.answers}
    reviews = reviews.filter(item_output__in=[output.item_output_id for output in scores.outputs])
    coverage = FilterCoverage(
        items=len(in_view),
        of_items=len({output.item_id for output in everything.outputs}),
        reviews=_count(scores),
        of_reviews=_count(everything),
    )
    return FilteredScores(scores, coverage, reviews)


def reviews_of(wanted: ComparisonFilter) -> QuerySet[Review]:
    """The campaign's reviews by the chosen reviewers on the chosen days."""
    reviews = Review.objects.filter(campaign=wanted.campaign)
    if wanted.reviewers:
        reviews = reviews.filter(reviewer__in=wanted.reviewers)
    if wanted.since is not None:
        reviews = reviews.filter(submitted_at__gte=_midnight(wanted.since))
    if wanted.until is not None:
        # The last representable day has no next one.
        last = dt.datetime.combine(wanted.until, dt.time.max, tzinfo=dt.UTC)
        reviews = reviews.filter(submitted_at__lte=last)
    return reviews


def shared_items(scores: CampaignScores) -> set[int]:
    """The items on which every candidate has a score."""
    rated: dict[int, set[int]] = {}
    for answer in scores.answers:
        rated.setdefault(answer.item_id, set()).add(answer.candidate_id)
    candidates = {candidate.pk for candidate in scores.candidates}
    return {item_id for item_id, present in rated.items() if candidates <= present}


class SharedItems(NamedTuple):
    """How far candidates were rated on different items. ``query`` filters to the items that all share."""

    items: list[tuple[CampaignCandidate, int]]
    shared: int
    query: str


def shared_items_of(scores: CampaignScores) -> SharedItems | None:
    """How the rated items differ between candidates; None if they do not, and without scores."""
    rated: dict[int, set[int]] = {candidate.pk: set() for candidate in scores.candidates}
    for answer in scores.answers:
        rated[answer.candidate_id].add(answer.item_id)
    if len({frozenset(items) for items in rated.values()}) <= 1:
        return None
    return SharedItems(
        items=[(candidate, len(rated[candidate.pk])) for candidate in scores.candidates],
        shared=len(shared_items(scores)),
        query=urlencode([("candidates", candidate.pk) for candidate in scores.candidates]),
    )


def _filtered(scores: CampaignScores, wanted: ComparisonFilter) -> CampaignScores:
    items = wanted.item_ids()
    chosen = {candidate.pk for candidate in wanted.candidates}
    if chosen:
        scores = replace(
            scores,
            candidates=[each for each in scores.candidates if each.pk in chosen],
            answers=[answer for answer in scores.answers if answer.candidate_id in chosen],
        )
        # Before the first review no item is shared, but metrics can be compared.
        shared = shared_items(scores) if scores.answers or wanted.filters_reviews else None
        if shared is not None:
            items = shared if items is None else items & shared
    elif wanted.filters_reviews:
        reviewed = {answer.item_id for answer in scores.answers}
        items = reviewed if items is None else items & reviewed
    candidates = {candidate.pk for candidate in scores.candidates}
    outputs = [
        output
        for output in scores.outputs
        if output.candidate_id in candidates and (items is None or output.item_id in items)
    ]
    present = {output.item_output_id for output in outputs}
    whole = sum(output.candidate_id in candidates for output in scores.outputs)
    return replace(
        scores,
        outputs=outputs,
        answers=[answer for answer in scores.answers if answer.item_output_id in present],
        tags=[tag for tag in scores.tags if tag.item_output_id in present],
        corpus=scores.corpus if len(outputs) == whole else {},
    )


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.min, tzinfo=dt.UTC)


def _count(scores: CampaignScores) -> int:
    return len({(answer.reviewer_id, answer.item_output_id) for answer in scores.answers})
