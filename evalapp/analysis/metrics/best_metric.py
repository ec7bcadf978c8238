"""Whether the best metric for a criterion is really better than the others, or by chance."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from statistics import StatisticsError, correlation, fmean
from typing import NamedTuple

from evalapp.analysis.scores.campaign_scores import ReviewedOutput
from evalapp.stats.differences import holm
from evalapp.stats.metric_difference import permutation_p, williams_p

ByOutput = Mapping[int, float]
"""Values by the output's id in the campaign."""


class AgainstBest(NamedTuple):
    """Two-sided p values of the hypothesis that a metric follows people as well as the best one: over
    outputs, with Holm's adjustment over the metrics of the criterion, and over the candidates' means. None if
    undefined.
    """

    outputs: float | None
    candidates: float | None


def against_best(
    outputs: Sequence[ReviewedOutput],
    human: ByOutput,
    best: ByOutput,
    others: Mapping[str, ByOutput],
    *,
    groups: Mapping[Hashable, Hashable],
    seed: int,
) -> dict[str, AgainstBest]:
    """Comparison with the best metric, by metric. Higher values of each metric and of ``human`` must be
    better.
    """
    by_outputs, by_candidates = {}, {}
    for name, values in others.items():
        both = [each for each in outputs if all(each.item_output_id in of for of in (human, best, values))]
        columns = [[of[each.item_output_id] for each in both] for of in (human, best, values)]
        candidates = [each.candidate_id for each in both]
        items = [each.item_id for each in both]
        by_outputs[name] = permutation_p(candidates, items, *columns, groups=groups, seed=seed)
        by_candidates[name] = _over_candidates(candidates, columns)
    adjusted = holm({name: p for name, p in by_outputs.items() if p is not None})
    return {name: AgainstBest(adjusted.get(name), by_candidates[name]) for name in others}


def _over_candidates(candidates: Sequence[int], columns: Sequence[Sequence[float]]) -> float | None:
    grouped: dict[int, list[tuple[float, ...]]] = defaultdict(list)
    for candidate, *values in zip(candidates, *columns, strict=True):
        grouped[candidate].append(tuple(values))
    if len(grouped) < 4:
        return None
    means = [[fmean(side) for side in zip(*rows, strict=True)] for rows in grouped.values()]
    human, best, other = zip(*means, strict=True)
    try:
        return williams_p(
            correlation(human, best), correlation(human, other), correlation(best, other), len(grouped)
        )
    except StatisticsError:
        return None
