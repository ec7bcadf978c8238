"""The words on a metric follow from its interval and the ceiling, and say both."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.metrics.metric_trust import Verdict, advice, metric_trust, trust_of
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.measure import Measure
from evalapp.metrics.registry import METRICS
from tests.factories import answers, make_campaign, review_all, run_scoring

ROUGE, FIGURES = METRICS["rougeL"], METRICS["unsupported_numbers"]
CEILING = Measure(value=0.8, n=100, low=0.7, high=0.85, signature="ceiling")
NO_CEILING = Measure.undefined("one reviewer", signature="ceiling")


def correlation(low: float, value: float, high: float) -> Measure:
    return Measure(value=value, n=100, low=low, high=high, signature="spearman")


@pytest.mark.parametrize(
    ("measure", "verdict", "start"),
    [
        (correlation(0.57, 0.65, 0.72), "follows", "ROUGE-L follows people on Tone: "),
        (correlation(0.30, 0.45, 0.58), "hint", "ROUGE-L is a hint at Tone, not a substitute for people: "),
        (correlation(0.03, 0.15, 0.27), "weak", "ROUGE-L says little about Tone: "),
        (correlation(-0.10, 0.05, 0.20), "unsure", "Nothing shows that ROUGE-L follows people on Tone: "),
        (correlation(-0.40, -0.25, -0.10), "against", "ROUGE-L points the wrong way on Tone: "),
    ],
)
def test_the_verdict_rests_on_the_lower_end_as_a_share_of_the_ceiling(
    measure: Measure, verdict: Verdict, start: str
) -> None:
    found = trust_of("Tone", ROUGE, measure, CEILING)
    assert found.verdict == verdict
    assert found.sentence.startswith(start)
    assert "over 100 outputs; the highest correlation to expect of any metric is 0.80" in found.sentence


def test_the_numbers_stand_in_the_sentence() -> None:
    sentence = trust_of("Tone", ROUGE, correlation(-0.1, 0.05, 0.2), CEILING).sentence
    assert "Spearman 0.05 (−0.10 to 0.20)" in sentence


def test_a_metric_of_which_less_is_better_says_how_it_was_turned() -> None:
    assert (
        "where lower is better" in trust_of("Accuracy", FIGURES, correlation(0.3, 0.4, 0.5), CEILING).sentence
    )


def test_an_unknown_ceiling_is_said_and_counts_as_one() -> None:
    found = trust_of("Tone", ROUGE, correlation(0.6, 0.7, 0.8), NO_CEILING)
    assert found.verdict == "hint"
    assert "the highest correlation to expect is not known: one reviewer" in found.sentence


def test_an_undefined_correlation_gives_the_reason() -> None:
    none = Measure.undefined("no variation in the metric", signature="spearman")
    found = trust_of("Tone", ROUGE, none, CEILING)
    assert (found.verdict, found.sentence) == (
        "unknown",
        "Whether ROUGE-L follows people on Tone is not known: no variation in the metric.",
    )


def test_a_metric_that_only_knows_who_wrote_an_answer_is_a_hint_at_most() -> None:
    high, nothing = correlation(0.57, 0.65, 0.72), correlation(-0.12, 0.01, 0.14)
    blind = trust_of("Tone", ROUGE, high, CEILING, nothing)
    assert blind.verdict == "hint"
    assert blind.sentence.startswith("ROUGE-L is a hint at Tone, not a substitute for people: ")
    assert "worse ones (Spearman 0.01, −0.12 to 0.14)." in blind.sentence
    assert advice("Tone", [blind]) == "For Tone ask people; ROUGE-L separates candidates, not single answers."
    shown = trust_of("Tone", ROUGE, high, CEILING, correlation(0.1, 0.2, 0.3))
    assert shown.verdict == "follows" and "separates candidates" not in shown.sentence
    constant = Measure.undefined("no variation in the metric", signature="spearman")
    assert "(no variation in the metric)" in trust_of("Tone", ROUGE, high, CEILING, constant).sentence
    # What follows nobody says so without more.
    assert "apart" not in trust_of("Tone", ROUGE, correlation(-0.1, 0.05, 0.2), CEILING, nothing).sentence


def test_the_advice_names_the_best_and_warns_of_the_worst() -> None:
    good, bad = correlation(0.6, 0.7, 0.75), correlation(-0.5, -0.4, -0.3)
    trusts = [trust_of("Tone", ROUGE, good, CEILING), trust_of("Tone", FIGURES, bad, CEILING)]
    assert advice("Tone", trusts) == (
        "For Tone trust ROUGE-L (the best of 2 looked at): it follows people nearly as far as a metric can. "
        "Unsupported numbers would mislead."
    )
    weak = [trust_of("Tone", ROUGE, correlation(0.01, 0.1, 0.2), CEILING)]
    assert advice("Tone", weak) == "For Tone trust no metric: ask people."
    assert advice("Tone", []) == "No metric can be compared with people on Tone yet."


def test_a_campaign_is_told_criterion_by_criterion(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=8)
    run_scoring(campaign)
    for person in (reviewer, other_reviewer):
        review_all(
            campaign, person,
            {
                ("formal", row): answers(tone=1 + row % 2, clarity=4 + row % 2) for row in range(1, 9)
            } | {("plain", row): answers(tone=4 + row % 2, clarity=1 + row % 2) for row in range(1, 9)},
        )  # fmt: skip

    found = {each.criterion.key: each for each in metric_trust(load_scores(campaign))}

    # The formal answers are the references: ROUGE-L is 1 there, tone low and clarity high.
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
