"""How often outputs of each stratum had material errors in earlier weeks."""

from collections import Counter

from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.monitoring.models import SampledOutput, SampleRole, Stream, WeeklySample, WeeklySampleState
from evalapp.monitoring.week_scores import ratings_of
from evalapp.rubrics.models import Criterion

WEEKS_LOOKED_BACK = 8
"""Weeks."""
PRIOR = 10
"""As many outputs with the rate of all strata are added to each: one error in two outputs makes no stratum
the riskiest yet.
"""


def risk_by_stratum(stream: Stream) -> dict[str, float]:
    """The material-error rate of each stratum in the last `WEEKS_LOOKED_BACK` evaluated weeks; empty before
    the first week.

    Rates of strata with few outputs are shrunk towards the overall rate.
    """
    weeks = stream.weekly_samples.filter(state=WeeklySampleState.EVALUATED).select_related(
        "campaign", "stream__project"
    )
    reviewed: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for week in weeks.order_by("-number")[:WEEKS_LOOKED_BACK]:
        _count(week, reviewed, wrong)
    if not reviewed:
        return {}
    rate = wrong.total() / reviewed.total()
    return {
        stratum: (wrong[stratum] + PRIOR * rate) / (outputs + PRIOR) for stratum, outputs in reviewed.items()
    }


def _count(week: WeeklySample, reviewed: Counter[str], wrong: Counter[str]) -> None:
    """Add a week's outputs; one is wrong if at least half of its reviewers say so."""
    assert week.campaign is not None
    criterion = Criterion.objects.filter(
        version=week.campaign.rubric_version_id, key=week.stream.error_criterion
    ).first()
    if criterion is None:
        return
    new = SampledOutput.objects.filter(
        weekly_sample=week, role=SampleRole.NEW, output__item_outputs__item__campaign=week.campaign
    )
    strata = dict(new.values_list("output__item_outputs__item", "stratum"))
    ratings = ratings_of(week, load_scores(week.campaign), criterion)
    for item, mean in zip(ratings.items, ratings.item_means(), strict=True):
        if item in strata:
            reviewed[strata[item]] += 1
            wrong[strata[item]] += bool(mean >= 0.5)
