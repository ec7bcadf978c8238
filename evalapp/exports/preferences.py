"""Preference pairs out of compared answers: what a majority of the reviewers preferred."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from evalapp.analysis.pairwise.pairs import Preferences
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.exports.models import RowKind
from evalapp.exports.selection import SIMULATED_OUT, SelectedRow
from evalapp.runs.models import Output

_Votes = dict[tuple[int, int, int], list[float | None]]


def preferred_rows(preferences: Preferences, *, admits_simulated: bool) -> Iterator[SelectedRow]:
    """For every two answers of an item that were compared: the preferred one against the other.

    In with more than half of all preferences for one of them, ties and "both bad" counted as well; out with
    the reason else. Simulated preferences do not vote unless they are admitted.
    """
    votes, simulated = _votes(preferences)
    outputs = _outputs(preferences.campaign)
    for item_id, first, second in sorted({*votes, *simulated}):
        own = list(votes.get((item_id, first, second), ()))
        if admits_simulated:
            own += simulated.get((item_id, first, second), [])
        wins, losses = own.count(1.0), own.count(0.0)
        chosen, rejected = (first, second) if wins >= losses else (second, first)
        better, worse = outputs[item_id, chosen], outputs[item_id, rejected]
        included, reason = _decided(max(wins, losses), own)
        if included and better.text.strip() == worse.text.strip():
            included, reason = False, "Both outputs are the same text"
        yield SelectedRow(
            kind=RowKind.PREFERENCE,
            example_id=better.example_id,
            chosen_text=better.text,
            is_included=included,
            reason=reason,
            chosen_output_id=better.pk,
            rejected_output_id=worse.pk,
        )


def _decided(most: int, own: list[float | None]) -> tuple[bool, str]:
    if not own:
        return False, SIMULATED_OUT
    said = f"{most} of {len(own)} reviewer{'' if len(own) == 1 else 's'} preferred it"
    return (True, said) if 2 * most > len(own) else (False, f"{said}: no majority")


def _votes(preferences: Preferences) -> tuple[_Votes, _Votes]:
    """By item and pair of candidates (the lower id first): what the first got; people's, and simulated."""
    human: _Votes = defaultdict(list)
    simulated: _Votes = defaultdict(list)
    for row in preferences.rows:
        for one, other, points in row.pairs():
            first, second = min(one, other), max(one, other)
            told = points if points is None or one == first else 1 - points
            (simulated if row.is_simulated else human)[row.item_id, first, second].append(told)
    return human, simulated


def _outputs(campaign: Campaign) -> dict[tuple[int, int], Output]:
    entries: Iterable[ItemOutput] = ItemOutput.objects.filter(item__campaign=campaign).select_related(
        "output"
    )
    return {(entry.item_id, entry.candidate_id): entry.output for entry in entries}
