"""Helpers for the pages of a campaign's disputes."""

from typing import Any

from django.urls import reverse

from evalapp.accounts.access import MemberRequest
from evalapp.accounts.models import User
from evalapp.adjudication.disagreements import DEFAULT_LEAST_DIFFERENCE
from evalapp.adjudication.discussion import Names, thread_of
from evalapp.adjudication.models import Appeal
from evalapp.adjudication.rights import why_not_adjudicate
from evalapp.adjudication.side_by_side import preferences_beside_each_other, reviews_beside_each_other
from evalapp.adjudication.subjects import Subject, rated_outputs
from evalapp.campaigns.models import Campaign, CampaignState, Comparison, ItemOutput
from evalapp.core.errors import MissingError
from evalapp.core.http import get_or_missing
from evalapp.reviews.change_requests import change_requests_of
from evalapp.reviews.desks.preference import side_rows, sides_of
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.tasks import ComparisonTask, answers_side_by_side
from evalapp.reviews.queries import task_for


def campaign_or_missing(request: MemberRequest, campaign_id: int) -> Campaign:
    """A campaign that has been opened; drafts have nothing to dispute, so they raise MissingError."""
    opened = request.project.campaigns.exclude(state=CampaignState.DRAFT)
    return get_or_missing(opened.select_related("project", "rubric_version"), pk=campaign_id)


def output_or_missing(campaign: Campaign, item_output_id: int) -> ItemOutput:
    outputs = rated_outputs(campaign).select_related("item__example", "output", "candidate")
    found = outputs.filter(pk=item_output_id).first()
    if found is None:
        raise MissingError("There is no such output in this campaign.")
    return found


def comparison_or_missing(campaign: Campaign, comparison_id: int) -> Comparison:
    compared = Comparison.objects.select_related("item__example")
    found = compared.filter(item__campaign=campaign, pk=comparison_id).first()
    if found is None:
        raise MissingError("There is no such comparison in this campaign.")
    return found


def subject_url(campaign: Campaign, subject: Subject, *, discussion: bool = False) -> str:
    """The URL of the subject's desk or discussion."""
    kind = "comparison" if isinstance(subject, Comparison) else "output"
    name = f"{kind}_discussion" if discussion else f"adjudication_{kind}"
    return reverse(name, args=[campaign.project.slug, campaign.pk, subject.pk])


def source_context(campaign: Campaign, subject: Subject, reader: User) -> dict[str, Any]:
    """The input, and the output or the compared outputs in the comparison's own order."""
    if isinstance(subject, Comparison):
        return sides_context(answers_side_by_side(subject.outputs, campaign=campaign, reader=reader))
    task = task_for(item_output_id=subject.pk, campaign=campaign, reviewer=reader)
    return {"task": task, "source_template": "adjudication/answer.html"}


def sides_context(task: ComparisonTask) -> dict[str, Any]:
    """`source_context` for compared outputs in the task's order."""
    sides = side_rows(task, sides_of(task), PreferenceAnswers())
    return {"task": task, "sides": sides, "source_template": "adjudication/answers.html"}


def desk_context(
    request: MemberRequest,
    campaign: Campaign,
    subject: Subject,
    *,
    least_difference: int = DEFAULT_LEAST_DIFFERENCE,
) -> dict[str, Any]:
    """A subject for adjudicators: its source, its reviews, and its discussion."""
    names = Names(campaign, reader=request.user, to_reviewer=False)
    reviews_context: dict[str, Any] = (
        {
            "said_template": "adjudication/preferences_table.html",
            "lines": preferences_beside_each_other(campaign, subject, names),
        }
        if isinstance(subject, Comparison)
        else {
            "said_template": "adjudication/reviews_table.html",
            "table": reviews_beside_each_other(campaign, subject, names, least_difference=least_difference),
        }
    )
    return {
        "campaign": campaign,
        "item": subject.item,
        "refusal": why_not_adjudicate(person=request.user, campaign=campaign, subject=subject),
        "thread": thread_of(subject, names),
        "discussion_href": subject_url(campaign, subject, discussion=True),
        **source_context(campaign, subject, request.user),
        **reviews_context,
    }


def waiting_counts(campaign: Campaign) -> dict[str, int]:
    """The number of waiting entries by the path of their tab."""
    return {
        "adjudication/change-requests/": change_requests_of(campaign).filter(resolved_at=None).count(),
        "adjudication/appeals/": Appeal.objects.filter(campaign=campaign, answered_at=None).count(),
    }
