"""The adjudicator's desk: the list of disagreements, and one output after another."""

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
from evalapp.adjudication.beside import decisions_about, reviews_beside_each_other
from evalapp.adjudication.disagreements import (
    APART_CHOICES,
    USUAL_APART,
    DisputedOutput,
    Worklist,
    excerpts_of,
    worklist_of,
)
from evalapp.adjudication.discussion import Names, thread_of
from evalapp.adjudication.forms import rulings_from
from evalapp.adjudication.models import Adjudication
from evalapp.adjudication.rights import require_may_read, reviewed_by, why_not_adjudicate
from evalapp.adjudication.services import adjudicate
from evalapp.adjudication.views.shared import campaign_or_missing, output_or_missing, tabs_of
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.campaigns.queries import is_reviewing
from evalapp.core.errors import InvalidError, ProblemError
from evalapp.reviews.queries import task_for
from evalapp.rubrics.drafts import draft_of
from evalapp.rubrics.fields import NOT_APPLICABLE
from evalapp.rubrics.models import Criterion

SHOWN = {"open": "To decide", "decided": "Decided", "all": "All"}
PER_PAGE = 50


def _apart(request: HttpRequest) -> int:
    text = request.GET.get("apart", "")
    return int(text) if text in map(str, APART_CHOICES) else USUAL_APART


def _with_apart(name: str, campaign: Campaign, apart: int, *more: int, **query: Any) -> str:
    address = reverse(name, args=[campaign.project.slug, campaign.pk, *more])
    if apart != USUAL_APART:
        query["apart"] = apart
    return f"{address}?{urlencode(query)}" if query else address


