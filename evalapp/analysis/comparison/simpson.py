"""Simpson's paradox check: whether two candidates' difference reverses within values of a metadata field."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple
from urllib.parse import urlencode

from evalapp.analysis.comparison.differences import TOTAL, compared_ratings
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.example_fields import example_fields, values_by_item
from evalapp.analysis.scores.filters import FIELD
from evalapp.campaigns.models import CampaignCandidate
from evalapp.datasets.counterfactuals.variants import FIELD as COUNTERFACTUAL
from evalapp.rubrics.models import Criterion
from evalapp.stats.ratings import Ratings
from evalapp.stats.strata import LEAST_ITEMS, Paradox, StratifiedDifference, paradoxes, sides_of, stratify

# A field with more values is a name or a number; its subgroups would be single items.
MOST_STRATA = 12
# The number shown; a page folds the others, and a report counts them.
MOST_TOLD = 5
_MOST_NAMED = 3


class FoundParadox(NamedTuple):
    """``higher`` has the higher mean overall; ``lower`` has it within the reported subgroups. ``alike``:
    other fields that divide the items as ``field`` does.
    """

    criterion: Criterion
    higher: CampaignCandidate
    lower: CampaignCandidate
    field: str
    paradox: Paradox
    alike: tuple[str, ...] = ()

    @property
    def overall(self) -> float:
        return abs(self.paradox.stratified.overall)

    @property
    def query(self) -> str:
        """The URL filter of the clearest subgroup."""
        chosen = [("candidates", candidate.pk) for candidate in (self.higher, self.lower)]
        return urlencode([*chosen, (FIELD + self.field, self.paradox.telling[0].name)])

    @property
    def sentence(self) -> str:
        """The finding in a sentence, with its numbers."""
        stratified, telling = self.paradox.stratified, self.paradox.telling
        higher, lower = (each.model_version.label for each in (self.higher, self.lower))
        name = self._criterion_in_words
        whole = f"{name}: overall {higher} is {self.overall:.2f} above {lower} ({stratified.items} items)"
        inside = ", ".join(
            f"{each.name} {abs(each.difference):.2f} below ({each.items} items)" for each in telling
        )
        if self.paradox.kind == "subgroup":
            p = self.paradox.adjusted_p or 0.0
            sure = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
            where = (
                f"for no {self.field}"
                if len(telling) == len(stratified.strata)
                else f"not for every {self.field}"
            )
            return f"{whole}, but {where}: {inside}; {sure} for these reviewers, after Holm’s adjustment."
        if self.paradox.kind == "all":
            return (
                f"{whole}, but it is below for every {self.field} with {LEAST_ITEMS} items or more: {inside}."
                f" The two were rated on different mixes of {self.field}, which explains the overall"
                " difference."
            )
        return (
            f"{whole}, but it is below for {len(telling)} of {len(stratified.strata)} values of {self.field}:"
            f" {inside}."
        )

    @property
    def _criterion_in_words(self) -> str:
        """The criterion's name, with what is counted and which direction is better if that is not obvious."""
        if self.criterion is TOTAL:
            return self.criterion.name
        details = [
            "" if self.criterion.rules.has_mean else self.criterion.axis_label,
            "lower is better" if self.criterion.is_less_better else "",
        ]
        words = ", ".join(filter(None, details))
        return f"{self.criterion.name} ({words})" if words else self.criterion.name


class ParadoxesInField(NamedTuple):
    """The findings within one field, clearest first."""

    field: str
    alike: tuple[str, ...]
    found: list[FoundParadox]


class SimpsonCheck(NamedTuple):
    """``found``: by field, the field with the clearest finding first. ``fields`` were tested; ``reason`` says
    why none was. ``left_out``: values of these and other fields with too few items to test;
    ``of_candidates``: fields that describe an answer, not its item.
    """

    found: list[FoundParadox]
    fields: list[str]
    reason: str
    left_out: tuple[str, ...] = ()
    of_candidates: tuple[str, ...] = ()

    @property
    def first(self) -> list[ParadoxesInField]:
        """The first `MOST_TOLD` findings, by field."""
        return _by_field(self.found[:MOST_TOLD])

    @property
    def folded(self) -> list[ParadoxesInField]:
        return _by_field(self.found[MOST_TOLD:])

    @property
    def more(self) -> int:
        """The number of folded findings."""
        return max(0, len(self.found) - MOST_TOLD)

    @property
    def notes(self) -> str:
        """What was not tested, and why; empty if everything was."""
        sentences = []
        if self.left_out:
            sentences.append(f"Too few items to test: {', '.join(self.left_out)}.")
        if self.of_candidates:
            names = [*self.of_candidates[:_MOST_NAMED]]
            if len(self.of_candidates) > len(names):
                names.append(f"{len(self.of_candidates) - len(names)} more")
            sentences.append(
                "Not tested, because these fields are named after a candidate and describe its answer:"
                f" {', '.join(names)}."
            )
        return " ".join(sentences)


