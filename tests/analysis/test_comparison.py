"""The comparison's numbers, against numbers worked out by hand."""

import re
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import Comparison, compare, share_of_outputs
from evalapp.analysis.comparison.differences import PairComparison, find_contradiction
from evalapp.analysis.comparison.lines import comparison_lines
from evalapp.analysis.scores.campaign_scores import RULE_CHANGED, CampaignScores, load_scores
from evalapp.campaigns.models import Campaign
from evalapp.scoring.models import MetricResult
from evalapp.scoring.services import save_rule_check
from evalapp.stats.differences import paired_difference
from evalapp.stats.populations import Population
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import YES_NO, answers, make_campaign, review_all, run_scoring, tagged


def _compared(campaign: Campaign, reviewer_type: str = "all") -> tuple[CampaignScores, Comparison]:
    scores = load_scores(campaign, reviewer_type=reviewer_type)
    return scores, compare(scores)


def test_scores_are_means_of_item_means(project: Project, reviewer: User, other_reviewer: User) -> None:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=2)
    review_all(campaign, reviewer, {("formal", 1): answers(tone=1), ("formal", 2): answers(tone=3)})
    review_all(campaign, other_reviewer, {("formal", 1): answers(tone=2), ("formal", 2): answers(tone="na")})

    _, comparison = _compared(campaign)

    cell = comparison.rows[0].cell("tone")
    assert cell is not None
    # Item 1: (1 + 2) / 2; item 2: 3 alone. (1.5 + 3) / 2.
    assert cell.mean.value == pytest.approx(2.25)
    assert cell.counts == {1: 1, 2: 1, 3: 1, 4: 0, 5: 0}
    assert cell.not_applicable == 1
    assert cell.low_share is not None
    assert cell.low_share.value == pytest.approx(0.5)
    # Each review's mean over four equal criteria: 13/4, 14/4; 15/4 and, tone left out, 12/3.
    assert comparison.rows[0].total.value == pytest.approx(((13 / 4 + 14 / 4) / 2 + (15 / 4 + 4) / 2) / 2)
    assert comparison.design == (2, 2, 8, 4, 4, False, False, 2, "panel", False)


def test_a_yes_of_one_reviewer_in_two_counts_half_as_in_the_difference(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    project.population = "reviewers"
    project.save()
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=2)
    review_all(campaign, reviewer, {("formal", 1): answers(error=1)})
    review_all(campaign, other_reviewer, {})

    scores, comparison = _compared(campaign)

    formal, plain = (row.cell(YES_NO) for row in comparison.rows)
    pairs = PairComparison(scores, comparison).with_reference(comparison.rows[0])
    (share,) = (pair for pair in pairs if pair.criterion == plain.criterion)
    assert share.difference.difference.value == plain.mean.value - formal.mean.value
    assert formal is not None and plain is not None
    # One of two reviewers on one of two items.
    assert (formal.mean.value, formal.any_yes) == (0.25, 1)
    assert (plain.mean.value, plain.any_yes) == (0.0, 0)
    assert plain.mean.high is not None and plain.mean.high > 0.5


def test_a_metric_ranks_candidates_from_four_on_and_says_why_not_before(
    project: Project, reviewer: User, manager: User
) -> None:
    words = ["One.", "Two words.", "Three words here.", "There are four words."]
    for count, reason in ((4, ""), (2, "fewer than 4 candidates")):
        texts = {f"{number} of {count}": text for number, text in enumerate(words[:count], start=1)}
        said = {(label, row): answers(tone=number) for number, label in enumerate(texts, 1) for row in (1, 2)}
        campaign = make_campaign(project, [reviewer], rows=2, texts=texts, name=f"{count} candidates")
        run_scoring(campaign)
        review_all(campaign, reviewer, said)
        address = f"projects/{project.slug}/campaigns/{campaign.pk}/agreement/?metric=words"
        told = program_of(manager).get(address).json()["correlations"]
        tone = next(row for row in told if row["criterion"] == "tone")
        assert tone["between"]["reason"] == reason
        assert tone["between"]["value"] == (None if reason else 1.0)
        assert tone["pairs"]["reason"] == "the metric has no better direction"
        assert tone["kendall"]["value"] == tone["pearson"]["value"] == 1.0
        page = client_of(manager).get(
            f"/projects/{project.slug}/results/{campaign.pk}/can-i-trust-it/?metric=words"
        )
        assert ("undefined, fewer than 4 candidates" in page.text) == bool(reason)
        assert "Pairs ranked alike" in page.text


