"""Read queries on reviews. Only `task_for` decides what a blind reviewer may see."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.db.models import Avg, Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from evalapp.accounts.models import Membership, Project, User
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    CampaignReviewer,
    CampaignState,
    Purpose,
)
from evalapp.conversations.text import Conversation, without_answer
from evalapp.core.errors import MissingError, NotAllowedError
from evalapp.core.joins import JoinedRows
from evalapp.core.prepared import first_row
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Review, subject_field
from evalapp.reviews.spans import Span, shown_spans
from evalapp.rubrics.fields import NOT_APPLICABLE
from evalapp.rubrics.models import RubricVersion

ANSWERS = ("scores__criterion", "tags__tag__criterion", "texts__criterion", "spans__criterion")
"""Relations to prefetch before reading reviews' answers."""
REVIEWING_ROLES = [role for role, permissions in PERMISSIONS.items() if Permission.REVIEW in permissions]
NOT_YOURS = "There is no such assignment, or it is not yours."

# Of the reviewer's latest 30 reviews, so that it follows their pace at constant cost.
_MEDIAN_SQL = """
(SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY latest.seconds_active) FROM (
    SELECT r.seconds_active FROM evalapp_review r
    WHERE r.campaign_id = evalapp_campaignreviewer.campaign_id
      AND r.reviewer_id = evalapp_campaignreviewer.user_id
    ORDER BY r.id DESC LIMIT 30) AS latest)
"""
_MEDIAN_SECONDS = RawSQL(_MEDIAN_SQL, [])  # noqa: S611 - a constant without parameters


def campaign_reviewers_of(user: User) -> QuerySet[CampaignReviewer]:
    """The person's rows as campaign reviewer, in opened campaigns of projects where their role may
    review.
    """
    memberships = Membership.objects.filter(user=user, role__in=REVIEWING_ROLES)
    return (
        CampaignReviewer.objects.filter(
            user=user, left_at=None, campaign__project__in=memberships.values("project")
        )
        .exclude(campaign__state=CampaignState.DRAFT)
        .select_related("campaign__project", "campaign__rubric_version", "user")
    )


def with_progress(campaign_reviewers: QuerySet[CampaignReviewer]) -> QuerySet[CampaignReviewer]:
    """Add ``campaign_done`` (everybody's reviews with checks, which a reviewer cannot tell apart),
    ``median_seconds`` (of this person's latest 30) and ``is_all_done``.

    ``is_all_done``: all ordinary reviews are submitted, and this person has claimed nothing. A repeat may
    remain that can never come, because it is too close to its first time.
    """
    everyone = (
        CampaignReviewer.objects.filter(campaign=OuterRef("campaign"))
        .order_by()
        .values("campaign")
        .annotate(done=Sum(F("reviews_done") + F("checks_done")))
        .values("done")
    )
    unfinished = Assignment.objects.filter(campaign=OuterRef("campaign")).exclude(
        state=AssignmentState.SUBMITTED
    )
    left = unfinished.filter(
        Q(purpose=Purpose.REVIEW) | Q(state=AssignmentState.IN_PROGRESS, reviewer=OuterRef("user"))
    )
    return campaign_reviewers.annotate(
        campaign_done=Coalesce(Subquery(everyone), 0),
        median_seconds=_MEDIAN_SECONDS,
        is_all_done=~Exists(left),
    )


# The same rule as `campaign_reviewers_of`, for two queries that every click makes.
_REVIEWERS_FROM = """
FROM evalapp_campaignreviewer
JOIN evalapp_campaign campaign ON campaign.id = evalapp_campaignreviewer.campaign_id
JOIN evalapp_project project ON project.id = campaign.project_id
JOIN evalapp_rubricversion rubric_version ON rubric_version.id = campaign.rubric_version_id
"""
_REVIEWERS_WHERE = """
WHERE evalapp_campaignreviewer.user_id = %(user)s AND evalapp_campaignreviewer.left_at IS NULL
  AND campaign.state <> 'draft'
  AND EXISTS (SELECT 1 FROM evalapp_membership m WHERE m.project_id = campaign.project_id
              AND m.user_id = evalapp_campaignreviewer.user_id AND m.role = ANY(%(roles)s))
"""
_FORMER_REVIEWERS_WHERE = _REVIEWERS_WHERE.replace("left_at IS NULL", "left_at IS NOT NULL")
_EVERYONES_REVIEWS = """
(SELECT sum(everyone.reviews_done + everyone.checks_done) FROM evalapp_campaignreviewer everyone
 WHERE everyone.campaign_id = campaign.id)
"""


