"""Where something submitted is sent back from: what differs from kind to kind, for pages and programs."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.adjudication.rights import require_may_read
from evalapp.campaigns.models import Campaign, Purpose
from evalapp.reviews.models import SendBack, SentBack


class SendBackDesk(ABC):
    """One kind. ``listed``, ``withdrawal``, ``results`` and ``source`` name addresses: the last is where one
    finds something to send back, and ``source_words`` what a link to it says. ``said`` is the template of
    what was submitted.
    """

    kind: ClassVar[type[SentBack]]
    listed: ClassVar[str]
    withdrawal: ClassVar[str]
    results: ClassVar[str]
    source: ClassVar[str]
    source_words: ClassVar[str]
    said: ClassVar[str]

    @abstractmethod
    def require(self, person: User, campaign: Campaign, given: Any = None) -> None:
        """Raises MissingError where the campaign has nothing of this kind, NotAllowedError for who may not see
        it, or the one that is ``given``.
        """

    @abstractmethod
    def given(self, campaign: Campaign) -> QuerySet[Any]:
        """What may be sent back, with all that ``said`` shows."""

    def shown(self, campaign: Campaign, given: Any) -> dict[str, Any]:
        """What ``said`` shows beside what was ``given``."""
        return {}

    def case(self, campaign: Campaign, given: Any) -> str:
        """Where on the page of its case it stands."""
        address = reverse("case_detail", args=[campaign.project.slug, campaign.pk, given.item.pk])
        return f"{address}#{self.kind.about}-{given.pk}"


class ReviewDesk(SendBackDesk):
    kind = SendBack
    listed = "send_back_list"
    withdrawal = "send_back_withdraw"
    results = "comparison_detail"
    source = "case_list"
    source_words = "See the cases"
    said = "adjudication/said.html"

    def given(self, campaign: Campaign) -> QuerySet[Any]:
        return (
            campaign.reviews.filter(purpose=Purpose.REVIEW)
            .select_related("item_output__item__example", "item_output__output", "reviewer")
            .prefetch_related("scores__criterion", "texts__criterion")
        )

    def require(self, person: User, campaign: Campaign, given: Any = None) -> None:
        if given is not None:
            require_may_read(person=person, campaign=campaign, item_output=given.item_output)


REVIEWS = ReviewDesk()