def test_metrics_are_means_over_items_and_say_so(project: Project, reviewer: User) -> None:
    campaign = make_campaign(project, [reviewer], rows=3)
    run_scoring(campaign)

    _, comparison = _compared(campaign)

    formal, plain = comparison.rows
    # The formal answers are the references; both texts name one figure that is not in the context: none.
    assert formal.metrics["rougeL"].value == pytest.approx(1.0)
    assert formal.metrics["exact_match"].value == 1.0
    assert plain.metrics["words"].value == 8.0
    assert plain.metrics["unsupported_numbers"].value == 0.0
    assert plain.metrics["rougeL"].n == 3
    stored = MetricResult.objects.filter(output__candidate__label="plain", metric="rougeL")
    assert plain.metrics["rougeL"].value == pytest.approx(sum(r.value or 0 for r in stored) / 3)
    assert plain.metrics["words"].note == "no interval: no variation"
    assert "interval:items" in plain.metrics["words"].signature
    assert formal.corpus["bleu"].value == pytest.approx(100.0)
    assert formal.corpus["bleu"].note == "over 3 outputs of Answers"


def test_an_unscored_campaign_has_no_metric_and_no_silent_zero(project: Project, reviewer: User) -> None:
    _, comparison = _compared(make_campaign(project, [reviewer], rows=1))

    assert comparison.metrics == []
    cell = comparison.rows[0].cell("tone")
    assert cell is not None
    assert (cell.mean.value, cell.mean.reason) == (None, "no scores")
    assert comparison.rows[0].total.reason == "no scores"


def test_a_rule_that_changed_after_scoring_is_undefined_until_it_is_scored_again(
    project: Project, reviewer: User, manager: User
) -> None:
    campaign = make_campaign(project, [reviewer], rows=2)
    rule = save_rule_check(
        project=project, name="Next step", kind="contains", params={"texts": ["next step"]}, by=manager
    )
    run_scoring(campaign)
    _, comparison = _compared(campaign)
    assert [row.rules[rule.pk].value for row in comparison.rows] == [0.0, 1.0]

    save_rule_check(
        project=project,
        name="Next step",
        kind="contains",
        params={"texts": ["call"]},
        by=manager,
        rule_check=rule,
    )
    _, comparison = _compared(campaign)
    assert [row.rules[rule.pk].reason for row in comparison.rows] == [RULE_CHANGED] * 2

    run_scoring(campaign)
    _, comparison = _compared(campaign)
    assert [row.rules[rule.pk].value for row in comparison.rows] == [0.0, 1.0]


def test_the_contradiction_names_whom_rouge_prefers_and_what_reviewers_say(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=6)
    run_scoring(campaign)
    said = {("formal", n): answers(tone=2 if n % 2 else 3) for n in range(1, 7)}
    said |= {("plain", n): answers(tone=5 if n % 3 else 4) for n in range(1, 7)}
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, said)

    scores, comparison = _compared(campaign)
    contradiction = find_contradiction(scores, comparison)

    assert contradiction is not None
    assert (contradiction.metric.label, contradiction.metric_first.label) == ("ROUGE-L", "formal")
    assert contradiction.people_first.label == "plain"
    assert contradiction.cell.criterion.key == "tone"
    assert contradiction.cell.mean.value == pytest.approx(2.5)
    assert contradiction.best.mean.value == pytest.approx(14 / 3)
    # What counts nothing in the total may run the other way, as places do: no story is told of it.
    for criterion in scores.criteria:
        criterion.weight = Decimal(0)
    assert find_contradiction(scores, comparison) is None


def test_there_is_no_contradiction_where_people_agree_or_the_gap_is_chance(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=3)
    run_scoring(campaign)
    said = {("formal", 1): answers(tone=1), ("plain", 2): answers(tone=3), ("plain", 3): answers(tone=4)}
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, said)

    scores, comparison = _compared(campaign)

    assert find_contradiction(scores, comparison) is None


