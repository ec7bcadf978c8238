"""Gold for comparisons: examples with a known outcome."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.comparisons import compared_sets
from evalapp.campaigns.gold import (
    gold_rows_in_words,
    gold_rows_of_data,
    is_number,
    locked_for_gold,
    read_rows,
    require_no_problems,
)
from evalapp.campaigns.models import Campaign, Method
from evalapp.core.errors import ConflictError
from evalapp.reviews.preferences.models import GoldPreference, KnownOutcome

COLUMNS = ("row", "candidate", "against", "outcome", "tie_counts")
WORSE = "worse"
OUTCOMES = (KnownOutcome.BETTER.value, WORSE, KnownOutcome.TIE.value, KnownOutcome.BOTH_BAD.value)
"""Outcome for ``candidate`` compared with ``against``."""
_YES, _NO = ("yes", "true", "1"), ("", "no", "false", "0")


class GoldPreferenceRow(NamedTuple):
    """A known outcome as entered; ``line``: its place. For a ranking only ``candidate``, the best one."""

    line: str
    row: str
    candidate: str
    against: str = ""
    outcome: str = ""
    tie_counts: str = ""


def read_preference_file(data: bytes, *, is_ranking: bool) -> list[GoldPreferenceRow]:
    """The rows of a CSV file with the columns row and candidate; for pairs also against, outcome and
    optionally tie_counts. Raises InvalidError for other files.
    """
    needed = COLUMNS[:2] if is_ranking else COLUMNS[:4]
    return [GoldPreferenceRow(*row) for row in read_rows(data, columns=COLUMNS, needed=needed)]


@transaction.atomic
def set_gold_preferences(*, campaign: Campaign, rows: Sequence[GoldPreferenceRow], by: User | None) -> int:
    """Store known outcomes, replacing existing ones; returns their number.

    A draft campaign takes new examples; an open one only corrects outcomes of its gold items. Raises
    InvalidError with all invalid rows, ConflictError if the campaign is closed or does not compare outputs.
    """
    locked = locked_for_gold(campaign)
    if not locked.compares:
        raise ConflictError(f"“{campaign}” rates answers one by one: its gold is answers to its criteria.")
    reader = _Reader(locked, rows)
    preferences = [preference for row in rows if (preference := reader.preference(row)) is not None]
    require_no_problems(reader.problems, of=len(rows))
    for preference in preferences:
        locked.gold_preferences.filter(_same_comparison(preference), example=preference.example_id).delete()
        preference.save()
    record(
        "campaign.gold_set", by=by, obj=campaign, project=campaign.project, data={"answers": len(preferences)}
    )
    return len(preferences)


def _same_comparison(preference: GoldPreference) -> Q:
    if preference.against_id is None:
        return Q(against=None)
    either = (preference.candidate_id, preference.against_id)
    return Q(candidate__in=either, against__in=either)


class _Reader:
    """Converts rows to gold preferences of one campaign, and collects problems."""

    def __init__(self, campaign: Campaign, rows: Sequence[GoldPreferenceRow]) -> None:
        self.campaign = campaign
        self.problems: list[str] = []
        self.is_ranking = campaign.method == Method.RANKING
        self.compared = compared_sets(campaign)
        self.candidates = {
            each.model_version.label: each.model_version_id
            for each in campaign.candidates.select_related("model_version")
        }
        self.examples = gold_rows_of_data(campaign, [row.row for row in rows])
        self.seen: dict[tuple[int, frozenset[str]], str] = {}

    def preference(self, row: GoldPreferenceRow) -> GoldPreference | None:
        """The row's preference, or None with a new entry in ``problems``."""
        example = self.examples.get(int(row.row)) if is_number(row.row) else None
        problem = self._problem(row, example)
        if problem is None and example is not None:
            pair = frozenset((row.candidate, row.against)) if row.against else frozenset()
            first = self.seen.setdefault((example, pair), row.line)
            if first == row.line:
                return self._gold_preference(row, example)
            problem = f"gives the same {'ranking' if self.is_ranking else 'pair'} as {first}"
        self.problems.append(f"{row.line}: {problem}.")
        return None

    def _gold_preference(self, row: GoldPreferenceRow, example: int) -> GoldPreference:
        candidate, against = self.candidates[row.candidate], self.candidates.get(row.against)
        outcome = row.outcome.lower() or KnownOutcome.BETTER
        if outcome == WORSE and against is not None:
            candidate, against, outcome = against, candidate, KnownOutcome.BETTER
        return GoldPreference(
            campaign=self.campaign,
            example_id=example,
            candidate_id=candidate,
            against_id=against,
            outcome=outcome,
            admits_tie=row.tie_counts.lower() in _YES,
        )

    def _problem(self, row: GoldPreferenceRow, example: int | None) -> str | None:
        if example is None:
            return f"there is no row “{row.row[:40]}” {gold_rows_in_words(self.campaign)}"
        if row.candidate not in self.candidates:
            return self._unknown_candidate(row.candidate)
        return self._problem_of_ranking(row) if self.is_ranking else self._problem_of_pair(row)

    def _problem_of_ranking(self, row: GoldPreferenceRow) -> str | None:
        if row.against or row.outcome or row.tie_counts.lower() not in _NO:
            return "for a ranking only the best candidate is known; leave the other columns empty"
        return None

    def _problem_of_pair(self, row: GoldPreferenceRow) -> str | None:
        if row.against not in self.candidates:
            return self._unknown_candidate(row.against)
        if {self.candidates[row.candidate], self.candidates[row.against]} not in self.compared:
            return f"“{row.candidate[:60]}” and “{row.against[:60]}” are not compared in this design"
        if row.outcome.lower() not in OUTCOMES:
            return f"“{row.outcome[:40]}” is not an outcome; choose one of {', '.join(OUTCOMES)}"
        if row.tie_counts.lower() not in (*_YES, *_NO):
            return f"“{row.tie_counts[:40]}” is not yes or no (whether a tie also counts)"
        if row.tie_counts.lower() in _YES and row.outcome.lower() not in (KnownOutcome.BETTER, WORSE):
            return "a tie can only count as well if one of the two is better"
        return None

    def _unknown_candidate(self, name: str) -> str:
        return f"there is no candidate “{name[:60]}”; known: {', '.join(self.candidates)}"
