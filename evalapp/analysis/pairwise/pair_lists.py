"""Lists of the preferences behind a result, and their CSV file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evalapp.adjudication.models import ComparisonAdjudication
from evalapp.analysis.pairwise.pairs import CHUNK, PreferenceRow, Preferences, load_preferences
from evalapp.campaigns.models import Campaign, CampaignCandidate
from evalapp.core.errors import MissingError
from evalapp.core.spreadsheets import csv_line
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.checks import preference_by_name
from evalapp.reviews.preferences.tasks import LETTERS

FILTER_PARTS = ("first", "second", "outcome", "side", "best", "reviewer")
"""The parts of a URL that `pair_filter` reads."""
OUTCOMES = {
    "first": "the first is better",
    "second": "the second is better",
    "tie": "equally good",
    "both_bad": "both bad",
}
SIDES = {"first": "for the answer shown first", "other": "for an answer shown later"}


@dataclass(frozen=True)
class PairFilter:
    """Selects preferences that meet every given part. ``outcome`` is from ``first``'s side; ``side``:
    preferences for the answer shown first, or for another; ``best``: rankings with this candidate first.
    """

    first: CampaignCandidate | None = None
    second: CampaignCandidate | None = None
    outcome: str = ""
    side: str = ""
    best: CampaignCandidate | None = None
    reviewer: int | None = None

    def describe(self) -> str:
        """The filter in words, for the page's heading."""
        parts = [
            f"{_label(self.first)} against {_label(self.second)}" if self.first and self.second else "",
            OUTCOMES.get(self.outcome, ""),
            SIDES.get(self.side, ""),
            f"{_label(self.best)} put first" if self.best else "",
            f"by reviewer {self.reviewer}" if self.reviewer else "",
        ]
        return " · ".join(part for part in parts if part) or "all preferences"

    def admits(self, row: PreferenceRow, numbers: Mapping[int, int]) -> bool:
        if self.reviewer is not None and numbers[row.reviewer_id] != self.reviewer:
            return False
        if self.best is not None and row.best != self.best.pk:
            return False
        if self.first is None or self.second is None:
            return not self.side or any(_is_for(self.side, points) for _, _, points in row.pairs())
        own = next(
            (pair for pair in row.pairs() if {pair[0], pair[1]} == {self.first.pk, self.second.pk}),
            None,
        )
        return own is not None and self._holds(own)

    def _holds(self, pair: tuple[int, int, float | None]) -> bool:
        shown_first, _, points = pair
        if self.side and not _is_for(self.side, points):
            return False
        if not self.outcome or self.first is None:
            return True
        if points is None or points == 0.5:
            return self.outcome == ("both_bad" if points is None else "tie")
        is_first_better = (points == 1) == (shown_first == self.first.pk)
        return self.outcome == ("first" if is_first_better else "second")


def _is_for(side: str, points: float | None) -> bool:
    return points == (1.0 if side == "first" else 0.0)


def _label(candidate: CampaignCandidate) -> str:
    return candidate.model_version.label


def pair_filter(preferences: Preferences, query: Mapping[str, str]) -> PairFilter:
    """Read a filter from a URL. Raises MissingError for a part that names nothing in this campaign."""
    outcome, side = query.get("outcome", ""), query.get("side", "")
    wanted = PairFilter(
        first=_candidate(preferences, query.get("first", "")),
        second=_candidate(preferences, query.get("second", "")),
        outcome=outcome,
        side=side,
        best=_candidate(preferences, query.get("best", "")),
        reviewer=_reviewer(preferences, query.get("reviewer", "")),
    )
    has_pair = wanted.first is not None and wanted.second is not None
    if (outcome and (outcome not in OUTCOMES or not has_pair)) or (side and side not in SIDES):
        raise MissingError("There is no such filter. Open the list again from the results.")
    return wanted


def _candidate(preferences: Preferences, text: str) -> CampaignCandidate | None:
    if not text:
        return None
    for candidate in preferences.candidates:
        if str(candidate.pk) == text:
            return candidate
    raise MissingError("There is no such candidate in this campaign.")


