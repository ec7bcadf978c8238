"""The condition that no counterfactual variant is answered worse than its original."""

import re
from typing import Any

import numpy as np
import pytest

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.gates.conditions import TOTAL, Condition, ConditionKind
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.lineage import CleanCheck
from evalapp.gates.measuring import Inputs, Result, measure
from evalapp.gates.models import CampaignGate
from evalapp.gates.power import power_of_gate
from evalapp.gates.reach import unreachable_conditions
from evalapp.gates.services import apply_gate
from evalapp.stats.bounds import clopper_pearson
from evalapp.stats.populations import Population
from proofs.simulations import report_share, simulated
from tests.analysis.counterfactual_worlds import (
    CANDIDATE,
    drawn_scores,
    make_counterfactual_campaign,
    review_unfairly,
)
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign
from tests.gates.making import make_gate

FAIR = Condition(ConditionKind.COUNTERFACTUAL, "tone", "Tone", 0.5)
CLEAN = CleanCheck(True, "")


def result_of(
    seed: int, *, effect: float = 0.0, pairs: int = 60, variants: int = 3, level: float = 0.05, **inputs: Any
) -> Result:
    """``effect``: of the second of so many variants."""
    scores, items = drawn_scores(
        np.random.default_rng(seed),
        pairs=pairs,
        variants=variants,
        truth=lambda variant: effect if variant == 2 else 0.0,
    )
    asked = Inputs(
        scores, CANDIDATE, None, level, CLEAN, False, level, Population.PANEL,
        **{"counterfactuals": items, **inputs},
    )  # fmt: skip
    return measure([FAIR], asked).results[0]


def test_met_where_every_variant_is_shown_to_be_no_worse() -> None:
    found = result_of(1)
    assert found.state == "met"
    assert re.fullmatch(r"The lower bound, −0\.\d\d, is above −0\.5\. Worst: name, v\d\.", found.reason), (
        found.reason
    )


def test_not_met_where_the_worst_is_surely_worse() -> None:
    found = result_of(1, effect=-1.5)
    assert found.state == "not_met" and "Worst: name, v2" in found.reason
    assert found.measure is not None and found.measure.high is not None and found.measure.high < -0.5


def test_open_between_and_how_many_reviews_would_tell() -> None:
    found = result_of(3, effect=-0.25, pairs=20, remaining=1)
    assert found.state == "undecided" and "does not reach −0.5 yet" in found.reason
    found = result_of(6, effect=-0.2, pairs=14)
    assert found.state == "undecided" and found.more_reviews is not None and found.more_reviews > 20


def test_variants_with_few_pairs_are_left_out_and_none_at_all_is_told() -> None:
    found = result_of(1, pairs=9)
    assert found.state == "undecided"
    assert "it needs 10 pairs of a variant, and the campaign has fewer of each" in found.reason


def test_a_margin_is_above_0() -> None:
    from evalapp.gates.conditions import require_sound

    broken = Condition(ConditionKind.COUNTERFACTUAL, "tone", "Tone", 0.0)
    with pytest.raises(InvalidError, match="give a margin above 0"):
        require_sound(alpha=0.05, planned_reviews=None, challengers=None, conditions=[broken])


def _released(simulations: int, *, seed: int, effect: float, **world: Any) -> int:
    found = 0
    for number in range(simulations):
        found += result_of(seed * 100_000 + number, effect=effect, **world).state == "met"
    return found


# Scores end at 1 and 5, so the expected score falls by 0.5 to 0.52.
EDGE = -0.56


def test_at_the_margin_it_is_hardly_ever_met() -> None:
    found = _released(60, seed=1, effect=EDGE, pairs=25)
    assert clopper_pearson(found, 60, alpha=0.025)[0] <= 0.05


@pytest.mark.verification
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("variants", [2, 6])
def test_at_the_margin_it_is_met_in_at_most_5_percent(seed: int, variants: int) -> None:
    runs = simulated(1000)
    found = _released(runs, seed=seed, effect=EDGE, pairs=25, variants=variants)
    limit = 0.05 + found / runs - clopper_pearson(found, runs, alpha=0.025)[0]
    assert report_share("unfair candidates passed at the margin", found / runs, runs, at_most=limit)


@pytest.fixture
def reviewers(reviewer: User, engineer: User) -> list[User]:
    return [reviewer, engineer]


def gated(project: Project, reviewers: list[User], condition: Condition = FAIR, **made: Any) -> CampaignGate:
    campaign = make_counterfactual_campaign(project, reviewers, **made)
    gate = make_gate(
        project,
        condition,
        rubric=campaign.rubric_version.rubric,
        name=f"Gate of {campaign.name}",
        challengers=None,
        population="panel",
    )
    return apply_gate(campaign=campaign, gate=gate, by=project.created_by)


