"""The discussion of an output or comparison, for adjudicators and for its reviewers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, person_of, project_view, signed_in_view
from evalapp.accounts.permissions import Permission
from evalapp.adjudication.appeals import COMPARISON_DECISION, DECISION, REQUEST, appeal, with_subject
from evalapp.adjudication.discussion import Names, thread_of, write_message
from evalapp.adjudication.forms import AppealForm, MessageForm
from evalapp.adjudication.models import Adjudication, Appeal, ComparisonAdjudication
from evalapp.adjudication.rights import require_may_read
from evalapp.adjudication.side_by_side import comparison_adjudications_about, decisions_about
from evalapp.adjudication.subjects import Subject
from evalapp.adjudication.views.shared import (
    campaign_or_missing,
    comparison_or_missing,
    output_or_missing,
    sides_context,
    source_context,
    subject_url,
)
from evalapp.campaigns.models import Campaign, Comparison, ItemOutput
from evalapp.core.errors import MissingError
from evalapp.core.http import RefusalsOn, status_of
from evalapp.reviews.kinds import PREFERENCE, kind_of
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.tasks import preference_of, preference_words
from evalapp.reviews.presentation import task_url
from evalapp.reviews.queries import review_context_at


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def output_discussion(request: MemberRequest, campaign_id: int, item_output_id: int) -> HttpResponse:
    """The discussion of an output, for adjudicators."""
    campaign = campaign_or_missing(request, campaign_id)
    return _adjudicators_page(request, campaign, output_or_missing(campaign, item_output_id))


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def comparison_discussion(request: MemberRequest, campaign_id: int, comparison_id: int) -> HttpResponse:
    """The discussion of a comparison, for adjudicators."""
    campaign = campaign_or_missing(request, campaign_id)
    return _adjudicators_page(request, campaign, comparison_or_missing(campaign, comparison_id))


def _adjudicators_page(request: MemberRequest, campaign: Campaign, subject: Subject) -> HttpResponse:
    require_may_read(person=request.user, campaign=campaign, subject=subject)
    form = MessageForm(request.POST or None)
    own_url = subject_url(campaign, subject, discussion=True)
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            write_message(campaign=campaign, subject=subject, by=request.user, **form.cleaned_data)
            return redirect(own_url)
    context = {
        "campaign": campaign,
        "item": subject.item,
        **source_context(campaign, subject, request.user),
        "thread": thread_of(subject, Names(campaign, reader=request.user, to_reviewer=False)),
        "message_url": own_url,
        "form": form,
    }
    return render(request, "adjudication/discussion.html", context, status=400 if form.errors else 200)


@dataclass(frozen=True)
class _OwnReview:
    """A person's submitted review for its discussion pages. ``url``: the review's own; ``source``: as from
    `source_context`, with compared outputs in the order that this person saw.
    """

    review: Review
    subject: Subject
    url: str
    source: Mapping[str, Any]

    @property
    def discussion(self) -> str:
        return f"{self.url}discussion/"


def _own_review_or_missing(request: HttpRequest, key: UUID, slot: int) -> _OwnReview:
    """The person's own submitted review. Raises MissingError before it is submitted, when others' reviews
    stay hidden.
    """
    review_context = review_context_at(person_of(request), key, slot)
    campaign = review_context.assignment.campaign
    kind = kind_of(campaign)
    review = kind.own_review(review_context)
    if review is None:
        raise MissingError("The discussion opens once you have submitted your own review.")
    review.campaign = campaign
    subject: Subject = (
        Comparison(pk=review_context.subject_id)
        if campaign.compares
        else ItemOutput(pk=review_context.subject_id)
    )
    source = (
        sides_context(PREFERENCE.task_at(review_context))
        if campaign.compares
        else source_context(campaign, subject, person_of(request))
    )
    return _OwnReview(review, subject, task_url(review_context.assignment.key, review_context.slot), source)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def review_discussion(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """The discussion for a reviewer: requests and decisions about their review, and the messages."""
    return _write_message_or_show(request, _own_review_or_missing(request, key, slot))


@require_POST
@signed_in_view
def review_appeal(request: HttpRequest, key: UUID, slot: int) -> HttpResponse:
    """Appeal against a change request or a decision about one's own review."""
    return _submit_appeal(request, _own_review_or_missing(request, key, slot))


def _write_message_or_show(request: HttpRequest, own: _OwnReview) -> HttpResponse:
    form = MessageForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            write_message(
                campaign=own.review.campaign, subject=own.subject, by=person_of(request), **form.cleaned_data
            )
            return redirect(own.discussion)
    return _render_own_discussion(request, own, form=form, status=400 if form.errors else 200)


