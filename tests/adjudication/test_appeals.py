"""A reviewer appeals; somebody else than who decided answers, and the answer holds."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Membership, User
from evalapp.adjudication.appeals import DECISION, REQUEST, answer_appeal, appeal, appeals_of
from evalapp.adjudication.models import Adjudication, Appeal
from evalapp.adjudication.services import AdjudicatedScore, adjudicate
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.core.errors import ConflictError, InvalidError, MissingError, NotAllowedError
from evalapp.decisions.inbox import inbox_of
from evalapp.reviews.change_requests import request_changes
from evalapp.reviews.models import ChangeRequest, Review
from evalapp.reviews.presentation import review_url
from tests.adjudication.conftest import address, name_distinctly
from tests.api.conftest import program_of
from tests.cast import client_of

pytestmark = pytest.mark.django_db
WHY = "The whole letter is stiff, not only its greeting."


@pytest.fixture
def review(disputed: ItemOutput, reviewer: User) -> Review:
    return Review.objects.select_related("campaign__project", "assignment").get(
        item_output=disputed, reviewer=reviewer
    )


@pytest.fixture
def decision(campaign: Campaign, disputed: ItemOutput, manager: User) -> Adjudication:
    scores = {"tone": AdjudicatedScore(4, "Only the greeting is stiff.")}
    return adjudicate(campaign=campaign, item_output=disputed, scores=scores, by=manager)[0]


def stored(campaign: Campaign) -> Appeal:
    return appeals_of(campaign).get()


def test_against_a_decision_from_page_to_page(
    campaign: Campaign, review: Review, decision: Adjudication, reviewer: User, manager: User, owner: User
) -> None:
    name_distinctly(reviewer)
    mine = f"{review_url(review)}discussion/"
    assert "you gave 1" in client_of(reviewer).get(mine).text

    sent = client_of(reviewer).post(
        f"{review_url(review)}appeal/", {"against": "decision:tone", "reason": WHY}
    )

    assert sent.url == mine
    assert "Your appeal is not answered yet" in client_of(reviewer).get(mine).text
    (entry,) = [each for each in inbox_of(campaign.project) if each.kind == "appeal"]
    assert entry.text == "Spring round: 1 appeal to answer"
    listed = client_of(owner).get(entry.href).text
    assert WHY in listed
    assert "Reviewer 1" in listed and str(reviewer) not in listed
    page = address(campaign, f"adjudication/appeals/{stored(campaign).pk}/")
    # Who decided it does not answer while somebody else can.
    assert "somebody else has to answer" in client_of(manager).get(page).text
    refused = client_of(manager).post(page, {"outcome": "upheld", "answer": "No."})
    assert refused.status_code == 403
    answered = client_of(owner).post(page, {"outcome": "changed", "value": "2", "answer": "You are right."})
    assert answered.status_code == 302

    decision.refresh_from_db()
    assert (decision.value, decision.revision, decision.decided_by) == (2, 2, owner)
    assert decision.revisions.get().value == 4
    seen = client_of(reviewer).get(mine).text
    assert "You are right." in seen and "Changed" in seen
    # What was appealed is still read, beside what it was changed to.
    assert f'Your appeal against <strong class="number">4</strong>: {WHY}' in seen
    told = client_of(owner).get(page).text
    assert 'Tone was decided as <strong class="number">4</strong>: Only the greeting is stiff.' in told
    assert 'Since the appeal it was changed to <strong class="number">2</strong>: You are right.' in told
    assert "The decision on Tone: 4</a>" in client_of(owner).get(entry.href).text
    read = program_of(owner).get(f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/appeals/").json()
    assert [(each["appealed"], each["decided"]) for each in read["results"]] == [("4", "2")]
    assert not [each for each in inbox_of(campaign.project) if each.kind == "appeal"]
    assert client_of(owner).post(page, {"outcome": "upheld", "answer": "No."}).status_code == 409
    actions = AuditEvent.objects.filter(action__startswith="appeal.").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == ["appeal.opened", "appeal.answered"]


def test_what_was_decided_anew_is_read_before_it_is_appealed(
    campaign: Campaign,
    disputed: ItemOutput,
    review: Review,
    decision: Adjudication,
    reviewer: User,
    owner: User,
) -> None:
    page, place = f"{review_url(review)}discussion/", f"{review_url(review)}appeal/"
    assert 'name="revision" value="1"' in client_of(reviewer).get(page).text
    again = {"tone": AdjudicatedScore(2, "The whole of it is stiff.", revision=1)}
    adjudicate(campaign=campaign, item_output=disputed, scores=again, by=owner)
    given = {"against": "decision:tone", "reason": WHY, "revision": "1"}

    stale = client_of(reviewer).post(place, given)

    assert stale.status_code == 412
    assert "decision changed since you opened the page" in stale.text
    assert "The whole of it is stiff." in stale.text and WHY in stale.text
    assert 'name="revision" value="2"' in stale.text
    assert not Appeal.objects.exists()
    assert client_of(reviewer).post(place, {**given, "revision": "2"}).status_code == 302


def test_against_a_change_request(
    campaign: Campaign, review: Review, manager: User, owner: User, reviewer: User
) -> None:
    sent = request_changes(review=review, by=manager, reason="Look again.")
    appeal(review=review, against=REQUEST, reason=WHY, by=reviewer)
    with pytest.raises(NotAllowedError):
        answer_appeal(appeal=stored(campaign), by=manager, outcome="upheld", answer="No.")

    answer_appeal(appeal=stored(campaign), by=owner, outcome="changed", answer="It stands as it is.")

    sent.refresh_from_db()
    assert sent.state == "withdrawn"
    assert "It stands as it is." in client_of(reviewer).get(f"{review_url(review)}discussion/").text


def test_upheld_changes_nothing(
    campaign: Campaign, review: Review, decision: Adjudication, owner: User, reviewer: User
) -> None:
    appeal(review=review, against=f"{DECISION}tone", reason=WHY, by=reviewer)
    answer_appeal(appeal=stored(campaign), by=owner, outcome="upheld", answer="Read it again, please.")
    decision.refresh_from_db()
    assert (decision.value, decision.revision) == (4, 1)
    with pytest.raises(ConflictError, match="already"):
        appeal(review=review, against=f"{DECISION}tone", reason="Still.", by=reviewer)
    # What it is revised to later can be appealed anew.
    adjudicate(
        campaign=campaign,
        item_output=review.item_output,
        scores={"tone": AdjudicatedScore(5, "Better than I thought.", 1)},
        by=owner,
    )
    appeal(review=review, against=f"{DECISION}tone", reason="Even less.", by=reviewer)
    assert Appeal.objects.filter(answered_at=None).count() == 1


def test_the_only_adjudicator_answers_themselves(
    campaign: Campaign, review: Review, decision: Adjudication, owner: User, manager: User, reviewer: User
) -> None:
    appeal(review=review, against=f"{DECISION}tone", reason=WHY, by=reviewer)
    Membership.objects.filter(user=owner).update(role="engineer")
    answered = answer_appeal(
        appeal=stored(campaign), by=manager, outcome="upheld", answer="There is nobody else."
    )
    assert answered.answered_by == manager


def test_nobody_answers_about_their_own(
    campaign: Campaign, review: Review, decision: Adjudication, reviewer: User, other_reviewer: User
) -> None:
    appeal(review=review, against=f"{DECISION}tone", reason=WHY, by=reviewer)
    Membership.objects.filter(user__in=[reviewer, other_reviewer]).update(role="manager")
    for person in (reviewer, other_reviewer):
        with pytest.raises(NotAllowedError):
            answer_appeal(appeal=stored(campaign), by=person, outcome="upheld", answer="No.")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"outcome": "maybe", "answer": "x"}, "outcome"),
        ({"outcome": "upheld", "answer": " "}, "answer"),
        ({"outcome": "changed", "answer": "x"}, "value"),
        ({"outcome": "changed", "answer": "x", "value": 4}, "value"),
        ({"outcome": "changed", "answer": "x", "value": 9}, "value"),
    ],
)
def test_an_answer_is_whole_or_nothing(
    campaign: Campaign,
    review: Review,
    decision: Adjudication,
    owner: User,
    reviewer: User,
    given: dict,
    field: str,
) -> None:
    appeal(review=review, against=f"{DECISION}tone", reason=WHY, by=reviewer)
    with pytest.raises(InvalidError) as refused:
        answer_appeal(appeal=stored(campaign), by=owner, **given)
    assert list(refused.value.fields) == [field]
    assert stored(campaign).answered_at is None
    page = address(campaign, f"adjudication/appeals/{stored(campaign).pk}/")
    assert client_of(owner).post(page, given).status_code == 400


def test_what_cannot_be_appealed(review: Review, manager: User, reviewer: User, other_reviewer: User) -> None:
    for against in (REQUEST, f"{DECISION}tone", "x" * 40):
        with pytest.raises(MissingError):
            appeal(review=review, against=against, reason=WHY, by=reviewer)
    sent = request_changes(review=review, by=manager, reason="Look again.")
    with pytest.raises(InvalidError):
        appeal(review=review, against=REQUEST, reason=" ", by=reviewer)
    with pytest.raises(MissingError):
        appeal(review=review, against=REQUEST, reason=WHY, by=other_reviewer)
    place = f"{review_url(review)}appeal/"
    answer = client_of(reviewer).post(place, {"against": "request", "reason": ""})
    assert answer.status_code == 400
    assert "field-error" in answer.text
    assert client_of(reviewer).post(place, {"against": "decision:tone", "reason": WHY}).status_code == 404
    assert client_of(other_reviewer).post(place, {"against": "request", "reason": WHY}).status_code == 404
    assert not Appeal.objects.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        Appeal.objects.create(
            campaign=review.campaign, appellant=reviewer, decided_by=manager, reason="about nothing"
        )
    assert ChangeRequest.objects.get() == sent


def test_lists_take_as_many_queries_for_three_as_for_one(
    campaign: Campaign, manager: User, owner: User, reviewer: User
) -> None:
    client, place = client_of(owner), address(campaign, "adjudication/appeals/")

    def queries() -> int:
        client.get(place)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(place).status_code == 200
        return len(captured)

    counts = []
    for review in Review.objects.filter(reviewer=reviewer).select_related("campaign__project")[:3]:
        request_changes(review=review, by=manager, reason="Look again.")
        appeal(review=review, against=REQUEST, reason=WHY, by=reviewer)
        counts.append(queries())
    assert len(set(counts)) == 1
