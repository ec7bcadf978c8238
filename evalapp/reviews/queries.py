"""Reads of reviews. What a blind reviewer may see is decided here and nowhere else: `task_for`."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Avg, Count, F, FilteredRelation, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from evalapp.accounts.models import Membership, User
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState, ItemOutput, Place, PlaceState
from evalapp.core.errors import MissingError
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Review
from evalapp.rubrics.fields import NOT_APPLICABLE

REVIEWING_ROLES = [role for role, permissions in PERMISSIONS.items() if Permission.REVIEW in permissions]
_NOT_YOURS = "There is no such review work, or it is not yours."

# Of the reviewer's latest 30, so that it follows their pace and costs the same at any size.
_MEDIAN_SECONDS = RawSQL(
    """
(SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY latest.seconds_active) FROM (
    SELECT r.seconds_active FROM evalapp_review r
    WHERE r.campaign_id = evalapp_campaignreviewer.campaign_id
      AND r.reviewer_id = evalapp_campaignreviewer.user_id
    ORDER BY r.id DESC LIMIT 30) AS latest)
""",
    [],
)


def seats_of(user: User) -> QuerySet[CampaignReviewer]:
    """The person's seats in launched campaigns of projects they are a member of."""
    memberships = Membership.objects.filter(user=user, role__in=REVIEWING_ROLES)
    return (
        CampaignReviewer.objects.filter(
            user=user, left_at=None, campaign__project__in=memberships.values("project")
        )
        .exclude(campaign__state=CampaignState.DRAFT)
        .select_related("campaign__project", "campaign__rubric_version", "user")
    )


def with_progress(seats: QuerySet[CampaignReviewer]) -> QuerySet[CampaignReviewer]:
    """Adds ``campaign_done`` (reviews of everyone) and ``median_seconds`` (of this person's latest 30)."""
    everyone = (
        CampaignReviewer.objects.filter(campaign=OuterRef("campaign"))
        .order_by()
        .values("campaign")
        .annotate(done=Sum("reviews_done"))
        .values("done")
    )
    return seats.annotate(campaign_done=Coalesce(Subquery(everyone), 0), median_seconds=_MEDIAN_SECONDS)


def seat_for(user: User, campaign_key: UUID) -> CampaignReviewer:
    """The person's seat in the campaign, with progress; MissingError where they have none."""
    seat = with_progress(seats_of(user)).filter(campaign__key=campaign_key).first()
    if seat is None:
        raise MissingError(_NOT_YOURS)
    return seat


class Stand(NamedTuple):
    """Where a reviewer stands: a place, a slot of it, and their seat in its campaign."""

    place: Place
    slot: int
    seat: CampaignReviewer

    @property
    def item_output_id(self) -> int:
        return self.place.outputs_order[self.slot]

    @property
    def is_held(self) -> bool:
        return self.place.state == PlaceState.HELD and self.place.reviewer_id == self.seat.user_id

    @property
    def is_open(self) -> bool:
        """The slot is the reviewer's to fill."""
        return self.is_held and self.slot in self.place.open_slots


def stand_at(user: User, place_key: UUID, slot: int) -> Stand:
    """The place and the person's seat in its campaign, in one read; MissingError where either is not."""
    seats = seats_of(user).filter(campaign=OuterRef("campaign")).order_by()
    place = (
        Place.objects.select_related("campaign__project", "campaign__rubric_version")
        .annotate(seat_id=Subquery(seats.values("pk")[:1]))
        .filter(key=place_key, seat_id__isnull=False)
        .first()
    )
    if place is None or not 0 <= slot < place.outputs_total:
        raise MissingError(_NOT_YOURS)
    # A seat of which the place's read knows all that a submission needs.
    seat = CampaignReviewer(pk=place.seat_id, campaign=place.campaign, user=user)
    return Stand(place, slot, seat)


def own_review(stand: Stand) -> Review | None:
    """What this person submitted here."""
    return (
        Review.objects.filter(
            place=stand.place, item_output=stand.item_output_id, reviewer=stand.seat.user_id
        )
        .select_related("correction")
        .prefetch_related("scores__criterion", "tags__tag__criterion")
        .first()
    )


