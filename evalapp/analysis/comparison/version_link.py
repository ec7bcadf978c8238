"""Whether scores under two versions of a rubric agree, on outputs that the same people scored under both.

These outputs are the *anchors*. They come from a campaign under the later version on outputs that were scored
under the earlier one; nothing else links two versions, because outputs and reviewers differ otherwise.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from evalapp.analysis.comparison.differences import PERMUTATIONS, SEED
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_many, rescaled
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.rubrics.models import Criterion, RubricVersion
from evalapp.stats.differences import Difference, paired_difference
from evalapp.stats.populations import Population
from evalapp.stats.ratings import Ratings

# A quarter of a point on 1 to 5: a smaller shift changes no decision.
MARGIN = 0.25

Cell = tuple[int, int]
"""An output and a reviewer."""


class LevelReading(NamedTuple):
    """The mean answer under the later version where the earlier one had this level, over ``n`` answers."""

    level: int
    n: int
    mean: float


@dataclass(frozen=True)
class CriterionLink:
    """A scale in both versions (by key), over its anchors.

    ``difference``: later minus earlier, both on 1 to 5, by the same reviewer on the same output. ``equal``:
    how many of the ``pairs`` answers have the same level; None if the ranges differ.
    """

    before: Criterion
    after: Criterion
    difference: Difference
    pairs: int
    equal: int | None
    readings: list[LevelReading]

    @property
    def reads(self) -> str:
        """Alike, higher or lower (by the interval), unclear, or unknown without an interval, as one word.

        Alike if the whole interval lies within `MARGIN` of zero, even for a significant shift.
        """
        found = self.difference.difference
        if found.value is None or found.low is None or found.high is None:
            return "unknown"
        if found.low >= -MARGIN and found.high <= MARGIN:
            return "alike"
        if found.low > 0:
            return "higher"
        return "lower" if found.high < 0 else "unclear"

    @property
    def is_shifted(self) -> bool:
        return self.reads in ("higher", "lower")


@dataclass(frozen=True)
class VersionLink:
    """``outputs`` and ``reviewers``: numbers of the anchors; ``only_before`` and ``only_after``: criteria
    that one version lacks, or that are not scales in both.
    """

    before: RubricVersion
    after: RubricVersion
    campaigns_before: list[Campaign]
    criteria: list[CriterionLink]
    only_before: list[str]
    only_after: list[str]
    outputs: int
    reviewers: int
    is_simulated: bool

    @property
    def has_unclear(self) -> bool:
        """Whether more anchors could settle an unclear criterion."""
        return any(each.reads in ("unclear", "unknown") for each in self.criteria)


def link_versions(before: RubricVersion, after: RubricVersion) -> VersionLink:
    """Compare the scores of the same people and outputs under two versions of a rubric."""
    campaigns = list(
        Campaign.objects.filter(rubric_version__in=(before, after))
        .exclude(state=CampaignState.DRAFT)
        .select_related("project")
        .order_by("pk")
    )
    scores = load_many(campaigns)
    sides = [
        [scores[campaign.pk] for campaign in campaigns if campaign.rubric_version_id == version.pk]
        for version in (before, after)
    ]
    scales = [
        {each.key: each for each in version.criteria.all() if each.rules.has_mean}
        for version in (before, after)
    ]
    shared = [key for key in scales[0] if key in scales[1]]
    population = Population(after.rubric.project.population)
    links: list[CriterionLink] = []
    anchors: set[Cell] = set()
    for key in shared:
        cells = [_answers(side, key) for side in sides]
        both = cells[0].keys() & cells[1].keys()
        anchors |= both
        links.append(_link(scales[0][key], scales[1][key], population, *cells))
    return VersionLink(
        before,
        after,
        [each.campaign for each in sides[0]],
        links,
        [each.name for each in before.criteria.all() if each.key not in shared],
        [each.name for each in after.criteria.all() if each.key not in shared],
        len({output for output, _ in anchors}),
        len({reviewer for _, reviewer in anchors}),
        any(answer.is_simulated for side in sides for each in side for answer in each.answers),
    )


def _answers(side: list[CampaignScores], key: str) -> dict[Cell, int]:
    """The latest answer of each person to each output, N/A left out."""
    answers: dict[Cell, int] = {}
    for scores in side:
        criterion = next(each for each in scores.criteria if each.key == key)
        output_ids = {each.item_output_id: each.output_id for each in scores.outputs}
        for answer in scores.answers_to(criterion):
            if answer.value is not None:
                answers[output_ids[answer.item_output_id], answer.reviewer_id] = answer.value
    return answers


def _link(
    before: Criterion,
    after: Criterion,
    population: Population,
    earlier: dict[Cell, int],
    later: dict[Cell, int],
) -> CriterionLink:
    both = sorted(earlier.keys() & later.keys())
    by_level: dict[int, list[int]] = defaultdict(list)
    for cell in both:
        by_level[earlier[cell]].append(later[cell])
    same_range = (before.minimum, before.maximum) == (after.minimum, after.maximum)
    return CriterionLink(
        before,
        after,
        paired_difference(
            _ratings(later, both, after),
            _ratings(earlier, both, before),
            population=population,
            seed=SEED,
            permutations=PERMUTATIONS,
        ),
        len(both),
        sum(earlier[cell] == later[cell] for cell in both) if same_range else None,
        [
            LevelReading(level, len(given), sum(given) / len(given))
            for level, given in sorted(by_level.items())
        ],
    )


def _ratings(answers: dict[Cell, int], cells: list[Cell], criterion: Criterion) -> Ratings:
    return Ratings.from_columns(
        [output for output, _ in cells],
        [reviewer for _, reviewer in cells],
        [rescaled(answers[cell], criterion) for cell in cells],
    )