@cache
def _campaign_reviewer_rows() -> JoinedRows:
    return JoinedRows(
        evalapp_campaignreviewer=CampaignReviewer,
        campaign=Campaign,
        project=Project,
        rubric_version=RubricVersion,
    )


@cache
def _review_context_rows() -> JoinedRows:
    return JoinedRows(assignment=Assignment, campaign=Campaign, project=Project, rubric_version=RubricVersion)


def campaign_reviewer_for(user: User, campaign_key: UUID) -> CampaignReviewer:
    """The person as campaign reviewer, with progress. Raises MissingError if they are not one, TakenOffError
    if they have left.
    """
    campaign_reviewers = _campaign_reviewer_rows()
    row = first_row(
        f"SELECT {campaign_reviewers.columns}, {_EVERYONES_REVIEWS}, {_MEDIAN_SQL} {_REVIEWERS_FROM}"
        f" {_REVIEWERS_WHERE} AND campaign.key = %(key)s",
        {"user": user.pk, "roles": REVIEWING_ROLES, "key": campaign_key},
    )
    if row is None:
        raise _refusal_of(CampaignReviewer.objects.filter(user=user, campaign__key=campaign_key))
    (campaign_reviewer, campaign, project, rubric_version), (done, median) = campaign_reviewers.models_of(row)
    campaign.project, campaign.rubric_version = project, rubric_version
    campaign_reviewer.campaign, campaign_reviewer.user = campaign, user
    campaign_reviewer.campaign_done, campaign_reviewer.median_seconds = done, median
    return cast(CampaignReviewer, campaign_reviewer)


_FROM_REVIEWERS_AND_CAMPAIGN = (
    "FROM evalapp_campaignreviewer JOIN evalapp_campaign campaign ON campaign.id = campaign_id"
)


@cache
def _rows_after_submission() -> JoinedRows:
    return JoinedRows(evalapp_campaignreviewer=CampaignReviewer)


def campaign_reviewer_after_submission(campaign_reviewer: CampaignReviewer) -> CampaignReviewer:
    """`campaign_reviewer_for` after a submission, for a row that this request has read and authorised: with
    progress, and the campaign's current state. Raises MissingError if they have left since.
    """
    campaign_reviewers = _rows_after_submission()
    row = _first(
        f"SELECT {campaign_reviewers.columns}, {_EVERYONES_REVIEWS}, {_MEDIAN_SQL}, campaign.state"
        f" {_FROM_REVIEWERS_AND_CAMPAIGN} WHERE evalapp_campaignreviewer.id = %(campaign_reviewer)s"
        " AND left_at IS NULL",
        {"campaign_reviewer": campaign_reviewer.pk},
    )
    (again,), (done, median, state) = campaign_reviewers.models_of(row)
    again.campaign, again.user = campaign_reviewer.campaign, campaign_reviewer.user
    again.campaign.state = state
    again.campaign_done, again.median_seconds = done, median
    return cast(CampaignReviewer, again)


class TakenOffError(NotAllowedError):
    """The person has left the campaign and may no longer see or do anything in it (403)."""

    code = "taken_off"

    def __init__(self, left_at: datetime, *, is_kept: bool = False) -> None:
        kept = " Your text is kept as a draft." if is_kept else ""
        super().__init__(
            f"You were removed from this campaign on {left_at:%-d %B %Y at %H:%M} UTC. The reviews that you"
            f" submitted before count.{kept} Ask its manager if this is a mistake."
        )


def _refusal_of(campaign_reviewers: QuerySet[CampaignReviewer]) -> MissingError | TakenOffError:
    """The error for a person who is not a campaign reviewer. Former reviewers only learn that their part has
    ended.
    """
    left_at = campaign_reviewers.exclude(left_at=None).values_list("left_at", flat=True).first()
    return TakenOffError(left_at) if left_at is not None else MissingError(NOT_YOURS)


def _first(statement: str, parameters: dict[str, Any]) -> Sequence[Any]:
    row = first_row(statement, parameters)
    if row is None:
        raise MissingError(NOT_YOURS)
    return row


class ReviewContext(NamedTuple):
    """An assignment, one of its slots, and the campaign reviewer."""

    assignment: Assignment
    slot: int
    campaign_reviewer: CampaignReviewer

    @property
    def subject_id(self) -> int:
        """The id of the output or comparison at the slot."""
        return self.assignment.outputs_order[self.slot]

    @property
    def is_claimed(self) -> bool:
        return (
            self.assignment.state == AssignmentState.IN_PROGRESS
            and self.assignment.reviewer_id == self.campaign_reviewer.user_id
        )

    @property
    def is_open(self) -> bool:
        """Whether the reviewer may still fill the slot."""
        return self.is_claimed and self.slot in self.assignment.open_slots