def _reviewer(preferences: Preferences, text: str) -> int | None:
    if not text:
        return None
    for number in preferences.numbers.values():
        if str(number) == text:
            return number
    raise MissingError("There is no such reviewer in this campaign.")


class PreferenceLine(NamedTuple):
    """A review as lists show it; ``shown``: labels in the order on the screen, A first."""

    review: Review
    reviewer: int
    shown: list[CampaignCandidate]
    preference: str

    @property
    def letters(self) -> list[tuple[str, CampaignCandidate]]:
        return list(zip(LETTERS, self.shown, strict=False))


def find_preferences(preferences: Preferences, wanted: PairFilter) -> list[PreferenceRow]:
    """The preferences that the filter selects, latest first."""
    return [row for row in reversed(preferences.rows) if wanted.admits(row, preferences.numbers)]


def as_lines(preferences: Preferences, rows: Sequence[PreferenceRow]) -> list[PreferenceLine]:
    """The rows with the details that a list shows, read for these rows only."""
    candidates = {candidate.pk: candidate for candidate in preferences.candidates}
    stored = Review.objects.select_related("comparison__item__example", "reviewer", "preference").in_bulk(
        [row.pk for row in rows]
    )
    lines = []
    for row in rows:
        shown = [candidates[pk] for pk in row.shown]
        number = preferences.numbers[row.reviewer_id]
        lines.append(
            PreferenceLine(
                stored[row.pk],
                number,
                shown,
                preference_by_name(
                    PreferenceAnswers(row.choice, row.ranks), [_label(each) for each in shown]
                ),
            )
        )
    return lines


def lines_of_item(campaign: Campaign, item_id: int) -> list[PreferenceLine]:
    """The reviews of one item's comparisons, for its case page."""
    preferences = load_preferences(campaign, item_id=item_id)
    return as_lines(preferences, preferences.rows)


COLUMNS = [
    "review", "item", "row", "reviewer", "choice", "preferred",
    *(f"shown_{letter.lower()}" for letter in LETTERS), *(f"rank_{letter.lower()}" for letter in LETTERS),
    "comment", "seconds_active", "revision", "submitted_at", "reviewers",
    "adjudicated",
]  # fmt: skip


def preference_csv(preferences: Preferences) -> Iterator[str]:
    """The header, then a line for each review: reviewers by pseudonym, answers in the order on the screen. An
    adjudication is beside each review that it is about.
    """
    yield csv_line(COLUMNS)
    decided = {each.comparison_id: each for each in preferences.campaign.comparison_adjudications.all()}
    for start in range(0, len(preferences.rows), CHUNK):
        rows = preferences.rows[start : start + CHUNK]
        for row, line in zip(rows, as_lines(preferences, rows), strict=True):
            labels = [candidate.model_version.label for candidate in line.shown]
            names = {candidate.pk: candidate.model_version.label for candidate in line.shown}
            review = line.review
            yield csv_line(
                [
                    row.pk,
                    row.item_id,
                    review.compared.item.example.row_number,
                    f"Reviewer {line.reviewer}",
                    row.choice,
                    names.get(row.best, "") if row.best is not None else "",
                    *_filled(labels),
                    *_filled(list(row.ranks or ())),
                    review.comment,
                    round(review.seconds_active, 1),
                    review.revision,
                    review.submitted_at.isoformat(),
                    "simulated" if row.is_simulated else "",
                    _adjudicated(decided.get(row.comparison_id), review, labels),
                ]
            )


def _adjudicated(adjudication: ComparisonAdjudication | None, review: Review, labels: Sequence[str]) -> str:
    if adjudication is None:
        return ""
    return preference_by_name(
        adjudication.preference.turned(adjudication.outputs, review.preference.outputs), labels
    )


def _filled(values: Sequence[object]) -> list[object]:
    return [*values, *[""] * (len(LETTERS) - len(values))]
