"""Where a candidate is worse or better within values of a metadata field, such as a language or a product."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from evalapp.analysis.comparison.candidates import CandidateRow
from evalapp.analysis.comparison.differences import (
    ComparedPair,
    CriterionDifference,
    adjusted,
    compared_ratings,
    difference_of,
)
from evalapp.analysis.comparison.simpson import MOST_STRATA, alike_fields, is_of_pair, names_candidate
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.example_fields import example_fields, values_by_item
from evalapp.stats.strata import LEAST_ITEMS

# The number in a report; the page shows five and folds the others.
MOST_WORST_SUBGROUPS = 10


class Subgroup(NamedTuple):
    """A candidate against the reference on one criterion, over the items whose ``field`` has this ``value``.
    ``pair`` is adjusted over all subgroups of the candidate.
    """

    field: str
    value: str
    pair: CriterionDifference


def find_subgroups(
    scores: CampaignScores, pairs: Sequence[ComparedPair], reference: CandidateRow
) -> list[Subgroup]:
    """Subgroups of every candidate in ``pairs``, on its criteria, worst first
    (`CriterionDifference.worst_first`).

    Uses fields with 2 to 12 values that describe the item, not an answer; values with fewer than 10 items are
    left out.
    """
    strata = _strata(scores)
    found: list[Subgroup] = []
    for row in {pair.challenger.candidate.pk: pair.challenger for pair in pairs}.values():
        own = [pair for pair in pairs if pair.challenger == row and not pair.is_total]
        found += _of_candidate(scores, own, reference, strata)
    return sorted(found, key=_worst_first)


def _strata(scores: CampaignScores) -> dict[str, Mapping[int, str]]:
    fields = example_fields(scores.campaign)
    names = [
        each.name
        for each in fields
        if 2 <= each.distinct <= MOST_STRATA
        and not names_candidate(each.name, scores.candidates)
        and not is_of_pair(each.name)
    ]
    values = values_by_item(scores.campaign, names)
    return {name: values[name] for name in alike_fields(values)}


def _of_candidate(
    scores: CampaignScores,
    pairs: Sequence[ComparedPair],
    reference: CandidateRow,
    strata: Mapping[str, Mapping[int, str]],
) -> list[Subgroup]:
    tested = []
    for pair in pairs:
        one, other = (
            compared_ratings(scores, pair.criterion, row.candidate) for row in (pair.challenger, reference)
        )
        for field, value_of in strata.items():
            values = np.array([value_of.get(int(str(item)), "") for item in one.items], dtype=object)
            for value in sorted(set(values.tolist()) - {""}):
                chosen = values == value
                if np.count_nonzero(chosen) < LEAST_ITEMS:
                    continue
                part = one.among(chosen)
                difference = difference_of(scores, pair.criterion, part, other)
                if difference.difference.n >= LEAST_ITEMS:
                    tested.append((field, value, pair, difference))
    p_values = adjusted([difference.p for *_, difference in tested])
    return [
        Subgroup(field, value, CriterionDifference(pair.criterion, pair.challenger, difference, p))
        for (field, value, pair, difference), p in zip(tested, p_values, strict=True)
    ]


def _worst_first(subgroup: Subgroup) -> tuple[float, str, str, str]:
    return subgroup.pair.worst_first, subgroup.field, subgroup.value, subgroup.pair.criterion.key


def harmed(
    subgroups: Sequence[Subgroup], row: CandidateRow, overall: Sequence[CriterionDifference]
) -> Subgroup | None:
    """The worst subgroup in which the candidate is significantly worse, if any. Criteria on which it is not
    worse ``overall`` come first: of the others, the reader knows already.
    """
    known = {pair.criterion.key for pair in overall if pair.verdict == "worse"}
    worse = [
        each
        for each in subgroups
        if each.pair.challenger.candidate.pk == row.candidate.pk and each.pair.verdict == "worse"
    ]
    return min(worse, key=lambda each: each.pair.criterion.key in known, default=None)
