from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, person_of, project_view, signed_in_view
from evalapp.accounts.people import update_profile
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.campaigns.work_left import campaign_reviewers_with_work
from evalapp.core.errors import InvalidError, MissingError, ProblemError
from evalapp.core.http import get_or_missing, problem_body
from evalapp.core.paging import keyset_page
from evalapp.reviews.answers import read_seconds
from evalapp.reviews.change_requests import open_change_request, open_change_requests_among
from evalapp.reviews.closing import is_asked
from evalapp.reviews.desks import DESKS, desk_of
from evalapp.reviews.desks.payload import page_config, task_payload
from evalapp.reviews.drafts import DraftConflictError
from evalapp.reviews.flags import flags_of, resolve_flag
from evalapp.reviews.forms import (
    Submission,
    is_json,
    json_body,
    read_revision,
)
from evalapp.reviews.kinds import kind_of
from evalapp.reviews.models import Review
from evalapp.reviews.prefetch import task_on_screen
from evalapp.reviews.presentation import (
    key_rows,
    may_exceed_share,
    progress_payload,
    review_url,
    skip_fields_html,
    task_url,
)
from evalapp.reviews.progress import team_progress
from evalapp.reviews.queries import (
    NOT_YOURS,
    ReviewContext,
    TakenOffError,
    campaign_reviewer_after_submission,
    campaign_reviewer_for,
    campaign_reviewers_of,
    left_review_context,
    own_reviews,
    review_context_at,
    submitted_by,
    with_progress,
)
from evalapp.reviews.responses import (
    draft_kept_response,
    no_work_response,
    reopened_response,
    skip_reason,
    skipped_response,
    store_flag,
    submitted_response,
)
from evalapp.reviews.services import (
    amend_review,
    keep_draft,
    keep_draft_of_removed,
    reopen_last_review,
    skip_item,
    submit_at,
)

_RUNNING_STATES = (CampaignState.OPEN, CampaignState.PAUSED)


@require_safe
@signed_in_view
def review_home(request: HttpRequest) -> HttpResponse:
    """The campaigns in which this person reviews, those that may have work for them first."""
    campaign_reviewers = list(
        with_progress(campaign_reviewers_of(person_of(request))).order_by(
            "campaign__state", "campaign__deadline", "-campaign__pk"
        )
    )
    running = [
        campaign_reviewer
        for campaign_reviewer in campaign_reviewers
        if campaign_reviewer.campaign.state in _RUNNING_STATES
    ]
    ended = [
        campaign_reviewer
        for campaign_reviewer in campaign_reviewers
        if campaign_reviewer.campaign.state not in _RUNNING_STATES
    ]
    with_work = campaign_reviewers_with_work(running)
    shown = [
        (
            campaign_reviewer,
            progress_payload(campaign_reviewer),
            may_exceed_share(campaign_reviewer),
            campaign_reviewer.pk in with_work,
        )
        for campaign_reviewer in running
    ]
    shown.sort(key=lambda each: _order_at_home(each[0].campaign, each[1], has_work=each[3]))
    asking = [campaign_reviewer for campaign_reviewer in ended if is_asked(campaign_reviewer)]
    context = {"running": shown, "ended": ended, "asking": asking}
    return render(request, "reviews/home.html", context)


def _order_at_home(campaign: Campaign, progress: dict[str, Any], *, has_work: bool) -> tuple[bool, bool]:
    """Sort key: campaigns with work first, then those that seem done, paused ones last."""
    is_done = not has_work or progress["mine"] >= progress["mine_total"]
    return campaign.state != CampaignState.OPEN, is_done


@require_safe
@signed_in_view
def review_submitted(request: HttpRequest) -> HttpResponse:
    """The person's reviews, latest first; each can be opened, and changed until the campaign ends."""
    page = keyset_page(submitted_by(person_of(request)), request)
    waiting = open_change_requests_among(page.rows)
    texts: dict[int, dict[str, Any]] = {}
    for desk in DESKS:
        texts |= desk.review_text_context([each for each in page.rows if desk_of(each.campaign) is desk])
    rows = [
        {
            "review": review,
            "url": review_url(review),
            "is_open": review.campaign.state in _RUNNING_STATES,
            "has_change_request": review.pk in waiting,
            "said_page": desk_of(review.campaign).said,
            "said": texts[review.pk],
        }
        for review in page.rows
    ]
    return render(request, "reviews/submitted.html", {"page": page, "rows": rows})


@require_safe
@signed_in_view
def review_next(request: HttpRequest, key: UUID) -> HttpResponse:
    """The next task: its page, or its data for a script that prefetches it."""
    campaign_reviewer = campaign_reviewer_for(person_of(request), key)
    found = next_review(campaign_reviewer=campaign_reviewer, showing=task_on_screen(request))
    if not isinstance(found, NextReview):
        return no_work_response(request, campaign_reviewer, found)
    if is_json(request):
        return JsonResponse(_assigned_payload(campaign_reviewer, found))
    task, url = _assigned_task(campaign_reviewer, found), task_url(found.assignment.key, found.slot)
    return _render_task(request, campaign_reviewer=campaign_reviewer, task=task, url=url)


