from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view, signed_in_view
from evalapp.accounts.models import User
from evalapp.accounts.people import update_profile
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.campaigns.work_left import campaign_reviewers_with_work
from evalapp.core.errors import InvalidError, MissingError, ProblemError
from evalapp.core.http import get_or_missing, problem_body
from evalapp.core.paging import keyset_page
from evalapp.reviews.ahead import showing
from evalapp.reviews.answers import ReviewAnswers, criteria_of, read_answers, read_seconds
from evalapp.reviews.change_requests import waiting_among, waits_for_reviewer
from evalapp.reviews.closing import is_asked
from evalapp.reviews.drafts import DraftConflictError
from evalapp.reviews.flags import flags_of, resolve_flag
from evalapp.reviews.forms import (
    Submission,
    is_json,
    json_body,
    quoted_in,
    read_review,
    read_revision,
    with_quoted,
)
from evalapp.reviews.models import ChangeRequest, Review
from evalapp.reviews.presentation import (
    given_rows,
    goes_on_at_will,
    has_spans,
    key_rows,
    marks_of,
    page_config,
    progress_payload,
    review_url,
    rubric_html,
    shown_answers,
    skip_fields_html,
    task_payload,
    task_url,
)
from evalapp.reviews.progress import team_progress
from evalapp.reviews.queries import (
    Stand,
    TakenOffError,
    Task,
    answers_of,
    campaign_reviewer_again,
    campaign_reviewer_for,
    campaign_reviewers_of,
    left_stand,
    own_review,
    spans_of,
    stand_at,
    submitted_by,
    task_for,
    with_progress,
)
from evalapp.reviews.responses import (
    draft_kept,
    flagged,
    nothing_comes,
    opened_again,
    skip_reason,
    skipped,
    submitted,
)
from evalapp.reviews.services import amend_review, keep_draft, keep_of_left, skip_item, submit_at, undo_last
from evalapp.rubrics.fields import QuotedField

_RUNNING = (CampaignState.OPEN, CampaignState.PAUSED)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


@require_safe
@signed_in_view
def review_home(request: HttpRequest) -> HttpResponse:
    """The campaigns in which this person reviews, those in which work may be left for them first."""
    campaign_reviewers = list(
        with_progress(campaign_reviewers_of(_user(request))).order_by(
            "campaign__state", "campaign__deadline", "-campaign__pk"
        )
    )
    running = [
        campaign_reviewer
        for campaign_reviewer in campaign_reviewers
        if campaign_reviewer.campaign.state in _RUNNING
    ]
    ended = [
        campaign_reviewer
        for campaign_reviewer in campaign_reviewers
        if campaign_reviewer.campaign.state not in _RUNNING
    ]
    with_work = campaign_reviewers_with_work(running)
    shown = [
        (
            campaign_reviewer,
            progress_payload(campaign_reviewer),
            goes_on_at_will(campaign_reviewer),
            campaign_reviewer.pk in with_work,
        )
        for campaign_reviewer in running
    ]
    shown.sort(key=lambda each: _order_at_home(each[0].campaign, each[1], has_work=each[3]))
    asking = [campaign_reviewer for campaign_reviewer in ended if is_asked(campaign_reviewer)]
    context = {"running": shown, "ended": ended, "asking": asking, "station": "reviews"}
    return render(request, "reviews/home.html", context)


def _order_at_home(campaign: Campaign, progress: dict[str, Any], *, has_work: bool) -> tuple[bool, bool]:
    """A sort key: paused campaigns come last, and before them those in which all seems done."""
    is_done = not has_work or progress["mine"] >= progress["mine_total"]
    return campaign.state != CampaignState.OPEN, is_done


@require_safe
@signed_in_view
def review_submitted(request: HttpRequest) -> HttpResponse:
    """What this person submitted, latest first; each can be opened, and changed until the end."""
    page = keyset_page(submitted_by(_user(request)), request)
    waiting = waiting_among(page.rows, ChangeRequest)
    rows = [
        {
            "review": review,
            "url": review_url(review),
            "is_open": review.campaign.state in _RUNNING,
            "has_change_request": review.pk in waiting,
            "marks": marks_of(
                review.campaign.rubric_version, spans_of(review), review.item_output.output.text
            ),
        }
        for review in page.rows
    ]
    return render(request, "reviews/submitted.html", {"page": page, "rows": rows, "station": "reviews"})


@require_safe
@signed_in_view
def review_next(request: HttpRequest, key: UUID) -> HttpResponse:
    """The next output: the page itself, or its content for a script that fetches ahead."""
    campaign_reviewer = campaign_reviewer_for(_user(request), key)
    if campaign_reviewer.campaign.compares:
        return redirect("judgement_next", key=key)
    found = next_review(campaign_reviewer=campaign_reviewer, showing=showing(request))
    if not isinstance(found, NextReview):
        return nothing_comes(request, campaign_reviewer, found)
    if is_json(request):
        return JsonResponse(_assigned(campaign_reviewer, found))
    task = task_for(
        item_output_id=found.item_output_id,
        campaign=campaign_reviewer.campaign,
        reviewer=campaign_reviewer.user,
    )
    return _render_task(
        request,
        campaign_reviewer=campaign_reviewer,
        task=task,
        url=task_url(found.assignment.key, found.slot),
    )


