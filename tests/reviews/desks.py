"""A reviewer's desk in tests: the same gestures whether a campaign rates answers or compares them."""

from typing import Any
from uuid import UUID, uuid4

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Draft
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.services import reopen_last_review
from tests.campaigns.making import make_open_campaign
from tests.reviews import conftest as rating
from tests.reviews.preferences import conftest as comparing


class RatingDesk:
    drafts = Draft.objects

    def __init__(self, project: Project, people: list[User], **options: Any) -> None:
        self.campaign: Campaign = make_open_campaign(project, people, candidates=2, **options)
        self.given: Any = self.campaign.reviews

    def take(self, person: User) -> Any:
        """What the person is handed."""
        return rating.claim(self.campaign, person)

    def assignment_of(self, claimed: Any) -> int:
        return int(claimed.assignment.id)

    def give(
        self, person: User, claimed: Any = None, *, said: str = "Once.", client_id: UUID | None = None
    ) -> Any:
        answers = ReviewAnswers(rating.GOOD.scores, comment=said)
        result = rating.submit(self.campaign, person, claimed, answers=answers, client_id=client_id)
        return result.review, result.is_replay

    def undo(self, person: User) -> Any:
        self.campaign.refresh_from_db()
        return reopen_last_review(reviewer=person, campaign=self.campaign)


class ComparingDesk:
    drafts = Draft.objects

    def __init__(self, project: Project, people: list[User], **options: Any) -> None:
        self.campaign: Campaign = make_open_campaign(
            project, people, candidates=3, method="pairwise", **options
        )
        self.given: Any = self.campaign.reviews

    def take(self, person: User) -> Any:
        return comparing.claim(self.campaign, person)

    def assignment_of(self, claimed: Any) -> int:
        return int(claimed.assignment.pk)

    def give(
        self, person: User, claimed: Any = None, *, said: str = "Once.", client_id: UUID | None = None
    ) -> Any:
        review_context = comparing.again(claimed or self.take(person))
        preference = PreferenceAnswers("a", None, said)
        result = comparing.judge(
            self.campaign, person, preference, review_context=review_context, client_id=client_id or uuid4()
        )
        return result.review, result.is_replay

    def undo(self, person: User) -> Any:
        self.campaign.refresh_from_db()
        return reopen_last_review(reviewer=person, campaign=self.campaign)