def _submit_appeal(request: HttpRequest, own: _OwnReview) -> HttpResponse:
    form = AppealForm(request.POST)
    if form.is_valid():
        with RefusalsOn(form):
            appeal(review=own.review, by=person_of(request), **form.cleaned_data)
            messages.success(
                request, "Appealed. Somebody else decides on the appeal; the answer appears here."
            )
            return redirect(own.discussion)
    return _render_own_discussion(request, own, form=MessageForm(), appeal_form=form, status=status_of(form))


def _render_own_discussion(
    request: HttpRequest,
    own: _OwnReview,
    *,
    form: MessageForm,
    appeal_form: AppealForm | None = None,
    status: int = 200,
) -> HttpResponse:
    campaign, person = own.review.campaign, person_of(request)
    names = Names(campaign, reader=person, to_reviewer=True)
    context = {
        "campaign": campaign,
        **own.source,
        "own_href": own.url,
        "message_url": own.discussion,
        "appeal_url": f"{own.url}appeal/",
        "requests": _change_request_rows(own.review, appeal_form),
        "decisions": _decision_rows(own, person.pk, appeal_form),
        "thread": thread_of(own.subject, names),
        "form": form,
        "problem": appeal_form.non_field_errors() if appeal_form else [],
        "is_running": campaign.closed_at is None,
    }
    return render(request, "adjudication/review_discussion.html", context, status=status)


def _appeal_form_about(against: str, given: AppealForm | None, *, revision: int | None = None) -> AppealForm:
    """The submitted form if it was about this object, else a new one with its own ids; that keeps the reason
    entered for an earlier ``revision``.
    """
    initial: dict[str, Any] = {"against": against, "revision": revision}
    if given is not None and given.data.get("against") == against:
        if given.cleaned_data.get("revision") in (None, revision):
            return given
        initial["reason"] = given.data.get("reason", "")
    return AppealForm(initial=initial, auto_id=f"id_{against.replace(':', '_')}_%s")


def _change_request_rows(review: Review, form: AppealForm | None) -> list[dict[str, Any]]:
    requests = review.change_requests.prefetch_related("appeals").order_by("-pk")
    return [
        {
            "change_request": each,
            "appeal": next(iter(each.appeals.all()), None),
            "form": _appeal_form_about(REQUEST, form)
            if each.resolved_at is None and not each.appeals.all()
            else None,
        }
        for each in requests
    ]


class _OwnDecision(NamedTuple):
    """A decision as its reviewer sees it, with their own answer."""

    decision: Adjudication | ComparisonAdjudication
    against: str
    title: str
    words: str
    mine: str


def _decision_rows(own: _OwnReview, person_id: int, form: AppealForm | None) -> list[dict[str, Any]]:
    compares = isinstance(own.subject, Comparison)
    own_decisions = (
        _own_decisions_on_comparison(own.review) if compares else _own_decisions_on_output(own.review)
    )
    field = "comparison_adjudication" if compares else "adjudication"
    about = {f"{field}__in": [each.decision.pk for each in own_decisions]}
    mine = with_subject(Appeal.objects.filter(appellant=person_id, **about)).order_by("revision")
    latest = {getattr(each, f"{field}_id"): each for each in mine}
    found = []
    for each in own_decisions:
        appealed = latest.get(each.decision.pk)
        # A decision revised since the appeal can be appealed again.
        is_open = appealed is None or appealed.revision != each.decision.revision
        found.append(
            {
                **each._asdict(),
                "appeal": appealed,
                "form": _appeal_form_about(each.against, form, revision=each.decision.revision)
                if is_open
                else None,
            }
        )
    return found


def _own_decisions_on_output(review: Review) -> list[_OwnDecision]:
    mine = {score.criterion_id: score.words for score in review.scores.all()}
    return [
        _OwnDecision(
            each,
            f"{DECISION}{each.criterion.key}",
            each.criterion.name,
            each.words,
            mine.get(each.criterion_id, "–"),
        )
        for each in decisions_about([ItemOutput(pk=review.subject_id)])[review.subject_id]
    ]


def _own_decisions_on_comparison(review: Review) -> list[_OwnDecision]:
    """The decision, with the letters under which this person saw the outputs."""
    about = comparison_adjudications_about([Comparison(pk=review.subject_id)])
    adjudication = about.get(review.subject_id)
    if adjudication is None:
        return []
    decided = adjudication.preference.turned(adjudication.outputs, review.preference.outputs)
    mine = preference_words(preference_of(review))
    return [_OwnDecision(adjudication, COMPARISON_DECISION, "Preference", preference_words(decided), mine)]