def _assigned(campaign_reviewer: CampaignReviewer, found: NextReview) -> dict[str, Any]:
    task = task_for(
        item_output_id=found.item_output_id,
        campaign=campaign_reviewer.campaign,
        reviewer=campaign_reviewer.user,
    )
    return task_payload(
        url=task_url(found.assignment.key, found.slot), task=task, campaign_reviewer=campaign_reviewer
    )


def _render_task(
    request: HttpRequest,
    *,
    campaign_reviewer: CampaignReviewer,
    task: Task,
    url: str,
    review: Review | None = None,
    given: ReviewAnswers | None = None,
    problem: ProblemError | None = None,
) -> HttpResponse:
    campaign = campaign_reviewer.campaign
    submitted = answers_of(review) if review else None
    answers = given or shown_answers(task, submitted)
    errors: Mapping[str, Sequence[str]] = problem.fields if problem else {}
    payload = task_payload(
        url=url,
        task=task,
        campaign_reviewer=campaign_reviewer,
        answers=submitted,
        revision=review.revision if review else 0,
    )
    context = {
        "campaign_reviewer": campaign_reviewer,
        "campaign": campaign,
        "task": task,
        "payload": payload,
        "review": review,
        "change_request": waits_for_reviewer(review) if review else None,
        "is_editable": campaign.state in _RUNNING,
        "answers": answers,
        "rubric": rubric_html(
            campaign.rubric_version,
            answers=answers,
            errors=errors,
            output_text=task.answer,
            quoted=quoted_in(request.POST, criteria_of(campaign.rubric_version)) if problem else None,
        ),
        "has_spans": has_spans(campaign.rubric_version),
        "errors": errors,
        "problem": problem,
        "skip_fields": skip_fields_html(),
        "skip_url": f"{url}skip/",
        "keys": key_rows(campaign_reviewer.user),
        "config": page_config(campaign=campaign, user=campaign_reviewer.user, task=payload, fields=errors),
    }
    status = problem.status if problem else 200
    return render(request, "reviews/task.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def review_task(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """One output at its own address: open, or submitted by this person before."""
    try:
        stand = stand_at(_user(request), key, slot)
    except TakenOffError as taken_off:
        return _taken_off(request, key, slot, taken_off)
    if request.method == "POST":
        return _submit(request, stand)
    review = None if stand.is_open else own_review(stand)
    if review is None and not stand.is_open:
        return _not_claimed(request, stand)
    campaign_reviewer = campaign_reviewer_for(_user(request), stand.assignment.campaign.key)
    task = task_for(
        item_output_id=stand.item_output_id,
        campaign=campaign_reviewer.campaign,
        reviewer=campaign_reviewer.user,
    )
    return _render_task(
        request, campaign_reviewer=campaign_reviewer, task=task, url=request.path, review=review
    )


def _taken_off(request: HttpRequest, key: UUID, slot: int, taken_off: TakenOffError) -> HttpResponse:
    """What they still submit is kept as their draft; its address shows them their own text alone."""
    stand = left_stand(taken_off, _user(request), key, slot)
    if request.method == "POST":
        given = read_review(request, criteria_of(stand.assignment.campaign.rubric_version)).answers
        kept = keep_of_left(stand, given)
        if is_json(request):
            raise kept
    return _not_claimed(request, stand)


def _not_claimed(request: HttpRequest, stand: Stand) -> HttpResponse:
    """Not theirs any more: their own text, and why it is not; else as if it did not exist."""
    campaign = stand.assignment.campaign
    task = task_for(
        item_output_id=stand.item_output_id, campaign=campaign, reviewer=stand.campaign_reviewer.user
    )
    if task.draft is None and campaign.state != CampaignState.CLOSED and not stand.campaign_reviewer.left_at:
        raise MissingError("There is no such review work, or it is not yours.")
    answers = shown_answers(task, None)
    context = {
        "campaign_reviewer": stand.campaign_reviewer,
        "draft": answers,
        "given": given_rows(campaign.rubric_version, answers) if answers else [],
        "marks": marks_of(campaign.rubric_version, answers.spans, task.answer) if answers else [],
        "station": "reviews",
    }
    return render(request, "reviews/kept.html", context, status=409)


def _submit(request: HttpRequest, stand: Stand) -> HttpResponse:
    submission: Submission[ReviewAnswers] | None = None
    try:
        criteria = criteria_of(stand.assignment.campaign.rubric_version)
        submission = read_review(request, criteria)
        if quoted := quoted_in(request.POST, criteria):
            submission = _with_marks(stand, submission, quoted)
        if request.POST.get("action") == "mark":
            return _show_again(request, stand, submission)
        review, is_replay = _store(stand, submission)
    except ProblemError as error:
        if is_json(request) or submission is None or error.status not in (400, 412):
            raise
        return _show_again(request, stand, submission, error)
    if is_json(request):
        read = partial(campaign_reviewer_again, stand.campaign_reviewer)
        return submitted(request, review, is_replay=is_replay, campaign_reviewer=read, payload=_assigned)
    messages.success(request, "Saved. You can change it under “My submitted” until the campaign closes.")
    return redirect("review_next", key=stand.assignment.campaign.key)


def _with_marks(
    stand: Stand, submission: Submission[ReviewAnswers], quoted: Mapping[str, QuotedField]
) -> Submission[ReviewAnswers]:
    campaign = stand.assignment.campaign
    task = task_for(
        item_output_id=stand.item_output_id, campaign=campaign, reviewer=stand.campaign_reviewer.user
    )
    return submission._replace(answers=with_quoted(submission.answers, quoted, task.answer))


def _store(stand: Stand, submission: Submission[ReviewAnswers]) -> tuple[Review, bool]:
    if submission.revision:
        review = own_review(stand)
        if review is None:
            raise MissingError("There is no such review, or it is not yours.")
        amended = amend_review(
            review=review,
            by=stand.campaign_reviewer.user,
            answers=submission.answers,
            revision=submission.revision,
        )
        return amended, False
    result = submit_at(
        campaign_reviewer=stand.campaign_reviewer,
        assignment=stand.assignment,
        slot=stand.slot,
        client_id=submission.client_id,
        answers=submission.answers,
        seconds_active=submission.seconds_active,
        is_simulated=stand.campaign_reviewer.user.is_simulated,
    )
    return result.review, result.is_replay


def _show_again(
    request: HttpRequest,
    stand: Stand,
    submission: Submission[ReviewAnswers],
    error: ProblemError | None = None,
) -> HttpResponse:
    campaign_reviewer = campaign_reviewer_for(_user(request), stand.assignment.campaign.key)
    task = task_for(
        item_output_id=stand.item_output_id,
        campaign=campaign_reviewer.campaign,
        reviewer=campaign_reviewer.user,
    )
    review = own_review(stand) if submission.revision else None
    return _render_task(
        request,
        campaign_reviewer=campaign_reviewer,
        task=task,
        url=request.path,
        review=review,
        given=submission.answers,
        problem=error,
    )


@require_POST
@signed_in_view
def review_draft(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """Keep what is typed, and the lease alive."""
    stand = stand_at(_user(request), key, slot)
    body = json_body(request)
    try:
        kept = keep_draft(
            stand=stand,
            answers=read_answers(body.get("answers")),
            seconds_active=read_seconds(body.get("seconds_active", 0)),
            revision=read_revision(body.get("revision", 0)),
        )
    except DraftConflictError as error:
        conflict = {"draft": error.draft.body, "draft_revision": error.draft.revision}
        return JsonResponse({**problem_body(error), **conflict}, status=error.status)
    return draft_kept(kept)


@require_POST
@signed_in_view
def review_skip(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    stand = stand_at(_user(request), key, slot)
    skip_item(reviewer=_user(request), assignment=stand.assignment, reason=skip_reason(request))
    return skipped(request, stand, then="review_next")


@require_POST
@signed_in_view
def review_flag(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """Tell the manager that something is wrong with the item, and keep it."""
    return flagged(request, stand_at(_user(request), key, slot))


@require_POST
@signed_in_view
def review_undo(request: HttpRequest, key: UUID) -> HttpResponse:
    """Where the latest submission is, to be opened and changed."""
    campaign_reviewer = campaign_reviewer_for(_user(request), key)
    review = undo_last(reviewer=campaign_reviewer.user, campaign=campaign_reviewer.campaign)
    return opened_again(request, review_url(review))


@require_POST
@signed_in_view
def review_keys(request: HttpRequest) -> HttpResponse:
    """Switch the single-letter keys off or on; their letters stay as the profile has them."""
    user = _user(request)
    if is_json(request):
        enabled = json_body(request).get("enabled")
    else:
        enabled = {"on": True, "off": False}.get(request.POST.get("enabled", ""))
    if not isinstance(enabled, bool):
        raise InvalidError("Say whether the keys are on: enabled must be true or false.")
    kept = {**(user.review_keys or {}), "enabled": enabled}
    update_profile(user=user, by=user, name=user.name, review_keys=kept)
    return JsonResponse({"enabled": enabled}) if is_json(request) else redirect("review_home")


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def campaign_progress(request: MemberRequest, pk: int) -> HttpResponse:
    """How each reviewer gets on, with honest times, and when the last review will be in."""
    campaigns = request.project.campaigns.select_related("project", "rubric_version__rubric")
    campaign = get_or_missing(campaigns, pk=pk)
    team = team_progress(campaign, reader_id=request.user.pk)
    context = {"campaign": campaign, "team": team, "forecast": team.forecast, "station": "campaigns"}
    return render(request, "reviews/progress.html", context)


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def campaign_flags(request: MemberRequest, pk: int) -> HttpResponse:
    """What reviewers say is wrong with items, open ones first, and by whom it was resolved."""
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
        "station": "campaigns",
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
