"""The correction report: edit rates, and whether a metric is blind or its references are stale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from evalapp.analysis.agreement.measures import REPLICATES
from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.metrics.metric_trust import (
    CONSIDERABLE,
    MetricTrust,
    inside_candidates,
    people_agree,
    trust_of,
)
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate, ItemOutput
from evalapp.exports.correction_scoring import (
    AGAINST_CORRECTIONS,
    AGAINST_OTHERS,
    CORRECTION_METRICS,
    against_name,
    edit_rate_name,
)
from evalapp.exports.corrections import Corrections, corrections_mark, corrections_of
from evalapp.measure import Measure, signature
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import METRICS
from evalapp.rubrics.models import Criterion
from evalapp.scoring.models import MetricResult
from evalapp.stats.ceiling import expected_ceiling
from evalapp.stats.correlation import segment_correlation, segment_gain
from evalapp.stats.proportions import wilson
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import candidate_score

Conclusion = Literal["follows", "stale", "blind", "open"]

# With more, the page would take too long; the edit rates are shown all the same.
MOST_OUTPUTS = 1_000
# Fewer that were measured without their own corrections say nothing.
FEWEST_OTHERS = 10
# Corrected examples from which on "blind" and "stale" are said without reserve: with fewer a correlation may
# lie
# 0.4 and more from where it would settle.
ENOUGH_EXAMPLES = 30


@dataclass(frozen=True)
class CandidateEdits:
    """``corrected``: share of the reviewed outputs that have an accepted correction; ``rate``: words changed
    per 100 words of the correction, over those.
    """

    candidate: CampaignCandidate
    corrected: Measure
    rate: Measure


class MetricConclusion(NamedTuple):
    """A metric against the references and against the corrections, on the same outputs.

    ``others``: less the output's own corrections. ``gain``: how much better the corrections make it.
    ``sentence`` tells the conclusion with reserve where the report has a caution.
    """

    metric: MetricDescription
    references: Measure
    corrections: Measure
    others: Measure
    gain: Measure
    conclusion: Conclusion
    sentence: str


@dataclass(frozen=True)
class CorrectionReport:
    """``unmeasured``: outputs whose results are missing, or stand for other corrections than now.
    ``caution``: why no metric is called blind and no reference stale without reserve yet; "" where nothing
    speaks against it.
    """

    corrections: Corrections
    candidates: list[CandidateEdits]
    conclusions: list[MetricConclusion]
    criterion: Criterion | None
    ceiling: Measure | None
    unmeasured: int
    is_large: bool
    caution: str = ""

    @property
    def headline(self) -> str:
        """One sentence over all metrics, or nothing."""
        return headline(self.conclusions, is_tentative=bool(self.caution))


_Values = dict[tuple[str, str], dict[int, float]]


class _Stored(NamedTuple):
    """``values``: by prefix and metric, then by output."""

    values: _Values
    rates: dict[int, dict[int, float]]
    unmeasured: int


def correction_report(scores: CampaignScores, criterion: Criterion | None) -> CorrectionReport:
    """The whole page; metrics are told against ``criterion``, a scale, where there is one."""
    corrections = corrections_of(scores.campaign)
    stored = _stored(scores, corrections)
    against_first = stored.values.get((AGAINST_CORRECTIONS, CORRECTION_METRICS[0]), {})
    measured = sum(1 for output in scores.outputs if output.output_id in against_first)
    is_large = measured > MOST_OUTPUTS
    ceiling = None
    conclusions: list[MetricConclusion] = []
    caution = caution_of(corrections)
    if criterion is not None and measured and not is_large:
        ceiling = expected_ceiling(scores.ratings(criterion, as_designed=True), seed=SEED).correlation
        conclusions = [
            _conclusion(scores, criterion, METRICS[name], stored.values, ceiling, is_tentative=bool(caution))
            for name in CORRECTION_METRICS
        ]
    return CorrectionReport(
        corrections=corrections,
        candidates=[_edits(scores, each, corrections, stored.rates) for each in scores.candidates],
        conclusions=conclusions,
        criterion=criterion,
        ceiling=ceiling,
        unmeasured=stored.unmeasured,
        is_large=is_large,
        caution=caution if conclusions else "",
    )


def caution_of(corrections: Corrections) -> str:
    """Why what the corrections show is not settled: there are few, or they were picked and not drawn at
    random.
    """
    told = []
    examples, accepted, picked = len(corrections.by_example), len(corrections.accepted), corrections.picked
    if examples < ENOUGH_EXAMPLES:
        told.append(
            f"Few corrections: of {examples} example{'' if examples == 1 else 's'}; from {ENOUGH_EXAMPLES}"
            " on these conclusions are firm."
        )
    if picked:
        of = f"{picked} of the {accepted} accepted corrections are" if accepted > 1 else "The correction is"
        told.append(
            f"{of} of outputs that the disagreement finder picked, not of a random sample: on those a metric"
            " looks more blind than it is."
        )
    return " ".join(told)


def _stored(scores: CampaignScores, corrections: Corrections) -> _Stored:
    """The results that stand for the corrections as they are now."""
    by_example = corrections.by_example
    marks = {example: corrections_mark(given) for example, given in by_example.items()}
    campaign = scores.campaign
    names = {
        against_name(prefix, campaign.pk, name): (prefix, name)
        for prefix in (AGAINST_CORRECTIONS, AGAINST_OTHERS)
        for name in CORRECTION_METRICS
    }
    values: _Values = {}
    rates: dict[int, dict[int, float]] = {}
    seen: set[int] = set()
    rows = MetricResult.objects.filter(
        output__in=ItemOutput.objects.filter(item__campaign=campaign).values("output"),
        output__example__in=by_example,
        metric__in=[edit_rate_name(campaign.pk), *names],
    ).values_list("output_id", "output__example_id", "metric", "signature", "value", "detail")
    for output_id, example_id, metric, made_by, value, detail in rows.iterator(chunk_size=5_000):
        if not made_by.startswith(marks[example_id]):
            continue
        seen.add(output_id)
        if metric not in names:
            rates[output_id] = {int(review): rate for review, rate in detail.get("rates", {}).items()}
        elif value is not None:
            values.setdefault(names[metric], {})[output_id] = value
    wanted = _outputs_on(scores, by_example)
    return _Stored(values, rates, len(wanted - seen))


def _outputs_on(scores: CampaignScores, by_example: Mapping[int, object]) -> set[int]:
    items = dict(scores.campaign.items.filter(example__in=by_example).values_list("pk", "example_id"))
    return {output.output_id for output in scores.outputs if output.item_id in items}


def _edits(
    scores: CampaignScores,
    candidate: CampaignCandidate,
    corrections: Corrections,
    rates: Mapping[int, Mapping[int, float]],
) -> CandidateEdits:
    own = [each for each in corrections.accepted if each.candidate_id == candidate.pk]
    reviewed = {a.item_output_id for a in scores.answers if a.candidate_id == candidate.pk}
    corrected = len({each.output_id for each in own})
    share = wilson(corrected, max(len(reviewed), corrected), name="corrected-share")
    rated = [
        (each.item_id, each.reviewer_id, rates[each.output_id][each.review_id])
        for each in own
        if each.review_id in rates.get(each.output_id, {})
    ]
    if not own:
        rate = Measure.undefined("no accepted correction", signature=signature("edit-rate"))
    elif not rated:
        rate = Measure.undefined("not measured yet", signature=signature("edit-rate"))
    else:
        items, authors, found = zip(*rated, strict=True)
        rate = candidate_score(
            Ratings.from_columns(items, authors, found, groups=scores.groups),
            population=scores.population,
            bounds=(0, float("inf")),
        )
    return CandidateEdits(candidate, share, rate)


def _conclusion(
    scores: CampaignScores,
    criterion: Criterion,
    metric: MetricDescription,
    values: Mapping[tuple[str, str], Mapping[int, float]],
    ceiling: Measure,
    *,
    is_tentative: bool,
) -> MetricConclusion:
    means = scores.output_means(criterion)
    against = values.get((AGAINST_CORRECTIONS, metric.name), {})
    outputs = [output for output in scores.outputs if output.output_id in against]
    items = [output.item_id for output in outputs]
    sign = -1 if criterion.lower_is_better else 1
    human = [
        None if (mean := means.get(output.item_output_id)) is None else sign * mean for output in outputs
    ]
    old = [output.metrics.get(metric.name) for output in outputs]
    new = [against.get(output.output_id) for output in outputs]
    less_own = values.get((AGAINST_OTHERS, metric.name), {})
    rest = [less_own.get(output.output_id) for output in outputs]
    references, corrected, others = (
        segment_correlation(items, human, column, groups=scores.groups, seed=SEED, replicates=REPLICATES)
        for column in (old, new, rest)
    )
    has_others = others.defined and others.n >= FEWEST_OTHERS
    best, chosen = (others, rest) if has_others else (corrected, new)
    gain = segment_gain(items, human, old, chosen, groups=scores.groups, seed=SEED, replicates=REPLICATES)
    before, after = (
        trust_of(
            criterion.name, metric, found, ceiling, inside_candidates(outputs, human, column, scores.groups)
        )
        for found, column in ((references, old), (best, chosen))
    )
    conclusion = conclusion_of(before, after, gain)
    told = after if conclusion == "stale" else before
    sentence = sentence_of(
        criterion.name,
        metric,
        conclusion,
        is_hint=told.verdict == "hint",
        has_others=has_others,
        so_far=gain.n if is_tentative else None,
        apart=people_apart(criterion.name, ceiling) if conclusion == "open" and _is_small(after) else "",
    )
    return MetricConclusion(metric, references, corrected, others, gain, conclusion, sentence)


def conclusion_of(before: MetricTrust, after: MetricTrust, gain: Measure) -> Conclusion:
    """The references are stale where the metric follows people against corrections, surely better than
    against the references; the metric is blind where even the upper end of what it reaches against
    corrections is under what makes a hint, and people surely agree far enough for something to follow
    them. What neither shows is open.
    """
    useful = ("follows", "hint")
    if before.verdict in useful:
        return "follows"
    if after.verdict in useful and gain.low is not None and gain.low > 0:
        return "stale"
    return "blind" if _is_small(after) and people_agree(after.ceiling) else "open"


def _is_small(found: MetricTrust) -> bool:
    high = found.correlation.high
    return high is not None and high < CONSIDERABLE


def people_apart(name: str, ceiling: Measure) -> str:
    """Why it is not shown that anything could follow people; "" where it is."""
    if people_agree(ceiling):
        return ""
    if ceiling.value is None:
        return f"how far people agree on {name} is not known ({ceiling.reason})"
    if ceiling.low is None or ceiling.high is None:
        return f"how far people agree on {name} is uncertain ({ceiling.note})"
    return (
        f"people may agree too little on {name} for any metric to follow them (expected ceiling "
        f"{ceiling.value:.1f}, {ceiling.low:.1f} to {ceiling.high:.1f})"
    )


def sentence_of(
    name: str,
    metric: MetricDescription,
    conclusion: Conclusion,
    *,
    is_hint: bool,
    has_others: bool,
    so_far: int | None,
    apart: str = "",
) -> str:
    """What is found, in words. ``so_far``: on how many outputs, where that is told with reserve. ``is_hint``:
    what follows people is a hint at them and no more. ``apart``: why a metric that follows nobody is not
    called blind.
    """
    label = metric.label
    own = (
        ""
        if has_others
        else (
            " Each answer's own correction is among its references and stays close to it, so part of this is"
            " the edit itself."
        )
    )
    follows = f"is only a hint about {name}," if is_hint else f"follows people on {name}"
    reserve = f"on {so_far} outputs it" if so_far is not None else "it"
    if conclusion == "follows":
        on = f" on {so_far} outputs" if so_far is not None else ""
        return f"{label} {follows}{on} with the references as they are."
    if conclusion == "stale":
        may = "may be" if so_far is not None else "are"
        return (
            f"The references {may} stale for {label} on {name}: {reserve}"
            f" {'is a hint' if is_hint else 'follows people'} against their corrections.{own}"
        )
    if so_far is not None and conclusion == "blind":
        return (
            f"{label} may be blind to {name}: {reserve} does not follow people even against their"
            " corrections. Collect corrections of more items, sampled at random, before you give it up."
        )
    if conclusion == "open" and apart:
        return (
            f"{label} does not follow people on {name} even against their corrections; it is not known"
            f" whether the metric is the cause: {apart}."
        )
    return {
        "blind": (
            f"{label} is blind to {name}: it does not follow people even against their corrections, so"
            " better references will not help."
        ),
        "open": (
            f"These corrections do not yet show whether {label} is blind to {name} or its references are"
            " stale."
        ),
    }[conclusion]


def headline(conclusions: Sequence[MetricConclusion], *, is_tentative: bool) -> str:
    """One sentence over all metrics, or nothing."""
    perhaps = "perhaps " if is_tentative else ""
    parts = []
    for kind, words in (
        ("stale", f"{perhaps}stale references for {{}}"),
        ("blind", f"{{}} {perhaps}blind"),
        ("follows", "{} in order"),
    ):
        labels = [each.metric.label for each in conclusions if each.conclusion == kind]
        if labels:
            parts.append(words.format(", ".join(labels)))
    return f"{'; '.join(parts)[:1].upper()}{'; '.join(parts)[1:]}." if parts else ""
