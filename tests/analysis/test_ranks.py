"""The same ranks on the page, in the copied table, in the API, stored, and of preferences."""

import re

import pytest
from django.utils.html import strip_tags

from evalapp.accounts.models import Project, User
from evalapp.analysis.stored import stored_results
from evalapp.campaigns.models import Campaign
from evalapp.reviews.preferences.answers import PreferenceAnswers
from tests.analysis.test_large import computed
from tests.analysis.test_pairs import judge_by, pairs_campaign
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all

pytestmark = pytest.mark.django_db
TEXTS = {"good": "A good answer to {n}.", "better": "A better answer to {n}.", "bad": "A bad answer to {n}."}


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    """Two candidates that are alike, and one that is worse."""
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=10, texts=TEXTS)
    for place, person in enumerate((reviewer, other_reviewer)):
        said = {}
        for row in range(1, 11):
            said["good", row] = answers(tone=5 - (row + place) % 2)
            said["better", row] = answers(tone=4 + (row + place) % 2)
            said["bad", row] = answers(tone=1 + (row + place) % 2)
        review_all(campaign, person, said)
    return campaign


def ranks_by_api(campaign: Campaign, person: User) -> dict[str, str]:
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/comparison/"
    told = program_of(person).get(path).json()
    labels = {each["candidate"]: each["label"] for each in told["candidates"]}
    return {
        labels[each["candidate"]]: " to ".join(dict.fromkeys([str(each["best"]), str(each["worst"])]))
        for each in told["ranks"]
    }


def ranks_on_page(campaign: Campaign, person: User) -> dict[str, str]:
    page = (
        client_of(person).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/who-is-better/").text
    )
    table = page.partition('id="people"')[2].partition("</tbody>")[0].partition("<tbody>")[2]
    rows = [re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL) for row in table.split("</tr>")[:-1]]
    return {strip_tags(row[0]).strip(): strip_tags(row[-1]).strip() for row in rows}


def ranks_copied(campaign: Campaign, person: User) -> dict[str, str]:
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/tables/people.csv"
    lines = [line.split(",") for line in client_of(person).get(address).text.splitlines()]
    assert lines[0][-1] == "Rank"
    return {line[0]: line[-1] for line in lines[1:]}


RANKS = {"good": "1 to 2", "better": "1 to 2", "bad": "3"}


def test_ranks_are_the_same_wherever_they_stand(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shown in (ranks_on_page, ranks_copied, ranks_by_api):
        assert shown(campaign, manager) == RANKS
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    computed(campaign)
    for shown in (ranks_on_page, ranks_copied, ranks_by_api):
        assert shown(campaign, manager) == RANKS


def test_of_two_candidates_no_rank_is_told(project: Project, reviewer: User, manager: User) -> None:
    campaign = make_campaign(project, [reviewer], rows=6)
    review_all(campaign, reviewer, {"formal": answers(tone=2), "plain": answers(tone=5)})
    assert ranks_by_api(campaign, manager) == {}
    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/who-is-better/").text
    assert ">Rank<" not in page


def test_preferences_are_ranked_by_strength(project: Project, reviewer: User, manager: User) -> None:
    campaign = pairs_campaign(project, [reviewer], rows=20, labels=("old", "new", "third"))
    worth = {"The new": 2, "A third": 1, "The old": 0}

    def better(texts: list[str]):
        first, second = (next(value for word, value in worth.items() if word in text) for text in texts)
        return PreferenceAnswers("a" if first > second else "b", None, "")

    judge_by(campaign, reviewer, better)
    path = f"projects/{project.slug}/campaigns/{campaign.pk}/pairs/"
    told = program_of(manager).get(path).json()["strengths"]
    assert [each["rank"] for each in told] == [{"best": n, "worst": n} for n in (1, 2, 3)]
    address = f"/projects/{project.slug}/results/{campaign.pk}/"
    page = client_of(manager).get(f"{address}pairs/").text
    assert re.findall(r'data-label="Rank">(.*?)<', page) == ["1", "2", "3"]
    copied = (
        client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/tables/strengths.csv").text
    )
    assert copied.splitlines()[0].startswith("Candidate,Strength,") and ",Rank," in copied.splitlines()[0]
