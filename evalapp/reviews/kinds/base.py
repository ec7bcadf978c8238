from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from uuid import UUID

from django.db.models import QuerySet

from evalapp.accounts.models import User
from evalapp.campaigns.models import Assignment, Campaign
from evalapp.reviews.models import Draft, Review
from evalapp.reviews.queries import ReviewContext, own_reviews


class Answers(Protocol):
    """What a reviewer answers, as it is typed or stored."""

    @property
    def comment(self) -> str: ...

    def as_dict(self) -> dict[str, Any]: ...

    def fingerprint(self) -> str: ...


class StorableAnswers(Protocol):
    """Answers that may be stored."""

    @property
    def answers(self) -> Any: ...


class Task(Protocol):
    """What a slot shows its reviewer; nothing of it names the candidate of a blind campaign."""

    @property
    def draft(self) -> Any: ...

    @property
    def draft_revision(self) -> int: ...

    @property
    def draft_saved_at(self) -> datetime | None: ...


Given = TypeVar("Given", bound=Answers)
Valid = TypeVar("Valid", bound=StorableAnswers)
Shown = TypeVar("Shown", bound=Task)


class ReviewKind(ABC, Generic[Given, Valid, Shown]):
    """What reviews of one kind ask and store. All else about a review is the same for every kind: who holds
    it, that it is stored once, its revisions, drafts and change requests.

    ``subject``: the field of a `Review` and a `Draft` that says what is reviewed.
    """

    subject: ClassVar[str]

    @abstractmethod
    def read(self, raw: object) -> Given:
        """Answers from decoded JSON of any shape; InvalidError where the shape is wrong."""

    @abstractmethod
    def check(self, answers: Given, *, assignment: Assignment, subject_id: int) -> Valid:
        """The answers as they are stored; InvalidError with every field that cannot stay."""

    @abstractmethod
    def store(self, review: Review, checked: Valid) -> None:
        """Write a new review with what it says; its draft ends. Raises IntegrityError as ``create`` would."""

    @abstractmethod
    def replace(self, review: Review, checked: Valid) -> None:
        """Write what an amended review says in place of what it said."""

    @abstractmethod
    def with_answers(self, reviews: QuerySet[Review]) -> QuerySet[Review]:
        """Reads with the reviews what `answers_of` needs."""

    @abstractmethod
    def answers_of(self, review: Review) -> Given:
        """What the review says now."""

    @abstractmethod
    def storable(self, answers: Given) -> Given:
        """Without the characters that the database cannot hold: a draft is kept rather than refused."""

    @abstractmethod
    def check_draft(self, answers: Given) -> None:
        """InvalidError for a draft that is too long to be kept; its answers may be incomplete
        or impossible.
        """

    def outputs_at(self, review_context: ReviewContext) -> list[int] | None:
        """Of outputs that are compared: how they stand there."""
        return None

    @abstractmethod
    def draft_body(self, draft: Draft, review_context: ReviewContext) -> dict[str, Any]:
        """What a draft holds, for outputs as they stand there."""

    @abstractmethod
    def task(self, *, assignment_key: UUID, subject_id: int, campaign: Campaign, reviewer: User) -> Shown:
        """What a slot shows its reviewer, with their own draft."""

    def task_at(self, review_context: ReviewContext) -> Shown:
        return self.task(
            assignment_key=review_context.assignment.key,
            subject_id=review_context.subject_id,
            campaign=review_context.assignment.campaign,
            reviewer=review_context.campaign_reviewer.user,
        )

    def own_review(self, review_context: ReviewContext) -> Review | None:
        """What the reviewer submitted there, with its answers."""
        return self.with_answers(own_reviews(review_context)).first()
