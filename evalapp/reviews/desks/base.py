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
    """The content of the reviewer's pages for one kind of review.

    ``page``, ``kept_page`` and ``said``: templates of the desk, of a saved text that no longer counts, and of
    a submitted review in a cell of “My submitted”.
    """

    kind: ClassVar[ReviewKind[Any, Any, Any]]
    page: ClassVar[str]
    kept_page: ClassVar[str]
    said: ClassVar[str]

    @abstractmethod
    def unused_keys(self, campaign: Campaign) -> Container[str]:
        """Actions of single-letter keys that this desk does not use."""

    @abstractmethod
    def read(self, request: HttpRequest, review_context: ReviewContext) -> Submission[Any]:
        """A submission from JSON or the page's form; checks its structure but not yet its answers."""

    def completed(
        self, submission: Submission[Any], request: HttpRequest, review_context: ReviewContext
    ) -> Submission[Any]:
        """The submission with answers that the form gives in words. Raises InvalidError if these are
        invalid.
        """
        return submission

    @abstractmethod
    def draft_of(self, task: Any) -> Any:
        """The answers of a task's draft, or None."""

    @abstractmethod
    def answers_shown(self, task: Any) -> list[dict[str, str]]:
        """``letter``, ``answer`` and ``candidate`` (empty in blind campaigns) of each output, A first."""

    @abstractmethod
    def shown(self, task: Any) -> dict[str, Any]:
        """The subject of the review for the page's script."""

    @abstractmethod
    def config(self, campaign: Campaign) -> dict[str, Any]:
        """Settings of this kind for the page's script; without secrets and ids."""

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
        """Context of the desk's template; ``answers``: its initial answers, or None."""

    @abstractmethod
    def kept_context(self, campaign: Campaign, task: Any, answers: Any) -> dict[str, Any]:
        """The reviewer's own text at a slot that is no longer theirs; ``answers``: of the draft."""

    @abstractmethod
    def review_text_context(self, reviews: Sequence[Review]) -> dict[int, dict[str, Any]]:
        """By review id: the context of the ``said`` template."""
