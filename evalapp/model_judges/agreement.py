"""A judge beside the people who rated the same outputs: its verdicts are shown in no other way."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from evalapp.analysis.agreement import REPLICATES
from evalapp.analysis.differences import SEED
from evalapp.analysis.scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate
from evalapp.measure import Measure
from evalapp.model_judges.models import ModelJudge, ModelVerdict, VerdictState
from evalapp.rubrics.models import Criterion, CriterionKind
from evalapp.stats.agreement import Scale, krippendorff_alpha, quadratic_kappa
from evalapp.stats.ceiling import expected_ceiling
from evalapp.stats.correlation import segment_correlation
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import candidate_score

ENOUGH = 10
PERSON, OTHER, JUDGE = "person", "other person", "judge"


class JudgedCandidate(NamedTuple):
    """Means over the outputs that both people and the judge gave a level, on the criterion's own scale; ``gap``
    is the judge's less the people's. Intervals over outputs, for this panel and this judge; n counts outputs.
    """

    candidate: CampaignCandidate
    outputs: int
    people: Measure
    judge: Measure
    gap: Measure


@dataclass(frozen=True)
class JudgeAgreement:
    """``alpha`` and ``kappa``: the judge with one person an output, drawn at random; ``people_alpha`` and
    ``people_kappa``: two people of the same outputs, which is as far as they agree themselves.
    ``correlation``: the judge with the mean of people, and ``ceiling`` what could be expected of any.
    Without levels in order only the alphas are told. ``candidates`` is empty where nobody has rated.
    """

    counts: dict[str, int]
    outputs: int
    alpha: Measure
    people_alpha: Measure
    kappa: Measure | None
    people_kappa: Measure | None
    correlation: Measure | None
    ceiling: Measure | None
    candidates: list[JudgedCandidate]
    reported_models: list[str]

    @property
    def waiting(self) -> int:
        return self.outputs - sum(self.counts.values())

    @property
    def unusable(self) -> int:
        return self.counts[VerdictState.FAILED] + self.counts[VerdictState.UNPARSED]

    @property
    def sentence(self) -> str:
        """How far to trust it, in words."""
        judged, people = _ends(self.alpha), _ends(self.people_alpha)
        if judged is None:
            reason = self.alpha.reason or self.alpha.note
            return f"Whether the judge agrees with people cannot be told: {reason}."
        if people is None:
            return (
                "How far people agree among themselves is not known, so neither is how far the judge could."
            )
        if judged.high < people.low:
            return "The judge agrees with a person less than two people do: do not take it for one."
        if judged.low > 0:
            return "The judge agrees with a person about as two people do, as far as these outputs show."
        return "Nothing shows that the judge agrees with people beyond chance."


class _Ends(NamedTuple):
    low: float
    high: float


def _ends(measure: Measure) -> _Ends | None:
    """Of the interval; both are the value where every one of enough outputs says the same."""
    if measure.low is not None and measure.high is not None:
        return _Ends(measure.low, measure.high)
    if measure.value is not None and measure.n >= ENOUGH:
        return _Ends(measure.value, measure.value)
    return None


def judge_agreement(judge: ModelJudge, scores: CampaignScores) -> JudgeAgreement:
    """What the judge said of a campaign's outputs, against what people said."""
    criterion = next(each for each in scores.criteria if each.pk == judge.criterion_id)
    verdicts = _verdicts(judge, scores)
    counts = dict.fromkeys(VerdictState.values, 0)
    for verdict in verdicts.values():
        counts[verdict.state] += 1
    by_output: dict[int, list[int]] = {}
    for answer in scores.answers_to(criterion):
        if answer.value is not None and not answer.is_added:
            by_output.setdefault(answer.item_output_id, []).append(answer.value)
    said = {
        output.item_output_id: verdicts[output.output_id].value
        for output in scores.outputs
        if output.output_id in verdicts and verdicts[output.output_id].value is not None
    }
    with_judge, among_people = _drawn(
        by_output, {pk: value for pk, value in said.items() if value is not None}
    )
    is_scale = criterion.kind == CriterionKind.SCALE
    has_order = criterion.kind != CriterionKind.CATEGORY

    def alpha(ratings: Ratings) -> Measure:
        kind: Scale = "ordinal" if is_scale else "nominal"
        return krippendorff_alpha(ratings, scale=kind, seed=SEED, replicates=REPLICATES)

    def kappa(ratings: Ratings, other: str) -> Measure | None:
        return (
            quadratic_kappa(ratings, PERSON, other, seed=SEED, replicates=REPLICATES) if has_order else None
        )

    correlation = ceiling = None
    if is_scale:
        means = scores.output_means(criterion)
        correlation = segment_correlation(
            [output.item_id for output in scores.outputs],
            [means.get(output.item_output_id) for output in scores.outputs],
            [said.get(output.item_output_id) for output in scores.outputs],
            seed=SEED,
            replicates=REPLICATES,
        )
        ceiling = expected_ceiling(scores.ratings(criterion, as_designed=True), seed=SEED).correlation
    return JudgeAgreement(
        counts=counts,
        outputs=len(scores.outputs),
        alpha=alpha(with_judge),
        people_alpha=alpha(among_people),
        kappa=kappa(with_judge, JUDGE),
        people_kappa=kappa(among_people, OTHER),
        correlation=correlation,
        ceiling=ceiling,
        candidates=_candidates(scores, criterion, by_output, said) if has_order else [],
        reported_models=sorted({each.reported_model for each in verdicts.values() if each.reported_model}),
    )


