"""The page on how far reviewers agree, and what to do where they do not."""

from typing import Any, NamedTuple

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.choosing import chosen_criterion, chosen_measure, chosen_pair
from evalapp.analysis.filters import read_filter
from evalapp.analysis.narrowing import load_narrowed
from evalapp.analysis.narrowing_form import narrowing_of
from evalapp.analysis.reviewer_agreement import (
    ANCHORS,
    MEASURES,
    MOST_REVIEWERS,
    MOST_SCORES,
    SHARES,
    AgreementOn,
    agreement_of,
    agreement_on,
    by_reviewer,
    confusion_of,
    is_too_large,
    levels_to_clarify,
    matrix_in_words,
    matrix_of,
    pairs_of,
)
from evalapp.analysis.scores import CampaignScores
from evalapp.analysis.views import (
    PEOPLE,
    campaign_or_missing,
    chosen_people,
    filter_refused,
    people_choices,
    redirect_kept,
)
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.reviews.pseudonyms import ReviewerNames, shown_names
from evalapp.rubrics.models import Criterion


class ConfusionCell(NamedTuple):
    """``gave`` is what the list of its cases is filtered by."""

    outputs: int
    is_equal: bool
    gave: str


class ConfusionRow(NamedTuple):
    level: str
    cells: list[ConfusionCell]
    total: int


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def campaign_agreement(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Each criterion; then, for a chosen one, reviewers, pairs, two of them beside each other, and levels."""
    campaign = campaign_or_missing(request, campaign_id)
    if campaign.compares:
        return redirect_kept(request, "pair_results", request.project.slug, campaign_id)
    people = chosen_people(request)
    view = read_filter(campaign, request.GET)
    if view.problems:
        return filter_refused(request, view)
    scores, kept, _ = load_narrowed(view, people=people)
    names = shown_names(campaign, numbers=scores.numbers, reader_id=request.user.pk)
    criterion = chosen_criterion(scores, request.GET.get("criterion", ""))
    measure = chosen_measure(request.GET.get("measure", ""))
    is_large = is_too_large(scores)
    panel = [] if is_large else [agreement_on(scores, each) for each in scores.criteria]
    context = {
        "station": "compare",
        "campaign": campaign,
        "narrowing": narrowing_of(request, view, names=names, kept=kept),
        "criteria": scores.criteria,
        "panel": panel,
        "panel_cells": [(row.criterion, cells_of(row), row.scores) for row in panel],
        "criterion": criterion,
        "measure": measure,
        "measures": [(key, label, ANCHORS[key]) for key, label in MEASURES.items()],
        "is_share": measure in SHARES,
        "is_large": is_large,
        "most_scores": MOST_SCORES,
        "most_reviewers": MOST_REVIEWERS,
        "has_simulated": any(answer.is_simulated for answer in scores.answers),
        "people": people,
        "people_label": PEOPLE[people],
        "people_choices": people_choices(request, people),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
        **(
            _of_criterion(request, scores, criterion, names, measure)
            if criterion and not is_large
            else {"pairs": []}
        ),
    }
    return render(request, "analysis/agreement.html", context)


def cells_of(row: AgreementOn) -> list[tuple[str, str, Any]]:
    """A row's measures in their columns' order: key, label, measure."""
    return [(key, label, getattr(row.measures, key)) for key, label in MEASURES.items()]


def _of_criterion(
    request: MemberRequest,
    scores: CampaignScores,
    criterion: Criterion,
    names: ReviewerNames,
    measure: str,
) -> dict[str, Any]:
    pairs = pairs_of(scores, criterion)
    is_wide = len(scores.reviewer_ids) > MOST_REVIEWERS
    pair = chosen_pair(scores, criterion, request.GET.get("first", ""), request.GET.get("second", ""))
    matrix = [] if is_wide else matrix_of(scores, criterion, names, measure)
    reviewers = [(row, _measures(row.measures)) for row in by_reviewer(scores, criterion, names)]
    found = agreement_of(scores, criterion, pair, names) if pair is not None else None
    return {
        "pairs": pairs,
        "reviewers": reviewers,
        "matrix": matrix,
        "matrix_words": matrix_in_words(matrix, measure),
        "is_wide": is_wide,
        "choices": [
            (names.numbers[person], names.of(person))
            for person in dict.fromkeys(each for two in pairs for each in two)
        ],
        "pair": found,
        "pair_measures": _measures(found.measures) if found is not None else [],
        "confusion": _confusion_rows(scores, criterion, pair) if pair is not None else [],
        "levels": [criterion.level_words(level) for level in criterion.levels],
        "clarify": levels_to_clarify(scores, criterion),
    }


def _measures(found: Any) -> list[tuple[str, str, Any]]:
    return [(key, label, getattr(found, key)) for key, label in MEASURES.items()]


def _confusion_rows(
    scores: CampaignScores, criterion: Criterion, pair: tuple[int, int]
) -> list[ConfusionRow]:
    first, second = (scores.numbers[person] for person in pair)
    found = confusion_of(scores, criterion, pair)
    if found is None:
        return []
    counts = found.counts
    return [
        ConfusionRow(
            criterion.level_words(own),
            [
                ConfusionCell(
                    counts[row][column],
                    own == other,
                    f"{first}:{own},{second}:{other}",
                )
                for column, other in enumerate(criterion.levels)
            ],
            sum(counts[row]),
        )
        for row, own in enumerate(criterion.levels)
    ]
