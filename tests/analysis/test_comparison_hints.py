"""Hints about reviewers who compare answers, each with its figures and the preferences behind it."""

from collections.abc import Callable

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.quality.campaign_quality import quality_of
from evalapp.analysis.quality.hints import Hint
from evalapp.analysis.quality.reading import reading_times
from evalapp.campaigns.models import Campaign
from evalapp.reviews.kinds import PREFERENCE
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.queries import review_context_at
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign, offered
from tests.kept_cast import Cast, again
from tests.reviews.preferences.conftest import judge

pytestmark = pytest.mark.django_db
ROWS = 24
TEXTS = {
    "new": "The new answer to {n} says in twelve words what there is to know.",
    "old": "The old answer to {n} takes just as many words and says much less.",
    "third": "A third answer to {n}, which is rather long and has nothing to add.",
}

Rule = Callable[[list[str]], PreferenceAnswers]


def judge_by(campaign: Campaign, person: User, rule: Rule, *, seconds: float = 30.0) -> None:
    for found in offered(campaign, person):
        review_context = review_context_at(person, found.assignment.key, found.slot)
        texts = [answer.text for answer in PREFERENCE.task_at(review_context).answers]
        judge(campaign, person, rule(texts), review_context=review_context, seconds=seconds)


def prefers_new(texts: list[str]) -> PreferenceAnswers:
    """The new answer, but for every fourth row the old one."""
    row = int(texts[0].split(" to ")[1].split()[0].strip(","))
    wanted = "old" if row % 4 == 0 else "new"
    return PreferenceAnswers("a" if f" {wanted} " in texts[0] else "b")


def turned(rule: Rule) -> Rule:
    return lambda texts: PreferenceAnswers("b" if rule(texts).choice == "a" else "a")


def ranks_by(*words: str) -> Rule:
    return lambda texts: PreferenceAnswers(
        "", [next(n for n, word in enumerate(words, 1) if f" {word} " in text) for text in texts]
    )


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    """Two of three people have judged all, and agree."""
    texts = {label: TEXTS[label] for label in ("new", "old")}
    people = [cast.reviewer, cast.other_reviewer, cast.engineer]
    campaign = make_campaign(cast.project, people, rows=ROWS, texts=texts, method="pairwise")
    for person in people[1:]:
        judge_by(campaign, person, prefers_new)
    return campaign


