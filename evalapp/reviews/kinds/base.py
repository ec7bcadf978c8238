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
    """A reviewer's answers, as entered or stored."""

    @property
    def comment(self) -> str: ...

    def as_dict(self) -> dict[str, Any]: ...

    def fingerprint(self) -> str: ...


class StorableAnswers(Protocol):
    """Checked answers, which may be stored."""

    @property
    def answers(self) -> Any: ...


class Task(Protocol):
    """The content of a slot for its reviewer; does not name the candidate in a blind campaign."""

    @property
    def draft(self) -> Any: ...

    @property
    def draft_revision(self) -> int: ...

    @property
    def draft_saved_at(self) -> datetime | None: ...


AnswersType = TypeVar("AnswersType", bound=Answers)
StorableAnswersType = TypeVar("StorableAnswersType", bound=StorableAnswers)
TaskType = TypeVar("TaskType", bound=Task)


class ReviewKind(ABC, Generic[AnswersType, StorableAnswersType, TaskType]):
    """What reviews of one kind ask and store. Everything else is common to all kinds: claiming, storing once,
    revisions, drafts and change requests.

    ``subject``: the field of `Review` and `Draft` that refers to what is reviewed.
    """

    subject: ClassVar[str]

    @abstractmethod
    def read(self, raw: object) -> AnswersType:
        """Answers from decoded JSON. Raises InvalidError for a wrong structure."""

    @abstractmethod
    def check(self, answers: AnswersType, *, assignment: Assignment, subject_id: int) -> StorableAnswersType:
        """The answers as stored. Raises InvalidError with all invalid fields."""

    @abstractmethod
    def store(self, review: Review, checked: StorableAnswersType) -> None:
        """Store a new review with its answers, and delete its draft. Raises IntegrityError like
        ``create``.
        """

    @abstractmethod
    def replace(self, review: Review, checked: StorableAnswersType) -> None:
        """Replace the stored answers of an amended review."""

    @abstractmethod
    def with_answers(self, reviews: QuerySet[Review]) -> QuerySet[Review]:
        """The queryset with everything that `answers_of` needs."""

    @abstractmethod
    def answers_of(self, review: Review) -> AnswersType:
        """The review's current answers."""

    @abstractmethod
    def storable(self, answers: AnswersType) -> AnswersType:
        """The answers without characters that the database cannot store, so that a draft is saved rather than
        refused.
        """

    @abstractmethod
    def check_draft(self, answers: AnswersType) -> None:
        """Raise InvalidError for a draft that is too long to store; its answers may be incomplete or
        invalid.
        """

    def outputs_at(self, review_context: ReviewContext) -> list[int] | None:
        """The compared outputs in the order shown there; None for ratings."""
        return None

    @abstractmethod
    def draft_body(self, draft: Draft, review_context: ReviewContext) -> dict[str, Any]:
        """A draft's content, for the outputs in the order shown there."""

    @abstractmethod
    def task(self, *, assignment_key: UUID, subject_id: int, campaign: Campaign, reviewer: User) -> TaskType:
        """The content of a slot for its reviewer, with their own draft."""

    def task_at(self, review_context: ReviewContext) -> TaskType:
        return self.task(
            assignment_key=review_context.assignment.key,
            subject_id=review_context.subject_id,
            campaign=review_context.assignment.campaign,
            reviewer=review_context.campaign_reviewer.user,
        )

    def own_review(self, review_context: ReviewContext) -> Review | None:
        """The review that the reviewer submitted there, with its answers, or None."""
        return self.with_answers(own_reviews(review_context)).first()