def _by_field(found: Iterable[FoundParadox]) -> list[ParadoxesInField]:
    return [
        ParadoxesInField(field, alike, list(inside))
        for (field, alike), inside in groupby(found, lambda each: (each.field, each.alike))
    ]


def check_simpson(scores: CampaignScores) -> SimpsonCheck:
    """Every pair of candidates on every criterion and the total, within every field of few values.

    Fields that divide the items alike count as one. A field whose path names a candidate is left out: it
    describes that candidate's answer or its reviews, and within strata made from outcomes any difference can
    reverse.
    """
    if len(scores.candidates) < 2 or not scores.answers:
        return SimpsonCheck([], [], "there are no two candidates with scores")
    few = [
        each.name
        for each in example_fields(scores.campaign)
        if 2 <= each.distinct <= MOST_STRATA and not is_of_pair(each.name)
    ]
    of_candidates = tuple(name for name in few if names_candidate(name, scores.candidates))
    names = [name for name in few if name not in of_candidates]
    if not names:
        reason = f"no {'other ' if of_candidates else ''}field of the examples has 2 to {MOST_STRATA} values"
        return SimpsonCheck([], [], reason, (), of_candidates)
    strata = values_by_item(scores.campaign, names)
    alike = alike_fields(strata)
    family = _stratified(scores, {name: strata[name] for name in alike})
    tested = [name for name in alike if any(key[-1] == name for key in family)]
    if not tested:
        reason = f"no field has two values with {LEAST_ITEMS} items or more of two candidates"
        return SimpsonCheck([], [], reason, tuple(names), of_candidates)
    paradoxes_by_key = paradoxes(family)
    surest: dict[str, float] = {}
    for key, paradox in paradoxes_by_key.items():
        p = paradox.adjusted_p or 0.0
        surest[key[-1]] = min(p, surest.get(key[-1], p))
    found = [
        _found_paradox(scores, key, paradox, alike[key[-1]])
        for key, paradox in sorted(
            paradoxes_by_key.items(),
            key=lambda each: (surest[each[0][-1]], each[0][-1], each[1].adjusted_p or 0.0),
        )
    ]
    tested = [each for name in tested for each in (name, *alike[name])]
    return SimpsonCheck(found, tested, "", _left_out(family, list(alike)), of_candidates)


def names_candidate(field: str, candidates: Iterable[CampaignCandidate]) -> bool:
    """Whether a step of the field's path is a candidate's label: "means.bart.overall"."""
    path = f".{field}.".casefold()
    return any(f".{each.model_version.label}.".casefold() in path for each in candidates)


def is_of_pair(field: str) -> bool:
    """Whether the field contains the counterfactual variant of a row, which has a section of its own."""
    return field.startswith(f"{COUNTERFACTUAL}.")


def alike_fields(strata: Mapping[str, Mapping[int, str]]) -> dict[str, tuple[str, ...]]:
    """The fields, each with later fields that divide the items in the same way under other values."""
    first_of: dict[tuple[tuple[int, int], ...], str] = {}
    found: dict[str, tuple[str, ...]] = {}
    for name, value_by_item in strata.items():
        places: dict[str, int] = {}
        division = tuple(
            (item, places.setdefault(value, len(places)))
            for item, value in sorted(value_by_item.items())
            if value
        )
        first = first_of.setdefault(division, name)
        if first == name:
            found[name] = ()
        else:
            found[first] += (name,)
    return found


def _left_out(family: Mapping["_Key", StratifiedDifference], names: Sequence[str]) -> tuple[str, ...]:
    """What was not tested for some pair of candidates because of too few items."""
    left_out: dict[str, set[str]] = {name: set() for name in names}
    for (*_, name), stratified in family.items():
        left_out[name].update(stratified.left_out)
    tested = {key[-1] for key in family}
    return tuple(
        each
        for name, values in left_out.items()
        for each in ([name] if name not in tested else [f"{name} {value}" for value in sorted(values)])
    )


# Criterion, challenger and reference by position, and the field.
_Key = tuple[int, int, int, str]


def _criteria(scores: CampaignScores) -> list[Criterion]:
    scales = scores.scales
    shares = [each for each in scores.criteria if each not in scales and each.counted_levels]
    return [*scales, *([TOTAL] if len(scales) > 1 else []), *shares]


def _stratified(
    scores: CampaignScores, strata: Mapping[str, Mapping[int, str]]
) -> dict[_Key, StratifiedDifference]:
    family: dict[_Key, StratifiedDifference] = {}
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


def _found_paradox(
    scores: CampaignScores, key: _Key, paradox: Paradox, alike: tuple[str, ...]
) -> FoundParadox:
    place, one, other, name = key
    pair = (scores.candidates[one], scores.candidates[other])
    higher, lower = pair if paradox.stratified.overall > 0 else pair[::-1]
    return FoundParadox(_criteria(scores)[place], higher, lower, name, paradox, alike)