def _assigned_task(campaign_reviewer: CampaignReviewer, found: NextReview) -> Any:
    return kind_of(campaign_reviewer.campaign).task(
        assignment_key=found.assignment.key,
        subject_id=found.subject_id,
        campaign=campaign_reviewer.campaign,
        reviewer=campaign_reviewer.user,
    )


def _assigned_payload(campaign_reviewer: CampaignReviewer, found: NextReview) -> dict[str, Any]:
    task = _assigned_task(campaign_reviewer, found)
    return task_payload(
        url=task_url(found.assignment.key, found.slot), task=task, campaign_reviewer=campaign_reviewer
    )


def _render_task(
    request: HttpRequest,
    *,
    campaign_reviewer: CampaignReviewer,
    task: Any,
    url: str,
    review: Review | None = None,
    given: Any = None,
    problem: ProblemError | None = None,
) -> HttpResponse:
    campaign, user = campaign_reviewer.campaign, campaign_reviewer.user
    desk = desk_of(campaign)
    answers = given or (desk.kind.answers_of(review) if review else desk.draft_of(task))
    payload = task_payload(url=url, task=task, campaign_reviewer=campaign_reviewer, review=review)
    errors: Mapping[str, Sequence[str]] = problem.fields if problem else {}
    context = {
        "campaign_reviewer": campaign_reviewer,
        "campaign": campaign,
        "task": task,
        "payload": payload,
        "review": review,
        "change_request": open_change_request(review) if review else None,
        "is_editable": campaign.state in _RUNNING_STATES,
        "answers": answers,
        "errors": errors,
        "problem": problem,
        "skip_fields": skip_fields_html(),
        "skip_url": f"{url}skip/",
        "keys": key_rows(user, without=desk.unused_keys(campaign)),
        "config": page_config(campaign=campaign, user=user, task=payload, fields=errors),
        **desk.context(
            request, campaign=campaign, task=task, payload=payload, answers=answers, problem=problem
        ),
    }
    return render(request, desk.page, context, status=problem.status if problem else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def review_task(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """A task at its own URL: open, or submitted earlier by this person."""
    try:
        review_context = review_context_at(person_of(request), key, slot)
    except TakenOffError as taken_off:
        return _taken_off_page(request, key, slot, taken_off)
    if request.method == "POST":
        return _submit(request, review_context)
    kind = kind_of(review_context.assignment.campaign)
    review = None if review_context.is_open else kind.own_review(review_context)
    if review is None and not review_context.is_open:
        return _not_claimed_page(request, review_context)
    return _show_task(request, review_context, review=review)


def _show_task(request: HttpRequest, review_context: ReviewContext, **shown: Any) -> HttpResponse:
    campaign_reviewer = campaign_reviewer_for(person_of(request), review_context.assignment.campaign.key)
    task = kind_of(campaign_reviewer.campaign).task_at(review_context)
    return _render_task(request, campaign_reviewer=campaign_reviewer, task=task, url=request.path, **shown)


def _taken_off_page(request: HttpRequest, key: UUID, slot: int, taken_off: TakenOffError) -> HttpResponse:
    """For people removed from the assignment: a POST stores their draft, and the page shows only their own
    text.
    """
    review_context = left_review_context(taken_off, person_of(request), key, slot)
    if request.method == "POST":
        kept = keep_draft_of_removed(
            review_context, desk_of(review_context.assignment.campaign).read(request, review_context).answers
        )
        if is_json(request):
            raise kept
    return _not_claimed_page(request, review_context)


def _not_claimed_page(request: HttpRequest, review_context: ReviewContext) -> HttpResponse:
    """A task no longer assigned to this person: their own text and the reason; MissingError if neither
    exists.
    """
    campaign = review_context.assignment.campaign
    desk = desk_of(campaign)
    task = desk.kind.task_at(review_context)
    draft = desk.draft_of(task)
    if (
        draft is None
        and campaign.state != CampaignState.CLOSED
        and not review_context.campaign_reviewer.left_at
    ):
        raise MissingError(NOT_YOURS)
    context = {
        "campaign_reviewer": review_context.campaign_reviewer,
        "draft": draft,
        **desk.kept_context(campaign, task, draft),
    }
    return render(request, desk.kept_page, context, status=409)


def _submit(request: HttpRequest, review_context: ReviewContext) -> HttpResponse:
    submission: Submission[Any] | None = None
    try:
        desk = desk_of(review_context.assignment.campaign)
        submission = desk.read(request, review_context)
        submission = desk.completed(submission, request, review_context)
        if request.POST.get("action") == "mark":
            return _show_submission_again(request, review_context, submission)
        review, is_replay = _store_review(review_context, submission)
    except ProblemError as error:
        if is_json(request) or submission is None or error.status not in (400, 412):
            raise
        return _show_submission_again(request, review_context, submission, error)
    if is_json(request):
        read = partial(campaign_reviewer_after_submission, review_context.campaign_reviewer)
        return submitted_response(
            request, review, is_replay=is_replay, campaign_reviewer=read, payload=_assigned_payload
        )
    messages.success(
        request, "Saved. You can change it under “My submitted reviews” until the campaign closes."
    )
    return redirect("review_next", key=review_context.assignment.campaign.key)


def _store_review(review_context: ReviewContext, submission: Submission[Any]) -> tuple[Review, bool]:
    user = review_context.campaign_reviewer.user
    if submission.revision:
        review = own_reviews(review_context).first()
        if review is None:
            raise MissingError(NOT_YOURS)
        answers, revision = submission.answers, submission.revision
        return amend_review(review=review, by=user, answers=answers, revision=revision), False
    result = submit_at(
        review_context=review_context,
        client_id=submission.client_id,
        answers=submission.answers,
        seconds_active=submission.seconds_active,
        is_simulated=user.is_simulated,
    )
    return result.review, result.is_replay


def _show_submission_again(
    request: HttpRequest,
    review_context: ReviewContext,
    submission: Submission[Any],
    error: ProblemError | None = None,
) -> HttpResponse:
    kind = kind_of(review_context.assignment.campaign)
    review = kind.own_review(review_context) if submission.revision else None
    return _show_task(request, review_context, review=review, given=submission.answers, problem=error)


@require_POST
@signed_in_view
def review_draft(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """Save the draft, and extend the lease."""
    review_context = review_context_at(person_of(request), key, slot)
    body = json_body(request)
    kind = kind_of(review_context.assignment.campaign)
    try:
        kept = keep_draft(
            review_context=review_context,
            answers=kind.read(body.get("answers")),
            seconds_active=read_seconds(body.get("seconds_active", 0)),
            revision=read_revision(body.get("revision", 0)),
        )
    except DraftConflictError as error:
        newer = kind.draft_body(error.draft, review_context)
        conflict = {"draft": newer, "draft_revision": error.draft.revision}
        return JsonResponse({**problem_body(error), **conflict}, status=error.status)
    return draft_kept_response(kept)


@require_POST
@signed_in_view
def review_skip(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    review_context = review_context_at(person_of(request), key, slot)
    skip_item(reviewer=person_of(request), assignment=review_context.assignment, reason=skip_reason(request))
    return skipped_response(request, review_context)


@require_POST
@signed_in_view
def review_flag(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """Flag an item for the manager; its assignment stays."""
    return store_flag(request, review_context_at(person_of(request), key, slot))


@require_POST
@signed_in_view
def review_undo(request: HttpRequest, key: UUID) -> HttpResponse:
    """The URL of the latest submission, which is open for changes again."""
    campaign_reviewer = campaign_reviewer_for(person_of(request), key)
    review = reopen_last_review(reviewer=campaign_reviewer.user, campaign=campaign_reviewer.campaign)
    return reopened_response(request, review_url(review))


@require_POST
@signed_in_view
def review_keys(request: HttpRequest) -> HttpResponse:
    """Switch the single-letter keys off or on; the profile keeps their letters."""
    user = person_of(request)
    if is_json(request):
        enabled = json_body(request).get("enabled")
    else:
        enabled = {"on": True, "off": False}.get(request.POST.get("enabled", ""))
    if not isinstance(enabled, bool):
        raise InvalidError("enabled must be true or false.")
    kept = {**(user.review_keys or {}), "enabled": enabled}
    update_profile(user=user, by=user, name=user.name, review_keys=kept)
    return JsonResponse({"enabled": enabled}) if is_json(request) else redirect("review_home")


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def campaign_progress(request: MemberRequest, pk: int) -> HttpResponse:
    """Each reviewer's progress with active times per review, and the forecast of the last review."""
    campaigns = request.project.campaigns.select_related("project", "rubric_version__rubric")
    campaign = get_or_missing(campaigns, pk=pk)
    team = team_progress(campaign, reader_id=request.user.pk)
    context = {"campaign": campaign, "team": team, "forecast": team.forecast}
    return render(request, "reviews/progress.html", context)


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def campaign_flags(request: MemberRequest, pk: int) -> HttpResponse:
    """Flags on items, open ones first or resolved ones, with the person who resolved them."""
    campaign = get_or_missing(request.project.campaigns.all(), pk=pk)
    is_open = request.GET.get("show", "open") != "resolved"
    context = {
        "campaign": campaign,
        "page": keyset_page(flags_of(campaign).filter(resolved_at__isnull=is_open), request),
        "choices": [
            {"label": "Open", "href": "?show=open", "on": is_open},
            {"label": "Resolved", "href": "?show=resolved", "on": not is_open},
        ],
        "is_open": is_open,
    }
    return render(request, "reviews/flags.html", context)


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def flag_resolve(request: MemberRequest, pk: int, flag_id: int) -> HttpResponse:
    campaign = get_or_missing(request.project.campaigns.select_related("project"), pk=pk)
    flag = get_or_missing(campaign.flags.select_related("campaign__project"), pk=flag_id)
    resolve_flag(flag=flag, by=request.user)
    messages.success(request, "Resolved.")
    return redirect("campaign_flags", request.project.slug, campaign.pk)
