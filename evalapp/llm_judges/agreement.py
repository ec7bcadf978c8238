"""Agreement of an LLM judge with people on the same outputs."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from evalapp.analysis.agreement.measures import REPLICATES
from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate
from evalapp.llm_judges.models import LLMJudge, LLMScore, LLMScoreState
from evalapp.measure import Measure
from evalapp.rubrics.models import Criterion
from evalapp.stats.against_others import reviewer_against_panel
from evalapp.stats.ceiling import expected_ceiling
from evalapp.stats.correlation import segment_correlation
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import mean_over_items

ENOUGH = 10
JUDGE = "judge"


class JudgedCandidate(NamedTuple):
    """Means over the outputs that both people and the judge gave a level, on the criterion's own scale;
    ``gap`` is the judge's less the people's. Intervals over whole items, for these reviewers and this judge;
    ``n`` counts outputs.
    """

    candidate: CampaignCandidate
    outputs: int
    people: Measure
    judge: Measure
    gap: Measure


@dataclass(frozen=True)
class JudgeAgreement:
    """``alpha`` and ``kappa``: the judge with a person; ``people_alpha`` and ``people_kappa``: two people
    with each other, which is as far as they agree themselves; the gaps are the judge's less the people's. All
    six are of the outputs that the judge and at least two people answered, and of every person's answer
    there. ``correlation``: the judge with the mean of people, and ``ceiling`` what could be expected of any.
    Without levels in order only the alphas are told. ``candidates`` is empty where nobody has rated.
    """

    counts: dict[str, int]
    outputs: int
    alpha: Measure
    people_alpha: Measure
    alpha_gap: Measure
    kappa: Measure | None
    people_kappa: Measure | None
    kappa_gap: Measure | None
    correlation: Measure | None
    ceiling: Measure | None
    candidates: list[JudgedCandidate]
    reported_models: list[str]

    @property
    def waiting(self) -> int:
        return self.outputs - sum(self.counts.values())

    @property
    def unusable(self) -> int:
        return self.counts[LLMScoreState.FAILED] + self.counts[LLMScoreState.UNPARSED]

    @property
    def sentence(self) -> str:
        """How far to trust it, in words."""
        judged, gap = _ends(self.alpha), _ends(self.alpha_gap)
        if judged is None:
            reason = self.alpha.reason or self.alpha.note
            return f"It is not known whether the judge agrees with people: {reason}."
        if gap is None:
            return "The agreement among people is not known, so there is nothing to compare the judge with."
        if gap.high < 0:
            return (
                "The judge agrees with a person less than two people agree with each other: do not use it"
                " in place of a person."
            )
        if judged.low <= 0:
            return "Nothing shows that the judge agrees with people beyond chance."
        if gap.low > 0:
            return (
                "The judge agrees with a person more than two people agree with each other, but people "
                "differ a lot here: the judge is more consistent, which does not make it right."
            )
        return (
            "On these outputs, the judge agrees with a person about as much as two people agree with each"
            " other."
        )


class _IntervalEnds(NamedTuple):
    low: float
    high: float


def _ends(measure: Measure) -> _IntervalEnds | None:
    """Of the interval; both are the value where every one of enough outputs says the same."""
    if measure.low is not None and measure.high is not None:
        return _IntervalEnds(measure.low, measure.high)
    if measure.value is not None and measure.n >= ENOUGH:
        return _IntervalEnds(measure.value, measure.value)
    return None


def judge_agreement(judge: LLMJudge, scores: CampaignScores) -> JudgeAgreement:
    """What the judge said of a campaign's outputs, against what people said."""
    criterion = next(each for each in scores.criteria if each.pk == judge.criterion_id)
    llm_scores = _llm_scores(judge, scores)
    counts = dict.fromkeys(LLMScoreState.values, 0)
    for llm_score in llm_scores.values():
        counts[llm_score.state] += 1
    answers = [
        (answer.item_output_id, answer.reviewer_id, answer.value)
        for answer in scores.answers_to(criterion)
        if answer.value is not None and not answer.is_added
    ]
    by_output: dict[int, list[int]] = {}
    for pk, _, given in answers:
        by_output.setdefault(pk, []).append(given)
    said = {
        output.item_output_id: value
        for output in scores.outputs
        if output.output_id in llm_scores and (value := llm_scores[output.output_id].value) is not None
    }
    judged = [(pk, JUDGE, value) for pk, value in said.items() if pk in by_output]
    has_order = criterion.rules.has_order
    beside = reviewer_against_panel(
        _ratings([*answers, *judged], scores.groups_of_outputs),
        JUDGE,
        levels=[float(level) for level in criterion.levels],
        is_ordered=has_order,
        seed=SEED,
        replicates=REPLICATES,
    )
    correlation = ceiling = None
    if criterion.rules.has_mean:
        means = scores.output_means(criterion)
        correlation = segment_correlation(
            [output.item_id for output in scores.outputs],
            [means.get(output.item_output_id) for output in scores.outputs],
            [said.get(output.item_output_id) for output in scores.outputs],
            groups=scores.groups,
            seed=SEED,
            replicates=REPLICATES,
        )
        ceiling = expected_ceiling(scores.ratings(criterion, as_designed=True), seed=SEED).correlation
    return JudgeAgreement(
        counts=counts,
        outputs=len(scores.outputs),
        alpha=beside.alpha,
        people_alpha=beside.panel_alpha,
        alpha_gap=beside.alpha_gap,
        kappa=beside.kappa,
        people_kappa=beside.panel_kappa,
        kappa_gap=beside.kappa_gap,
        correlation=correlation,
        ceiling=ceiling,
        candidates=_candidates(scores, criterion, by_output, said) if has_order else [],
        reported_models=sorted({each.reported_model for each in llm_scores.values() if each.reported_model}),
    )


def _llm_scores(judge: LLMJudge, scores: CampaignScores) -> dict[int, LLMScore]:
    found = judge.scores.filter(output__item_outputs__item__campaign=scores.campaign).distinct()
    reviewed = {output.output_id for output in scores.outputs}
    return {each.output_id: each for each in found.defer("answer") if each.output_id in reviewed}


def _ratings(rows: Sequence[tuple[int, int | str, int]], groups: Mapping[Hashable, Hashable]) -> Ratings:
    return Ratings.from_columns(
        [item for item, _, _ in rows],
        [rater for _, rater, _ in rows],
        [value for _, _, value in rows],
        groups=groups,
    )


def _candidates(
    scores: CampaignScores,
    criterion: Criterion,
    by_output: dict[int, list[int]],
    said: dict[int, int],
) -> list[JudgedCandidate]:
    number = criterion.rules.number
    ends = (float(number(criterion.minimum)), float(number(criterion.maximum)))
    found = []
    for candidate in scores.candidates:
        both = [
            (pk, number(fmean(by_output[pk])), number(value))
            for output in scores.outputs_of(candidate)
            if (value := said.get(pk := output.item_output_id)) is not None and pk in by_output
        ]
        if both:
            outputs, people, judge = zip(*both, strict=True)
            gap = [value - mean for mean, value in zip(people, judge, strict=True)]
            people_mean, judge_mean, gap_mean = (
                mean_over_items(
                    Ratings.from_columns(
                        outputs, [JUDGE] * len(both), column, groups=scores.groups_of_outputs
                    ),
                    bounds=bounds,
                )
                for column, bounds in ((people, ends), (judge, ends), (gap, None))
            )
            found.append(JudgedCandidate(candidate, len(both), people_mean, judge_mean, gap_mean))
    return found
