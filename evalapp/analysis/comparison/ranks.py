"""The candidates' ranks by the total."""

from itertools import combinations

from evalapp.analysis.comparison.differences import TOTAL, step_of
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.finder_campaign import why_no_means
from evalapp.stats.differences import mean_difference
from evalapp.stats.rank_intervals import FEWEST, PairTest, Rank, ranks


def ranks_of(scores: CampaignScores) -> dict[int, Rank]:
    """Ranks by campaign candidate id, for the population of the results; empty with fewer than three
    candidates, without a scale, or if nothing tells any two apart.
    """
    if len(scores.candidates) < FEWEST or not scores.scales or why_no_means(scores):
        return {}
    totals = {each.pk: scores.totals(each) for each in scores.candidates}
    tests = {}
    for first, second in combinations(totals, 2):
        found = mean_difference(
            totals[first], totals[second], population=scores.population, step=step_of(TOTAL, scores)
        )
        if found.difference.value is not None and found.p.value is not None:
            tests[first, second] = PairTest(found.difference.value, found.p.value)
    return ranks(list(totals), tests)
