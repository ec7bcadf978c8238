"""One-sided bounds of a mean on a scale with ends, however near to an end and however skewed.

The bound of Gaffke (2005), also of Learned-Miller and Thomas (2019): with weights D that are uniform on the
simplex (Dirichlet of ones), the lower bound at the level α is the α-quantile of Σ D_i x_i over the n values
and one more at the scale's lower end. Of zeros and ones it is Clopper and Pearson's; that it holds for every
other distribution is a conjecture (arXiv 1905.06208). Values of unequal weight v_i count as 1 / Σ v_i² equal
ones (Kish 1965), each with its share of these in the Dirichlet's parameters.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from evalapp.stats.resampling import Array

#: Nodes of the integral: of each of so many panels, so many.
_PANELS, _NODES = 60, 12
#: The bound is right to this share of the scale.
_EXACT = 1e-9


def mean_lower_bound(
    values: npt.ArrayLike, *, alpha: float, smallest: float, largest: float, weights: Array | None = None
) -> float:
    """The one-sided lower bound at ``alpha`` of the mean of independent ``values`` on the scale, with
    ``weights`` of 0 or more of which the sum is above 0; equal ones if not given.

    Raises ValueError without a value, and for one outside the scale.
    """
    given = np.asarray(values, dtype=np.float64)
    if not given.size:
        raise ValueError("a bound needs a value")
    if not 0 < alpha < 0.5:
        raise ValueError(f"the one-sided level is {alpha}; give a share such as 0.05")
    if given.min() < smallest or given.max() > largest:
        raise ValueError(f"a value lies outside {smallest:g} to {largest:g}")
    shares = np.ones(given.size) if weights is None else weights * weights.sum() / (weights**2).sum()
    places, position = np.unique(
        np.append((given - smallest) / (largest - smallest), 0.0), return_inverse=True
    )
    times = np.bincount(position, weights=np.append(shares, 1.0)).astype(np.float64)
    if places.size == 1:
        return smallest
    from scipy.optimize import brentq

    found = brentq(
        lambda place: _chance_below(place, places, times) - alpha, 0.0, float(places[-1]), xtol=_EXACT
    )
    return smallest + float(found) * (largest - smallest)


def mean_upper_bound(
    values: npt.ArrayLike, *, alpha: float, smallest: float, largest: float, weights: Array | None = None
) -> float:
    """`mean_lower_bound` of the scale turned round."""
    turned = smallest + largest - np.asarray(values, dtype=np.float64)
    bound = mean_lower_bound(turned, alpha=alpha, smallest=smallest, largest=largest, weights=weights)
    return smallest + largest - bound


def _chance_below(place: float, places: Array, times: Array) -> float:
    """P(Σ D_i x_i ≤ place), by inversion of the characteristic function.

    D_i are gamma variables over their sum, exponentials where ``times`` is 1, so it is
    P(Σ E_i (x_i − place) ≤ 0) (Imhof 1961 for such sums).
    """
    apart = places - place
    scale = float(np.sqrt((times * apart**2).sum()))
    apart = apart / scale

    def integrand(at: Array) -> Array:
        angle = (times * np.arctan(np.multiply.outer(at, apart))).sum(axis=1)
        shrink = (times * np.log1p(np.multiply.outer(at, apart) ** 2)).sum(axis=1) / 2
        found: Array = np.sin(angle) * np.exp(-shrink) / at
        return found

    return 0.5 - _integral(integrand) / np.pi


def _integral(function: Callable[[Array], Array]) -> float:
    """From 0 to infinity, by Gauss and Legendre on panels of u = s / (1 − s)."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    edges = np.linspace(0, 1, _PANELS + 1)
    half = (edges[1] - edges[0]) / 2
    share = ((edges[:-1] + half)[:, None] + half * nodes).ravel()
    spread = np.tile(half * weights, _PANELS)
    return float((function(share / (1 - share)) * spread / (1 - share) ** 2).sum())