class Task(NamedTuple):
    """All that a reviewer sees of an output. Nothing here names the candidate, unless the campaign is
    not blind; ids, run, tokens, timing and peers' answers have no field.
    """

    messages: list[dict[str, str]]
    context: str
    reference: str
    answer: str
    candidate_label: str
    draft: dict[str, Any] | None
    draft_revision: int
    draft_saved_at: datetime | None


def task_for(*, item_output_id: int, campaign: Campaign, reviewer: User) -> Task:
    """One read: the output, its example, and the reviewer's own draft."""
    outputs = ItemOutput.objects.filter(pk=item_output_id, item__campaign=campaign)
    outputs = outputs.annotate(own=FilteredRelation("drafts", condition=Q(drafts__reviewer=reviewer)))
    row = outputs.values(
        text=F("output__text"),
        messages=F("item__example__messages"),
        example_context=F("item__example__context"),
        references=F("item__example__references"),
        label=F("candidate__model_version__label"),
        draft=F("own__body"),
        draft_revision=F("own__revision"),
        draft_saved_at=F("own__saved_at"),
    ).first()
    if row is None:
        raise MissingError(_NOT_YOURS)
    references = row["references"] if campaign.shows_reference else []
    return Task(
        messages=list(row["messages"]),
        context=row["example_context"],
        reference=str(references[0]) if references else "",
        answer=row["text"],
        candidate_label="" if campaign.is_blind else row["label"],
        draft=row["draft"],
        draft_revision=row["draft_revision"] or 0,
        draft_saved_at=row["draft_saved_at"],
    )


def answers_of(review: Review) -> ReviewAnswers:
    """What the review says now. Prefetch ``scores__criterion``, ``tags__tag__criterion``, ``correction``."""
    tags: dict[str, list[str]] = {}
    for each in review.tags.all():
        tags.setdefault(each.tag.criterion.key, []).append(each.tag.key)
    scores = {
        score.criterion.key: NOT_APPLICABLE if score.value is None else score.value
        for score in review.scores.all()
    }
    correction = getattr(review, "correction", None)
    return ReviewAnswers(scores, tags, review.comment, correction.text if correction else None)


def submitted_by(user: User) -> QuerySet[Review]:
    """The person's reviews with what the list of them shows; page it by ``-id``."""
    return (
        Review.objects.filter(reviewer=user, campaign__reviewers__in=seats_of(user).values("pk"))
        .select_related("campaign__project", "place", "item_output__item__example", "correction")
        .prefetch_related("scores__criterion")
        .order_by("-id")
    )


def last_submitted(seat: CampaignReviewer) -> Review | None:
    """The latest review in this campaign: what "undo" opens again to be changed."""
    mine = Review.objects.filter(campaign=seat.campaign_id, reviewer=seat.user_id)
    return mine.select_related("place").order_by("-id").first()


class PersonProgress(NamedTuple):
    """``held`` places in hand; seconds are active ones per review, None before the first."""

    seat: CampaignReviewer
    reviews: int
    held: int
    mean_seconds: float | None
    median_seconds: float | None
    last_at: datetime | None


def progress_by_person(campaign: Campaign) -> list[PersonProgress]:
    """How each reviewer gets on, most reviews first; three reads whatever the size of the team."""
    seats = list(
        campaign.reviewers.select_related("user")
        .annotate(median_seconds=_MEDIAN_SECONDS)
        .order_by("-reviews_done", "user__name", "id")
    )
    held = dict(
        Place.objects.filter(campaign=campaign, state=PlaceState.HELD)
        .values_list("reviewer")
        .annotate(Count("id"))
        .order_by()
    )
    times = {
        row["reviewer"]: row
        for row in Review.objects.filter(campaign=campaign)
        .values("reviewer")
        .annotate(last_at=Max("submitted_at"), mean=Avg("seconds_active"))
        .order_by()
    }
    people = []
    for seat in seats:
        own = times.get(seat.user_id)
        median = getattr(seat, "median_seconds", None)
        people.append(
            PersonProgress(
                seat,
                seat.reviews_done,
                held.get(seat.user_id, 0),
                own["mean"] if own else None,
                float(median) if median is not None else None,
                own["last_at"] if own else None,
            )
        )
    return people