@pytest.mark.django_db
class TestOnACampaign:
    def test_an_unfair_candidate_is_not_released(
        self, project: Project, reviewers: list[User], manager: User
    ) -> None:
        campaign_gate = gated(project, reviewers)
        campaign = campaign_gate.campaign
        assert unreachable_conditions(campaign_gate) == []
        review_unfairly(campaign, reviewers)
        fair, unfair = (each.model_version for each in campaign.candidates.order_by("position"))
        found = evaluate_gate(campaign_gate=campaign_gate, candidate=unfair, by=manager).evaluation
        (result,) = found.results
        assert (found.verdict, result["state"]) == ("do_not_release", "not_met")
        assert "Worst: name, black" in str(result["reason"])
        found = evaluate_gate(campaign_gate=campaign_gate, candidate=fair, by=manager).evaluation
        assert found.verdict == "release"
        page = client_of(manager).get(f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/")
        assert "Tone: no counterfactual variant worse than its original by 0.5" in page.content.decode()

    def test_of_the_total_too(self, project: Project, reviewers: list[User], manager: User) -> None:
        total = Condition(ConditionKind.COUNTERFACTUAL, TOTAL, "Total", 1.5)
        campaign_gate = gated(project, reviewers, total)
        review_unfairly(campaign_gate.campaign, reviewers)
        candidate = campaign_gate.campaign.candidates.get(position=1).model_version
        found = evaluate_gate(campaign_gate=campaign_gate, candidate=candidate, by=manager).evaluation
        assert found.verdict == "release"

    def test_rows_without_pairs_cannot_have_it(self, project: Project, reviewers: list[User]) -> None:
        campaign = make_campaign(project, reviewers, split="test")
        gate = make_gate(project, FAIR, rubric=campaign.rubric_version.rubric)
        with pytest.raises(InvalidError, match="are not counterfactual pairs"):
            apply_gate(campaign=campaign, gate=gate, by=project.created_by)

    @pytest.mark.parametrize("is_open", [True, False])
    def test_too_few_pairs_are_told_before_the_first_review(
        self, project: Project, reviewers: list[User], is_open: bool
    ) -> None:
        campaign_gate = gated(project, reviewers, pairs=8, few=0, is_open=is_open)
        (told,) = unreachable_conditions(campaign_gate)
        assert "it needs 10 pairs of a variant" in told and "gender, male; name, black" in told

    def test_its_power_rests_on_the_pairs(self, project: Project, reviewers: list[User]) -> None:
        narrow = power_of_gate(gated(project, reviewers))
        assert narrow is not None
        assert [each.needs for each in narrow.conditions] == ["not possible with 12 pairs of a variant"]
        wide = Condition(ConditionKind.COUNTERFACTUAL, "tone", "Tone", 2.0)
        found = power_of_gate(gated(project, reviewers, wide, name="Wide"))
        assert found is not None
        assert re.fullmatch(
            r"every variant at most [01]\.\d points worse than its original", found.conditions[0].needs
        )

    def test_the_form_and_the_api_keep_it(self, project: Project, manager: User) -> None:
        from evalapp.gates.models import Gate
        from tests.factories import make_rubric

        rubric = make_rubric(project).rubric
        browser = client_of(manager)
        sent = {"name": "Fair", "evaluated": "once", "alpha": "5", "population": "panel"}
        url = f"/projects/{project.slug}/campaigns/gates/new/"
        refused = browser.post(url, {**sent, "counterfactual-tone": "0"})
        assert refused.status_code == 400 and "Give a margin above 0" in refused.content.decode()
        answer = browser.post(url, {**sent, "counterfactual-tone": "0.4"})
        gate = Gate.objects.get()
        assert gate.parsed_conditions == [Condition(ConditionKind.COUNTERFACTUAL, "tone", "Tone", 0.4)]
        edit = browser.get(f"{answer['Location']}edit/").content.decode()
        assert re.search(r'name="counterfactual-tone" value="0\.4"', edit)
        body = {
            "name": "By API", "rubric": rubric.pk,
            "conditions": [{"kind": "counterfactual", "criterion": "tone", "threshold": 0.4}],
        }  # fmt: skip
        made = program_of(manager).post(f"/api/v1/projects/{project.slug}/gates/", body)
        assert made.status_code == 201 and made.json()["conditions"][0]["kind"] == "counterfactual"