@require_safe
@project_view(Permission.ADJUDICATE)
def adjudication_list(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Where reviewers differ, farthest apart first."""
    campaign = campaign_or_missing(request, campaign_id)
    apart, shown = _apart(request), request.GET.get("show", "open")
    shown = shown if shown in SHOWN else "open"
    worklist = worklist_of(campaign, apart=apart)
    wanted = {"open": (False,), "decided": (True,), "all": (False, True)}[shown]
    chosen = [each for each in worklist.outputs if each.is_decided in wanted]
    # The rows are in memory already, so pages by number cost nothing here.
    page = Paginator(chosen, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "station": "compare",
        "campaign": campaign,
        "worklist": worklist,
        "page": page,
        "rows": _rows(campaign, list(page.object_list), apart),
        "own": reviewed_by(request.user, campaign),
        "is_reviewing": is_reviewing(campaign, request.user),
        "next_href": _with_apart("adjudication_next", campaign, apart),
        "apart_filters": [
            {
                "label": f"{each} point{'' if each == 1 else 's'} or more",
                "href": _with_apart("adjudication_list", campaign, each, show=shown),
                "on": each == apart,
            }
            for each in APART_CHOICES
        ],
        "filters": [
            {
                "label": label,
                "href": _with_apart("adjudication_list", campaign, apart, show=key),
                "on": key == shown,
            }
            for key, label in SHOWN.items()
        ],
        "tabs": tabs_of(campaign, "adjudication_list"),
    }
    return render(request, "adjudication/list.html", context)


def _rows(campaign: Campaign, chosen: Sequence[DisputedOutput], apart: int) -> list[dict[str, Any]]:
    excerpts = excerpts_of([each.item_output_id for each in chosen])
    return [
        {
            "disputed": each,
            "excerpt": excerpts[each.item_output_id],
            "href": _with_apart("adjudication_output", campaign, apart, each.item_output_id),
        }
        for each in chosen
    ]


@require_safe
@project_view(Permission.ADJUDICATE)
def adjudication_next(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """On to the next disagreement that this person may decide."""
    campaign = campaign_or_missing(request, campaign_id)
    apart = _apart(request)
    after = request.GET.get("after", "")
    return _to_next(request, campaign, apart, int(after) if after.isdecimal() and len(after) < 19 else None)


def _to_next(request: MemberRequest, campaign: Campaign, apart: int, after: int | None) -> HttpResponse:
    worklist = worklist_of(campaign, apart=apart)
    found = worklist.next_open(after=after, without=reviewed_by(request.user, campaign))
    if found is None or is_reviewing(campaign, request.user):
        if found is None:
            messages.info(request, _nothing_left(worklist))
        return redirect(_with_apart("adjudication_list", campaign, apart))
    return redirect(_with_apart("adjudication_output", campaign, apart, found))


def _nothing_left(worklist: Worklist) -> str:
    if worklist.decided == worklist.total:
        return "Every disagreement here is decided."
    return "Nothing else is left for you: what is open here you reviewed yourself, or have in front of you."


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def adjudication_output(request: MemberRequest, campaign_id: int, item_output_id: int) -> HttpResponse:
    """One output: its reviews side by side, and a decision on each criterion they differ on."""
    campaign = campaign_or_missing(request, campaign_id)
    item_output = output_or_missing(campaign, item_output_id)
    require_may_read(person=request.user, campaign=campaign, item_output=item_output)
    apart = _apart(request)
    problem: ProblemError | None = None
    if request.method == "POST":
        criteria = Criterion.objects.filter(version=campaign.rubric_version_id)
        rulings = rulings_from(request.POST, [each for each in criteria if each.levels])
        try:
            if not rulings:
                raise InvalidError("Nothing is decided yet. Give at least one value and say why.")
            decided = adjudicate(campaign=campaign, item_output=item_output, rulings=rulings, by=request.user)
        except ProblemError as error:
            problem = error
        else:
            messages.success(request, f"Decided: {', '.join(each.criterion.name for each in decided)}.")
            return _to_next(request, campaign, apart, item_output.pk)
    context = _desk(request, campaign, item_output, apart, problem)
    return render(request, "adjudication/desk.html", context, status=problem.status if problem else 200)


def _desk(
    request: MemberRequest,
    campaign: Campaign,
    item_output: ItemOutput,
    apart: int,
    problem: ProblemError | None,
) -> dict[str, Any]:
    worklist = worklist_of(campaign, apart=apart)
    names = Names(campaign, reader=request.user, to_reviewer=False)
    decided = {each.criterion_id: each for each in decisions_about([item_output])[item_output.pk]}
    disputed = next(
        (each.disagreements for each in worklist.outputs if each.item_output_id == item_output.pk), []
    )
    to_decide = {each.criterion.pk: each.criterion for each in disputed}
    to_decide |= {each.criterion_id: each.criterion for each in decided.values()}
    errors = problem.fields if problem else {}
    rows = [
        _fields(criterion, decided.get(criterion.pk), request, errors)
        for criterion in sorted(to_decide.values(), key=lambda each: each.position)
    ]
    return {
        "station": "compare",
        "campaign": campaign,
        "item_output": item_output,
        "worklist": worklist,
        "task": task_for(item_output_id=item_output.pk, campaign=campaign, reviewer=request.user),
        "table": reviews_beside_each_other(campaign, item_output, names, apart=apart),
        "rows": rows,
        "drafts": [row["draft"] for row in rows],
        "refusal": why_not_adjudicate(person=request.user, campaign=campaign, item_output=item_output),
        "thread": thread_of(item_output, names),
        "problem": problem,
        "list_href": _with_apart("adjudication_list", campaign, apart),
        "later_href": _with_apart("adjudication_next", campaign, apart, after=item_output.pk),
        "config": {"keys": keys_of(request.user)},
    }


def _fields(
    criterion: Criterion,
    decision: Adjudication | None,
    request: MemberRequest,
    errors: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """A criterion's fieldset without its reasons and its condition: only its levels are decided on."""
    draft = replace(draft_of(criterion), tags=(), visible_if=None, is_required=True, is_critical=False)
    value: object = None
    if decision is not None:
        value = NOT_APPLICABLE if decision.value is None else decision.value
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