def review_context_at(
    user: User, assignment_key: UUID, slot: int, *, has_left: bool = False
) -> ReviewContext:
    """The assignment and the person as its campaign reviewer, in one query.

    Raises MissingError if either does not exist or the assignment was never theirs, since its texts are then
    not for them; TakenOffError if the reviewer has left. ``has_left`` finds only people who have left, who
    may see only their own text.
    """
    stands = _review_context_rows()
    row = first_row(
        f"SELECT {stands.columns}, evalapp_campaignreviewer.id, evalapp_campaignreviewer.left_at"
        f" {_REVIEWERS_FROM} JOIN evalapp_assignment assignment ON assignment.campaign_id = campaign.id"
        f" {_FORMER_REVIEWERS_WHERE if has_left else _REVIEWERS_WHERE} AND assignment.key = %(key)s",
        {"user": user.pk, "roles": REVIEWING_ROLES, "key": assignment_key},
    )
    if row is None:
        raise _refusal_of(
            CampaignReviewer.objects.filter(user=user, campaign__assignments__key=assignment_key)
        )
    (assignment, campaign, project, rubric_version), (campaign_reviewer_id, left_at) = stands.models_of(row)
    if not 0 <= slot < assignment.outputs_total:
        raise MissingError(NOT_YOURS)
    campaign.project, campaign.rubric_version = project, rubric_version
    assignment.campaign = campaign
    _require_offered(user, assignment, slot)
    # A campaign reviewer with only the fields that a submission needs, from the assignment's query.
    return ReviewContext(
        assignment,
        slot,
        CampaignReviewer(pk=campaign_reviewer_id, campaign=campaign, user=user, left_at=left_at),
    )


def left_review_context(
    taken_off: TakenOffError, user: User, assignment_key: UUID, slot: int
) -> ReviewContext:
    """The context of a person who has left the campaign, with access only to their own text. Raises
    ``taken_off`` if the assignment was never theirs.
    """
    try:
        return review_context_at(user, assignment_key, slot, has_left=True)
    except MissingError:
        raise taken_off from None


_HAS_REVIEW_OR_DRAFT = """
SELECT EXISTS (SELECT 1 FROM evalapp_review WHERE assignment_id = %(assignment)s AND reviewer_id = %(user)s)
    OR EXISTS (SELECT 1 FROM evalapp_draft WHERE {subject}_id = %(subject)s AND reviewer_id = %(user)s)
"""


def _require_offered(user: User, assignment: Assignment, slot: int) -> None:
    if user.pk in (assignment.reviewer_id, assignment.last_reviewer_id):
        return
    keys = {"assignment": assignment.pk, "subject": assignment.outputs_order[slot], "user": user.pk}
    if _first(_HAS_REVIEW_OR_DRAFT.format(subject=subject_field(assignment.campaign)), keys) != (True,):
        raise MissingError(NOT_YOURS)


def own_reviews(review_context: ReviewContext) -> QuerySet[Review]:
    """The person's submitted review of the output or comparison at the slot: one or none."""
    of_it = {subject_field(review_context.assignment.campaign): review_context.subject_id}
    return Review.objects.filter(
        assignment=review_context.assignment, reviewer=review_context.campaign_reviewer.user_id, **of_it
    )


class Task(NamedTuple):
    """Everything that a reviewer may see of an output. It does not name the candidate unless the campaign is
    not blind; ids, run, tokens, timing and others' answers are not included.

    ``conversation`` ends with the user's turn, like ``messages``; None if it contains no more than these.
    """

    messages: list[dict[str, str]]
    context: str
    reference: str
    answer: str
    candidate_label: str
    draft: dict[str, Any] | None
    draft_revision: int
    draft_saved_at: datetime | None
    conversation: Conversation | None

    @property
    def draft_seconds(self) -> float | None:
        return (self.draft or {}).get("seconds_active")


_TASK = """
SELECT output.text, example.messages, example.context, example."references", model_version.label,
       draft.body, draft.revision, draft.saved_at, example.conversation
FROM evalapp_itemoutput item_output
JOIN evalapp_output output ON output.id = item_output.output_id
JOIN evalapp_item item ON item.id = item_output.item_id
JOIN evalapp_example example ON example.id = item.example_id
JOIN evalapp_campaigncandidate candidate ON candidate.id = item_output.candidate_id
JOIN evalapp_modelversion model_version ON model_version.id = candidate.model_version_id
LEFT JOIN evalapp_draft draft ON draft.item_output_id = item_output.id AND draft.reviewer_id = %(user)s
WHERE item_output.id = %(item_output)s AND item.campaign_id = %(campaign)s
"""


