"""Results of campaigns whose answers are compared, and the preferences behind each number."""

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.analysis.charts import strengths_chart
from evalapp.analysis.pairwise.pair_lists import as_lines, find_preferences, lines_of_item, pair_filter
from evalapp.analysis.pairwise.pairs import PreferenceRow, load_preferences, pair_results
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.campaigns.services import close_campaign
from evalapp.core.errors import MissingError
from evalapp.decisions.services import decide
from evalapp.exports.models import ExportRow
from evalapp.exports.services import propose_rows
from evalapp.reviews.kinds import PREFERENCE
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.distance import differing_preferences, distance
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign
from tests.reviews.preferences.conftest import again, claim, judge

pytestmark = pytest.mark.django_db
TEXTS = {"old": "The old answer to {n}.", "new": "The new answer to {n}.", "third": "A third one to {n}."}


def pairs_campaign(project: Project, people: list[User], *, rows: int = 6, name: str = "Pairs", **options):
    texts = {label: TEXTS[label] for label in options.pop("labels", ("old", "new"))}
    texts = {f"{label} of {name}": text for label, text in texts.items()}
    method = options.pop("method", "pairwise")
    return make_campaign(project, people, rows=rows, texts=texts, method=method, name=name, **options)


def judge_by(campaign: Campaign, person: User, rule, *, count: int | None = None) -> None:
    """Judge what the person is offered: ``rule(texts)`` gives the preference, told by the words of the
    answers.
    """
    done = 0
    while count is None or done < count:
        try:
            review_context = claim(campaign, person)
        except AssertionError:
            return
        texts = [answer.text for answer in PREFERENCE.task_at(review_context).answers]
        judge(campaign, person, rule(texts), review_context=again(review_context))
        done += 1


def prefers(word: str, comment: str = ""):
    """Whichever side it stands on."""
    return lambda texts: PreferenceAnswers("a" if word in texts[0] else "b", None, comment)


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    return pairs_campaign(project, [reviewer, other_reviewer])


def results_of(campaign: Campaign):
    return pair_results(load_preferences(Campaign.objects.select_related("project").get(pk=campaign.pk)))


