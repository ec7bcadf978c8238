"""The statistical power of a campaign before its first review."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from django.db.models import Exists, OuterRef

from evalapp.analysis.planning.planner import (
    CriterionVariance,
    Detectable,
    Variance,
    detectable,
    variances_of,
)
from evalapp.analysis.stored.item_sample import sampled_scores
from evalapp.campaigns.models import Campaign, CampaignCandidate, CampaignState, Method, Purpose
from evalapp.core.number_format import as_text
from evalapp.reviews.models import Review
from evalapp.rubrics.models import Criterion, RubricVersion
from evalapp.stats.planning import Design, Spread, smallest_difference

#: On a scale from 1 to 5, and in proportion on others. As in the simulations of small teams, and close to the
#: ratings of SQuALITY (docs/measures.md); a fourth of the variance between items is between their groups.
ASSUMED_SCORES = Spread(item=0.52, reviewer=0.4, rest=0.6, group=0.3)
ASSUMED_DIFFERENCES = Spread(item=0.46, reviewer=0.3, rest=0.85, group=0.2)
#: Standard deviations that some teams will find instead of the assumed ones, as a factor.
LARGER = 1.5
#: A design that cannot find a difference of this share of the scale (0.6 points of 1 to 5) decides little.
WEAK = 0.15
#: Shares of the scale that are closer than this are reported as one.
SAME = 0.02


class ExpectedVariances(NamedTuple):
    """``source``: the campaign that they come from; None if all are assumed."""

    variances: list[CriterionVariance]
    source: Campaign | None


class DesignPower(NamedTuple):
    """``found``: the smallest detectable differences, smallest share of the scale first; ``finest`` and
    ``weakest`` are its ends. ``helps``: the one change that would help most, as a sentence.
    """

    design: Design
    found: list[Detectable]
    source: Campaign | None
    is_weak: bool
    helps: str

    @property
    def finest(self) -> Detectable:
        return self.found[0]

    @property
    def weakest(self) -> Detectable:
        return self.found[-1]

    @property
    def if_larger(self) -> float | None:
        """The smallest difference on the weakest criterion if assumed standard deviations are `LARGER` times
        as large; None where nothing is assumed.
        """
        value = self.weakest.difference.value
        return LARGER * value if self.source is None and value is not None else None

    @property
    def has_ends(self) -> bool:
        """Whether the two ends differ by more than rounding."""
        return _share_of_scale(self.weakest) - _share_of_scale(self.finest) > SAME


def expected_variances(version: RubricVersion, *, excluding: Campaign | None = None) -> ExpectedVariances:
    """The variances of each scale: from the newest campaign with reviews by people under the same rubric,
    else assumed. ``excluding``: a campaign that must not be the source.
    """
    scales = [each for each in version.criteria.order_by("position") if each.rules.has_mean]
    source = _source(version, excluding) if scales else None
    known = {
        each.criterion.key: each
        for each in (variances_of(sampled_scores(source).scores) if source is not None else [])
    }
    found = [_expected_variance(criterion, known) for criterion in scales]
    return ExpectedVariances(found, source if known else None)


def _source(version: RubricVersion, excluding: Campaign | None) -> Campaign | None:
    reviewed = Review.objects.filter(campaign=OuterRef("pk"), purpose=Purpose.REVIEW, is_simulated=False)
    campaigns = version.rubric.project.campaigns.filter(
        rubric_version__rubric=version.rubric, method=Method.POINTWISE
    ).exclude(state=CampaignState.DRAFT)
    if excluding is not None:
        campaigns = campaigns.exclude(pk=excluding.pk)
    pairs = CampaignCandidate.objects.filter(campaign=OuterRef("pk"), position=1)
    return (
        campaigns.filter(Exists(reviewed), Exists(pairs))
        .select_related("project", "rubric_version__rubric")
        .order_by("-pk")
        .first()
    )


def _expected_variance(criterion: Criterion, known: Mapping[str, CriterionVariance]) -> CriterionVariance:
    earlier = known.get(criterion.key)
    if earlier is not None and earlier.criterion.rules.range != criterion.rules.range:
        earlier = None
    return CriterionVariance(
        criterion,
        _variance_or_assumed(earlier.scores if earlier else None, criterion, ASSUMED_SCORES),
        _variance_or_assumed(earlier.differences if earlier else None, criterion, ASSUMED_DIFFERENCES),
        earlier.champion if earlier else None,
        (earlier.mean if earlier else None) or sum(criterion.rules.range) / 2,
    )


def _variance_or_assumed(variance: Variance | None, criterion: Criterion, assumed: Spread) -> Variance:
    if variance is not None and variance.spread is not None:
        return variance
    low, high = criterion.rules.range
    return Variance(assumed.times((high - low) / 4))


def power_of_design(version: RubricVersion, design: Design) -> DesignPower | None:
    """The smallest differences between two candidates that the design finds with 80% power; None if the
    rubric has no scale, or one reviewer says nothing about others.
    """
    expected = expected_variances(version)
    known = [each for each in detectable(expected.variances, design) if each.difference.value is not None]
    if not known:
        return None
    known.sort(key=_share_of_scale)
    criterion = known[-1].criterion
    spread = next(each.differences.spread for each in expected.variances if each.criterion == criterion)
    assert spread is not None
    is_weak = _share_of_scale(known[-1]) > WEAK
    return DesignPower(design, known, expected.source, is_weak, helps=_most_effective_change(spread, design))


def _share_of_scale(found: Detectable) -> float:
    low, high = found.criterion.rules.range
    return (found.difference.value or math.inf) / (high - low)


def _most_effective_change(spread: Spread, design: Design) -> str:
    """The change that lowers the smallest detectable difference most, as a sentence without its full stop."""
    twice = design.with_items(2 * design.items)
    changes: Sequence[tuple[str, Design | None]] = (
        (_items_words(twice), twice),
        (
            f"{design.each + 1} reviewers for each item",
            replace(design, overlap=design.each + 1) if design.each < design.reviewers else None,
        ),
        (f"{design.reviewers + 2} reviewers", replace(design, reviewers=design.reviewers + 2)),
    )
    found = [
        (smallest_difference(spread, changed).value or 0.0, words)
        for words, changed in changes
        if changed is not None
    ]
    value, words = min(found)
    return f"{words} would find {as_text(value, digits=1)} points"


def _items_words(design: Design) -> str:
    of_groups = f" from {design.groups:,} groups" if design.groups else ""
    return f"{design.items:,} items{of_groups}"
