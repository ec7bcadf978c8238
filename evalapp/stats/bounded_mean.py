"""One-sided bounds of a mean on a bounded scale, valid near its ends and for skewed scores.

The bound of Gaffke (2005), also of Learned-Miller and Thomas (2019): with weights D that are uniform on the
simplex (Dirichlet of ones), the lower bound at the level α is the α-quantile of Σ D_i x_i over the n values
and an additional one at the scale's lower end. For zeros and ones it equals Clopper and Pearson's; its
validity for every other distribution is a conjecture (arXiv 1905.06208). Values of unequal weight v_i count
as 1 / Σ v_i² equal ones (Kish 1965), distributed over the Dirichlet's parameters by their weights.
"""

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from evalapp.stats.resampling import Array

#: Nodes per panel of the integral, and numbers of panels: to infinity, and to `_FAR`.
_NODES, _PANELS, _NEAR_PANELS = 12, 60, 6
_FAR = 12.0
#: Negative logarithm of an integrand that counts as 0.
_NOTHING = 24.0
#: Accuracy of the bound, as a share of the scale.
_EXACT = 1e-8


def mean_lower_bound(
    values: npt.ArrayLike,
    *,
    alpha: float,
    smallest: float,
    largest: float,
    weights: Array | None = None,
    times: float = 1.0,
) -> float:
    """The one-sided lower bound at ``alpha`` of the mean of independent ``values`` on the scale.

    ``weights``: 0 or more with a sum above 0; equal by default. ``times``: the bound for this multiple of the
    number of values. Raises ValueError without a value, and for one outside the scale.
    """
    given = np.asarray(values, dtype=np.float64)
    if not given.size:
        raise ValueError("a bound needs a value")
    if not 0 < alpha < 0.5:
        raise ValueError(f"the one-sided level is {alpha}; give a share such as 0.05")
    if given.min() < smallest or given.max() > largest:
        raise ValueError(f"a value lies outside {smallest:g} to {largest:g}")
    shares = np.ones(given.size) if weights is None else weights * weights.sum() / (weights**2).sum()
    shares = shares * times
    places, position = np.unique(
        np.append((given - smallest) / (largest - smallest), 0.0), return_inverse=True
    )
    shape = np.bincount(position, weights=np.append(shares, 1.0)).astype(np.float64)
    if places.size == 1:
        return smallest
    return smallest + _quantile(places, shape, alpha) * (largest - smallest)


def _quantile(places: Array, times: Array, alpha: float) -> float:
    """The α-quantile of Σ D_i x_i, searched outwards from that of a normal distribution with the same mean
    and variance.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    total, end = float(times.sum()), float(places[-1])
    mean = float(times @ places) / total
    spread = math.sqrt((float(times @ places**2) / total - mean**2) / (total + 1))
    guess = mean + float(ndtri(alpha)) * spread

    def above(place: float) -> float:
        # Outside these places the probability is 0 or 1.
        known = -alpha if place <= 0 else 1 - alpha
        return _chance_below(place, places, times) - alpha if 0 < place < end else known

    reach = spread / 2
    while above(low := max(guess - reach, 0.0)) > 0 or above(high := min(guess + reach, end)) < 0:
        reach *= 2
    return float(brentq(above, low, high, xtol=_EXACT))


def mean_upper_bound(
    values: npt.ArrayLike,
    *,
    alpha: float,
    smallest: float,
    largest: float,
    weights: Array | None = None,
    times: float = 1.0,
) -> float:
    """`mean_lower_bound` of the reversed scale."""
    turned = smallest + largest - np.asarray(values, dtype=np.float64)
    ends = {"smallest": smallest, "largest": largest}
    return smallest + largest - mean_lower_bound(turned, alpha=alpha, **ends, weights=weights, times=times)


def _chance_below(place: float, places: Array, times: Array) -> float:
    """P(Σ D_i x_i ≤ place), by inversion of the characteristic function.

    D_i are gamma variables (exponential for ``times`` 1) divided by their sum, so it equals P(Σ E_i (x_i −
    place) ≤ 0); for such sums see Imhof (1961).
    """
    apart = places - place
    apart = apart / float(np.sqrt((times * apart**2).sum()))
    has_ended = np.log1p((_FAR * apart) ** 2) @ times / 2 > _NOTHING
    # Far from the mean the integrand oscillates too fast.
    is_short = has_ended and abs(float(times @ apart)) < _FAR
    at, weights = _near_nodes() if is_short else _all_nodes()
    along = np.multiply.outer(at, apart)
    angle = np.arctan(along) @ times
    shrink = np.log1p(along**2) @ times / 2
    return 0.5 - float((np.sin(angle) * np.exp(-shrink) / at) @ weights) / np.pi


def _gauss(low: float, high: float, panels: int) -> tuple[Array, Array]:
    """Nodes and weights of the Gauss–Legendre rule on each of ``panels`` equal panels."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    edges = np.linspace(low, high, panels + 1)
    half = (edges[1] - edges[0]) / 2
    return ((edges[:-1] + half)[:, None] + half * nodes).ravel(), np.tile(half * weights, panels)


@cache
def _near_nodes() -> tuple[Array, Array]:
    """Nodes for an integrand that has vanished at `_FAR`, which is so with many values."""
    return _gauss(0, _FAR, _NEAR_PANELS)


@cache
def _all_nodes() -> tuple[Array, Array]:
    """Nodes from 0 to infinity, on panels of u = s / (1 − s)."""
    share, weights = _gauss(0, 1, _PANELS)
    return share / (1 - share), weights / (1 - share) ** 2
