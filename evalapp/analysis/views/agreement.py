"""The agreement page."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.agreement.reviewer_agreement import (
    ANCHORS,
    MEASURES,
    MOST_REVIEWERS,
    SHARES,
    PairAgreement,
    Panel,
    matrix_in_words,
    reason_of,
    why_no_pair,
)
from evalapp.analysis.pages import (
    REVIEWER_TYPES,
    campaign_or_missing,
    chosen_reviewer_type,
    filter_problem_page,
    redirect_with_query,
    reviewer_type_choices,
)
from evalapp.analysis.scores.filter_form import filter_form_of
from evalapp.analysis.scores.filters import read_filter
from evalapp.analysis.stored.agreement_result import agreement_result
from evalapp.analysis.tables.choices import chosen_criterion, chosen_measure, chosen_pair
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.measure import Measure
from evalapp.reviews.pseudonyms import shown_names
from evalapp.rubrics.limits import MOST_BUTTONS
from evalapp.rubrics.models import Criterion
from evalapp.stats.against_others import AgainstOthers


class ConfusionCell(NamedTuple):
    """``gave``: the filter for the list of its cases."""

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
    """Agreement by criterion; for a chosen criterion also reviewers, pairs, one pair in detail, and
    levels.
    """
    campaign = campaign_or_missing(request, campaign_id)
    if campaign.compares:
        return redirect_with_query(request, "pair_results", request.project.slug, campaign_id)
    reviewer_type = chosen_reviewer_type(request)
    view = read_filter(campaign, request.GET)
    if view.problems:
        return filter_problem_page(request, view)
    found = agreement_result(view, reviewer_type=reviewer_type, reader_id=request.user.pk)
    panel = found.panel
    names = panel.names if panel else shown_names(campaign, reader_id=request.user.pk)
    criteria = panel.criteria if panel else []
    criterion = chosen_criterion(criteria, request.GET.get("criterion", "")) if panel else None
    measure = chosen_measure(request.GET.get("measure", ""))
    rows = [panel.overall(each) for each in criteria] if panel else []
    context = {
        "campaign": campaign,
        "freshness": found.freshness,
        "filter_form": filter_form_of(request, view, names=names, coverage=found.coverage),
        "criteria": criteria,
        "panel_cells": [
            (row.criterion, _measures(row.measures), row.scores, reason_of(row.measures)) for row in rows
        ],
        "panel_reason": _one([reason_of(row.measures) for row in rows]),
        "criterion": criterion,
        "measure": measure,
        "measures": [(key, label, ANCHORS[key]) for key, label in MEASURES.items()],
        "is_share": measure in SHARES,
        "is_uncomputed": panel is None,
        "most_reviewers": MOST_REVIEWERS,
        "reviewer_type": reviewer_type,
        "reviewer_type_label": REVIEWER_TYPES[reviewer_type],
        "reviewer_type_choices": reviewer_type_choices(request, reviewer_type),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
        "is_fine": criterion is not None and len(criterion.levels) > MOST_BUTTONS,
        "shares_outputs": any(row.criterion == criterion and row.measures.exact.defined for row in rows),
        "no_pair": why_no_pair(panel, criterion) if panel and criterion else "",
        **(_of_criterion(request, panel, criterion, measure) if panel and criterion else {"pairs": []}),
    }
    return render(request, "analysis/agreement.html", context)


def _of_criterion(request: MemberRequest, panel: Panel, criterion: Criterion, measure: str) -> dict[str, Any]:
    people, names = panel.people(criterion), panel.names
    is_wide = len(people) > MOST_REVIEWERS
    chosen = chosen_pair(panel, criterion, request.GET.get("first", ""), request.GET.get("second", ""))
    matrix = [] if is_wide else panel.matrix(criterion, measure)
    pair = panel.pair(criterion, chosen) if chosen is not None else None
    reviewers = panel.reviewers(criterion)
    return {
        "pairs": chosen is not None,
        "reviewers": [(row, _measures(row.measures), reason_of(row.measures)) for row in reviewers],
        "reviewers_reason": _one([reason_of(row.measures) for row in reviewers]),
        "matrix": matrix,
        "is_matrix_defined": any(
            cell.measure is not None and cell.measure.defined for row in matrix for cell in row.cells
        ),
        "matrix_words": matrix_in_words(matrix, measure),
        "is_wide": is_wide,
        "choices": [(names.numbers[person], names.of(person)) for person in people],
        "pair": pair,
        "pair_measures": _measures(pair.measures) if pair is not None else [],
        "pair_reason": reason_of(pair.measures) if pair is not None else "",
        "confusion": _confusion_rows(criterion, pair) if pair is not None else [],
        "levels": [criterion.level_words(level) for level in criterion.levels],
        "clarify": panel.clarify(criterion),
    }


def _one(reasons: Sequence[str]) -> str:
    """The reason shared by all rows of a table, to be stated once; empty if they differ."""
    return reasons[0] if len(set(reasons)) == 1 else ""


def _measures(found: AgainstOthers) -> list[tuple[str, str, Measure]]:
    """Key, label and measure, in the order of the columns."""
    return [(key, label, getattr(found, key)) for key, label in MEASURES.items()]


def _confusion_rows(criterion: Criterion, pair: PairAgreement) -> list[ConfusionRow]:
    if pair.confusion is None:
        return []
    counts = pair.confusion.counts
    return [
        ConfusionRow(
            criterion.level_words(own),
            [
                ConfusionCell(
                    counts[row][column],
                    own == other,
                    f"{pair.first}:{own},{pair.second}:{other}",
                )
                for column, other in enumerate(criterion.levels)
            ],
            sum(counts[row]),
        )
        for row, own in enumerate(criterion.levels)
    ]
