"""The candidates, reviewers and criteria of a file of ratings, counted in one pass. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from evalapp.imports.problems import FileProblemError
from evalapp.ratings.formats.nested import RANKS_FIELD
from evalapp.ratings.records import ParsedRow, ScaleEnds
from evalapp.ratings.values import Census, suggest_criterion
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.kinds.scale import ends_in_points, in_levels
from evalapp.rubrics.limits import LONGEST_NAME, MOST_OPTIONS

MOST_REVIEWERS = 20_000
MOST_SINGLE_REVIEWERS = 1_000
"""Of more than these nothing is said singly: their names count as positions."""
# A campaign compares fewer; this tells a column of texts from one of names.
MOST_NAMES = 100
UNNAMED_LABEL = "Marked"
"""What spans without a label of their own are labelled."""
_SAMPLE = 6


@dataclass
class FileCensus:
    """Counts of the records that can be read. Raises FileProblemError where names are no names."""

    records: int = 0
    items: set[int] = field(default_factory=set)
    candidates: Counter[str] = field(default_factory=Counter)
    reviewers: Counter[str] = field(default_factory=Counter)
    criteria: dict[str, Census] = field(default_factory=dict)
    scales: dict[str, ScaleEnds] = field(default_factory=dict)
    spans: int = 0
    span_labels: Counter[str] = field(default_factory=Counter)

    def add(self, reading: ParsedRow) -> None:
        if reading.texts is not None:
            for candidate in reading.texts.answers:
                self.candidates[candidate] += 0
        for record in reading.records:
            self.records += 1
            self.items.add(hash(record.item))
            self.candidates[record.candidate] += 1
            self.reviewers[record.reviewer] += 1
            self.spans += len(record.spans)
            self.span_labels.update(mark.label or UNNAMED_LABEL for mark in record.spans)
            self.scales.update(record.scales)
            for criterion, raw in record.values:
                if criterion not in self.criteria:
                    self.criteria[criterion] = Census()
                self.criteria[criterion].add(raw)
        self._check()

    def _check(self) -> None:
        for found, most, what in (
            (self.candidates, MOST_NAMES, "candidates"),
            (self.reviewers, MOST_REVIEWERS, "reviewers"),
            (self.criteria, MOST_NAMES, "criteria"),
        ):
            if len(found) > most:
                raise FileProblemError(
                    f"The file names more than {most:,} {what}. Check which column holds their names."
                )

    def as_json(self, layout: Mapping[str, Any]) -> dict[str, Any]:
        """What the import keeps; ``layout`` says how the file was read for it."""
        most = max((census.count for census in self.criteria.values()), default=0)
        return {
            "layout": dict(layout),
            "records": self.records,
            "items": len(self.items),
            "spans": self.spans,
            "span_labels": [label for label, _ in self.span_labels.most_common(MOST_OPTIONS)],
            "candidates": self.candidates.most_common(),
            "reviewers": self.reviewers.most_common(),
            "criteria": [
                _criterion_summary(name, census, most, self.scales.get(name))
                for name, census in self.criteria.items()
            ],
        }


def census_of(found: Iterable[ParsedRow]) -> FileCensus:
    census = FileCensus()
    for reading in found:
        census.add(reading)
    return census


def _criterion_summary(
    name: str, census: Census, most: int, scale: ScaleEnds | None = None
) -> dict[str, Any]:
    is_ranked = name.casefold().startswith(RANKS_FIELD)
    draft = suggest_criterion(name, census, records=most, is_ranked=is_ranked, scale=scale)
    shown = [str(raw)[:24] for raw, _ in census.values.most_common(_SAMPLE)]
    return {
        "name": name,
        "count": census.count,
        "values": shown,
        "kind": draft.kind,
        **ends_in_points(draft),
        "options": [option.label for option in draft.options],
        "weight": str(draft.weight),
        "is_required": draft.is_required,
        "allows_not_applicable": draft.allows_not_applicable,
        "lower_is_better": draft.lower_is_better,
    }


def draft_of_summary(described: Mapping[str, Any]) -> CriterionDraft:
    """The criterion that a census suggests, as it was kept."""
    ends = ("minimum", "maximum", "low_threshold", "steps_per_point")
    return CriterionDraft(
        name=" ".join(described["name"].split())[:LONGEST_NAME],
        kind=described["kind"],
        **in_levels({name: described[name] for name in ends}),
        options=tuple(Option(label) for label in described["options"]),
        weight=Decimal(described["weight"]),
        is_required=described["is_required"],
        allows_not_applicable=described["allows_not_applicable"],
        lower_is_better=described["lower_is_better"],
    )
