from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view, signed_in_view
from evalapp.accounts.models import User
from evalapp.accounts.people import update_profile
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.allocation import Assignment, next_assignment
from evalapp.campaigns.models import CampaignReviewer, CampaignState
from evalapp.core.errors import InvalidError, MissingError, ProblemError
from evalapp.core.http import get_or_missing, problem_body
from evalapp.core.paging import keyset_page
from evalapp.reviews.answers import ReviewAnswers, criteria_of, read_answers, read_seconds
from evalapp.reviews.drafts import DraftConflictError
from evalapp.reviews.forms import SkipForm, Submission, is_json, json_body, read_revision, read_submission
from evalapp.reviews.models import Review
from evalapp.reviews.presentation import (
    NO_WORK_WORDS,
    key_rows,
    no_work_payload,
    page_config,
    progress_payload,
    rubric_html,
    shown_answers,
    skip_fields_html,
    task_payload,
    task_url,
)
from evalapp.reviews.queries import (
    Stand,
    Task,
    answers_of,
    own_review,
    progress_by_person,
    seat_for,
    seats_of,
    stand_at,
    submitted_by,
    task_for,
    with_progress,
)
from evalapp.reviews.services import amend_review, keep_draft, skip_item, submit_at, undo_last

_RUNNING = (CampaignState.OPEN, CampaignState.PAUSED)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


@require_safe
@signed_in_view
def review_home(request: HttpRequest) -> HttpResponse:
    """The campaigns in which this person reviews, those with work first."""
    seats = list(
        with_progress(seats_of(_user(request))).order_by(
            "campaign__state", "campaign__deadline", "-campaign__pk"
        )
    )
    running = [seat for seat in seats if seat.campaign.state in _RUNNING]
    ended = [seat for seat in seats if seat.campaign.state not in _RUNNING]
    running.sort(key=lambda seat: seat.campaign.state != CampaignState.OPEN)
    shown = [(seat, progress_payload(seat)) for seat in running]
    context = {"running": shown, "ended": ended, "station": "reviews"}
    return render(request, "reviews/home.html", context)


@require_safe
@signed_in_view
def review_submitted(request: HttpRequest) -> HttpResponse:
    """What this person submitted, latest first; each can be opened, and changed until the end."""
    page = keyset_page(submitted_by(_user(request)), request)
    rows = [
        {
            "review": review,
            "url": task_url(review.place.key, review.place.outputs_order.index(review.item_output_id)),
            "is_open": review.campaign.state in _RUNNING,
        }
        for review in page.rows
    ]
    return render(request, "reviews/submitted.html", {"page": page, "rows": rows, "station": "reviews"})


@require_safe
@signed_in_view
def review_next(request: HttpRequest, key: UUID) -> HttpResponse:
    """The next output: the page itself, or its content for a script that fetches ahead."""
    seat = seat_for(_user(request), key)
    found = next_assignment(seat=seat, showing=_showing(request))
    if not isinstance(found, Assignment):
        if is_json(request):
            return JsonResponse({**no_work_payload(found), "progress": progress_payload(seat, found)})
        title, text = NO_WORK_WORDS[found.reason]
        context = {
            "seat": seat,
            "no_work": found,
            "title": title,
            "text": text,
            "progress": progress_payload(seat, found),
            "out_of": f"of {progress_payload(seat)['total']:,}",
            "station": "reviews",
        }
        return render(request, "reviews/no_work.html", context)
    task = task_for(item_output_id=found.item_output_id, campaign=seat.campaign, reviewer=seat.user)
    url = task_url(found.place.key, found.slot)
    if is_json(request):
        return JsonResponse(task_payload(url=url, task=task, seat=seat))
    return _render_task(request, seat=seat, task=task, url=url)


def _showing(request: HttpRequest) -> tuple[UUID, int] | None:
    place, slot = request.GET.get("place", ""), request.GET.get("slot", "")
    if not place:
        return None
    try:
        return UUID(place), int(slot)
    except ValueError as error:
        raise InvalidError("place and slot must be those of a review's address.") from error


