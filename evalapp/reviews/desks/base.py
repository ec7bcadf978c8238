from abc import ABC, abstractmethod
from collections.abc import Container, Mapping, Sequence
from typing import Any, ClassVar

from django.http import HttpRequest

from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ProblemError
from evalapp.reviews.forms import Submission
from evalapp.reviews.kinds.base import ReviewKind
from evalapp.reviews.models import Review
from evalapp.reviews.queries import ReviewContext


class Desk(ABC):
    """What the reviewer's pages show of one kind of review.

    ``page``, ``kept_page`` and ``said``: the templates of the desk, of a text that is kept, and of what a
    submitted review says, in a cell of “My submitted”.
    """

    kind: ClassVar[ReviewKind[Any, Any, Any]]
    page: ClassVar[str]
    kept_page: ClassVar[str]
    said: ClassVar[str]

    @abstractmethod
    def unused_keys(self, campaign: Campaign) -> Container[str]:
        """Actions of the single-letter keys that this desk has no use for."""

    @abstractmethod
    def read(self, request: HttpRequest, review_context: ReviewContext) -> Submission[Any]:
        """A submission from JSON or from the page's form; its shape is checked, not yet its answers."""

    def completed(
        self, submission: Submission[Any], request: HttpRequest, review_context: ReviewContext
    ) -> Submission[Any]:
        """With what the form says in words instead; InvalidError where that cannot be understood."""
        return submission

    @abstractmethod
    def draft_of(self, task: Any) -> Any:
        """The answers of a task's draft; None where there is none."""

    @abstractmethod
    def answers_shown(self, task: Any) -> list[dict[str, str]]:
        """``letter``, ``answer`` and ``candidate`` (empty where the campaign is blind) of each answer, A
        first.
        """

    @abstractmethod
    def shown(self, task: Any) -> dict[str, Any]:
        """What is to be reviewed, as the page's script takes it."""

    @abstractmethod
    def config(self, campaign: Campaign) -> dict[str, Any]:
        """What the page's script needs to know of the kind; no secret and no id."""

    @abstractmethod
    def context(
        self,
        request: HttpRequest,
        *,
        campaign: Campaign,
        task: Any,
        payload: Mapping[str, Any],
        answers: Any,
        problem: ProblemError | None,
    ) -> dict[str, Any]:
        """What the desk's template shows of the kind; ``answers``: what it starts with, None for nothing."""

    @abstractmethod
    def kept_context(self, campaign: Campaign, task: Any, answers: Any) -> dict[str, Any]:
        """The reviewer's own text at a slot that is not theirs any more; ``answers`` of the draft."""

    @abstractmethod
    def review_text_context(self, reviews: Sequence[Review]) -> dict[int, dict[str, Any]]:
        """By review: what ``said`` shows."""