@pytest.fixture
def pairs(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture
def panel(pairs: Campaign, manager: User) -> Callable[..., list[Hint]]:
    """Two people who agree, and a third who judges by ``rule``: the hints about all."""

    def look(third: User, rule: Rule, *, seconds: float = 30.0) -> list[Hint]:
        judge_by(pairs, third, rule, seconds=seconds)
        return [each.hint for each in quality_of(pairs, reader=manager.pk).hints]

    return look


def test_people_who_agree_give_no_hint(
    panel: Callable[..., list[Hint]], pairs: Campaign, reviewer: User, manager: User
) -> None:
    assert panel(reviewer, prefers_new) == []
    page = client_of(manager).get(f"/projects/{pairs.project.slug}/campaigns/{pairs.pk}/quality/").text
    assert "No hints about reviewers." in page and "always for the same side or answer" in page


def test_whoever_always_says_a_within_a_second_is_told_with_share_and_speed(
    panel: Callable[..., list[Hint]],
    pairs: Campaign,
    reviewer: User,
    other_reviewer: User,
    engineer: User,
    manager: User,
) -> None:
    hints = {hint.kind: hint for hint in panel(reviewer, lambda _: PreferenceAnswers("a"), seconds=1.0)}
    assert {hint.reviewer_id for hint in hints.values()} == {reviewer.pk}
    side, fast = hints["one_side"], hints["too_fast"]
    assert side.title == "Always the same side"
    assert side.evidence.startswith("“A is better” in 24 of 24 preferences (")
    assert "1.0 active seconds a review" in fast.evidence and "the others 30.0" in fast.evidence
    project = pairs.project.slug
    page = client_of(manager).get(f"/projects/{project}/campaigns/{pairs.pk}/quality/").text
    assert "No reviewer is behind" not in page
    number = side.cases["reviewer"]
    address = f"/projects/{project}/results/{pairs.pk}/preferences/?reviewer={number}&amp;side=first"
    assert address in page
    cases = client_of(manager).get(address.replace("&amp;", "&"))
    assert cases.context["page"].paginator.count == ROWS
    told = program_of(manager).get(f"projects/{project}/campaigns/{pairs.pk}/quality/").json()
    shares = {each["reviewer"]: each["first_side"]["value"] for each in told["preferences"]}
    assert shares[f"Reviewer {number}"] == 1.0
    # Of the two who look at the answer as often as the one they preferred stood on the first side.
    others = [
        Review.objects.filter(assignment__reviewer=person, preference__choice="a").count() / ROWS
        for person in (other_reviewer, engineer)
    ]
    assert sorted(shares.values()) == sorted([1.0, *others])
    assert {each["seconds"] for each in told["preferences"]} == {1.0, 30.0}
    assert "one_side" in {hint["kind"] for hint in told["hints"]}


def test_the_second_side_is_told_as_such(panel: Callable[..., list[Hint]], reviewer: User) -> None:
    (side,) = [hint for hint in panel(reviewer, lambda _: PreferenceAnswers("b")) if hint.kind == "one_side"]
    assert side.evidence.startswith("“B is better” in 24 of 24 preferences (")
    assert side.cases["side"] == "other"


@pytest.mark.parametrize(("choice", "words"), [("tie", "Equally good"), ("both_bad", "Both bad")])
def test_whoever_prefers_nothing_throughout_is_told_against_the_others(
    choice: str, words: str, panel: Callable[..., list[Hint]], reviewer: User
) -> None:
    (same,) = [
        hint for hint in panel(reviewer, lambda _: PreferenceAnswers(choice)) if hint.kind == "same_answer"
    ]
    assert same.reviewer_id == reviewer.pk
    assert f"“{words}” in 24 of 24 comparisons; others said so in 0 of 48" in same.evidence


def test_whoever_judges_otherwise_is_told_and_not_those_who_agree(
    panel: Callable[..., list[Hint]], reviewer: User
) -> None:
    (other,) = panel(reviewer, turned(prefers_new))
    assert (other.kind, other.reviewer_id) == ("disagreement", reviewer.pk)
    assert (
        "Another preference than a co-reviewer's 100% of the time on 24 shared comparisons" in other.evidence
    )
    assert "the others among themselves 0% on 24." in other.evidence


def test_rankings_have_the_same_hints(
    empty_project: Project, reviewer: User, other_reviewer: User, engineer: User, manager: User
) -> None:
    people = [reviewer, other_reviewer, engineer]
    campaign = make_campaign(empty_project, people, rows=ROWS, texts=TEXTS, method="ranking")
    for person in (other_reviewer, engineer):
        judge_by(campaign, person, ranks_by("new", "old", "third"))
    judge_by(campaign, reviewer, lambda texts: PreferenceAnswers("", [1, 2, 3]), seconds=1.0)
    found = quality_of(campaign, reader=manager.pk)
    hints = {each.hint.kind: each.hint for each in found.hints}
    assert set(hints) == {"one_side", "too_fast", "disagreement"}
    assert {hint.reviewer_id for hint in hints.values()} == {reviewer.pk}
    assert hints["one_side"].evidence.startswith(
        "The answer shown first put above the other in 100% of the pairs of 24 rankings"
    )
    assert "Another answer first than a co-reviewer's" in hints["disagreement"].evidence


def test_an_answer_met_again_is_not_new_to_the_reader(empty_project: Project, reviewer: User) -> None:
    campaign = make_campaign(empty_project, [reviewer], rows=1, texts=TEXTS, method="pairwise")
    judge_by(campaign, reviewer, lambda _: PreferenceAnswers("a"), seconds=60.0)
    assert campaign.reviews.count() == 3
    (reading,) = reading_times(campaign).values()
    words = sorted(len(text.split()) for text in TEXTS.values())
    # Per minute: two answers and the context with the first comparison, the third answer with the second,
    # none after.
    assert reading.reviews == 3 and reading.seconds == 60.0
    assert reading.words_per_minute in [float(each) for each in words]