def test_wins_are_counted_by_candidate_whatever_side_they_stood_on(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    judge_by(campaign, reviewer, prefers("new"))
    judge_by(campaign, other_reviewer, prefers("old"), count=2)
    judge_by(campaign, other_reviewer, lambda _: PreferenceAnswers("tie"), count=1)
    judge_by(campaign, other_reviewer, lambda _: PreferenceAnswers("both_bad"), count=1)
    results = results_of(campaign)
    (pair,) = results.pairs
    assert pair.first.model_version.label.startswith("old")
    assert (pair.wins, pair.losses, pair.ties, pair.both_bad) == (2, 6, 1, 1)
    assert pair.total == 10
    by_item: dict[int, list[float]] = {}
    for row in results.preferences.rows:
        for first, _, points in row.pairs():
            if points is not None:
                told = points if first == pair.first.pk else 1 - points
                by_item.setdefault(row.item_id, []).append(told)
    expected = sum(sum(told) / len(told) for told in by_item.values()) / len(by_item)
    assert pair.share.value == pytest.approx(expected)
    assert pair.bad_share.value == pytest.approx(1 / 12)
    strengths = {
        row.candidate.model_version.label.split()[0]: row.strength.value for row in results.strengths
    }
    assert strengths["new"] > 0 > strengths["old"]
    assert results.strengths[0].candidate.model_version.label.startswith("new")
    assert (results.strengths[0].best, results.strengths[1].best) == (6, 2)


def test_a_reviewer_who_always_takes_the_first_shows_as_an_effect_of_the_side(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    judge_by(campaign, reviewer, lambda _: PreferenceAnswers("a"))
    judge_by(campaign, other_reviewer, lambda _: PreferenceAnswers("a"))
    results = results_of(campaign)
    assert (results.first_side.value, results.first_side_counts) == (1.0, (12, 0))
    # The sides are balanced, so neither candidate gains by it.
    assert results.pairs[0].share.value == 0.5
    assert results.exact.value == 0.0


def test_a_ranking_tells_every_pair_and_a_mean_rank(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = pairs_campaign(
        project, [reviewer, other_reviewer], method="ranking", labels=("old", "new", "third"), rows=4
    )
    order = ["new", "third", "old"]

    def rule(texts):
        found = [next(rank for rank, word in enumerate(order, 1) if word in text) for text in texts]
        return PreferenceAnswers("", found)

    for person in (reviewer, other_reviewer):
        judge_by(campaign, person, rule)
    results = results_of(campaign)
    assert results.is_ranking
    names = [row.candidate.model_version.label.split()[0] for row in results.strengths]
    assert names == order
    assert [row.mean_rank.value for row in results.strengths] == [1, 2, 3]
    assert {(pair.wins, pair.losses) for pair in results.pairs} == {(0, 8), (8, 0)}
    assert results.exact.value == 1.0
    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/pairs/").text
    assert "positions balanced" in page and "a tie counts half" not in page


def test_each_number_leads_to_exactly_its_preferences(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    judge_by(campaign, reviewer, prefers("new"))
    judge_by(campaign, other_reviewer, prefers("old"), count=2)
    judge_by(campaign, other_reviewer, lambda _: PreferenceAnswers("tie"), count=1)
    judge_by(campaign, other_reviewer, lambda _: PreferenceAnswers("both_bad"), count=1)
    preferences = load_preferences(campaign)
    results = pair_results(preferences)
    (pair,) = results.pairs
    both = {"first": str(pair.first.pk), "second": str(pair.second.pk)}

    def count(**query: str) -> int:
        return len(find_preferences(preferences, pair_filter(preferences, query)))

    assert count() == 10
    assert count(**both) == pair.total
    assert count(**both, outcome="first") == pair.wins
    assert count(**both, outcome="second") == pair.losses
    assert count(**both, outcome="tie") == pair.ties
    assert count(**both, outcome="both_bad") == pair.both_bad
    assert count(first=both["second"], second=both["first"], outcome="first") == pair.losses
    assert (count(side="first"), count(side="other")) == results.first_side_counts
    assert count(best=both["second"]) == 6
    assert count(reviewer="2") == 4


@pytest.mark.parametrize(
    "query",
    [
        {"first": "0"},
        {"best": "999999999999"},
        {"outcome": "first"},
        {"outcome": "x"},
        {"side": "left"},
        {"reviewer": "7"},
        {"reviewer": "x"},
    ],
)
def test_a_filter_that_names_nothing_is_not_there(campaign: Campaign, query: dict[str, str]) -> None:
    with pytest.raises(MissingError):
        pair_filter(load_preferences(campaign), query)


def test_pseudonyms_are_the_same_on_every_page(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    judge_by(campaign, other_reviewer, prefers("new"), count=1)
    judge_by(campaign, reviewer, prefers("new"))
    judge_by(campaign, other_reviewer, prefers("old"))
    everything = load_preferences(campaign)
    assert everything.numbers == {other_reviewer.pk: 1, reviewer.pk: 2}
    told = {line.review.pk: line.reviewer for line in as_lines(everything, everything.rows)}
    for item in campaign.items.all():
        for line in lines_of_item(campaign, item.pk):
            assert told.pop(line.review.pk) == line.reviewer
    assert told == {}


def test_lines_tell_the_preference_by_name_and_how_the_answers_stood(
    campaign: Campaign, reviewer: User
) -> None:
    judge_by(campaign, reviewer, prefers("new", "Clearer."), count=1)
    preferences = load_preferences(campaign)
    (line,) = as_lines(preferences, preferences.rows)
    assert line.preference == "new of Pairs is better"
    owner = dict(ItemOutput.objects.values_list("pk", "candidate"))
    assert [each.pk for each in line.shown] == [owner[pk] for pk in line.review.preference.outputs]
    assert lines_of_item(campaign, line.review.comparison.item_id) == [line]


PAGES = ["results/{campaign}/pairs/", "results/{campaign}/preferences/", "results/{campaign}/preferences.csv"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("judged", [0, 3])
def test_the_pages_open_for_those_who_evaluate(
    page: str, judged: int, campaign: Campaign, reviewer: User, engineer: User, stranger: User
) -> None:
    judge_by(campaign, reviewer, prefers("new"), count=judged)
    address = f"/projects/{campaign.project.slug}/" + page.format(campaign=campaign.pk)
    assert client_of(engineer).get(address).status_code == 200
    assert client_of(reviewer).get(address).status_code == 403
    assert client_of(stranger).get(address).status_code == 404


def test_results_of_a_campaign_that_rates_are_not_there(
    project: Project, engineer: User, reviewer: User
) -> None:
    rated = make_campaign(project, [reviewer], rows=1)
    for page in PAGES:
        address = f"/projects/{project.slug}/" + page.format(campaign=rated.pk)
        assert client_of(engineer).get(address).status_code == 404


def test_the_results_page_shows_shares_strengths_and_sides(
    campaign: Campaign, reviewer: User, other_reviewer: User, manager: User
) -> None:
    judge_by(campaign, reviewer, prefers("new"))
    judge_by(campaign, other_reviewer, prefers("new"), count=5)
    html = client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/pairs/").text
    assert "11 of 12 preferences so far, on 6 of 6 items, by 2 reviewers" in " ".join(html.split())
    for words in ("Win rates", "Strength of each candidate", "Position effect"):
        assert words in html
    # People first, metrics below.
    assert html.index("Win rates") < html.index("Metrics")
    assert "outcome=second" in html and ">11</a>" in html
    assert 'data-chart="strengths-drawn"' in html and "The strengths lie between" in html


def test_the_chart_calls_nobody_strongest_where_all_are_equal(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    judge_by(campaign, reviewer, prefers("new"))
    judge_by(campaign, other_reviewer, prefers("old"))
    chart = strengths_chart(pair_results(load_preferences(campaign)))
    assert chart is not None and chart.says.startswith("No candidate is stronger than another, 0.0")


def test_a_page_costs_the_same_for_one_judgement_and_for_many(
    campaign: Campaign, reviewer: User, other_reviewer: User, manager: User
) -> None:
    client = client_of(manager)
    pages = [f"/projects/{campaign.project.slug}/" + page.format(campaign=campaign.pk) for page in PAGES]

    def counts() -> list[int]:
        found = []
        for page in pages:
            with CaptureQueriesContext(connection) as asked:
                client.get(page)
            found.append(len(asked))
        return found

    judge_by(campaign, reviewer, prefers("new"), count=1)
    counts()
    one = counts()
    judge_by(campaign, reviewer, prefers("new"))
    judge_by(campaign, other_reviewer, prefers("old"), count=5)
    assert counts() == one


def test_the_file_names_candidates_as_shown_and_reviewers_by_pseudonym(
    campaign: Campaign, reviewer: User, manager: User
) -> None:
    judge_by(campaign, reviewer, prefers("new", "=SUM(A1)"), count=2)
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/preferences.csv"
    text = client_of(manager).get(address).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2
    for row in rows:
        assert {row["shown_a"], row["shown_b"]} == {"old of Pairs", "new of Pairs"}
        assert row["preferred"] == "new of Pairs"
        assert row[f"shown_{row['choice']}"] == "new of Pairs"
        assert (row["reviewer"], row["comment"]) == ("Reviewer 1", "'=SUM(A1)")
    assert reviewer.email not in text


def test_the_other_pages_say_what_applies_and_lead_to_the_results(
    campaign: Campaign, reviewer: User, manager: User
) -> None:
    judge_by(campaign, reviewer, prefers("new", "Because."), count=3)
    project, client = campaign.project, client_of(manager)
    results = f"/projects/{project.slug}/results/{campaign.pk}/pairs/"
    item = Review.objects.latest("pk").comparison.item_id
    close_campaign(campaign=campaign, by=None)
    for address in (
        f"/projects/{project.slug}/",
        f"/projects/{project.slug}/results/",
        f"/projects/{project.slug}/campaigns/{campaign.pk}/",
    ):
        page = client.get(address)
        assert (page.status_code, results in page.text) == (200, True), address
    compare = client.get(f"/projects/{project.slug}/results/{campaign.pk}/?reviewer_type=human")
    assert (compare.status_code, compare.url) == (302, f"{results}?reviewer_type=human")
    for part in ("cases/", "table.csv", "decide/"):
        assert client.get(f"/projects/{project.slug}/results/{campaign.pk}/{part}").status_code == 200
    assert client.get(f"/projects/{project.slug}/campaigns/{campaign.pk}/items/").status_code == 200
    case = client.get(f"/projects/{project.slug}/results/{campaign.pk}/cases/{item}/").text
    assert "Preferences" in case and "Because." in case and "is better" in case
    assert "3</td>" in client.get(f"/projects/{project.slug}/results/").text


def test_a_campaign_under_way_does_not_stall_in_the_inbox(
    campaign: Campaign, reviewer: User, manager: User
) -> None:
    Campaign.objects.update(opened_at="2020-01-01T00:00:00Z")
    address = f"/projects/{campaign.project.slug}/"
    assert "has had no review for" in client_of(manager).get(address).text
    judge_by(campaign, reviewer, prefers("new"), count=1)
    assert "has had no review for" not in client_of(manager).get(address).text


def test_a_decision_stands_on_the_preferences(campaign: Campaign, reviewer: User, manager: User) -> None:
    judge_by(campaign, reviewer, prefers("new"))
    candidate = campaign.candidates.get(position=1).model_version
    decision = decide(campaign=campaign, candidate=candidate, verdict="not_yet", note="", by=manager)
    (pair,) = decision.evidence["pairs"]["pairs"]
    assert (pair["wins"], pair["losses"]) == (0, 6)
    page = client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/decide/").text
    assert "6 preferences by 1 reviewer" in page and "Record decision" in page


def test_preferences_of_a_majority_become_training_pairs(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    campaign = pairs_campaign(project, [reviewer, other_reviewer], rows=3)
    judge_by(campaign, reviewer, prefers("new"))
    judge_by(campaign, other_reviewer, prefers("new"), count=2)
    judge_by(campaign, other_reviewer, prefers("old"))
    export = propose_rows(campaign=campaign, by=manager, name="Preferences")
    rows = list(ExportRow.objects.filter(export=export).select_related("chosen_output__candidate"))
    assert {row.kind for row in rows} == {"preference"}
    taken = [row for row in rows if row.is_included]
    assert [row.reason for row in taken] == ["2 of 2 reviewers preferred it"] * 2
    for row in taken:
        assert row.chosen_output.candidate.label.startswith("new")
        assert row.rejected_output.candidate.label.startswith("old")
    (left_out,) = (row for row in rows if not row.is_included)
    assert left_out.reason == "1 of 2 reviewers preferred it: no majority"


def test_who_still_compares_blind_is_warned(
    project: Project, manager: User, reviewer: User, owner: User
) -> None:
    campaign = pairs_campaign(project, [manager, reviewer], rows=2)
    judge_by(campaign, reviewer, prefers("new"))
    for page in PAGES[:2]:
        address = f"/projects/{project.slug}/" + page.format(campaign=campaign.pk)
        assert "You review this campaign blind" in client_of(manager).get(address).text
        assert "You review this campaign blind" not in client_of(owner).get(address).text


def test_preferences_that_differ_are_listed_the_most_different_first(
    project: Project, reviewer: User, other_reviewer: User, manager: User, engineer: User
) -> None:
    campaign = pairs_campaign(project, [reviewer, other_reviewer], rows=3)
    answers = {"1": ("new", "old"), "2": ("new", "tie"), "3": ("new", "new")}
    numbers = dict(campaign.items.values_list("pk", "example__row_number"))

    def says(position: int):
        def rule(texts: list[str]) -> PreferenceAnswers:
            row = next(row for row, pk in rows.items() if any(text.endswith(f"{row}.") for text in texts))
            said = answers[str(row)][position]
            return PreferenceAnswers("tie") if said == "tie" else prefers(said)(texts)

        return rule

    texts = ItemOutput.objects.filter(item__campaign=campaign).values_list("item", "output__text")
    rows = {int(text.rstrip(".").split()[-1]): pk for pk, text in texts}
    first = min(rows)
    answers = {
        str(first + n): said for n, said in enumerate((("new", "old"), ("new", "tie"), ("new", "new")))
    }
    judge_by(campaign, reviewer, says(0))
    judge_by(campaign, other_reviewer, says(1))
    preferences = load_preferences(campaign)
    found = differing_preferences(preferences.rows)
    assert [(each.rows[0].item_id, each.farthest) for each in found] == [
        (rows[first], 1.0),
        (rows[first + 1], 0.5),
    ]
    assert {numbers[each.rows[0].item_id] for each in found} == {1, 2}
    address = f"/projects/{project.slug}/results/{campaign.pk}/preferences/differing/"
    page = client_of(manager).get(address).text
    assert "2 comparisons with different preferences" in page
    assert "new of Pairs is better" in page and "old of Pairs is better" in page and "Equally good" in page
    assert reviewer.email not in page
    # One click away from the quality, the results and the campaign.
    for near in (
        f"campaigns/{campaign.pk}/quality/",
        f"results/{campaign.pk}/pairs/",
        f"campaigns/{campaign.pk}/",
    ):
        assert address in client_of(manager).get(f"/projects/{project.slug}/{near}").text
    # Nobody has given a score, so no severity is offered.
    assert (
        "/severity/"
        not in client_of(manager).get(f"/projects/{project.slug}/campaigns/{campaign.pk}/quality/").text
    )
    program = program_of(manager)
    listed = program.get(f"projects/{project.slug}/campaigns/{campaign.pk}/preferences/differing/").json()[
        "results"
    ]
    assert [(each["farthest"], len(each["reviews"])) for each in listed] == [(1.0, 2), (0.5, 2)]
    refused = program.get(f"projects/{project.slug}/campaigns/{campaign.pk}/disagreements/")
    assert refused.status_code == 404 and "comparisons/disputed/" in refused.text


def test_orders_of_rankings_lie_apart_by_the_pairs_told_the_other_way_round() -> None:
    def ranked(*ranks: int) -> PreferenceRow:
        return PreferenceRow(1, 1, 1, 1, (10, 20, 30), "", ranks, False, False)

    assert distance(ranked(1, 2, 3), ranked(3, 2, 1)) == 1
    assert distance(ranked(1, 2, 3), ranked(2, 1, 3)) == pytest.approx(1 / 3)
    pair = PreferenceRow(1, 1, 1, 1, (20, 10), "a", None, False, False)
    # The same answer from the other side is the same preference.
    assert distance(pair, pair._replace(shown=(10, 20), choice="b")) == 0
    assert distance(pair, pair._replace(choice="both_bad")) == 0.5
    assert distance(pair._replace(choice="tie"), pair._replace(choice="both_bad")) == 0.5


def test_the_list_of_different_preferences_reads_the_same_for_one_and_for_three(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    queries = []
    for rows in (1, 3):
        name = f"Pairs {rows}"
        campaign = pairs_campaign(project, [reviewer, other_reviewer], rows=rows, name=name)
        judge_by(campaign, reviewer, prefers("new"))
        judge_by(campaign, other_reviewer, prefers("old"))
        with CaptureQueriesContext(
            connection,
        ) as captured:
            page = client_of(manager).get(
                f"/projects/{project.slug}/results/{campaign.pk}/preferences/differing/"
            )
        assert f"{rows} comparison" in page.text
        queries.append(len(captured))
    assert queries[0] == queries[1]
