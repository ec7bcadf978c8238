"""The words on a metric follow from its interval and the ceiling, and say both."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.metrics.best_metric import AgainstBest, against_best
from evalapp.analysis.metrics.metric_trust import Verdict, advice, metric_trust, trust_of
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.measure import Measure
from evalapp.metrics.registry import METRICS
from evalapp.stats.ceiling import expected_ceiling
from evalapp.stats.correlation import segment_correlation
from evalapp.stats.metric_difference import williams_p
from evalapp.stats.ratings import Ratings
from proofs.simulations import report_share, simulated
from tests.factories import GOOD, PLAIN, answers, make_campaign, review_all, run_scoring

ROUGE, BLEU, FIGURES = METRICS["rougeL"], METRICS["bleu"], METRICS["unsupported_numbers"]
CEILING = Measure(value=0.8, n=100, low=0.7, high=0.85, signature="ceiling")
NO_CEILING = Measure.undefined("one reviewer", signature="ceiling")


def correlation(low: float, value: float, high: float) -> Measure:
    return Measure(value=value, n=100, low=low, high=high, signature="spearman")


@pytest.mark.parametrize(
    ("measure", "verdict", "start"),
    [
        (correlation(0.31, 0.45, 0.58), "follows", "ROUGE-L follows people on Tone: "),
        (
            correlation(0.25, 0.45, 0.58),
            "hint",
            "ROUGE-L is a hint about Tone, not a substitute for people: ",
        ),
        (correlation(0.03, 0.15, 0.27), "weak", "ROUGE-L says little about Tone: "),
        (correlation(-0.10, 0.05, 0.20), "unsure", "Nothing shows that ROUGE-L follows people on Tone: "),
        (correlation(-0.40, -0.25, -0.10), "against", "ROUGE-L points the wrong way on Tone: "),
    ],
)
def test_the_verdict_rests_on_the_lower_end(measure: Measure, verdict: Verdict, start: str) -> None:
    found = trust_of("Tone", ROUGE, measure, CEILING)
    assert found.verdict == verdict
    assert found.sentence.startswith(start)
    assert (
        "over 100 outputs; the highest correlation to expect of any metric is 0.80 (0.70 to 0.85)."
        in found.sentence
    )


def test_the_numbers_stand_in_the_sentence() -> None:
    sentence = trust_of("Tone", ROUGE, correlation(-0.1, 0.05, 0.2), CEILING).sentence
    assert "Spearman 0.05 (−0.10 to 0.20)" in sentence


def test_a_metric_of_which_less_is_better_says_how_it_was_turned() -> None:
    assert (
        "where lower is better" in trust_of("Accuracy", FIGURES, correlation(0.3, 0.4, 0.5), CEILING).sentence
    )


def test_nothing_follows_people_who_do_not_agree() -> None:
    apart = Measure(value=0.44, n=100, low=0.2, high=0.6, signature="ceiling")
    found = trust_of("Tone", ROUGE, correlation(0.5, 0.6, 0.7), apart)
    assert found.verdict == "hint"
    assert found.sentence.endswith(
        "the highest correlation to expect of any metric is 0.44 (0.20 to 0.60), and a higher value is"
        " often chance."
    )
    assert advice("Tone", [found]) == (
        "For Tone ask people. They may agree too little for any metric to follow them: the highest"
        " correlation to expect is 0.44 (0.20 to 0.60)."
    )


def test_an_unknown_ceiling_is_said_and_nothing_follows() -> None:
    found = trust_of("Tone", ROUGE, correlation(0.6, 0.7, 0.8), NO_CEILING)
    assert found.verdict == "hint"
    assert "the highest correlation to expect is not known: one reviewer" in found.sentence


def test_an_undefined_correlation_gives_the_reason() -> None:
    none = Measure.undefined("no variation in the metric", signature="spearman")
    found = trust_of("Tone", ROUGE, none, CEILING)
    assert (found.verdict, found.sentence) == (
        "unknown",
        "It is not known whether ROUGE-L follows people on Tone: no variation in the metric.",
    )


def test_a_metric_that_only_knows_who_wrote_an_answer_is_a_hint_at_most() -> None:
    high, nothing = correlation(0.57, 0.65, 0.72), correlation(-0.12, 0.01, 0.14)
    blind = trust_of("Tone", ROUGE, high, CEILING, nothing)
    assert blind.verdict == "hint"
    assert blind.sentence.startswith("ROUGE-L is a hint about Tone, not a substitute for people: ")
    assert "worse ones (Spearman 0.01, −0.12 to 0.14)." in blind.sentence
    assert advice("Tone", [blind]) == "For Tone ask people; ROUGE-L separates candidates, not single answers."
    shown = trust_of("Tone", ROUGE, high, CEILING, correlation(0.1, 0.2, 0.3))
    assert shown.verdict == "follows" and "separates candidates" not in shown.sentence
    constant = Measure.undefined("no variation in the metric", signature="spearman")
    assert "(no variation in the metric)" in trust_of("Tone", ROUGE, high, CEILING, constant).sentence
    # What follows nobody says so without more.
    assert "apart" not in trust_of("Tone", ROUGE, correlation(-0.1, 0.05, 0.2), CEILING, nothing).sentence


def test_the_means_of_four_candidates_or_more_are_compared_by_williams() -> None:
    generator = np.random.default_rng(8)
    outputs: list[Any] = [
        SimpleNamespace(item_output_id=10 * item + candidate, item_id=item, candidate_id=candidate)
        for item in range(6)
        for candidate in range(5)
    ]
    human, best, other = (
        {each.item_output_id: each.candidate_id + generator.normal(0, spread) for each in outputs}
        for spread in (0.5, 0.5, 3.0)
    )
    found = against_best(outputs, human, best, {"other": other}, groups={}, seed=1)["other"]
    means = [
        [
            np.mean([of[each.item_output_id] for each in outputs if each.candidate_id == which])
            for which in range(5)
        ]
        for of in (human, best, other)
    ]
    table = np.corrcoef(means)
    assert found.candidates == pytest.approx(williams_p(table[0, 1], table[0, 2], table[1, 2], 5))
    assert found.outputs is not None and found.outputs < 0.05
    three = [each for each in outputs if each.candidate_id < 3]
    assert against_best(three, human, best, {"other": other}, groups={}, seed=1)["other"].candidates is None


def test_the_advice_names_the_best_and_warns_of_the_worst() -> None:
    good, bad = correlation(0.6, 0.7, 0.75), correlation(-0.5, -0.4, -0.3)
    trusts = [trust_of("Tone", ROUGE, good, CEILING), trust_of("Tone", FIGURES, bad, CEILING)]
    assert advice("Tone", trusts) == (
        "For Tone trust ROUGE-L (the best of 2 looked at): it follows people."
        " Unsupported numbers would mislead."
    )
    for p, words in ((0.01, "It does so better than every other."), (0.2, "It is not shown to do so better")):
        tested = [trusts[0], trusts[1]._replace(against_best=AgainstBest(p, None))]
        assert words in advice("Tone", tested)
    third = trust_of("Tone", BLEU, correlation(0.4, 0.5, 0.6), CEILING)._replace(
        against_best=AgainstBest(0.3, None)
    )
    tested = [trusts[0], third, trusts[1]._replace(against_best=AgainstBest(0.01, None))]
    assert "It does so better than Unsupported numbers." in advice("Tone", tested)
    weak = [trust_of("Tone", ROUGE, correlation(0.01, 0.1, 0.2), CEILING)]
    assert advice("Tone", weak) == "For Tone trust no metric: ask people."
    assert advice("Tone", []) == "No metric can be compared with people on Tone yet."


def test_a_campaign_is_told_criterion_by_criterion(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    texts = {"formal": f"{GOOD} Call us.", "plain": PLAIN}
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=8, texts=texts)
    run_scoring(campaign)
    for person in (reviewer, other_reviewer):
        review_all(
            campaign, person,
            {
                ("formal", row): answers(tone=1 + row % 2, clarity=4 + row % 2) for row in range(1, 9)
            } | {("plain", row): answers(tone=4 + row % 2, clarity=1 + row % 2) for row in range(1, 9)},
        )  # fmt: skip

    found = {each.criterion.key: each for each in metric_trust(load_scores(campaign))}

    # The formal answers are nearly the references: ROUGE-L is high there, tone low and clarity high.
    tone, clarity = found["tone"], found["clarity"]
    assert tone.ceiling.defined
    rouge = {each.metric.name: each for each in tone.metrics}["rougeL"]
    assert rouge.verdict == "against"
    assert "ROUGE-L" in tone.sentence
    assert "would mislead" in tone.sentence
    # Every formal answer has the same ROUGE-L: it knows which candidate wrote it, and no more.
    best = clarity.metrics[0]
    assert best.verdict == "hint" and best.correlation.low is not None and best.correlation.low > 0.5
    assert best.inside is not None and "within:candidate" in best.inside.signature
    assert "separates candidates" in clarity.sentence
    # Neither way of a length is better, so it is not a metric to trust.
    assert "words" not in {each.metric.name for each in tone.metrics}
    assert found["accuracy"].sentence == "No metric can be compared with people on Accuracy yet."


def said_to_follow(*, true: float, reliability: float, items: int, runs: int, seed: int) -> float:
    """In what share of campaigns a metric is said to follow people: three reviewers score each item in whole
    numbers around its quality, the metric correlates ``true`` with the quality; ``reliability`` is that of
    the three reviewers' mean.
    """
    generator = np.random.default_rng(seed)
    noise = math.sqrt(3 * (1 / reliability - 1))
    names = [number for number in range(items) for _ in range(3)]
    found = 0
    for _ in range(runs):
        quality = generator.normal(size=items)
        metric = true * quality + math.sqrt(1 - true**2) * generator.normal(size=items)
        given = quality[:, None] + noise * generator.normal(size=(items, 3))
        scores = np.clip(np.round(3 + given), 1, 5)
        ratings = Ratings.from_columns(names, [0, 1, 2] * items, scores.ravel().tolist())
        ceiling = expected_ceiling(ratings).correlation
        measure = segment_correlation(range(items), scores.mean(axis=1).tolist(), metric.tolist())
        found += trust_of("Tone", ROUGE, measure, ceiling).verdict == "follows"
    return found / runs


@pytest.mark.verification
@pytest.mark.parametrize(
    ("true", "reliability", "items", "least", "most"),
    [
        (0.3, 0.8, 60, 0.0, 0.02),
        (0.3, 0.8, 200, 0.0, 0.02),
        (0.9, 0.8, 60, 0.7, 1.0),
        (0.9, 0.8, 200, 0.98, 1.0),
        (0.9, 0.3, 60, 0.0, 0.05),
        (0.9, 0.3, 200, 0.0, 0.05),
    ],
)
def test_how_often_a_metric_is_said_to_follow_people(
    true: float, reliability: float, items: int, least: float, most: float
) -> None:
    runs = simulated(400)
    share = said_to_follow(true=true, reliability=reliability, items=items, runs=runs, seed=20261130)
    print(f"true r {true}, reliability {reliability}, {items} items: {share:.1%}")
    name = f"follows people: true r {true}, reliability {reliability}"
    assert report_share(name, share, runs, at_least=least, at_most=most)
