"""What an LLM judge gave is compared with reviewers' scores on the same outputs."""

import csv
import io

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from evalapp.accounts.models import Membership, Project, User
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.models import Campaign
from evalapp.exports.files import RATING_COLUMNS
from evalapp.llm_judges.agreement import judge_agreement
from evalapp.llm_judges.models import LLMJudge
from evalapp.llm_judges.services import (
    create_judge,
)
from evalapp.reviews.models import Score
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import answers, review_all
from tests.llm_judges.chat import Chat
from tests.llm_judges.conftest import asked

pytestmark = pytest.mark.django_db


@pytest.fixture
def tone_by_text(campaign: Campaign, reviewer: User, other_reviewer: User) -> dict[str, int]:
    """The tone that both reviewers gave, by the text of the output."""
    rows = range(1, 7)
    for person in (reviewer, other_reviewer):
        said = {
            (label, row): answers(tone=1 + (row + (label == "plain")) % 5)
            for label in ("formal", "plain")
            for row in rows
        }
        review_all(campaign, person, said)
    return {
        output.text: 1 + (output.example.row_number + (output.candidate.label == "plain")) % 5
        for output in (
            campaign.items.first().outputs.first().output.run.outputs.select_related("example", "candidate")
        )
    }


def test_it_is_held_against_people_and_told_beside_them_alone(
    judge: LLMJudge,
    campaign: Campaign,
    chat: Chat,
    tone_by_text: dict[str, int],
    project: Project,
    manager: User,
) -> None:
    chat.say = lambda question: next(
        str(level) for text, level in tone_by_text.items() if f"\n{text}\n" in question
    )
    scores = Score.objects.count()
    asked(judge, campaign)
    found = judge_agreement(judge, load_scores(campaign))
    assert (found.alpha.value, found.people_alpha.value) == (1.0, 1.0)
    assert found.correlation is not None and found.correlation.value == pytest.approx(1.0)
    assert found.ceiling is not None
    assert found.sentence.startswith(
        "On these outputs, the judge agrees with a person about as much as two people"
    )
    for each in found.candidates:
        assert (each.people, each.gap.value, each.outputs) == (each.judge, 0, 6)
        assert each.people.n == 6
    # No score of a person came of it, and no other page shows it.
    assert Score.objects.count() == scores
    assert (
        "Tone judge"
        not in client_of(manager).get(reverse("result_detail", args=[project.slug, campaign.pk])).text
    )
    assert not any("judge" in column for column in RATING_COLUMNS)


def test_one_that_says_the_contrary_is_compared_on_the_same_outputs(
    judge: LLMJudge,
    campaign: Campaign,
    chat: Chat,
    tone_by_text: dict[str, int],
    project: Project,
    manager: User,
) -> None:
    chat.say = lambda question: str(
        6 - int(next(level for text, level in tone_by_text.items() if f"\n{text}\n" in question))
    )
    contrary = create_judge(
        project=project,
        criterion=judge.criterion,
        name="Contrary",
        url=chat.url,
        model="m",
        by=manager,
    )
    asked(contrary, campaign)
    found = judge_agreement(contrary, load_scores(campaign))
    assert found.alpha.value is not None and found.alpha.value < 0
    told = (
        program_of(manager)
        .get(f"projects/{project.slug}/judges/{contrary.pk}/campaigns/{campaign.pk}/")
        .json()
    )
    # The judge and the people on the same outputs, with both people's answers, none drawn.
    assert (told["alpha"]["n"], told["people_alpha"]["n"], told["alpha_gap"]["n"]) == (12, 12, 12)
    assert told["alpha_gap"]["value"] == pytest.approx(told["alpha"]["value"] - 1)
    page = (
        client_of(manager).get(reverse("judge_campaign", args=[project.slug, campaign.pk, contrary.pk])).text
    )
    assert "On the 12 outputs scored by the judge and at least two reviewers" in page
    assert "less than two people agree" in found.sentence or "beyond chance" in found.sentence


