"""Converts results of analyses to JSON and back, for storage by a job.

Every class that can be restored is named here. The subject of a number (a candidate, a criterion, a rule, a
metric) is stored as its id, so that a stored number shows its current name.
"""

import dataclasses
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalapp.analysis.agreement.measures import AgreementRow, CorrelationRow
from evalapp.analysis.agreement.reviewer_agreement import (
    CriterionAgreement,
    LevelsToClarify,
    PairAgreement,
    ReviewerAgreement,
)
from evalapp.analysis.agreement.severity import AdjustedCandidate, CampaignSeverity, ReviewerSeverity
from evalapp.analysis.comparison.candidates import (
    CandidateRow,
    Comparison,
    Design,
    HumanCell,
    ReviewerRow,
    TagCount,
)
from evalapp.analysis.comparison.counterfactuals import (
    CounterfactualCheck,
    CounterfactualDifference,
    LargestLoss,
)
from evalapp.analysis.comparison.differences import TOTAL, ComparedPair, Contradiction, CriterionDifference
from evalapp.analysis.comparison.simpson import FoundParadox, SimpsonCheck
from evalapp.analysis.comparison.span_counts import CandidateMarks, MarkCount
from evalapp.analysis.comparison.subgroups import Subgroup
from evalapp.analysis.comparison.summary import WorstCase
from evalapp.analysis.comparison.unblinding import Unblinding
from evalapp.analysis.comparison.usage import Usage
from evalapp.analysis.metrics.best_metric import AgainstBest
from evalapp.analysis.metrics.disagreements import DisagreementCount
from evalapp.analysis.metrics.metric_trust import CriterionTrust, MetricTrust
from evalapp.analysis.metrics.prediction_powered import PredictionPoweredMean
from evalapp.analysis.scores.filtered_scores import FilterCoverage, SharedItems
from evalapp.campaigns.models import CampaignCandidate
from evalapp.charts.chart import Chart, Panel
from evalapp.measure import Measure
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import COMPARED_METRICS
from evalapp.rubrics.models import Criterion
from evalapp.scoring.models import RuleCheck
from evalapp.stats.against_others import AgainstOthers
from evalapp.stats.blinding import BlindingIndex
from evalapp.stats.confusion import ConfusedLevels, Confusion
from evalapp.stats.differences import Difference, MeanDifference, Reach
from evalapp.stats.prediction_powered import PredictionPowered
from evalapp.stats.rank_intervals import Rank
from evalapp.stats.severity import AdjustedScore, Severity
from evalapp.stats.strata import Paradox, StratifiedDifference, Stratum
from evalapp.stats.wins import WinsTiesLosses

KIND = "$"

CLASSES: tuple[type[Any], ...] = (
    *(Measure, Difference, MeanDifference, Reach, BlindingIndex, AdjustedScore, Severity),
    *(
        Design,
        HumanCell,
        TagCount,
        CandidateRow,
        Comparison,
        ComparedPair,
        CriterionDifference,
        Contradiction,
    ),
    *(AgreementRow, CorrelationRow, MarkCount, CandidateMarks, Unblinding, DisagreementCount),
    *(WinsTiesLosses, Usage, SharedItems, FilterCoverage, ReviewerRow, Panel),
    *(
        CriterionAgreement,
        AgainstOthers,
        ReviewerAgreement,
        PairAgreement,
        Confusion,
        ConfusedLevels,
        LevelsToClarify,
    ),
    *(CriterionTrust, MetricTrust, AgainstBest, PredictionPoweredMean, PredictionPowered),
    *(CounterfactualCheck, CounterfactualDifference, LargestLoss),
    *(WorstCase, Rank, Subgroup, SimpsonCheck, FoundParadox, Paradox, StratifiedDifference, Stratum),
    *(AdjustedCandidate, ReviewerSeverity, CampaignSeverity, MetricDescription),
)


class OutdatedError(Exception):
    """The stored numbers refer to something that no longer exists, or are of another release."""


@dataclass(frozen=True)
class Subjects:
    """The subjects of a campaign's numbers, by id; ``rows`` of its comparison by candidate."""

    candidates: Mapping[int, CampaignCandidate]
    criteria: Mapping[int, Criterion]
    rules: Mapping[int, RuleCheck]
    rows: Mapping[int, CandidateRow] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls,
        candidates: Iterable[CampaignCandidate],
        criteria: Iterable[Criterion],
        rules: Iterable[RuleCheck],
    ) -> "Subjects":
        return cls(
            {each.pk: each for each in candidates},
            {each.pk: each for each in criteria},
            {each.pk: each for each in rules},
        )


