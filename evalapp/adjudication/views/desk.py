"""The adjudicator's desk: the list of disagreements, and the pages of single outputs and comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.accounts.review_keys import keys_of
from evalapp.adjudication.disagreements import (
    DEFAULT_LEAST_DIFFERENCE,
    LEAST_DIFFERENCE_CHOICES,
    DisputedComparison,
    DisputedOutput,
    Worklist,
    disputed_comparisons,
    excerpts_of,
    worklist_of,
)
from evalapp.adjudication.forms import adjudicated_scores_from, read_level
from evalapp.adjudication.models import Adjudication
from evalapp.adjudication.rights import require_may_read
from evalapp.adjudication.services import adjudicate, adjudicate_comparison
from evalapp.adjudication.side_by_side import comparison_adjudications_about, decisions_about
from evalapp.adjudication.subjects import Subject, subject_ids_reviewed_by
from evalapp.adjudication.views.shared import (
    campaign_or_missing,
    comparison_or_missing,
    desk_context,
    output_or_missing,
    waiting_counts,
)
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.campaigns.queries import is_reviewing
from evalapp.core.errors import InvalidError, ProblemError
from evalapp.reviews.desks.preference import choice_rows, side_rows, sides_of
from evalapp.reviews.forms import preference_from_form
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.tasks import preference_words
from evalapp.reviews.pseudonyms import ReviewerNames, shown_names
from evalapp.rubrics.drafts import draft_of
from evalapp.rubrics.fields import NOT_APPLICABLE
from evalapp.rubrics.models import Criterion

SHOWN = {"open": "Undecided", "decided": "Decided", "all": "All"}
PER_PAGE = 50


def _least_difference(request: HttpRequest) -> int:
    text = request.GET.get("apart", "")
    return int(text) if text in map(str, LEAST_DIFFERENCE_CHOICES) else DEFAULT_LEAST_DIFFERENCE


def _url_with_least_difference(
    name: str, campaign: Campaign, least_difference: int, *more: int, **query: Any
) -> str:
    url = reverse(name, args=[campaign.project.slug, campaign.pk, *more])
    if least_difference != DEFAULT_LEAST_DIFFERENCE:
        query["apart"] = least_difference
    return f"{url}?{urlencode(query)}" if query else url


@require_safe
@project_view(Permission.ADJUDICATE)
def adjudication_list(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Disagreements, farthest apart first."""
    campaign = campaign_or_missing(request, campaign_id)
    least_difference, shown = _least_difference(request), request.GET.get("show", "open")
    shown = shown if shown in SHOWN else "open"
    worklist = _worklist(campaign, least_difference)
    # The rows are in memory already, so paging by number costs nothing.
    page = Paginator(worklist.chosen(shown), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "campaign": campaign,
        "worklist": worklist,
        "page": page,
        "rows": _worklist_rows(request, campaign, list(page.object_list), least_difference),
        "is_reviewing": is_reviewing(campaign, request.user),
        "next_href": _url_with_least_difference("adjudication_next", campaign, least_difference),
        "apart_filters": [
            {
                "label": f"{each} point{'' if each == 1 else 's'} or more",
                "href": _url_with_least_difference("adjudication_list", campaign, each, show=shown),
                "on": each == least_difference,
            }
            for each in LEAST_DIFFERENCE_CHOICES
            if not campaign.compares
        ],
        "filters": [
            {
                "label": label,
                "href": _url_with_least_difference("adjudication_list", campaign, least_difference, show=key),
                "on": key == shown,
            }
            for key, label in SHOWN.items()
        ],
        "tab_counts": waiting_counts(campaign),
    }
    return render(request, "adjudication/list.html", context)


def _worklist(campaign: Campaign, least_difference: int) -> Worklist[Any]:
    return (
        disputed_comparisons(campaign)
        if campaign.compares
        else worklist_of(campaign, least_difference=least_difference)
    )


