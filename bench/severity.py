"""Fit of the many-facet severity model to 20,000 scores, as the job does it.

    python -m bench.severity [--scores 20000]

Three candidates, four criteria on 1–5, and four of twelve reviewers per item. Target: 20 s.
"""

import argparse
import sys
import time
from itertools import product

import numpy as np

from proofs.figures import MISSED, report_figure

MOST_SECONDS = 20.0
CANDIDATES, CRITERIA, REVIEWERS, OVERLAP = 3, 4, 12, 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scores", type=int, default=20_000)
    options = parser.parse_args()

    from evalapp.stats.facets import FacetRatings
    from evalapp.stats.severity import severity_model

    draw = np.random.default_rng(5)
    items = round(options.scores / (CANDIDATES * CRITERIA * OVERLAP))
    quality, severity = draw.normal(0, 0.5, items), draw.normal(0, 0.4, REVIEWERS)
    rows = [
        (item, candidate, (item + turn * 5) % REVIEWERS, criterion)
        for item, candidate, turn, criterion in product(
            range(items), range(CANDIDATES), range(OVERLAP), range(CRITERIA)
        )
    ]
    scores = [
        float(np.clip(round(3.3 + 0.3 * candidate + quality[item] - severity[person] + noise), 1, 5))
        for (item, candidate, person, _), noise in zip(rows, draw.normal(0, 0.7, len(rows)), strict=True)
    ]
    ratings = FacetRatings.from_columns(*zip(*rows, strict=True), scores)
    scales = dict.fromkeys(range(CRITERIA), (1.0, 5.0))
    began = time.perf_counter()
    model = severity_model(ratings, scales=scales)
    seconds = time.perf_counter() - began
    if not model.converged:
        raise SystemExit(f"The model did not converge in {model.rounds} rounds.")
    print(f"{model.rounds} rounds")
    is_reached = report_figure(f"fit of {len(ratings):,} scores", seconds, "s", at_most=MOST_SECONDS)
    return 0 if is_reached else MISSED


if __name__ == "__main__":
    sys.exit(main())
