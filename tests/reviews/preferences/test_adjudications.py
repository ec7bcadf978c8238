"""Where preferences differ somebody else decides, beside what reviewers gave; they discuss it and appeal."""

import csv
import io
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.adjudication.appeals import COMPARISON_DECISION
from evalapp.adjudication.disagreements import disputed_comparisons
from evalapp.adjudication.models import ComparisonAdjudication, DiscussionMessage
from evalapp.adjudication.services import adjudicate_comparison
from evalapp.analysis.models import ScoreSource
from evalapp.analysis.pairwise.pairs import load_preferences, pair_results
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.allocation import next_review
from evalapp.campaigns.models import Campaign, Comparison, ItemOutput
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError, StaleError
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from tests.adjudication.conftest import address, name_distinctly
from tests.api.conftest import program_of
from tests.cast import client_of, make_project
from tests.kept_cast import FIXTURES, Cast, again
from tests.reviews.preferences.conftest import (
    WHY,
    decide,
    desk_of,
    dispute_in,
    judge,
    judge_all,
    judge_oppositely,
    make_pairwise,
    make_ranking,
    own_page,
)

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES


@pytest.fixture(scope="module")
def judged(cast: Cast) -> Campaign:
    made = make_pairwise(cast.project, [cast.reviewer, cast.other_reviewer])
    judge_oppositely(made, cast.reviewer, cast.other_reviewer)
    return made


@pytest.fixture
def disputed(judged: Campaign, reviewer: User, other_reviewer: User) -> SimpleNamespace:
    return dispute_in(again(judged), reviewer, other_reviewer)


