"""Comparing answers: the pages of a reviewer whose campaign sets outputs side by side."""

from functools import partial
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import signed_in_view
from evalapp.accounts.models import User
from evalapp.accounts.review_keys import OF_RATING
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import CampaignReviewer, CampaignState
from evalapp.core.errors import MissingError, ProblemError
from evalapp.core.http import problem_body
from evalapp.core.paging import keyset_page
from evalapp.judgements.forms import read_judgement
from evalapp.judgements.models import Judgement, JudgementChangeRequest
from evalapp.judgements.presentation import (
    choice_rows,
    comparison_config,
    comparison_payload,
    judgement_url,
    side_rows,
)
from evalapp.judgements.queries import (
    NOT_YOURS,
    ComparisonTask,
    comparison_task,
    judged_by,
    judging_campaign_reviewer,
    judging_stand,
    order_words,
    own_judgement,
    stand_task,
    verdict_of,
)
from evalapp.judgements.services import (
    amend_judgement,
    keep_draft,
    keep_of_left,
    skip_comparisons,
    submit_judgement,
    undo_last_judgement,
)
from evalapp.judgements.verdicts import Verdict, read_verdict
from evalapp.reviews.ahead import showing
from evalapp.reviews.answers import criteria_of, read_seconds
from evalapp.reviews.change_requests import waiting_among, waits_for_reviewer
from evalapp.reviews.drafts import DraftConflictError
from evalapp.reviews.forms import Submission, is_json, json_body, read_revision
from evalapp.reviews.presentation import (
    key_rows,
    skip_fields_html,
)
from evalapp.reviews.queries import Stand, TakenOffError, campaign_reviewer_again, left_stand
from evalapp.reviews.responses import (
    draft_kept,
    flagged,
    nothing_comes,
    opened_again,
    skip_reason,
    skipped,
    submitted,
)

_RUNNING = (CampaignState.OPEN, CampaignState.PAUSED)
STATION = {"station": "reviews"}


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


@require_safe
@signed_in_view
def judgement_submitted(request: HttpRequest) -> HttpResponse:
    """What this person judged, latest first; each can be opened, and changed until the end."""
    page = keyset_page(judged_by(_user(request)), request)
    waiting = waiting_among(page.rows, JudgementChangeRequest)
    rows = [
        {
            "judgement": judgement,
            "url": judgement_url(judgement.assignment.key, judgement.slot),
            "verdict": order_words(verdict_of(judgement)),
            "is_open": judgement.campaign.state in _RUNNING,
            "has_change_request": judgement.pk in waiting,
        }
        for judgement in page.rows
    ]
    return render(request, "judgements/submitted.html", {"page": page, "rows": rows, **STATION})


@require_safe
@signed_in_view
def judgement_next(request: HttpRequest, key: UUID) -> HttpResponse:
    """The next comparison: the page itself, or its content for a script that fetches ahead."""
    campaign_reviewer = judging_campaign_reviewer(_user(request), key)
    found = next_review(campaign_reviewer=campaign_reviewer, showing=showing(request))
    if not isinstance(found, NextReview):
        return nothing_comes(request, campaign_reviewer, found)
    if is_json(request):
        return JsonResponse(_assigned(campaign_reviewer, found))
    url = judgement_url(found.assignment.key, found.slot)
    return _render_task(
        request, campaign_reviewer=campaign_reviewer, task=_assigned_task(campaign_reviewer, found), url=url
    )


def _assigned_task(campaign_reviewer: CampaignReviewer, found: NextReview) -> ComparisonTask:
    return comparison_task(
        assignment_key=found.assignment.key,
        comparison_id=found.item_output_id,
        campaign=campaign_reviewer.campaign,
        reviewer=campaign_reviewer.user,
    )


def _assigned(campaign_reviewer: CampaignReviewer, found: NextReview) -> dict[str, Any]:
    url = judgement_url(found.assignment.key, found.slot)
    return comparison_payload(
        url=url, task=_assigned_task(campaign_reviewer, found), campaign_reviewer=campaign_reviewer
    )


