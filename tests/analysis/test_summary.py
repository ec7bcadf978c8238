"""The first screen of results, read as its reader would: the sentences, for six kinds of data."""

from typing import Any

import pytest
from django.utils.html import strip_tags

from evalapp.accounts.models import Project, User
from evalapp.analysis.stored import stored_results
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import close_campaign
from evalapp.core.number_format import as_text
from evalapp.reports.content import content_of
from evalapp.reports.services import start_report
from tests.analysis.test_large import computed
from tests.api.conftest import program_of
from tests.api.test_paging import walk
from tests.cast import client_of, make_project
from tests.factories import answers, make_campaign, review_all, run_scoring
from tests.kept_cast import Cast
from tests.results_pages import TABS

pytestmark = pytest.mark.django_db

ROWS = 10


def words_of(campaign: Campaign, person: User, query: str = "") -> str:
    """What the first screen says, in reading order."""
    page = client_of(person).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/{query}")
    assert page.status_code == 200
    return " ".join(strip_tags(page.content.decode()).split())


def rated(
    project: Project,
    people: list[User],
    formal: dict[int, dict[str, int]],
    plain: dict[int, dict[str, int]],
    **options: Any,
) -> Campaign:
    """A closed campaign in which each of ``people`` gives rows 1 to 10 these scores; 4 where none is named,
    with a grain of difference between people.
    """
    campaign = make_campaign(project, people, rows=ROWS, **options)
    for place, person in enumerate(people):
        said = {}
        for label, scores in (("formal", formal), ("plain", plain)):
            for row in range(1, ROWS + 1):
                given = dict(scores.get(row, {}))
                if place == row % 3:
                    given = {key: max(value - 1, 1) for key, value in given.items()}
                said[label, row] = answers(**given)
        review_all(campaign, person, said)
    close_campaign(campaign=campaign, by=project.created_by)
    return campaign