def task_for(*, item_output_id: int, campaign: Campaign, reviewer: User) -> Task:
    """The output, its example, and the reviewer's own draft, in one query."""
    keys = {"user": reviewer.pk, "item_output": item_output_id, "campaign": campaign.pk}
    answer, messages, context, references, label, draft, revision, saved_at, conversation = _first(
        _TASK, keys
    )
    shown_references = json.loads(references) if campaign.shows_reference else []
    return Task(
        messages=json.loads(messages),
        context=context,
        reference=str(shown_references[0]) if shown_references else "",
        answer=answer,
        candidate_label="" if campaign.is_blind else label,
        draft=json.loads(draft) if draft is not None else None,
        draft_revision=revision or 0,
        draft_saved_at=saved_at,
        conversation=without_answer(json.loads(conversation)) if conversation is not None else None,
    )


def answers_of(review: Review) -> ReviewAnswers:
    """The review's current answers. Prefetch `ANSWERS` and select ``correction``."""
    tags: dict[str, list[str]] = {}
    for each in review.tags.all():
        tags.setdefault(each.tag.criterion.key, []).append(each.tag.key)
    scores = {
        score.criterion.key: (
            NOT_APPLICABLE if score.value is None else score.criterion.rules.number(score.value)
        )
        for score in review.scores.all()
    }
    correction = getattr(review, "correction", None)
    texts = {each.criterion.key: each.text for each in review.texts.all()}
    return ReviewAnswers(
        scores, tags, review.comment, correction.text if correction else None, texts, spans_of(review)
    )


def spans_of(review: Review) -> dict[str, list[Span]]:
    """Marked spans by criterion key, in reading order. Prefetch ``spans__criterion``."""
    spans: dict[str, list[Span]] = {}
    for each in review.spans.all():
        spans.setdefault(each.criterion.key, []).append(Span(each.start, each.end, each.label, each.comment))
    return {key: sorted(given) for key, given in spans.items()}


def answers_in_words(review: Review, text: str) -> dict[int, str]:
    """By criterion id: the level, the text answer, or the spans marked in ``text``, the rated text.

    Prefetch ``scores__criterion``, ``texts`` and ``spans__criterion``.
    """
    words = {score.criterion_id: score.words for score in review.scores.all()}
    words |= {given.criterion_id: given.text for given in review.texts.all()}
    criteria = {each.criterion.key: each.criterion for each in review.spans.all()}
    for key, spans in spans_of(review).items():
        marks = (
            f"{each.label}: “{each.quote}” {each.span.comment}".rstrip()
            for each in shown_spans(criteria[key], spans, text)
        )
        words[criteria[key].pk] = "; ".join(marks)
    return words


def submitted_by(user: User) -> QuerySet[Review]:
    """The person's reviews of every kind, with their campaigns and items; page them by ``-id``."""
    mine = Review.objects.filter(
        reviewer=user, campaign__reviewers__in=campaign_reviewers_of(user).values("pk")
    )
    return mine.select_related(
        "campaign__project", "campaign__rubric_version", "assignment__item__example"
    ).order_by("-id")


class PersonProgress(NamedTuple):
    """``in_progress``: number of assignments; seconds: active ones per review, None before the first."""

    campaign_reviewer: CampaignReviewer
    reviews: int
    in_progress: int
    mean_seconds: float | None
    median_seconds: float | None
    last_at: datetime | None


def progress_by_person(campaign: Campaign) -> list[PersonProgress]:
    """Each reviewer's progress, most reviews first; three queries for any team size."""
    campaign_reviewers = list(
        campaign.reviewers.select_related("user")
        .annotate(median_seconds=_MEDIAN_SECONDS)
        .order_by("-reviews_done", "user__name", "id")
    )
    in_progress = dict(
        Assignment.objects.filter(
            campaign=campaign, state=AssignmentState.IN_PROGRESS, purpose=Purpose.REVIEW
        )
        .values_list("reviewer")
        .annotate(Count("id"))
        .order_by()
    )
    times = {
        row["reviewer"]: row
        for row in (
            campaign.reviews.filter(purpose=Purpose.REVIEW)
            .values("reviewer")
            .annotate(last_at=Max("submitted_at"), mean=Avg("seconds_active"))
            .order_by()
        )
    }
    people = []
    for campaign_reviewer in campaign_reviewers:
        own = times.get(campaign_reviewer.user_id)
        median = getattr(campaign_reviewer, "median_seconds", None)
        people.append(
            PersonProgress(
                campaign_reviewer,
                campaign_reviewer.reviews_done,
                in_progress.get(campaign_reviewer.user_id, 0),
                own["mean"] if own else None,
                float(median) if median is not None else None,
                own["last_at"] if own else None,
            )
        )
    return people