def test_differences_are_paired_and_adjusted_over_the_table(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    campaign = make_campaign(
        project, [reviewer, other_reviewer], rows=5, texts={"a": "A {n}.", "b": "B {n}.", "c": "C {n}."}
    )
    said = {("b", n): answers(tone=5 if n % 2 else 4, clarity=3) for n in range(1, 6)}
    said |= {("c", n): answers(tone=2 + n % 2) for n in range(1, 6)}
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, said)

    scores, comparison = _compared(campaign)
    pairs = PairComparison(scores, comparison).with_reference(comparison.rows[0])

    assert [(pair.criterion.key, pair.challenger.label) for pair in pairs[4:6]] == [
        ("tone", "b"),
        ("tone", "c"),
    ]
    tone_b, tone_c = pairs[4:6]
    assert tone_b.difference.difference.value == pytest.approx(0.6)
    assert tone_c.difference.difference.value == pytest.approx(-1.4)
    alone = paired_difference(
        scores.ratings(tone_c.criterion, comparison.rows[2].candidate),
        scores.ratings(tone_c.criterion, comparison.rows[0].candidate),
        population=Population.PANEL,
        span=4,
        step=1,
        seed=1,
    )
    tests = sum(pair.adjusted_p is not None for pair in pairs)
    assert tests == 12
    # The smaller p values are of "b", whose clarity and tone differ, and of the totals.
    assert alone.p.value is not None
    assert alone.p.value * (tests - 4) <= tone_c.adjusted_p <= alone.p.value * tests
    # Accuracy never differs.
    assert (pairs[0].adjusted_p, pairs[0].is_significant) == (1, False)


def test_the_csv_holds_the_page_s_numbers_and_runs_no_formula(
    project: Project, reviewer: User, manager: User
) -> None:
    campaign = make_campaign(project, [reviewer], rows=2, texts={"=cmd()": "A {n}."})
    save_rule_check(project=project, name="+plus", kind="contains", params={"texts": ["A"]}, by=manager)
    run_scoring(campaign)
    review_all(campaign, reviewer, {})

    lines = [line.strip().split(",") for line in comparison_lines(_compared(campaign)[1])]

    assert lines[0][:5] == ["candidate", "measure", "value", "low", "high"]
    assert {line[0] for line in lines[1:]} == {"'=cmd()"}
    assert ["'=cmd()", "tone", "4.0"] in [line[:3] for line in lines]
    assert ["'=cmd()", "rule: +plus", "1.0"] in [line[:3] for line in lines]


def test_the_share_of_a_reason_counts_a_group_of_items_once() -> None:
    """2 of 60 outputs: of 60 items 1% to 11%; of 12 clients as much as 12 items tell."""
    outputs = set(range(60))
    plain: Any = SimpleNamespace(groups={}, groups_of_outputs={})
    alone = share_of_outputs(plain, {3, 40}, outputs)
    assert (alone.low, alone.high) == (pytest.approx(0.009, abs=0.001), pytest.approx(0.114, abs=0.001))
    groups = {output: output % 12 for output in outputs}
    grouped: Any = SimpleNamespace(groups=groups, groups_of_outputs=groups)
    together = share_of_outputs(grouped, {3, 40}, outputs)
    assert together.value == pytest.approx(alone.value)
    assert together.high > 0.2


def test_reasons_stand_beside_one_another_those_of_most_outputs_first(
    project: Project, manager: User, reviewer: User
) -> None:
    campaign = make_campaign(project, [reviewer], rows=2)
    stiff = tagged(answers(tone=1), tone=["too-formal"])
    given = {
        ("formal", 1): stiff,
        ("formal", 2): stiff,
        ("plain", 1): tagged(answers(tone=1), tone=["cold"]),
    }
    review_all(campaign, reviewer, given)
    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/what-to-fix/").text
    section = page[page.index('<section aria-labelledby="reasons">') :].partition("</section>")[0]
    rows = re.findall(r"<tr>\s*<th.*?</tr>", section, re.DOTALL)
    told = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
    assert told[0] == "Reason formal plain"
    assert told[1].startswith("too formal 100% ("), told
    assert told[1].endswith(") 0%"), told
    assert told[2].startswith("cold 0% 50% ("), told
