"""Where changes to something submitted are requested: what differs from kind to kind, for pages and the API."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.adjudication.rights import require_done, require_may_read
from evalapp.campaigns.models import Campaign, Purpose
from evalapp.core.errors import MissingError
from evalapp.judgements.checks import candidate_names, verdict_by_name
from evalapp.judgements.models import Judgement, JudgementChangeRequest
from evalapp.judgements.queries import verdict_of
from evalapp.reviews.models import BaseChangeRequest, ChangeRequest


class ChangeRequestDesk(ABC):
    """One kind. ``listed``, ``withdrawal`` and ``source`` name addresses: the last is where one
    finds something to request changes to, and ``source_words`` what a link to it says. ``said`` is the template of
    what was submitted.
    """

    kind: ClassVar[type[BaseChangeRequest]]
    listed: ClassVar[str]
    withdrawal: ClassVar[str]
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
        """What changes may be requested to, with all that ``said`` shows."""

    def shown(self, campaign: Campaign, given: Any) -> dict[str, Any]:
        """What ``said`` shows beside what was ``given``."""
        return {}

    def case(self, campaign: Campaign, given: Any) -> str:
        """Where on the page of its case it stands."""
        address = reverse("case_detail", args=[campaign.project.slug, campaign.pk, given.item.pk])
        return f"{address}#{self.kind.about}-{given.pk}"


class ReviewDesk(ChangeRequestDesk):
    kind = ChangeRequest
    listed = "change_request_list"
    withdrawal = "change_request_withdraw"
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
            require_may_read(person=person, campaign=campaign, subject=given.item_output)


class JudgementDesk(ChangeRequestDesk):
    kind = JudgementChangeRequest
    listed = "judgement_change_requests"
    withdrawal = "judgement_change_request_withdraw"
    source = "verdicts_apart"
    source_words = "See where verdicts differ"
    said = "judgements/said.html"

    def require(self, person: User, campaign: Campaign, given: Any = None) -> None:
        if not campaign.compares:
            raise MissingError("This campaign rates answers one by one: request changes to its reviews.")
        require_done(campaign, person)

    def given(self, campaign: Campaign) -> QuerySet[Any]:
        judgements = campaign.judgements.filter(purpose=Purpose.REVIEW)
        return judgements.select_related("comparison__item__example", "reviewer")

    def shown(self, campaign: Campaign, given: Judgement) -> dict[str, Any]:
        names = candidate_names(campaign)
        entries = given.item.outputs.select_related("candidate")
        owners = {entry.pk: entry.candidate.model_version_id for entry in entries}
        letters = [names[owners[pk]] for pk in given.outputs]
        return {"verdict": verdict_by_name(verdict_of(given), letters)}


REVIEWS = ReviewDesk()
JUDGEMENTS = JudgementDesk()
