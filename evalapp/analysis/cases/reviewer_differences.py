"""The criterion on which the reviewers of an output differ most, and their answers."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.rubrics.models import Criterion


class Difference(NamedTuple):
    """``levels``: the different answers, lowest first."""

    criterion: Criterion
    levels: list[int]

    @property
    def numbers(self) -> list[float]:
        return [self.criterion.rules.number(level) for level in self.levels]

    @property
    def words(self) -> str:
        """The answers in words: “2 and 5”, “no and yes”."""
        *others, last = (self.criterion.level_words(level) for level in self.levels)
        return f"{', '.join(others)} and {last}"


def widest_differences(
    scores: CampaignScores, criteria: Iterable[Criterion] | None = None
) -> dict[int, Difference]:
    """By item output: the criterion, of these or all, whose answers lie farthest apart as a share of the
    scale; the first in the rubric among equals. None where no answers differ.
    """
    widest: dict[int, tuple[float, Criterion]] = {}
    for criterion in scores.criteria if criteria is None else criteria:
        span = criterion.rules.span
        for output, spread in scores.output_spreads(criterion).items():
            if spread > 0 and spread / span > widest.get(output, (0.0, criterion))[0]:
                widest[output] = (spread / span, criterion)
    chosen = {(output, criterion.pk) for output, (_, criterion) in widest.items()}
    levels: dict[int, set[int]] = defaultdict(set)
    for answer in scores.answers:
        if answer.value is not None and (answer.item_output_id, answer.criterion_id) in chosen:
            levels[answer.item_output_id].add(answer.value)
    return {
        output: Difference(criterion, sorted(levels[output])) for output, (_, criterion) in widest.items()
    }
