"""The discussion of an output, by two doors: of those who decide, and of who reviewed it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, person_of, project_view, signed_in_view
from evalapp.accounts.permissions import Permission
from evalapp.adjudication.appeals import DECISION, REQUEST, appeal
from evalapp.adjudication.beside import decisions_about
from evalapp.adjudication.discussion import Names, thread_of, write_message
from evalapp.adjudication.forms import AppealForm, MessageForm
from evalapp.adjudication.models import Appeal
from evalapp.adjudication.rights import require_may_read
from evalapp.adjudication.views.shared import campaign_or_missing, output_or_missing
from evalapp.campaigns.models import ItemOutput
from evalapp.core.errors import MissingError, ProblemError
from evalapp.core.http import show_problem
from evalapp.reviews.models import Review
from evalapp.reviews.presentation import task_url
from evalapp.reviews.queries import Stand, own_review, stand_at, task_for


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def output_discussion(request: MemberRequest, campaign_id: int, item_output_id: int) -> HttpResponse:
    """The door of those who decide."""
    campaign = campaign_or_missing(request, campaign_id)
    item_output = output_or_missing(campaign, item_output_id)
    require_may_read(person=request.user, campaign=campaign, item_output=item_output)
    form = MessageForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            write_message(campaign=campaign, item_output=item_output, by=request.user, **form.cleaned_data)
        except ProblemError as error:
            show_problem(form, error)
        else:
            return redirect("output_discussion", request.project.slug, campaign.pk, item_output.pk)
    context = {
        "station": "compare",
        "campaign": campaign,
        "item_output": item_output,
        "task": task_for(item_output_id=item_output.pk, campaign=campaign, reviewer=request.user),
        "thread": thread_of(item_output, Names(campaign, reader=request.user, to_reviewer=False)),
        "form": form,
    }
    return render(request, "adjudication/discussion.html", context, status=400 if form.errors else 200)


def _reviewed_or_missing(request: HttpRequest, key: UUID, slot: int) -> tuple[Stand, Review]:
    """The person's own submitted review; before it, nothing of what others say is there."""
    stand = stand_at(person_of(request), key, slot)
    review = own_review(stand)
    if review is None:
        raise MissingError("The discussion opens when you have submitted your own review of this answer.")
    review.campaign = stand.place.campaign
    return stand, review


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def review_discussion(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """The door of who reviewed it: requests and decisions about it, and the thread."""
    stand, review = _reviewed_or_missing(request, key, slot)
    form = MessageForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            write_message(
                campaign=review.campaign,
                item_output=ItemOutput(pk=stand.item_output_id),
                by=person_of(request),
                **form.cleaned_data,
            )
        except ProblemError as error:
            show_problem(form, error)
        else:
            return redirect("review_discussion", key=key, slot=slot)
    return _show(request, stand, review, form=form, status=400 if form.errors else 200)


@require_POST
@signed_in_view
def review_appeal(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """Say that a request or a decision about one's own review is wrong."""
    stand, review = _reviewed_or_missing(request, key, slot)
    form = AppealForm(request.POST)
    status = 400
    if form.is_valid():
        try:
            appeal(review=review, by=person_of(request), **form.cleaned_data)
        except ProblemError as error:
            show_problem(form, error)
            status = error.status
        else:
            messages.success(request, "Appealed. Somebody else looks at it; the answer appears here.")
            return redirect("review_discussion", key=key, slot=slot)
    return _show(request, stand, review, form=MessageForm(), appeal_form=form, status=status)


def _show(
    request: HttpRequest,
    stand: Stand,
    review: Review,
    *,
    form: MessageForm,
    appeal_form: AppealForm | None = None,
    status: int = 200,
) -> HttpResponse:
    campaign, person = review.campaign, person_of(request)
    names = Names(campaign, reader=person, to_reviewer=True)
    item_output = ItemOutput(pk=stand.item_output_id)
    context = {
        "station": "reviews",
        "campaign": campaign,
        "task": task_for(item_output_id=stand.item_output_id, campaign=campaign, reviewer=person),
        "review": review,
        "review_href": task_url(stand.place.key, stand.slot),
        "place": stand.place.key,
        "slot": stand.slot,
        "requests": _requests(review, appeal_form),
        "decisions": _decisions(item_output, review, person.pk, appeal_form),
        "thread": thread_of(item_output, names),
        "form": form,
        "problem": appeal_form.non_field_errors() if appeal_form else [],
        "is_running": campaign.closed_at is None,
    }
    return render(request, "adjudication/review_discussion.html", context, status=status)


def _form_for(against: str, given: AppealForm | None) -> AppealForm:
    """The form that was sent, where it was about this; else an empty one, with ids of its own."""
    if given is not None and given.data.get("against") == against:
        return given
    return AppealForm(initial={"against": against}, auto_id=f"id_{against.replace(':', '_')}_%s")


def _requests(review: Review, given: AppealForm | None) -> list[dict[str, Any]]:
    appeals = {each.send_back_id: each for each in Appeal.objects.filter(send_back__review=review)}
    return [
        {
            "sent": each,
            "appeal": appeals.get(each.pk),
            "form": _form_for(REQUEST, given)
            if each.resolved_at is None and each.pk not in appeals
            else None,
        }
        for each in review.send_backs.order_by("-pk")
    ]


def _decisions(
    item_output: ItemOutput, review: Review, person_id: int, given: AppealForm | None
) -> list[dict[str, Any]]:
    mine = {score.criterion_id: score.words for score in review.scores.all()}
    decisions = decisions_about([item_output])[item_output.pk]
    appeals = {
        (each.adjudication_id, each.revision): each
        for each in Appeal.objects.filter(adjudication__in=decisions, appellant=person_id)
    }
    latest = {each.adjudication_id: each for each in sorted(appeals.values(), key=lambda one: one.pk)}
    return [
        {
            "decision": each,
            "mine": mine.get(each.criterion_id, "–"),
            "appeal": latest.get(each.pk),
            "form": None
            if (each.pk, each.revision) in appeals
            else _form_for(f"{DECISION}{each.criterion.key}", given),
        }
        for each in decisions
    ]
