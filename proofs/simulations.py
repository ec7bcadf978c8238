"""Simulations in long proofs: how many runs they have, and what they say of their own error."""

import math
import os

from proofs.figures import report_figure


def simulated(runs: int) -> int:
    """The runs of a simulation: ``runs``, times the environment variable RUNS (``make verify RUNS=4``)."""
    return round(runs * float(os.environ.get("RUNS") or 1))


def report_share(
    name: str, share: float, runs: int, *, at_least: float | None = None, at_most: float | None = None
) -> bool:
    """Report a share (0 to 1) of ``runs`` runs in percent, with its Monte Carlo standard error
    √(p(1 − p)/runs); returns whether it is in the limits.
    """
    return report_figure(
        name,
        100 * share,
        "%",
        at_least=None if at_least is None else 100 * at_least,
        at_most=None if at_most is None else 100 * at_most,
        error=100 * math.sqrt(share * (1 - share) / runs),
    )
