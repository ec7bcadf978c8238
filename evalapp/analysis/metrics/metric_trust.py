"""Which automatic metric to trust for which criterion, in words with the numbers behind them."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Literal, NamedTuple

from evalapp.analysis.agreement.measures import REPLICATES
from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.metrics.best_metric import AgainstBest, against_best
from evalapp.analysis.scores.campaign_scores import CampaignScores, ReviewedOutput
from evalapp.analysis.scores.reference_candidates import compared_outputs
from evalapp.core.number_format import as_text
from evalapp.measure import Measure
from evalapp.metrics.metric import MetricDescription
from evalapp.rubrics.models import Criterion
from evalapp.stats.ceiling import expected_ceiling
from evalapp.stats.correlation import segment_correlation

Verdict = Literal["follows", "hint", "weak", "unsure", "against", "unknown"]

# Lower limit of the ceiling's interval above which reviewers agree enough for a metric to follow them.
AGREED = 0.5
# A correlation: a metric follows people if its lower limit is above this, and is a hint if its value is.
CONSIDERABLE = 0.3
# Level of the tests of each metric against the best.
ALPHA = 0.05
# With more outputs, all metrics against all criteria take longer than a page may.
MOST_OUTPUTS = 500


class MetricTrust(NamedTuple):
    """A metric against a criterion.

    ``correlation``: Spearman over all outputs, with the sign reversed if less of the metric is better, so
    that positive is right. ``ceiling``: the highest correlation to be expected of any metric. ``sentence``:
    the verdict with both. ``inside``: the correlation within candidates, None with a single candidate; a
    metric that only recognises the candidate has 0. ``against_best``: None for the best metric itself, and if
    there is no other.
    """

    metric: MetricDescription
    correlation: Measure
    ceiling: Measure
    verdict: Verdict
    sentence: str
    inside: Measure | None = None
    against_best: AgainstBest | None = None


class CriterionTrust(NamedTuple):
    """``metrics``: computed metrics with a direction, most trusted first. ``sentence``: advice for this
    criterion.
    """

    criterion: Criterion
    ceiling: Measure
    metrics: list[MetricTrust]
    sentence: str


def computed_metrics(scores: CampaignScores) -> list[MetricDescription]:
    """The metrics that some output has."""
    return [
        metric
        for metric in scores.metrics.values()
        if any(metric.name in output.metrics for output in scores.outputs)
    ]


def directed_scales_and_metrics(scores: CampaignScores) -> tuple[list[Criterion], list[MetricDescription]]:
    """The scales and the computed metrics whose better end is known."""
    scales = [each for each in scores.scales if has_direction(each)]
    return scales, [metric for metric in computed_metrics(scores) if metric.better != "none"]


def metric_trust(
    scores: CampaignScores, step: Callable[[str], None] = lambda _: None
) -> list[CriterionTrust]:
    """Every scale criterion with a direction against every metric with one. ``step`` is called with each
    stage as it begins: each criterion's ceiling, then each metric.

    A scale without a weight has no direction, unless the rubric says that lower is better.
    """
    if not scores.answers:
        return []
    scales, metrics = directed_scales_and_metrics(scores)
    compared = {metric.name: compared_outputs(scores, metric) for metric in metrics}
    found = []
    for criterion in scales:
        means = scores.output_means(criterion)
        sign = -1 if criterion.lower_is_better else 1
        name = f"{criterion.name} (lower is better)" if criterion.lower_is_better else criterion.name
        step(f"{criterion.name}: the highest to expect")
        ceiling = expected_ceiling(scores.ratings(criterion, as_designed=True), seed=SEED).correlation
        trusts = []
        for metric in metrics:
            step(f"{criterion.name}: {metric.label}")
            outputs, note = compared[metric.name]
            items = [output.item_id for output in outputs]
            human = [
                None if (mean := means.get(output.item_output_id)) is None else sign * mean
                for output in outputs
            ]
            values = [_higher_is_better(output.metrics.get(metric.name), metric) for output in outputs]
            correlation = segment_correlation(
                items, human, values, groups=scores.groups, seed=SEED, replicates=REPLICATES
            )
            inside = inside_candidates(outputs, human, values, scores.groups)
            trusts.append(trust_of(name, metric, correlation.with_note(note), ceiling, inside))
        trusts.sort(key=_order, reverse=True)
        trusts = _with_tests_against_best(scores, means, sign, trusts)
        found.append(CriterionTrust(criterion, ceiling, trusts, advice(name, trusts)))
    return found


def _with_tests_against_best(
    scores: CampaignScores, means: Mapping[int, float], sign: int, trusts: list[MetricTrust]
) -> list[MetricTrust]:
    """The same verdicts, with the test of each metric against the first."""
    compared = [trust.metric for trust in trusts if trust.verdict != "unknown"]
    if len(compared) < 2:
        return trusts
    values = {
        metric.name: {
            output.item_output_id: value
            for output in scores.outputs
            if (value := _higher_is_better(output.metrics.get(metric.name), metric)) is not None
        }
        for metric in compared
    }
    found = against_best(
        scores.outputs,
        {output: sign * mean for output, mean in means.items()},
        values.pop(compared[0].name),
        values,
        groups=scores.groups,
        seed=SEED,
    )
    return [trust._replace(against_best=found.get(trust.metric.name)) for trust in trusts]


def has_direction(criterion: Criterion) -> bool:
    """Whether the rubric says which end of a scale is better."""
    return criterion.weight > 0 or criterion.lower_is_better


def _higher_is_better(value: float | None, metric: MetricDescription) -> float | None:
    return -value if value is not None and metric.better == "lower" else value


def inside_candidates(
    outputs: Sequence[ReviewedOutput],
    human: Sequence[float | None],
    metric: Sequence[float | None],
    groups: Mapping[Hashable, str],
) -> Measure | None:
    """Spearman of both sides minus their candidate's mean; None for a single candidate, where it equals the
    overall one. ``groups`` by item.
    """
    pairs = [
        (output.item_id, output.candidate_id, score, value)
        for output, score, value in zip(outputs, human, metric, strict=True)
        if score is not None and value is not None
    ]
    by_candidate: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for _, candidate, score, value in pairs:
        by_candidate[candidate].append((score, value))
    if len(by_candidate) < 2:
        return None
    means = {
        candidate: tuple(fmean(side) for side in zip(*both, strict=True))
        for candidate, both in by_candidate.items()
    }
    # Rounded, so that equal values stay equal: otherwise a rounding error would be ranked.
    people = [round(score - means[candidate][0], 9) for _, candidate, score, _ in pairs]
    values = [round(value - means[candidate][1], 9) for _, candidate, _, value in pairs]
    found = segment_correlation(
        [item for item, *_ in pairs], people, values, groups=groups, seed=SEED, replicates=REPLICATES
    )
    return replace(found, signature=f"{found.signature}|within:candidate")


def _order(trust: MetricTrust) -> tuple[bool, float, float]:
    """Sort key: metrics that follow people first, then by lower limit, then by value; unknown last."""
    correlation = trust.correlation
    seen = -2.0 if correlation.value is None else correlation.value
    return (trust.verdict == "follows", -2.0 if correlation.low is None else correlation.low, seen)


def trust_of(
    name: str,
    metric: MetricDescription,
    correlation: Measure,
    ceiling: Measure,
    inside: Measure | None = None,
) -> MetricTrust:
    """The verdict on one metric for the criterion called ``name``.

    It *follows* people if they agree (lower limit of the ceiling above 0.5) and the lower limit of the
    correlation is above 0.3. Otherwise a correlation significantly above 0 is a *hint* if it is above 0.3,
    else *weak*. An interval that contains 0 is *unsure*, one below 0 *against*, none at all *unknown*. A
    metric not shown to follow people ``inside`` candidates is a hint at most.
    """
    verdict = _verdict(correlation, ceiling)
    if inside is None or verdict not in {"follows", "hint", "weak"} or _is_shown(inside):
        sentence = _sentence(name, metric, correlation, ceiling, verdict)
        return MetricTrust(metric, correlation, ceiling, verdict, sentence, inside)
    verdict = "hint" if verdict == "follows" else verdict
    sentence = (
        f"{_sentence(name, metric, correlation, ceiling, verdict)} It separates candidates; it is not shown"
        f" to separate one candidate's better answers from its worse ones ({_inside_words(inside)})."
    )
    return MetricTrust(metric, correlation, ceiling, verdict, sentence, inside)


def _is_shown(inside: Measure | None) -> bool:
    """Whether the metric also follows people within candidates, or there is a single candidate."""
    return inside is None or (inside.low is not None and inside.low > 0)


def _inside_words(inside: Measure) -> str:
    if inside.value is None:
        return inside.reason
    return f"Spearman {_number(inside.value)}, {_number(inside.low)} to {_number(inside.high)}"


def _verdict(correlation: Measure, ceiling: Measure) -> Verdict:
    if correlation.low is None or correlation.high is None:
        return "unknown"
    if correlation.high < 0:
        return "against"
    if correlation.low <= 0:
        return "unsure"
    if correlation.low > CONSIDERABLE and people_agree(ceiling):
        return "follows"
    return "hint" if (correlation.value or 0.0) > CONSIDERABLE else "weak"


def people_agree(ceiling: Measure) -> bool:
    """Whether reviewers agree enough for a metric to follow them."""
    return ceiling.low is not None and ceiling.low > AGREED


def _sentence(
    name: str, metric: MetricDescription, correlation: Measure, ceiling: Measure, verdict: Verdict
) -> str:
    if verdict == "unknown":
        reason = correlation.reason or correlation.note
        return f"It is not known whether {metric.label} follows people on {name}: {reason}."
    numbers = _values(metric, correlation, ceiling)
    words = {
        "follows": f"{metric.label} follows people on {name}: {numbers}.",
        "hint": f"{metric.label} is a hint about {name}, not a substitute for people: {numbers}.",
        "weak": f"{metric.label} says little about {name}: {numbers}.",
        "unsure": f"Nothing shows that {metric.label} follows people on {name}: {numbers}.",
        "against": f"{metric.label} points the wrong way on {name}: {numbers}.",
    }
    return words[verdict]


def _values(metric: MetricDescription, correlation: Measure, ceiling: Measure) -> str:
    less = ", where lower is better" if metric.better == "lower" else ""
    numbers_words = (
        f"Spearman {_number(correlation.value)} ({_number(correlation.low)} to {_number(correlation.high)})"
        f" over {correlation.n} outputs{less}{f', {correlation.note}' if correlation.note else ''}"
    )
    if ceiling.value is None:
        return f"{numbers_words}; the highest correlation to expect is not known: {ceiling.reason}"
    numbers_words = (
        f"{numbers_words}; the highest correlation to expect of any metric is {_ceiling_words(ceiling)}"
    )
    if correlation.value is not None and correlation.value > ceiling.value:
        numbers_words = f"{numbers_words}, and a higher value is often chance"
    return numbers_words


def _ceiling_words(ceiling: Measure) -> str:
    if ceiling.low is None or ceiling.high is None:
        return f"{_number(ceiling.value)} ({ceiling.note})"
    return f"{_number(ceiling.value)} ({_number(ceiling.low)} to {_number(ceiling.high)})"


def _number(value: float | None) -> str:
    return as_text(value, digits=2)


def advice(name: str, trusts: Sequence[MetricTrust]) -> str:
    """Advice for the criterion called ``name``; ``trusts`` with the most trusted first."""
    known = [trust for trust in trusts if trust.verdict != "unknown"]
    if not known:
        return f"No metric can be compared with people on {name} yet."
    best = known[0]
    of = f" (the best of {len(known)} looked at)" if len(known) > 1 else ""
    against = [trust.metric.label for trust in known if trust.verdict == "against"]
    warning = f" {_joined_names(against)} would mislead." if against else ""
    if best.verdict == "follows":
        return f"For {name} trust {best.metric.label}{of}: it follows people.{_lead_words(known)}{warning}"
    if best.ceiling.defined and not people_agree(best.ceiling):
        return (
            f"For {name} ask people. They may agree too little for any metric to follow them: the highest"
            f" correlation to expect is {_ceiling_words(best.ceiling)}.{warning}"
        )
    if best.verdict == "hint" and not _is_shown(best.inside):
        return (
            f"For {name} ask people; {best.metric.label}{of} separates candidates, not single"
            f" answers.{warning}"
        )
    if best.verdict == "hint":
        return f"For {name} ask people; {best.metric.label}{of} is a hint for what to look at.{warning}"
    return f"For {name} trust no metric: ask people.{warning}"


def _lead_words(known: Sequence[MetricTrust]) -> str:
    """The metrics shown to follow people less than the first does."""
    tested = [
        (trust.metric.label, trust.against_best.outputs)
        for trust in known[1:]
        if trust.against_best is not None and trust.against_best.outputs is not None
    ]
    if not tested:
        return ""
    behind = [label for label, p in tested if p < ALPHA]
    if not behind:
        return " It is not shown to do so better than the others."
    if len(behind) == len(known) - 1:
        return " It does so better than every other."
    return f" It does so better than {_joined_names(behind)}."


def _joined_names(labels: Sequence[str]) -> str:
    """Names as a list in a sentence: "BLEU and chrF++", "BLEU, chrF++, and Token F1"."""
    if len(labels) < 3:
        return " and ".join(labels)
    return f"{', '.join(labels[:-1])}, and {labels[-1]}"
