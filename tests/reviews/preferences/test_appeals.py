"""Reviewers appeal against a decision on a comparison, and against a change request."""

import pytest

from evalapp.adjudication.appeals import COMPARISON_DECISION, REQUEST, answer_appeal, appeal, appeals_of
from evalapp.adjudication.models import Appeal
from evalapp.adjudication.services import adjudicate_comparison
from evalapp.core.errors import ConflictError, InvalidError, MissingError, NotAllowedError
from evalapp.decisions.inbox import inbox_of
from evalapp.reviews.change_requests import request_changes
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.tasks import preference_of, preference_words
from tests.adjudication.conftest import address
from tests.cast import client_of
from tests.reviews.preferences.conftest import WHY, decide, judge_all, own_page

pytestmark = pytest.mark.django_db


def test_a_reviewer_appeals_against_an_adjudication_and_it_is_changed(
    disputed, reviewer, other_reviewer, manager, owner
) -> None:
    campaign = disputed.campaign
    adjudication = decide(disputed, manager)
    mine = own_page(disputed.mine)
    # By the letters under which this person saw the answers.
    told = preference_words(
        adjudication.preference.turned(adjudication.outputs, disputed.mine.preference.outputs)
    )
    page = client_of(reviewer).get(mine).text
    assert f'Preference: <strong class="number">{told}</strong>' in page
    assert f"you gave {preference_words(preference_of(disputed.mine))}" in page
    place = mine.replace("discussion/", "appeal/")
    sent = client_of(reviewer).post(
        place, {"against": COMPARISON_DECISION, "reason": "The first names it, too."}
    )
    assert sent.url == mine
    assert "Your appeal is not answered yet" in client_of(reviewer).get(mine).text
    (entry,) = [each for each in inbox_of(campaign.project) if each.kind == "appeal"]
    assert "1 appeal to answer" in entry.text
    assert "The decision on this comparison" in client_of(owner).get(entry.href).text
    detail = address(campaign, f"adjudication/appeals/{Appeal.objects.get().pk}/")
    assert "somebody else has to answer" in client_of(manager).get(detail).text
    with pytest.raises(NotAllowedError):
        answer_appeal(appeal=appeals_of(campaign).get(), by=manager, outcome="upheld", answer="No.")
    with pytest.raises(InvalidError) as refused:
        answer_appeal(
            appeal=appeals_of(campaign).get(),
            by=owner,
            outcome="changed",
            answer="x",
            value=PreferenceAnswers("b"),
        )
    assert list(refused.value.fields) == ["choice"]
    empty = client_of(owner).post(detail, {"outcome": "changed", "answer": "Yes."})
    assert empty.status_code == 400
    answered = client_of(owner).post(detail, {"outcome": "changed", "choice": "tie", "answer": "It does."})
    assert answered.status_code == 302
    adjudication.refresh_from_db()
    assert (adjudication.choice, adjudication.revision, adjudication.decided_by) == ("tie", 2, owner)
    seen = client_of(reviewer).get(mine).text
    assert "It does." in seen and "Changed" in seen
    # What it was revised to can be appealed anew, once by each who judged it.
    for given in (disputed.mine, disputed.theirs):
        appeal(review=given, against=COMPARISON_DECISION, reason="Still not.", by=given.reviewer)
        with pytest.raises(ConflictError, match="already"):
            appeal(review=given, against=COMPARISON_DECISION, reason="And again.", by=given.reviewer)


def test_an_appeal_about_a_ranking_takes_a_new_order(
    ranking, reviewer, other_reviewer, manager, owner
) -> None:
    judge_all(ranking, reviewer, PreferenceAnswers("", [1, 2, 3]))
    judge_all(ranking, other_reviewer, PreferenceAnswers("", [3, 2, 1]))
    mine = ranking.reviews.select_related("comparison", "campaign__project").filter(reviewer=reviewer)[0]
    adjudication = adjudicate_comparison(
        campaign=ranking,
        comparison=mine.comparison,
        preference=PreferenceAnswers("", [3, 1, 2]),
        reason=WHY,
        by=manager,
    )
    appeal(review=mine, against=COMPARISON_DECISION, reason="B is last.", by=reviewer)
    detail = address(ranking, f"adjudication/appeals/{Appeal.objects.get().pk}/")
    office = client_of(owner)
    assert "New rank of C" in office.get(detail).text
    ranks = {"rank-0": "1", "rank-1": "3", "rank-2": "2"}
    assert office.post(detail, {"outcome": "changed", "answer": "So it is.", **ranks}).status_code == 302
    adjudication.refresh_from_db()
    assert (adjudication.ranks, adjudication.revision) == ([1, 3, 2], 2)


def test_a_reviewer_appeals_against_a_change_request(disputed, reviewer, manager, owner) -> None:
    sent = request_changes(review=disputed.mine, by=manager, reason="Read both again.")
    mine = own_page(disputed.mine)
    assert "Discuss it, or appeal" in client_of(reviewer).get(mine.removesuffix("discussion/")).text
    assert "Read both again." in client_of(reviewer).get(mine).text
    appeal(review=disputed.mine, against=REQUEST, reason="I did.", by=reviewer)
    waiting = appeals_of(disputed.campaign).get()
    page = client_of(owner).get(address(disputed.campaign, f"adjudication/appeals/{waiting.pk}/")).text
    assert "Appeal against the request for changes to the review" in page and "I did." in page
    with pytest.raises(NotAllowedError):
        answer_appeal(appeal=waiting, by=manager, outcome="upheld", answer="No.")
    answer_appeal(appeal=waiting, by=owner, outcome="changed", answer="It stands.")
    sent.refresh_from_db()
    assert sent.state == "withdrawn"
    assert "It stands." in client_of(reviewer).get(mine).text
    with pytest.raises(MissingError):
        appeal(review=disputed.mine, against=REQUEST, reason="Again.", by=reviewer)


def test_what_cannot_be_appealed(disputed, reviewer, other_reviewer, manager) -> None:
    for against in (COMPARISON_DECISION, REQUEST, "decision:tone"):
        with pytest.raises(MissingError):
            appeal(review=disputed.mine, against=against, reason=WHY, by=reviewer)
    decide(disputed, manager)
    with pytest.raises(InvalidError):
        appeal(review=disputed.mine, against=COMPARISON_DECISION, reason=" ", by=reviewer)
    with pytest.raises(MissingError):
        appeal(review=disputed.mine, against=COMPARISON_DECISION, reason=WHY, by=manager)
    assert not Appeal.objects.exists()