def _worklist_rows(
    request: MemberRequest,
    campaign: Campaign,
    chosen: Sequence[DisputedOutput | DisputedComparison],
    least_difference: int,
) -> list[dict[str, Any]]:
    excerpts = excerpts_of(campaign, [each.subject_id for each in chosen])
    own = subject_ids_reviewed_by(request.user, campaign)
    names = shown_names(campaign, reader_id=request.user.pk)
    return [
        {
            "is_decided": each.decided == each.total,
            "is_own": each.subject_id in own,
            "differences": _differences(each, names),
            "excerpt": excerpts[each.subject_id],
            "href": _desk_url(campaign, each.subject_id, least_difference),
        }
        for each in chosen
    ]


def _differences(
    row: DisputedOutput | DisputedComparison, names: ReviewerNames
) -> list[tuple[str, str, bool]]:
    """Criterion or reviewer, the answers in words, and whether that criterion is already decided."""
    if isinstance(row, DisputedComparison):
        return [
            (names.of(each.reviewer_id), preference_words(each.turned), False) for each in row.differing.rows
        ]
    return [(each.criterion.name, each.words, each.is_decided) for each in row.disagreements]


def _desk_url(campaign: Campaign, subject_id: int, least_difference: int) -> str:
    name = "adjudication_comparison" if campaign.compares else "adjudication_output"
    return _url_with_least_difference(name, campaign, least_difference, subject_id)