def _render_task(
    request: HttpRequest,
    *,
    campaign_reviewer: CampaignReviewer,
    task: ComparisonTask,
    url: str,
    judgement: Judgement | None = None,
    given: Verdict | None = None,
    problem: ProblemError | None = None,
) -> HttpResponse:
    campaign = campaign_reviewer.campaign
    payload = comparison_payload(url=url, task=task, campaign_reviewer=campaign_reviewer, judgement=judgement)
    submitted = verdict_of(judgement) if judgement else None
    verdict = given or submitted or task.draft or Verdict()
    errors = problem.fields if problem else {}
    context: dict[str, Any] = {
        "campaign_reviewer": campaign_reviewer,
        "campaign": campaign,
        "task": task,
        "payload": payload,
        "judgement": judgement,
        "change_request": waits_for_reviewer(judgement) if judgement else None,
        "is_editable": campaign.state in _RUNNING,
        "verdict": verdict,
        "sides": side_rows(task, payload["sides"], verdict),
        "choices": choice_rows(verdict),
        "criteria": [each.criterion for each in criteria_of(campaign.rubric_version)],
        "errors": errors,
        "problem": problem,
        "skip_fields": skip_fields_html(),
        "skip_url": f"{url}skip/",
        "keys": key_rows(campaign_reviewer.user, without=OF_RATING if task.is_pair else OF_RATING | {"diff"}),
        "config": comparison_config(
            campaign=campaign, user=campaign_reviewer.user, task=payload, fields=errors
        ),
    }
    status = problem.status if problem else 200
    return render(request, "judgements/task.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def judgement_task(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """One comparison at its own address: open, or submitted by this person before."""
    try:
        stand = judging_stand(_user(request), key, slot)
    except TakenOffError as taken_off:
        return _taken_off(request, key, slot, taken_off)
    if request.method == "POST":
        return _submit(request, stand)
    judgement = None if stand.is_open else own_judgement(stand)
    if judgement is None and not stand.is_open:
        return _not_claimed(request, stand)
    campaign_reviewer = judging_campaign_reviewer(_user(request), stand.assignment.campaign.key)
    return _render_task(
        request,
        campaign_reviewer=campaign_reviewer,
        task=stand_task(stand),
        url=request.path,
        judgement=judgement,
    )


def _taken_off(request: HttpRequest, key: UUID, slot: int, taken_off: TakenOffError) -> HttpResponse:
    """What they still submit is kept as their draft; its address shows them their own text alone."""
    stand = left_stand(taken_off, _user(request), key, slot, compares=True)
    if request.method == "POST":
        verdict = read_judgement(request, outputs=len(stand_task(stand).outputs)).answers
        kept = keep_of_left(stand, verdict)
        if is_json(request):
            raise kept
    return _not_claimed(request, stand)


def _not_claimed(request: HttpRequest, stand: Stand) -> HttpResponse:
    """Not theirs any more: their own text, and why it is not; else as if it did not exist."""
    task = stand_task(stand)
    is_closed = stand.assignment.campaign.state == CampaignState.CLOSED
    if task.draft is None and not is_closed and not stand.campaign_reviewer.left_at:
        raise MissingError(NOT_YOURS)
    words = order_words(task.draft) if task.draft and None not in (task.draft.ranks or ()) else ""
    context = {"campaign_reviewer": stand.campaign_reviewer, "draft": task.draft, "verdict": words, **STATION}
    return render(request, "judgements/kept.html", context, status=409)


def _submit(request: HttpRequest, stand: Stand) -> HttpResponse:
    submission: Submission[Verdict] | None = None
    try:
        task = stand_task(stand)
        submission = read_judgement(request, outputs=len(task.answers))
        judgement, is_replay = _store(stand, submission)
    except ProblemError as error:
        if is_json(request) or submission is None or error.status not in (400, 412):
            raise
        campaign_reviewer = judging_campaign_reviewer(_user(request), stand.assignment.campaign.key)
        return _render_task(
            request,
            campaign_reviewer=campaign_reviewer,
            task=task,
            url=request.path,
            judgement=own_judgement(stand) if submission.revision else None,
            given=submission.answers,
            problem=error,
        )
    if is_json(request):
        read = partial(campaign_reviewer_again, stand.campaign_reviewer)
        return submitted(request, judgement, is_replay=is_replay, campaign_reviewer=read, payload=_assigned)
    messages.success(request, "Saved. You can change it under “My comparisons” until the campaign closes.")
    return redirect("judgement_next", key=stand.assignment.campaign.key)


def _store(stand: Stand, submission: Submission[Verdict]) -> tuple[Judgement, bool]:
    if submission.revision:
        judgement = own_judgement(stand)
        if judgement is None:
            raise MissingError(NOT_YOURS)
        amended = amend_judgement(
            judgement=judgement,
            by=stand.campaign_reviewer.user,
            verdict=submission.answers,
            revision=submission.revision,
        )
        return amended, False
    result = submit_judgement(
        stand=stand,
        client_id=submission.client_id,
        verdict=submission.answers,
        seconds_active=submission.seconds_active,
        is_simulated=stand.campaign_reviewer.user.is_simulated,
    )
    return result.judgement, result.is_replay


@require_POST
@signed_in_view
def judgement_draft(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """Keep what is chosen and typed, and the lease alive."""
    stand = judging_stand(_user(request), key, slot)
    body = json_body(request)
    try:
        kept = keep_draft(
            stand=stand,
            verdict=read_verdict(body.get("answers")),
            seconds_active=read_seconds(body.get("seconds_active", 0)),
            revision=read_revision(body.get("revision", 0)),
        )
    except DraftConflictError as error:
        draft = stand_task(stand).draft
        conflict = {
            "draft": draft.as_dict() if draft else None,
            "draft_revision": error.draft.revision,
        }
        return JsonResponse({**problem_body(error), **conflict}, status=error.status)
    return draft_kept(kept)


@require_POST
@signed_in_view
def judgement_skip(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    stand = judging_stand(_user(request), key, slot)
    skip_comparisons(reviewer=_user(request), assignment=stand.assignment, reason=skip_reason(request))
    return skipped(request, stand, then="judgement_next")


@require_POST
@signed_in_view
def judgement_flag(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """Tell the manager that something is wrong with the item, and keep it."""
    return flagged(request, judging_stand(_user(request), key, slot))


@require_POST
@signed_in_view
def judgement_undo(request: HttpRequest, key: UUID) -> HttpResponse:
    """Where the latest submission is, to be opened and changed."""
    campaign_reviewer = judging_campaign_reviewer(_user(request), key)
    judgement = undo_last_judgement(reviewer=campaign_reviewer.user, campaign=campaign_reviewer.campaign)
    return opened_again(request, judgement_url(judgement.assignment.key, judgement.slot))