def subgroups_by_api(campaign: Campaign, person: User) -> list[dict[str, Any]]:
    against = campaign.candidates.get(model_version__label="formal")
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/analysis/subgroups/"
    answer = program_of(person).get(f"{path}?against={against.pk}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


@pytest.fixture
def panel(reviewer: User, other_reviewer: User) -> list[User]:
    return [reviewer, other_reviewer]


def every_row(**scores: int) -> dict[int, dict[str, int]]:
    return dict.fromkeys(range(1, ROWS + 1), scores)


SCALES = ("accuracy", "clarity", "tone", "personalization")


def test_a_clear_win(project: Project, panel: list[User], manager: User) -> None:
    worse, better = (every_row(**dict.fromkeys(SCALES, score)) for score in (2, 5))
    words = words_of(rated(project, panel, worse, better), manager)
    assert "plain against formal" in words
    assert "Better at Accuracy (+3.0), Clarity (+3.0), Tone (+3.0), Personalization (+3.0)." in words
    assert "Undecided: Material factual error." in words
    assert (
        "For these 2 reviewers, on items like these 10."
        " 2 reviewers are too few to tell whether the result holds for other reviewers." in words
    )
    assert (
        "Better At Accuracy, Clarity, Tone and Personalization; not shown to be worse at any criterion."
        in words
    )
    assert "No gate was applied, so this is no release decision." in words


def test_a_clear_loss(project: Project, panel: list[User], manager: User) -> None:
    better, worse = (every_row(**dict.fromkeys(SCALES, score)) for score in (5, 2))
    words = words_of(rated(project, panel, better, worse), manager)
    assert "Worse at Accuracy (−3.0), Clarity (−3.0), Tone (−3.0), Personalization (−3.0)." in words
    assert (
        "Worse At Accuracy, Clarity, Tone and Personalization; not shown to be better at any criterion."
        in words
    )
    assert "▲" not in words
    # The worst rows stand there to open.
    assert "Lowest totals of plain: row" in words


def test_better_at_one_and_worse_at_another(project: Project, panel: list[User], manager: User) -> None:
    formal, plain = every_row(accuracy=5, tone=2), every_row(accuracy=3, tone=5)
    words = words_of(rated(project, panel, formal, plain), manager)
    assert "Better at Tone (+3.0). ▼ Worse at Accuracy (−2.0). ? Undecided: Clarity, Personalization" in words
    assert "Mixed Worse at Accuracy, better at Tone." in words


def test_undecided(project: Project, panel: list[User], manager: User) -> None:
    formal = {row: {"tone": 3 + row % 2} for row in range(1, ROWS + 1)}
    plain = {row: {"tone": 4 - row % 2} for row in range(1, ROWS + 1)} | {1: {"tone": 5}}
    words = words_of(rated(project, panel, formal, plain), manager)
    assert "Undecided: Accuracy, Clarity, Tone, Personalization, Material factual error." in words
    assert "Undecided No difference is shown." in words
    assert "▲" not in words and "▼" not in words


def test_a_metric_that_misleads(project: Project, panel: list[User], manager: User) -> None:
    campaign = rated(project, panel, every_row(tone=2), every_row(tone=5))
    run_scoring(campaign)
    words = words_of(campaign, manager)
    assert "ROUGE-L prefers formal and misleads on Tone: " in words
    turned = words_of(
        campaign, manager, f"?against={campaign.candidates.get(model_version__label='plain').pk}"
    )
    assert "formal against plain" in turned and "Worse at Tone (−3.0)." in turned
    assert "ROUGE-L prefers formal and misleads on Tone: " in turned


def test_a_subgroup_that_is_harmed(project: Project, panel: list[User], manager: User) -> None:
    formal = every_row(tone=3)
    plain = {row: {"tone": 5} for row in range(1, 31)} | {row: {"tone": 1} for row in range(31, 41)}
    campaign = make_campaign(
        project,
        panel,
        rows=40,
        rows_have={"metadata": lambda row: {"language": "Spanish" if row >= 31 else "English"}},
    )
    for person in panel:
        said = {("plain", row): answers(**scores) for row, scores in plain.items()}
        said |= {("formal", row): answers(**formal[1]) for row in plain}
        review_all(campaign, person, said)
    words = words_of(campaign, manager)
    assert "Better at Tone (+1.0)." in words
    assert "Worse for language “Spanish”: Tone −2.0 (−2.3 to −1.7), 10 items." in words
    address = f"/projects/{project.slug}/results/{campaign.pk}/"
    fixes = " ".join(strip_tags(client_of(manager).get(f"{address}what-to-fix/").text).split())
    assert fixes.index("language: Spanish plain Tone 10") < fixes.index("language: English plain Tone 30")
    table = client_of(manager).get(f"{address}tables/subgroups.csv").text
    assert table.splitlines()[1].startswith("language,Spanish,plain,Tone,-2.0,")
    worst = subgroups_by_api(campaign, manager)[0]
    assert (worst["field"], worst["value"], worst["criterion"]) == ("language", "Spanish", "tone")
    assert (worst["difference"]["value"], worst["difference"]["n"], worst["verdict"]) == (-2.0, 10, "worse")
    assert as_text(worst["adjusted"]["low"], digits=1) == "−2.3"
    path = f"projects/{project.slug}/campaigns/{campaign.pk}/analysis/subgroups/?limit=2"
    paged = [row for page in walk(program_of(manager), path) for row in page]
    assert paged == program_of(manager).get(path.partition("?")[0]).json()["results"] and len(paged) > 4
    report = content_of(start_report(campaign=campaign, by=manager), progress=lambda *_: None).document
    tables = [block["rows"] for block in report.blocks if block["kind"] == "table"]
    lines = [[cell["main"] for cell in row] for rows in tables for row in rows]
    assert ["language", "Spanish", "plain", "Tone"] in [line[:4] for line in lines]
    # Its link shows the items of the subgroup alone.
    inside = words_of(campaign, manager, "?field.language=Spanish")
    assert "a filtered view of 10 of 40 items" in inside and "Worse at Tone (−2.0)." in inside


def test_a_subgroup_harmed_on_a_criterion_that_is_not_worse_overall_is_named_first(
    project: Project, panel: list[User], manager: User
) -> None:
    # Worse at Tone everywhere, and in Spanish at Accuracy too.
    campaign = make_campaign(
        project,
        panel,
        rows=40,
        rows_have={"metadata": lambda row: {"language": "Spanish" if row >= 31 else "English"}},
    )
    for place, person in enumerate(panel):
        said = {}
        for row in range(1, 41):
            # Better in some English rows, so that overall no difference is shown.
            gain = 1 if row <= 10 and place != row % 3 else 0
            loss = 2 if row >= 31 and place != row % 3 else 0
            said["formal", row] = answers(tone=5, accuracy=3)
            said["plain", row] = answers(tone=1, accuracy=3 + 2 * gain - loss)
        review_all(campaign, person, said)
    formal = campaign.candidates.get(model_version__label="formal").pk
    words = words_of(campaign, manager, f"?against={formal}")
    assert "Worse at Tone (−4.0)." in words and "Undecided: Accuracy" in words
    assert "Worse for language “Spanish”: Accuracy −1.3" in words
    rows = subgroups_by_api(campaign, manager)
    verdicts = [row["verdict"] for row in rows]
    assert verdicts == sorted(verdicts, key=["worse", "undecided", "untested", "better"].index)
    undecided = [row for row in rows if row["verdict"] == "undecided" and row["difference"]["value"] < 0]
    assert [row["p"]["value"] for row in undecided] == sorted(row["p"]["value"] for row in undecided)


def test_of_a_large_campaign_the_subgroups_are_stored(
    project: Project, panel: list[User], manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    halves = {"metadata": lambda row: {"half": str(row % 2)}}
    campaign = make_campaign(project, panel, rows=22, rows_have=halves)
    for person in panel:
        said = {("plain", row): answers(tone=5 if row % 2 else 2) for row in range(1, 23)}
        review_all(campaign, person, said | {"formal": answers(tone=3)})
    waiting = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/what-to-fix/").text
    at_once = subgroups_by_api(campaign, manager)
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    computed(campaign)
    stored = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/what-to-fix/").text
    sections = [
        page.partition('<section aria-labelledby="subgroups">')[2].partition("</section>")[0]
        for page in (waiting, stored)
    ]
    assert sections[0] and sections[0] == sections[1]
    assert at_once and subgroups_by_api(campaign, manager) == at_once
    assert "Worse for half “0”: Tone −1.0" in words_of(campaign, manager)


def test_what_two_reviewers_agree_on_may_be_undecided_for_reviewers_like_them(
    project: Project, panel: list[User], manager: User
) -> None:
    formal, plain = every_row(tone=2, clarity=3), every_row(tone=5, clarity=4)
    for row in range(1, 5):
        plain[row] = {"tone": 5, "clarity": 3}
    campaign = rated(project, panel, formal, plain)
    words = words_of(campaign, manager)
    assert "Better at Clarity (+0.6), Tone (+3.0)." in words
    assert "2 reviewers are too few to tell whether the result at Tone holds for other reviewers." in words
    project.population = "reviewers"
    project.save()
    words = words_of(campaign, manager)
    assert "Better at Clarity (+0.6). ? Undecided: Accuracy, Tone, Personalization" in words
    assert (
        "For reviewers like these 2, on items like these 10. For these reviewers alone, also better at Tone."
        in words
    )


def test_worse_for_these_reviewers_is_not_hidden_by_a_wider_claim(
    project: Project, panel: list[User], manager: User
) -> None:
    formal, plain = every_row(tone=5, clarity=3), every_row(tone=2, clarity=4)
    for row in range(1, 5):
        plain[row] = {"tone": 2, "clarity": 3}
    campaign = rated(project, panel, formal, plain)
    assert "Mixed Worse at Tone, better at Clarity." in words_of(campaign, manager)
    project.population = "reviewers"
    project.save()
    words = words_of(campaign, manager)
    assert "Mixed Better at Clarity; for these reviewers worse at Tone." in words
    assert "For these reviewers alone, also worse at Tone." in words


def test_missing_reviews_of_an_open_campaign_are_the_first_reason(
    project: Project, panel: list[User], manager: User
) -> None:
    campaign = make_campaign(project, panel, rows=ROWS)
    review_all(campaign, panel[0], {"plain": answers(tone=5), "formal": answers(tone=2)})
    assert "Not yet 20 of 40 reviews are missing." in words_of(campaign, manager)


def test_items_of_documents_are_counted_as_such(project: Project, panel: list[User], manager: User) -> None:
    clients = {"group": lambda row: f"client {row // 3}"}
    campaign = rated(project, panel, every_row(tone=2), every_row(tone=5), rows_have=clients)
    assert "on items like these 10 from 4 groups." in words_of(campaign, manager)


@pytest.fixture(scope="module")
def two_rows(cast: Cast) -> Campaign:
    """In a project of its own; one of two people has reviewed it."""
    people = {"reviewer": cast.reviewer, "reviewer2": cast.other_reviewer}
    project = make_project("Two rows", owner=cast.owner, manager=cast.manager, **people)
    campaign = make_campaign(project, [cast.reviewer, cast.other_reviewer], rows=2)
    review_all(campaign, cast.reviewer, {})
    return campaign


@pytest.mark.parametrize("page", TABS)
def test_each_page_of_results_is_there_with_one_candidate(
    project: Project, panel: list[User], manager: User, page: str
) -> None:
    campaign = make_campaign(project, panel, rows=2, texts={"only": "One answer {n}."})
    review_all(campaign, panel[0], {})
    answer = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/{page}")
    assert answer.status_code == 200


@pytest.mark.parametrize("odd", ["abc", "9" * 400, "-1", "%00", "<script>alert(1)</script>"])
@pytest.mark.parametrize("page", TABS)
def test_an_odd_choice_in_the_url_falls_back_on_every_page(
    two_rows: Campaign, manager: User, page: str, odd: str
) -> None:
    address = f"/projects/{two_rows.project.slug}/results/{two_rows.pk}/{page}"
    answer = client_of(manager).get(
        address, dict.fromkeys(("candidate", "against", "criterion", "metric"), odd)
    )
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


def test_a_candidate_of_another_campaign_is_not_in_focus(
    project: Project, panel: list[User], manager: User
) -> None:
    campaign = make_campaign(project, panel, rows=2)
    other = make_campaign(project, panel, rows=2, name="Other", texts={"p": "P {n}.", "q": "Q {n}."})
    review_all(campaign, panel[0], {})
    words = words_of(campaign, manager, f"?candidate={other.candidates.latest('pk').pk}")
    assert "plain against formal" in words