@pytest.fixture
def campaign(empty_project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    """Nobody has judged anything of it."""
    return make_pairwise(empty_project, [reviewer, other_reviewer])


@pytest.fixture(scope="module")
def ranked(cast: Cast) -> Campaign:
    """In opposite orders, in a project of its own."""
    people = {"reviewer": cast.reviewer, "reviewer2": cast.other_reviewer}
    project = make_project("Ranked", owner=cast.owner, manager=cast.manager, **people)
    made = make_ranking(project, list(people.values()))
    judge_all(made, cast.reviewer, PreferenceAnswers("", [1, 2, 3]))
    judge_all(made, cast.other_reviewer, PreferenceAnswers("", [3, 2, 1]))
    return made


@pytest.fixture
def ranking(ranked: Campaign) -> Campaign:
    return again(ranked)


# Deciding


def test_with_adjudicated_comparisons_the_decision_stands_in_place_of_the_preferences(
    disputed, manager
) -> None:
    campaign = disputed.campaign
    preferences = load_preferences(campaign)
    # Each of four comparisons has one preference for either answer.
    (given,) = pair_results(preferences).pairs
    assert (given.wins, given.losses, given.share.value) == (4, 4, 0.5)
    adjudication = decide(disputed, manager)

    results = pair_results(preferences, score_source=ScoreSource.ADJUDICATED)

    (pair,) = results.pairs
    winner = ItemOutput.objects.get(pk=adjudication.outputs[1]).candidate_id
    ahead, behind = (pair.wins, pair.losses) if pair.first.pk == winner else (pair.losses, pair.wins)
    assert (ahead, behind) == (5, 3)
    strengths = {row.candidate.pk: row for row in results.strengths}
    assert strengths[winner].strength.value > 0 and strengths[winner].best == 5
    # What reviewers gave is still what sides and agreement are of.
    original = pair_results(preferences)
    assert (results.alpha, results.exact, results.first_side) == (
        original.alpha,
        original.exact,
        original.first_side,
    )


def test_page_interface_and_copied_table_have_the_switch_to_adjudicated_comparisons(
    disputed, manager
) -> None:
    campaign, project = disputed.campaign, disputed.campaign.project.slug
    page = f"/projects/{project}/results/{campaign.pk}/pairs/"
    browser, program = client_of(manager), program_of(manager)
    assert "adjudicated comparison" not in browser.get(page).text
    decide(disputed, manager)

    plain, switched = browser.get(page).text, browser.get(f"{page}?score_source=adjudicated").text
    assert 'href="?score_source=adjudicated"' in plain and "With 1 adjudicated comparison<" in plain
    assert "Adjudicated values replace the reviewers’ preferences" in switched
    counts = [sorted((row.wins, row.losses)) for row in browser.get(page).context["results"].pairs]
    changed = browser.get(f"{page}?score_source=adjudicated").context["results"].pairs
    assert counts == [[4, 4]] and [sorted((row.wins, row.losses)) for row in changed] == [[3, 5]]

    told = program.get(f"projects/{project}/campaigns/{campaign.pk}/pairs/?score_source=adjudicated").json()
    assert (told["score_source"], told["adjudicated"]) == ("adjudicated", 1)
    assert sorted((told["pairs"][0]["wins"], told["pairs"][0]["losses"])) == [3, 5]
    assert (
        program.get(f"projects/{project}/campaigns/{campaign.pk}/pairs/").json()["score_source"] == "original"
    )
    copied = browser.get(
        f"/projects/{project}/results/{campaign.pk}/tables/pairs.md?score_source=adjudicated"
    ).text
    assert "With 1 adjudicated comparison." in copied


def test_an_adjudicated_ranking_is_told_with_its_ranks(ranking, manager) -> None:
    for row in disputed_comparisons(ranking).rows:
        comparison = Comparison.objects.get(pk=row.subject_id)
        order = {
            output: ItemOutput.objects.get(pk=output).candidate.position for output in comparison.outputs
        }
        ranks = [1 + order[output] for output in comparison.outputs]
        adjudicate_comparison(
            campaign=ranking,
            comparison=comparison,
            preference=PreferenceAnswers("", ranks),
            reason=WHY,
            revision=0,
            by=manager,
        )

    results = pair_results(load_preferences(ranking), score_source=ScoreSource.ADJUDICATED)

    by_position = sorted(results.strengths, key=lambda row: row.candidate.position)
    assert [row.mean_rank.value for row in by_position] == [1, 2, 3]
    assert [row.best for row in by_position] == [6, 0, 0]


def test_an_adjudication_stands_beside_the_judgements_and_in_no_figure_of_what_reviewers_gave(
    disputed, manager
) -> None:
    campaign = disputed.campaign
    before = list(Review.objects.order_by("pk").values())
    figures = pair_results(load_preferences(campaign)).as_dict()

    adjudication = decide(disputed, manager)

    assert list(Review.objects.order_by("pk").values()) == before
    results = pair_results(load_preferences(campaign))
    assert (results.as_dict(), results.adjudicated) == (figures, 1)
    assert (adjudication.choice, adjudication.outputs, adjudication.revision) == (
        "b",
        disputed.comparison.outputs,
        1,
    )
    worklist = disputed_comparisons(campaign)
    assert (worklist.decided, worklist.total) == (1, 4)
    event = AuditEvent.objects.get(action="adjudication.decided")
    assert (event.actor_id, event.data["comparison"], event.data["value"]) == (
        manager.pk,
        disputed.comparison.pk,
        "b",
    )
    office = client_of(manager)
    assert "1 comparison was adjudicated" in office.get(address(campaign, "pairs/")).text
    lines = list(csv.DictReader(io.StringIO(office.get(address(campaign, "preferences.csv")).text)))
    told = [line for line in lines if line["adjudicated"]]
    assert len(told) == 2
    # The same answer, on whichever side it stood.
    assert {line["adjudicated"] for line in told} == {
        f"{line['preferred']} is better" for line in told if int(line["review"]) == disputed.theirs.pk
    }
    case = office.get(address(campaign, f"cases/{disputed.comparison.item_id}/")).text
    assert f"Adjudicated: {told[0]['adjudicated']}" in case and WHY in case


def test_an_adjudication_is_revised_with_its_history(disputed, manager, owner) -> None:
    decide(disputed, manager)
    assert decide(disputed, manager).revision == 1  # the same once more is none
    for revision in (0, 7):
        with pytest.raises(StaleError):
            decide(disputed, owner, PreferenceAnswers("tie"), revision=revision)
    revised = decide(disputed, owner, PreferenceAnswers("tie"), revision=1)
    assert (revised.choice, revised.revision, revised.decided_by) == ("tie", 2, owner)
    kept = revised.revisions.get()
    assert (kept.revision, kept.choice, kept.reason, kept.decided_by) == (1, "b", WHY, manager)
    assert AuditEvent.objects.get(action="adjudication.revised").data["before"] == "b"


@pytest.mark.parametrize(
    ("preference", "reason", "fields"),
    [
        (PreferenceAnswers(""), WHY, ["choice"]),
        (PreferenceAnswers("better"), WHY, ["choice"]),
        (PreferenceAnswers("", [1, 2]), WHY, ["ranks", "choice"]),
        (PreferenceAnswers("a"), " ", ["reason"]),
        (PreferenceAnswers("a"), "x" * 2001, ["reason"]),
        (PreferenceAnswers(""), "", ["choice", "reason"]),
    ],
)
def test_an_adjudication_is_whole_or_nothing(disputed, manager, preference, reason, fields) -> None:
    with pytest.raises(InvalidError, match="Nothing was decided") as refused:
        decide(disputed, manager, preference, reason=reason)
    assert list(refused.value.fields) == fields
    assert not ComparisonAdjudication.objects.exists()


def test_a_ranking_is_decided_as_an_order(ranking, reviewer, manager) -> None:
    found = disputed_comparisons(ranking).rows
    assert len(found) == 3 and {each.differing.farthest for each in found} == {1.0}
    comparison = ranking.reviews.get(comparison=found[0].subject_id, reviewer=reviewer).comparison
    desk = address(ranking, f"adjudication/comparisons/{comparison.pk}/")
    office = client_of(manager)
    page = office.get(desk).text
    assert "A › B › C" in page and "C › B › A" in page
    twice = office.post(desk, {"rank-0": "1", "rank-1": "1", "rank-2": "3", "reason": WHY})
    assert twice.status_code == 400 and "without ties" in twice.text and WHY in twice.text
    office.post(desk, {"rank-0": "2", "rank-1": "1", "rank-2": "3", "reason": WHY})
    assert ComparisonAdjudication.objects.get().ranks == [2, 1, 3]
    with pytest.raises(IntegrityError), transaction.atomic():
        ComparisonAdjudication.objects.update(ranks=[1, 1, 3])


def test_nothing_to_decide_where_preferences_are_the_same(
    campaign, reviewer, other_reviewer, manager
) -> None:
    judge_all(campaign, reviewer, PreferenceAnswers("a"), "One reason.")
    judge_all(campaign, other_reviewer, PreferenceAnswers("a"), "Another reason.")
    assert disputed_comparisons(campaign).total == 0
    comparison = campaign.reviews.first().comparison
    with pytest.raises(ConflictError, match="do not differ"):
        adjudicate_comparison(
            campaign=campaign,
            comparison=comparison,
            preference=PreferenceAnswers("b"),
            reason=WHY,
            by=manager,
        )
    assert "No reviewers gave different" in client_of(manager).get(address(campaign, "adjudication/")).text


# The pages


def test_the_desk_decides_and_goes_on(disputed, reviewer, other_reviewer, manager) -> None:
    name_distinctly(reviewer, other_reviewer)
    campaign, office = disputed.campaign, client_of(manager)
    listed = office.get(address(campaign, "adjudication/")).text
    assert "0 of 4 disagreements decided" in listed and listed.count("Undecided</span>") == 4
    first = office.get(address(campaign, "adjudication/next/")).url
    assert first == desk_of(disputed)
    page = office.get(first).text
    assert "Clearer." in page and "Kinder." in page and "Reviewer 1" in page
    # In one order, whatever stood where on their screens.
    assert page.count("<strong>A is better</strong>") == page.count("<strong>B is better</strong>") == 1
    labels = [each.model_version.label for each in campaign.candidates.select_related("model_version")]
    for secret in (*labels, str(reviewer), reviewer.email, str(other_reviewer)):
        assert secret not in page and secret not in listed
    nothing = office.post(first, {})
    assert nothing.status_code == 400 and "choose the better answer" in nothing.text
    half = office.post(first, {"choice": "b", "reason": ""})
    assert half.status_code == 400 and 'value="b" checked' in half.text and "Give a reason" in half.text
    sent = office.post(first, {"choice": "b", "reason": WHY, "revision": "0"})
    assert sent.status_code == 302 and sent.url != first
    assert "1 of 4 disagreements decided" in office.get(sent.url).text
    stale = office.post(first, {"choice": "tie", "reason": WHY, "revision": "0"})
    assert stale.status_code == 412 and "Somebody else decided" in stale.text
    office.post(first, {"choice": "tie", "reason": WHY, "revision": "1"})
    again = office.get(first).text
    assert "Before that B is better" in again
    decided = office.get(address(campaign, "adjudication/?show=decided")).text
    assert decided.count("Decided</span>") == 1


def test_the_list_takes_as_many_queries_for_one_as_for_four(disputed, manager) -> None:
    office, place = client_of(manager), address(disputed.campaign, "adjudication/")
    counts = []
    for _ in range(2):
        office.get(place)
        with CaptureQueriesContext(connection) as captured:
            assert office.get(place).status_code == 200
        counts.append(len(captured))
        kept = disputed.comparison.pk
        Review.objects.exclude(comparison=kept).delete()
    assert counts[0] == counts[1]


def test_who_gets_there(disputed, request, reviewer) -> None:
    campaign, pk = disputed.campaign, disputed.comparison.pk
    expected = {"owner": 200, "manager": 200, "engineer": 403, "reviewer": 403, "stranger": 404}
    for place in (desk_of(disputed), address(campaign, f"adjudication/comparisons/{pk}/discussion/")):
        found = {name: client_of(request.getfixturevalue(name)).get(place).status_code for name in expected}
        assert found == expected
    expected = {"reviewer": 200, "other_reviewer": 404, "manager": 404, "stranger": 404}
    mine = own_page(disputed.mine)
    found = {name: client_of(request.getfixturevalue(name)).get(mine).status_code for name in expected}
    assert found == expected


# Rights


def test_nobody_rules_on_what_they_judged(disputed, reviewer, owner) -> None:
    campaign = disputed.campaign
    campaign.project.memberships.filter(user=reviewer).update(role="manager")
    with pytest.raises(NotAllowedError, match="reviewed this comparison yourself"):
        decide(disputed, reviewer)
    client = client_of(reviewer)
    page = client.get(desk_of(disputed))
    assert page.status_code == 200 and "Save decision and next" not in page.text
    assert client.post(desk_of(disputed), {"choice": "a", "reason": WHY}).status_code == 403
    assert "Reviewed by you; another person decides" in client.get(address(campaign, "adjudication/")).text
    following = client.get(address(campaign, "adjudication/next/"), follow=True)
    assert "Nothing is left for you" in following.text
    case = client.get(address(campaign, f"cases/{disputed.comparison.item_id}/")).text
    assert f'href="{desk_of(disputed)}"' not in case
    # And the database itself refuses it.
    adjudication = decide(disputed, owner)
    with pytest.raises(IntegrityError, match="reviewed"), transaction.atomic():
        ComparisonAdjudication.objects.filter(pk=adjudication.pk).update(decided_by=reviewer)


def test_who_may_still_be_given_work_reads_and_rules_on_nothing(
    campaign, reviewer, other_reviewer, manager
) -> None:
    judge(campaign, reviewer)
    campaign.project.memberships.filter(user=other_reviewer).update(role="manager")
    comparison = campaign.reviews.get().comparison
    with pytest.raises(NotAllowedError, match="still review"):
        adjudicate_comparison(
            campaign=campaign,
            comparison=comparison,
            preference=PreferenceAnswers("b"),
            reason=WHY,
            by=other_reviewer,
        )
    for page in (
        f"adjudication/comparisons/{comparison.pk}/",
        f"adjudication/comparisons/{comparison.pk}/discussion/",
    ):
        assert client_of(other_reviewer).get(address(campaign, page)).status_code == 403
        assert client_of(manager).get(address(campaign, page)).status_code == 200


# Discussion


def test_those_who_judged_and_those_who_decide_talk(disputed, reviewer, other_reviewer, manager) -> None:
    name_distinctly(reviewer, other_reviewer, manager)
    office = address(disputed.campaign, f"adjudication/comparisons/{disputed.comparison.pk}/discussion/")
    mine, theirs = client_of(reviewer), client_of(other_reviewer)
    assert mine.post(own_page(disputed.mine), {"text": "Which deadline?"}).status_code == 302
    assert client_of(manager).post(office, {"text": "That of **May**."}).status_code == 302
    seen = theirs.get(own_page(disputed.theirs)).text
    assert "Which deadline?" in seen and "<strong>May</strong>" in seen
    assert "Reviewer 1" in seen and "Adjudicator" in seen
    for person in (reviewer, manager):
        assert str(person) not in seen and person.email not in seen
    # What others said of the answers is not in it.
    assert "Clearer." not in seen
    assert f"{own_page(disputed.mine)}" in mine.get(own_page(disputed.mine).removesuffix("discussion/")).text
    assert DiscussionMessage.objects.filter(comparison=disputed.comparison).count() == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        DiscussionMessage.objects.create(campaign=disputed.campaign, author=manager, text="About nothing.")


def test_answers_that_are_compared_are_not_discussed_or_decided_one_by_one(disputed, manager) -> None:
    office, one = client_of(manager), disputed.comparison.outputs[0]
    discussion = address(disputed.campaign, f"adjudication/{one}/discussion/")
    answers = (
        office.get(address(disputed.campaign, f"adjudication/{one}/")),
        office.get(discussion),
        office.post(discussion, {"text": "Nobody would read this."}),
        program_of(manager).post(
            f"/api/v1{discussion.replace('/results/', '/campaigns/')}", {"text": "Nor this."}
        ),
    )
    assert [each.status_code for each in answers] == [404] * 4
    assert not DiscussionMessage.objects.exists()


def test_nothing_of_it_before_ones_own_preference(campaign, reviewer, other_reviewer, manager, owner) -> None:
    judge_all(campaign, other_reviewer, PreferenceAnswers("a"))
    campaign_reviewer = campaign.reviewers.select_related("campaign__project", "user").get(user=reviewer)
    found = next_review(campaign_reviewer=campaign_reviewer)
    own = f"/reviews/{found.assignment.key}/{found.slot}/"
    comparison = found.assignment.outputs_order[found.slot]
    DiscussionMessage.objects.create(
        campaign=campaign, comparison_id=comparison, author=other_reviewer, text="A peer's words."
    )
    client = client_of(reviewer)
    for answer in (
        client.get(f"{own}discussion/"),
        client.post(f"{own}discussion/", {"text": "Mine."}),
        client.post(f"{own}appeal/", {"against": COMPARISON_DECISION, "reason": WHY}),
        client.get(f"/api/v1{own}discussion/"),
        client.get(f"/api/v1{own}appeals/"),
    ):
        assert answer.status_code in (401, 404)
        assert "A peer's words." not in answer.text
    assert "A peer's words." not in client.get(own).text