def _verdicts(judge: ModelJudge, scores: CampaignScores) -> dict[int, ModelVerdict]:
    found = judge.verdicts.filter(output__item_outputs__item__campaign=scores.campaign).distinct()
    reviewed = {output.output_id for output in scores.outputs}
    return {each.output_id: each for each in found.defer("answer") if each.output_id in reviewed}


def _drawn(by_output: dict[int, list[int]], said: dict[int, int]) -> tuple[Ratings, Ratings]:
    """The judge and a person of each output; and two people of each, of the same outputs."""
    # Reproducible, and nothing depends on its secrecy.
    generator = random.Random(SEED)  # noqa: S311
    judged: list[tuple[int, str, int]] = []
    people: list[tuple[int, str, int]] = []
    for pk in sorted(by_output):
        if pk not in said:
            continue
        given = generator.sample(by_output[pk], k=min(2, len(by_output[pk])))
        judged += [(pk, PERSON, given[0]), (pk, JUDGE, said[pk])]
        if len(given) == 2:
            people += [(pk, PERSON, given[0]), (pk, OTHER, given[1])]
    return _ratings(judged), _ratings(people)


def _ratings(rows: Sequence[tuple[int, str, int]]) -> Ratings:
    return Ratings.from_columns(
        [item for item, _, _ in rows], [rater for _, rater, _ in rows], [value for _, _, value in rows]
    )


def _candidates(
    scores: CampaignScores,
    criterion: Criterion,
    by_output: dict[int, list[int]],
    said: dict[int, int | None],
) -> list[JudgedCandidate]:
    ends = (float(criterion.minimum), float(criterion.maximum))
    found = []
    for candidate in scores.candidates:
        both = [
            (pk, fmean(by_output[pk]), value)
            for output in scores.outputs_of(candidate)
            if (value := said.get(pk := output.item_output_id)) is not None and pk in by_output
        ]
        if both:
            found.append(
                JudgedCandidate(
                    candidate,
                    len(both),
                    people=_mean_over_outputs([(pk, people) for pk, people, _ in both], ends),
                    judge=_mean_over_outputs([(pk, value) for pk, _, value in both], ends),
                    gap=_mean_over_outputs([(pk, value - people) for pk, people, value in both], None),
                )
            )
    return found


def _mean_over_outputs(values: Sequence[tuple[int, float]], ends: tuple[float, float] | None) -> Measure:
    ratings = Ratings.from_columns(
        [pk for pk, _ in values], [JUDGE] * len(values), [value for _, value in values]
    )
    return candidate_score(ratings, interval="items", bounds=ends)