@require_safe
@project_view(Permission.ADJUDICATE)
def adjudication_next(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Redirect to the next disagreement that this person may decide."""
    campaign = campaign_or_missing(request, campaign_id)
    after = request.GET.get("after", "")
    return _redirect_to_next(request, campaign, int(after) if after.isdecimal() and len(after) < 19 else None)


def _redirect_to_next(request: MemberRequest, campaign: Campaign, after: int | None) -> HttpResponse:
    least_difference = _least_difference(request)
    worklist = _worklist(campaign, least_difference)
    found = worklist.next_open(after=after, without=subject_ids_reviewed_by(request.user, campaign))
    if found is None or is_reviewing(campaign, request.user):
        if found is None:
            messages.info(request, _nothing_left_words(worklist))
        return redirect(_url_with_least_difference("adjudication_list", campaign, least_difference))
    return redirect(_desk_url(campaign, found, least_difference))


def _nothing_left_words(worklist: Worklist[Any]) -> str:
    if worklist.decided == worklist.total:
        return "Every disagreement here is decided."
    return "Nothing is left for you: the open disagreements are on reviews of your own, or on this page."


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def adjudication_output(request: MemberRequest, campaign_id: int, item_output_id: int) -> HttpResponse:
    """One output: its reviews side by side, and a decision on each criterion with a disagreement."""
    campaign = campaign_or_missing(request, campaign_id)
    item_output = output_or_missing(campaign, item_output_id)
    require_may_read(person=request.user, campaign=campaign, subject=item_output)
    problem: ProblemError | None = None
    if request.method == "POST":
        criteria = Criterion.objects.filter(version=campaign.rubric_version_id)
        scores = adjudicated_scores_from(request.POST, [each for each in criteria if each.levels])
        try:
            if not scores:
                raise InvalidError("Nothing was decided. Give at least one value and a reason.")
            decided = adjudicate(campaign=campaign, item_output=item_output, scores=scores, by=request.user)
        except ProblemError as error:
            problem = error
        else:
            messages.success(request, f"Decided: {', '.join(each.criterion.name for each in decided)}.")
            return _redirect_to_next(request, campaign, item_output.pk)
    worklist = worklist_of(campaign, least_difference=_least_difference(request))
    context = _shared_desk_context(request, campaign, item_output, worklist, problem)
    context |= _rating_fields(request, item_output, worklist, problem)
    return render(request, "adjudication/desk.html", context, status=problem.status if problem else 200)


def _shared_desk_context(
    request: MemberRequest,
    campaign: Campaign,
    subject: Subject,
    worklist: Worklist[Any],
    problem: ProblemError | None,
) -> dict[str, Any]:
    """Context shared by the desks of all subjects."""
    least_difference = _least_difference(request)
    return {
        **desk_context(request, campaign, subject, least_difference=least_difference),
        "worklist": worklist,
        "problem": problem,
        "errors": problem.fields if problem else {},
        "list_href": _url_with_least_difference("adjudication_list", campaign, least_difference),
        "later_href": _url_with_least_difference(
            "adjudication_next", campaign, least_difference, after=subject.pk
        ),
        "config": {"keys": keys_of(request.user)},
    }


def _rating_fields(
    request: MemberRequest,
    item_output: ItemOutput,
    worklist: Worklist[DisputedOutput],
    problem: ProblemError | None,
) -> dict[str, Any]:
    """The fields of disputed and of already decided criteria."""
    decided = {each.criterion_id: each for each in decisions_about([item_output])[item_output.pk]}
    disputed = next(
        (each.disagreements for each in worklist.rows if each.item_output_id == item_output.pk), []
    )
    to_decide = {each.criterion.pk: each.criterion for each in disputed}
    to_decide |= {each.criterion_id: each.criterion for each in decided.values()}
    errors = problem.fields if problem else {}
    rows = [
        _criterion_fieldset(criterion, decided.get(criterion.pk), request, errors)
        for criterion in sorted(to_decide.values(), key=lambda each: each.position)
    ]
    return {"rows": rows, "drafts": [row["draft"] for row in rows]}


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def adjudication_comparison(request: MemberRequest, campaign_id: int, comparison_id: int) -> HttpResponse:
    """One comparison: its reviewers' preferences side by side, and the adjudicator's decision."""
    campaign = campaign_or_missing(request, campaign_id)
    comparison = comparison_or_missing(campaign, comparison_id)
    require_may_read(person=request.user, campaign=campaign, subject=comparison)
    problem: ProblemError | None = None
    adjudication = comparison_adjudications_about([comparison]).get(comparison.pk)
    preference, reason = (
        (adjudication.preference, adjudication.reason) if adjudication else (PreferenceAnswers(), "")
    )
    if request.method == "POST":
        reason = request.POST.get("reason", "")
        revision = read_level(request.POST.get("revision", "0"))
        try:
            preference = preference_from_form(request.POST, outputs=len(comparison.outputs))
            decided = adjudicate_comparison(
                campaign=campaign,
                comparison=comparison,
                preference=preference,
                reason=reason,
                revision=revision if isinstance(revision, int) else 0,
                by=request.user,
            )
        except ProblemError as error:
            problem = error
        else:
            messages.success(request, f"Decided: {decided.words}.")
            return _redirect_to_next(request, campaign, comparison.pk)
    worklist = disputed_comparisons(campaign)
    context = _shared_desk_context(request, campaign, comparison, worklist, problem)
    task = context["task"]
    context |= {
        "sides": side_rows(task, sides_of(task), preference),
        "choices": choice_rows(preference),
        "adjudication": adjudication,
        "reason": reason,
        "is_disputed": adjudication is not None
        or comparison.pk in {each.subject_id for each in worklist.rows},
    }
    return render(
        request, "adjudication/comparison_desk.html", context, status=problem.status if problem else 200
    )


def _criterion_fieldset(
    criterion: Criterion,
    decision: Adjudication | None,
    request: MemberRequest,
    errors: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """A criterion's fieldset without reasons and condition: only the level is decided."""
    draft = replace(draft_of(criterion), tags=(), visible_if=None, is_required=True, is_critical=False)
    value: object = None
    if decision is not None:
        value = NOT_APPLICABLE if decision.value is None else criterion.rules.number(decision.value)
    reason = decision.reason if decision else ""
    if request.method == "POST":
        value = request.POST.get(f"criterion-{criterion.key}", value)
        reason = request.POST.get(f"reason-{criterion.key}", reason)
    return {
        "criterion": criterion,
        "draft": draft,
        "answer": {"value": value},
        "decision": decision,
        "reason": reason,
        "value_errors": errors.get(f"{criterion.key}.value", []),
        "reason_errors": errors.get(f"{criterion.key}.reason", []),
    }