def _fields(kind: type[Any]) -> tuple[str, ...]:
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return tuple(kind._fields)


_BY_NAME = {each.__name__: each for each in CLASSES}
_NAMES = {each.__name__: _fields(each) for each in CLASSES}


def format_number(more: Iterable[type[Any]] = ()) -> int:
    """Number that changes whenever a class gets another field, so that results of an earlier release are not
    misread.
    """
    shape = [(each.__name__, *_fields(each)) for each in (*CLASSES, *more)]
    return zlib.crc32(repr(shape).encode()) & 0x7FFF


def as_json(value: Any, *, names_rows: bool = False) -> Any:
    """Plain JSON of a number, or of lists, dicts, sets and tuples of them. Raises TypeError for anything
    else.

    ``names_rows``: rows of the comparison are stored elsewhere, so only their candidates are written.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if names_rows and isinstance(value, CandidateRow):
        return {KIND: "row", "of": value.candidate.pk}

    def written(each: Any) -> Any:
        return as_json(each, names_rows=names_rows)

    if isinstance(value, list):
        return [written(each) for each in value]
    if (subject := _subject(value)) is not None:
        return subject
    kind = type(value)
    if _BY_NAME.get(kind.__name__) is kind:
        return {
            KIND: kind.__name__,
            **{name: written(getattr(value, name)) for name in _NAMES[kind.__name__]},
        }
    return _collection(value, written)


def _collection(value: Any, written: Callable[[Any], Any]) -> dict[str, Any]:
    if isinstance(value, dict):
        # As pairs, because the database reorders an object's keys, and they need not be strings.
        return {KIND: "dict", "of": [[written(key), written(each)] for key, each in value.items()]}
    words: dict[type[Any], str] = {set: "set", frozenset: "set", tuple: "tuple"}
    word = words.get(type(value))
    if word is None:
        name = type(value).__name__
        raise TypeError(f"a {name} cannot be stored; name it in evalapp.analysis.stored.serialisation")
    return {KIND: word, "of": [written(each) for each in value]}


def _subject(value: Any) -> dict[str, Any] | None:
    """A subject stored by name, or a value that is JSON already."""
    # External metrics are written in full: they may be gone when the numbers are read.
    if isinstance(value, MetricDescription) and value.name in COMPARED_METRICS:
        return {KIND: "metric", "of": value.name}
    if value is TOTAL:
        return {KIND: "total", "of": None}
    if isinstance(value, Chart):
        # Plain JSON already, and long.
        return {KIND: "chart", "of": list(value)}
    for kind, word in ((CampaignCandidate, "candidate"), (Criterion, "criterion"), (RuleCheck, "rule")):
        if isinstance(value, kind):
            return {KIND: word, "of": value.pk}
    return None


def from_json(stored: Any, subjects: Subjects) -> Any:
    """The inverse of `as_json`. Raises OutdatedError if a part of it no longer exists."""
    if isinstance(stored, list):
        return [from_json(each, subjects) for each in stored]
    if not isinstance(stored, dict):
        return stored
    word = stored[KIND]
    if kind := _BY_NAME.get(word):
        try:
            return kind(**{name: from_json(stored[name], subjects) for name in _NAMES[word]})
        except KeyError as missing:
            raise OutdatedError(f"{word} has no {missing}") from None
    return _read(word, stored["of"], subjects)


def _read(word: str, of: Any, subjects: Subjects) -> Any:
    if word == "total":
        return TOTAL
    if word == "chart":
        return Chart(*of)
    if word == "dict":
        return {from_json(key, subjects): from_json(each, subjects) for key, each in of}
    if word in ("set", "tuple"):
        found = (from_json(each, subjects) for each in of)
        return set(found) if word == "set" else tuple(found)
    known: Mapping[str, Mapping[Any, Any]] = {
        "candidate": subjects.candidates,
        "criterion": subjects.criteria,
        "rule": subjects.rules,
        "metric": COMPARED_METRICS,
        "row": subjects.rows,
    }
    try:
        return known[word][of]
    except KeyError:
        raise OutdatedError(f"there is no {word} {of}") from None