def test_candidates_means_stand_with_intervals_on_the_page_and_in_the_api(
    judge: LLMJudge, campaign: Campaign, chat: Chat, reviewer: User, project: Project, manager: User
) -> None:
    people = {("plain", row): answers(tone=level) for row, level in enumerate((2, 3, 3, 4, 2, 4), start=1)}
    review_all(campaign, reviewer, people)
    chat.say = lambda question: "4" if "You own" in question else "3"
    asked(judge, campaign)

    endpoint = f"projects/{project.slug}/judges/{judge.pk}/campaigns/{campaign.pk}/"
    _, told = program_of(manager).get(endpoint).json()["candidates"]
    # Student's t with 5 degrees of freedom, 2.571, times 0.894 / √6.
    assert told["people"]["value"] == pytest.approx(3)
    assert (told["people"]["low"], told["people"]["high"]) == pytest.approx((2.061, 3.939), abs=1e-3)
    assert (told["judge"]["value"], told["judge"]["low"]) == (4, None)
    assert told["judge"]["note"] == "no interval: no variation"
    assert (told["gap"]["value"], told["gap"]["n"]) == (pytest.approx(1), 6)
    assert (told["gap"]["low"], told["gap"]["high"]) == pytest.approx((0.061, 1.939), abs=1e-3)

    page = client_of(manager).get(reverse("judge_campaign", args=[project.slug, campaign.pk, judge.pk])).text
    words = " ".join(strip_tags(page.replace("</td>", " </td>")).split())
    assert "3.0 (2.1 to 3.9) 4.00 no interval: no variation 1.0 (0.1 to 1.9) 6" in words, words


def test_the_tables_of_its_page_are_taken_along(
    judge: LLMJudge, campaign: Campaign, chat: Chat, reviewer: User, project: Project, manager: User
) -> None:
    people = {("plain", row): answers(tone=level) for row, level in enumerate((2, 3, 3, 4, 2, 4), start=1)}
    review_all(campaign, reviewer, people)
    chat.say = lambda question: "4" if "You own" in question else "3"
    asked(judge, campaign)
    here = reverse("judge_campaign", args=[project.slug, campaign.pk, judge.pk])
    browser = client_of(manager)
    page = browser.get(here).text
    for name in ("agreement", "candidates"):
        for form in ("csv", "md"):
            assert f'href="{here}tables/{name}.{form}"' in page

    answer = browser.get(f"{here}tables/candidates.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    _, plain = list(csv.DictReader(io.StringIO(answer.text)))
    assert (plain["Candidate"], plain["Reviewers"], plain["Judge"], plain["Outputs"]) == (
        "plain", "3.0", "4.0", "6",
    )  # fmt: skip
    assert float(plain["Judge minus reviewers low"]) == pytest.approx(0.061, abs=1e-3)
    assert plain["Judge note"] == "no interval: no variation"
    text = browser.get(f"{here}tables/agreement.md").text
    assert text.startswith("**Tone judge on Tone \\(1–5\\), beside reviewers**"), text
    found = judge_agreement(judge, load_scores(campaign))
    assert found.sentence in text and "| Quadratic kappa |" in text

    unknown = browser.get(f"{here}tables/nothing.csv")
    assert unknown.status_code == 404 and "There is: agreement, candidates." in unknown.text


def test_who_reviews_blind_takes_no_table_of_it(
    judge: LLMJudge, campaign: Campaign, project: Project, manager: User, reviewer: User
) -> None:
    here = reverse("judge_campaign", args=[project.slug, campaign.pk, judge.pk])
    Membership.objects.filter(project=project, user=reviewer).update(role="engineer")
    assert client_of(reviewer).get(f"{here}tables/agreement.csv").status_code == 403
    empty = client_of(manager).get(f"{here}tables/candidates.md")
    assert empty.status_code == 404 and "no data for the table" in empty.text


def test_without_people_nothing_is_told(judge: LLMJudge, campaign: Campaign) -> None:
    asked(judge, campaign)
    found = judge_agreement(judge, load_scores(campaign))
    assert found.candidates == []
    assert found.alpha.reason == "no scores"
    assert found.sentence == "It is not known whether the judge agrees with people: no scores."
