"""Time of an analysis of 100,000 ratings with 2,000 bootstrap replicates per measure.

    python -m bench.statistics_bootstrap [--ratings 100000] [--rounds 3]

Prints the median seconds of each measure and, for comparison, of a single measure (Spearman) resampled in a
loop over scipy, extrapolated from 20 resamples. Targets: 5 s for the whole analysis, and half as long as that
loop.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from proofs.figures import MISSED, report_figure

REPLICATES = 2000
LEAST_RATIO, MOST_SECONDS = 2.0, 5.0
REVIEWERS_PER_ITEM = 3
REVIEWERS = 50


def columns(ratings: int) -> tuple[list[int], list[int], list[float], list[float]]:
    """Items, reviewers, scores on a five-level scale, and one metric value per item."""
    generator = np.random.default_rng(3)
    items = ratings // REVIEWERS_PER_ITEM
    quality = generator.normal(0, 0.7, items)
    first = generator.integers(0, REVIEWERS, items)
    reviewer = (first[:, None] + np.arange(REVIEWERS_PER_ITEM)) % REVIEWERS
    severity = generator.normal(0, 0.35, REVIEWERS)
    noise = generator.normal(0, 0.6, reviewer.shape)
    score = np.clip(np.round(3.5 + quality[:, None] + severity[reviewer] + noise), 1, 5)
    item = np.repeat(np.arange(items), REVIEWERS_PER_ITEM)
    metric = quality + generator.normal(0, 1, items)
    return item.tolist(), reviewer.ravel().tolist(), score.ravel().tolist(), metric.tolist()


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ratings", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    from evalapp.stats.agreement import gwet_ac2, krippendorff_alpha, percent_agreement
    from evalapp.stats.correlation import segment_correlation
    from evalapp.stats.populations import Population
    from evalapp.stats.ratings import Ratings
    from evalapp.stats.reliability import icc
    from evalapp.stats.scores import candidate_score

    item, reviewer, score, metric = columns(options.ratings)
    ratings = Ratings.from_columns(item, reviewer, score)
    labels = list(range(len(metric)))
    human = ratings.item_means().tolist()
    work: dict[str, Callable[[], object]] = {
        "columns to ratings": lambda: Ratings.from_columns(item, reviewer, score),
        "candidate score": lambda: candidate_score(ratings, population=Population.PANEL),
        "alpha, ordinal": lambda: krippendorff_alpha(ratings, replicates=REPLICATES),
        "AC2": lambda: gwet_ac2(ratings, levels=[1, 2, 3, 4, 5], replicates=REPLICATES),
        "within 1": lambda: percent_agreement(ratings, within=1, replicates=REPLICATES),
        "ICC(2,k)": lambda: icc(ratings, form="2,k", replicates=REPLICATES),
        "Spearman": lambda: segment_correlation(labels, human, metric, replicates=REPLICATES),
        "Pearson": lambda: segment_correlation(
            labels, human, metric, method="pearson", replicates=REPLICATES
        ),
        "Kendall": lambda: segment_correlation(labels, human, metric, method="kendall"),
    }
    total = 0.0
    for name, measure in work.items():
        spent = median_seconds(measure, options.rounds)
        total += spent
        print(f"{name:20} {spent:7.3f} s")
    loop = one_by_one(np.array(human), np.array(metric))
    print(f"{'Spearman, a loop':20} {loop:7.3f} s")
    reached = [
        report_figure(f"analysis of {len(ratings):,} ratings", total, "s", at_most=MOST_SECONDS),
        report_figure("pace of one measure in a loop", loop / total, "times", at_least=LEAST_RATIO),
    ]
    return 0 if all(reached) else MISSED


def one_by_one(human: np.ndarray, metric: np.ndarray, tried: int = 20) -> float:
    """Seconds of REPLICATES resamples of Spearman's rho in a loop over scipy, extrapolated from ``tried``."""
    from scipy.stats import spearmanr

    generator = np.random.default_rng(5)

    def resample() -> None:
        rows = generator.integers(human.size, size=human.size)
        spearmanr(human[rows], metric[rows])

    return median_seconds(resample, tried) * REPLICATES


if __name__ == "__main__":
    sys.exit(main())