def _render_task(
    request: HttpRequest,
    *,
    seat: CampaignReviewer,
    task: Task,
    url: str,
    review: Review | None = None,
    given: ReviewAnswers | None = None,
    problem: ProblemError | None = None,
) -> HttpResponse:
    campaign = seat.campaign
    submitted = answers_of(review) if review else None
    answers = given or shown_answers(task, submitted)
    errors: Mapping[str, Sequence[str]] = problem.fields if problem else {}
    payload = task_payload(
        url=url, task=task, seat=seat, answers=submitted, revision=review.revision if review else 0
    )
    context = {
        "seat": seat,
        "campaign": campaign,
        "task": task,
        "payload": payload,
        "review": review,
        "is_editable": campaign.state in _RUNNING,
        "answers": answers,
        "rubric": rubric_html(campaign.rubric_version, answers=answers, errors=errors),
        "errors": errors,
        "problem": problem,
        "skip_fields": skip_fields_html(),
        "skip_url": f"{url}skip/",
        "keys": key_rows(seat.user),
        "config": page_config(campaign=campaign, user=seat.user, task=payload, fields=errors),
    }
    status = problem.status if problem else 200
    return render(request, "reviews/task.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def review_task(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """One output at its own address: open, or submitted by this person before."""
    stand = stand_at(_user(request), key, slot)
    if request.method == "POST":
        return _submit(request, stand)
    review = None if stand.is_open else own_review(stand)
    if review is None and not stand.is_open:
        return _not_held(request, stand)
    seat = seat_for(_user(request), stand.place.campaign.key)
    task = task_for(item_output_id=stand.item_output_id, campaign=seat.campaign, reviewer=seat.user)
    return _render_task(request, seat=seat, task=task, url=request.path, review=review)


def _not_held(request: HttpRequest, stand: Stand) -> HttpResponse:
    """Not theirs any more: their own text, and that the campaign is closed; else as if it did not exist."""
    campaign = stand.place.campaign
    task = task_for(item_output_id=stand.item_output_id, campaign=campaign, reviewer=stand.seat.user)
    if task.draft is None and campaign.state != CampaignState.CLOSED:
        raise MissingError("There is no such review work, or it is not yours.")
    context = {"seat": stand.seat, "answers": shown_answers(task, None), "station": "reviews"}
    return render(request, "reviews/kept.html", context, status=409)


def _submit(request: HttpRequest, stand: Stand) -> HttpResponse:
    submission: Submission | None = None
    try:
        submission = read_submission(request, criteria_of(stand.place.campaign.rubric_version))
        review, is_replay = _store(stand, submission)
    except ProblemError as error:
        if is_json(request) or submission is None or error.status not in (400, 412):
            raise
        return _show_again(request, stand, submission, error)
    if is_json(request):
        return _submitted_payload(stand, review, is_replay=is_replay)
    messages.success(request, "Saved. You can change it under “My submitted” until the campaign closes.")
    return redirect("review_next", key=stand.place.campaign.key)


def _store(stand: Stand, submission: Submission) -> tuple[Review, bool]:
    if submission.revision:
        review = own_review(stand)
        if review is None:
            raise MissingError("There is no such review, or it is not yours.")
        amended = amend_review(
            review=review, by=stand.seat.user, answers=submission.answers, revision=submission.revision
        )
        return amended, False
    result = submit_at(
        seat=stand.seat,
        place=stand.place,
        slot=stand.slot,
        client_id=submission.client_id,
        answers=submission.answers,
        seconds_active=submission.seconds_active,
        is_simulated=stand.seat.user.is_simulated,
    )
    return result.review, result.is_replay


def _submitted_payload(stand: Stand, review: Review, *, is_replay: bool) -> HttpResponse:
    at = review.revised_at or review.submitted_at
    body = {"saved_at": at.isoformat(), "revision": review.revision, "is_replay": is_replay}
    return JsonResponse(body, status=200 if is_replay or review.revision > 1 else 201)


def _show_again(
    request: HttpRequest, stand: Stand, submission: Submission, error: ProblemError
) -> HttpResponse:
    seat = seat_for(_user(request), stand.place.campaign.key)
    task = task_for(item_output_id=stand.item_output_id, campaign=seat.campaign, reviewer=seat.user)
    review = own_review(stand) if submission.revision else None
    return _render_task(
        request,
        seat=seat,
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
    return JsonResponse(
        {"draft_revision": kept.revision, "saved_at": kept.saved_at.isoformat(), "is_held": kept.is_held}
    )


@require_POST
@signed_in_view
def review_skip(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    stand = stand_at(_user(request), key, slot)
    if request.content_type == "application/json":
        reason = str(json_body(request).get("reason", ""))
    else:
        reason = SkipForm(request.POST).reason_given()
    skip_item(reviewer=_user(request), place=stand.place, reason=reason)
    if is_json(request):
        return JsonResponse({"skipped": True})
    messages.success(request, "Skipped. It goes to another reviewer and is not offered to you again.")
    return redirect("review_next", key=stand.place.campaign.key)


@require_POST
@signed_in_view
def review_undo(request: HttpRequest, key: UUID) -> HttpResponse:
    """Where the latest submission is, to be opened and changed."""
    seat = seat_for(_user(request), key)
    review = undo_last(reviewer=seat.user, campaign=seat.campaign)
    url = task_url(review.place.key, review.place.outputs_order.index(review.item_output_id))
    return JsonResponse({"url": url}) if is_json(request) else redirect(url)


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
    """How each reviewer gets on, with honest times."""
    campaign = get_or_missing(request.project.campaigns.select_related("rubric_version__rubric"), pk=pk)
    people = progress_by_person(campaign)
    done = sum(person.reviews for person in people)
    context = {
        "campaign": campaign,
        "people": people,
        "done": done,
        "fair_share": round(campaign.reviews_total / max(1, len(people))),
        "station": "campaigns",
    }
    return render(request, "reviews/progress.html", context)
