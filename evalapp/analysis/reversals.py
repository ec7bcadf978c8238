"""Where the difference of two candidates turns round inside the values of a metadata field."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from evalapp.analysis.differences import TOTAL, compared_ratings
from evalapp.analysis.example_fields import example_fields, values_by_item
from evalapp.analysis.filters import FIELD
from evalapp.analysis.scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate
from evalapp.rubrics.models import Criterion, CriterionKind
from evalapp.stats.ratings import Ratings
from evalapp.stats.strata import LEAST_ITEMS, Reversal, Stratified, reversals, sides_of, stratify

# A field with more values is a name or a number; its strata would be single items.
MOST_STRATA = 12


class FoundReversal(NamedTuple):
    """``higher`` has the higher mean overall; inside the telling strata ``lower`` has."""

    criterion: Criterion
    higher: CampaignCandidate
    lower: CampaignCandidate
    field: str
    reversal: Reversal

    @property
    def overall(self) -> float:
        return abs(self.reversal.stratified.overall)

    @property
    def query(self) -> str:
        """The filter of the surest stratum, as a part of an address."""
        chosen = [("with", candidate.pk) for candidate in (self.higher, self.lower)]
        return urlencode([*chosen, (FIELD + self.field, self.reversal.telling[0].name)])

    @property
    def sentence(self) -> str:
        """What is found, with its numbers."""
        stratified, telling = self.reversal.stratified, self.reversal.telling
        higher, lower = (each.model_version.label for each in (self.higher, self.lower))
        name = self.criterion.name
        if self.criterion.kind != CriterionKind.SCALE and self.criterion is not TOTAL:
            name = f"{name} ({self.criterion.axis_label})"
        whole = f"{name}: overall {higher} is {self.overall:.2f} above {lower} ({stratified.items} items)"
        inside = ", ".join(
            f"{each.name} {abs(each.difference):.2f} below ({each.items} items)" for each in telling
        )
        if self.reversal.kind == "stratum":
            p = self.reversal.adjusted_p or 0.0
            sure = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
            where = (
                f"for no {self.field}"
                if len(telling) == len(stratified.strata)
                else f"not for every {self.field}"
            )
            return f"{whole}, but {where}: {inside}; {sure} for these reviewers, after Holm’s adjustment."
        if self.reversal.kind == "all":
            return (
                f"{whole}, but it is below for every {self.field} with {LEAST_ITEMS} items or more: {inside}. "
                f"The two were rated on different mixes of {self.field}, which makes the overall difference."
            )
        return f"{whole}, but it is below for {len(telling)} of {len(stratified.strata)} values of {self.field}: {inside}."


class Reversals(NamedTuple):
    """``fields`` were looked at; ``reason`` says why none was, where none was. ``left_out`` are values of these, and
    other fields, with too few items to look at.
    """

    found: list[FoundReversal]
    fields: list[str]
    reason: str
    left_out: tuple[str, ...] = ()


def find_reversals(scores: CampaignScores) -> Reversals:
    """Every pair of candidates on every criterion and the total, inside every field of few values."""
    if len(scores.candidates) < 2 or not scores.answers:
        return Reversals([], [], "there are no two candidates with scores")
    names = [each.name for each in example_fields(scores.campaign) if 2 <= each.distinct <= MOST_STRATA]
    if not names:
        return Reversals([], [], f"no field of the examples has 2 to {MOST_STRATA} values")
    family = _stratified(scores, values_by_item(scores.campaign, names))
    looked_at = [name for name in names if any(key[-1] == name for key in family)]
    if not looked_at:
        reason = f"no field has two values with {LEAST_ITEMS} items or more of two candidates"
        return Reversals([], [], reason, tuple(names))
    told = reversals(family)
    found = [
        _found(scores, key, reversal)
        for key, reversal in sorted(told.items(), key=lambda each: each[1].adjusted_p or 0.0)
    ]
    return Reversals(found, looked_at, "", _left_out(family, names))


def _left_out(family: Mapping["_Key", Stratified], names: Sequence[str]) -> tuple[str, ...]:
    """What nobody looked at in some comparison for want of items."""
    left_out: dict[str, set[str]] = {name: set() for name in names}
    for (*_, name), stratified in family.items():
        left_out[name].update(stratified.left_out)
    looked_at = {key[-1] for key in family}
    return tuple(
        each
        for name, values in left_out.items()
        for each in ([name] if name not in looked_at else [f"{name} {value}" for value in sorted(values)])
    )


# Criterion, challenger and reference by their places, and the field.
_Key = tuple[int, int, int, str]


def _criteria(scores: CampaignScores) -> list[Criterion]:
    scales = scores.scales
    shares = [each for each in scores.criteria if each not in scales and each.counted_levels]
    return [*scales, *([TOTAL] if len(scales) > 1 else []), *shares]


def _stratified(scores: CampaignScores, strata: Mapping[str, Mapping[int, str]]) -> dict[_Key, Stratified]:
    family: dict[_Key, Stratified] = {}
    for place, criterion in enumerate(_criteria(scores)):
        ratings: list[Ratings] = [
            compared_ratings(scores, criterion, candidate) for candidate in scores.candidates
        ]
        for one in range(len(ratings)):
            for other in range(one):
                sides = sides_of(ratings[one], ratings[other])
                for name, stratum_of in strata.items():
                    found = stratify(sides, stratum_of)
                    if found is not None:
                        family[place, one, other, name] = found
    return family


def _found(scores: CampaignScores, key: _Key, reversal: Reversal) -> FoundReversal:
    place, one, other, name = key
    pair = (scores.candidates[one], scores.candidates[other])
    higher, lower = pair if reversal.stratified.overall > 0 else pair[::-1]
    return FoundReversal(_criteria(scores)[place], higher, lower, name, reversal)
