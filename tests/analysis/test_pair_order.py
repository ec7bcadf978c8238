"""The order in which a campaign lists its candidates has no part in any figure of comparisons."""

import random
import re
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from django.utils.html import strip_tags

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.reviews.kinds import PREFERENCE
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.queries import review_context_at
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign, make_candidates, offered, run_scoring
from tests.reviews.preferences.conftest import judge

pytestmark = pytest.mark.django_db
WORDS = ("amber", "birch", "cedar")
ROWS = 8


def compared(project: Project, people: list[User], method: str) -> Campaign:
    """Everybody judges everything; the first candidate tends to be the best, with ties and "both bad"."""
    texts = {word: f"The {word} answer to {{n}}." for word in WORDS}
    campaign = make_campaign(project, people, rows=ROWS, texts=texts, method=method, name=method)
    dice = random.Random(17)
    for person in people:
        for found in offered(campaign, person):
            review_context = review_context_at(person, found.assignment.key, found.slot)
            shown = [answer.text for answer in PREFERENCE.task_at(review_context).answers]
            liked = [WORDS.index(text.split()[1]) + dice.gauss(0, 1) for text in shown]
            judge(campaign, person, _preference(liked, method, dice), review_context=review_context)
    return campaign


def _preference(liked: list[float], method: str, dice: random.Random) -> PreferenceAnswers:
    if method == "ranking":
        return PreferenceAnswers("", [1 + sum(other < own for other in liked) for own in liked])
    if dice.random() < 0.2:
        return PreferenceAnswers(dice.choice(["tie", "both_bad"]))
    return PreferenceAnswers("a" if liked[0] < liked[1] else "b")


def list_candidates_as(campaign: Campaign, order: tuple[str, ...]) -> None:
    """List the same candidates, with the same outputs and preferences, in another order."""
    listed = {each.model_version.label: each for each in campaign.candidates.select_related("model_version")}
    spare = make_candidates(campaign.project, [f"spare {uuid4()}" for _ in order])
    entries = [
        campaign.candidates.create(model_version=version, position=10 + n) for n, version in enumerate(spare)
    ]
    for label, entry in zip(order, entries, strict=True):
        ItemOutput.objects.filter(candidate=listed[label]).update(candidate=entry)
    campaign.candidates.filter(pk__in=[each.pk for each in listed.values()]).delete()
    for position, (label, entry) in enumerate(zip(order, entries, strict=True)):
        entry.model_version, entry.position = listed[label].model_version, position
        entry.save()


def figures_of(campaign: Campaign, manager: User) -> dict[str, Any]:
    """Every figure of API and page, by the candidates' labels; of a pair as told from the label that sorts
    first.
    """
    project = campaign.project.slug
    told = program_of(manager).get(f"projects/{project}/campaigns/{campaign.pk}/pairs/").json()
    labels = {each["candidate"]: each["label"] for each in told["strengths"]}
    found: dict[str, Any] = {
        key: told[key] for key in ("first_side", "alpha", "agreement", "adjudicated", "items")
    }
    for each in told["strengths"]:
        found[each["label"]] = {key: each[key] for key in ("strength", "mean_rank", "best")}
    for pair in told["pairs"]:
        ends = (labels[pair["first"]], labels[pair["second"]])
        found[" ".join(sorted(ends))] = pair_from(pair, is_turned=ends[0] > ends[1])
    page = client_of(manager).get(f"/projects/{project}/results/{campaign.pk}/pairs/").text
    found["page"] = page_figures(page)
    return found


def pair_from(pair: dict[str, Any], *, is_turned: bool) -> dict[str, Any]:
    share = pair["share"]
    if not is_turned:
        return {key: pair[key] for key in ("wins", "losses", "ties", "both_bad", "share", "both_bad_share")}
    turned = {**share, "value": 1 - share["value"], "low": 1 - share["high"], "high": 1 - share["low"]}
    return {
        "wins": pair["losses"], "losses": pair["wins"], "ties": pair["ties"], "both_bad": pair["both_bad"],
        "share": turned, "both_bad_share": pair["both_bad_share"],
    }  # fmt: skip


def page_figures(page: str) -> dict[str, Any]:
    """What the page says in words: of sides and agreement whole, of candidates the row of each."""
    found: dict[str, Any] = {}
    for name in ("sides", "agreement"):
        section = page.split(f'aria-labelledby="{name}"')[1].split("</section>", maxsplit=1)[0]
        found[name] = " ".join(strip_tags(section).split())
    for name in ("strengths", "metrics"):
        section = page.split(f'aria-labelledby="{name}"')[1].split("</section>", maxsplit=1)[0]
        for row in re.findall(r"<tr>.*?</tr>", section, re.DOTALL):
            text = " ".join(strip_tags(row).split())
            label = next((word for word in WORDS if word in text), None)
            if label is not None:
                # The letter of a candidate's mark is its place in the list.
                found.setdefault(f"{name} of {label}", []).append(text.split(label, 1)[1])
    return found


def same(value: Any) -> Any:
    """Figures to nine digits: the order of a sum may show in the last."""
    if isinstance(value, dict):
        return {key: same(each) for key, each in value.items()}
    return pytest.approx(value, abs=1e-9) if isinstance(value, float) else value


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_no_figure_of_page_or_interface_depends_on_the_order_of_the_candidates(
    method: str, project: Project, reviewer: User, other_reviewer: User, engineer: User, manager: User
) -> None:
    campaign = compared(project, [reviewer, other_reviewer, engineer], method)
    run_scoring(campaign)
    expected = figures_of(campaign, manager)
    assert expected["alpha"]["low"] < expected["alpha"]["value"] < expected["alpha"]["high"]
    assert len(expected["page"]) == 2 + 2 * len(WORDS)
    for order in permutations(WORDS):
        list_candidates_as(campaign, order)
        assert figures_of(campaign, manager) == same(expected), order
