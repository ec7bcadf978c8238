"""The nested model against statsmodels, and against the same formulas written out with whole matrices."""

import numpy as np
import pytest

from evalapp.stats.nested_model import NestedModel, fit_nested_model

Array = np.ndarray


class Scores:
    """12 weeks of 20 items with one to three scores each, and three columns of which the last depends on the
    others.
    """

    def __init__(self, seed: int = 1) -> None:
        generator = np.random.default_rng(seed)
        self.origin = np.repeat(np.arange(12), 20)
        count = generator.integers(1, 4, self.origin.size)
        self.item = np.repeat(np.arange(self.origin.size), count)
        self.week = self.origin[self.item]
        own = generator.normal(size=self.item.size)
        late = (self.week >= 8).astype(float)
        self.columns = np.column_stack([np.ones(self.item.size), own, late, 2 - late])
        self.score = (
            3
            + 0.4 * own
            - 0.5 * late
            + generator.normal(0, 0.3, 12)[self.week]
            + generator.normal(0, 0.7, self.origin.size)[self.item]
            + generator.normal(0, 0.5, self.item.size)
        )

    def fitted(self) -> NestedModel:
        found = fit_nested_model(self.score, self.columns, self.item, self.origin)
        assert isinstance(found, NestedModel)
        return found

    def covariance(self, variances: tuple[float, float, float]) -> Array:
        return sum(v * part for v, part in zip(variances, self.parts(), strict=True))

    def parts(self) -> list[Array]:
        same_item = (self.item[:, None] == self.item).astype(float)
        same_week = (self.week[:, None] == self.week).astype(float)
        return [np.eye(self.item.size), same_item, same_week]


@pytest.fixture(scope="module")
def scores() -> Scores:
    return Scores()


def test_it_is_statsmodels(scores: Scores) -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    items = []
    for week in range(12):
        names, place = np.unique(scores.item[scores.week == week], return_inverse=True)
        items.append(np.eye(names.size)[place])
    names = [[f"i{number}" for number in range(each.shape[1])] for each in items]
    reference = MixedLM(
        scores.score,
        scores.columns[:, :3],
        groups=scores.week,
        exog_re=np.ones((scores.item.size, 1)),
        exog_vc=VCSpec(["item"], [names], [items]),
    ).fit(reml=True)
    found = scores.fitted()
    rest, item, week = found.variances
    assert (rest, item, week) == pytest.approx(
        (reference.scale, reference.vcomp[0], float(np.asarray(reference.cov_re)[0, 0])), rel=0.01
    )
    slope = found.contrast(np.array([0.0, 1, 0, 0]))
    assert slope.value == pytest.approx(reference.fe_params[1], abs=1e-4)
    assert slope.error == pytest.approx(reference.bse_fe[1], rel=0.01)


def test_it_is_least_squares_with_the_whole_covariance(scores: Scores) -> None:
    """Coefficients, errors, and Satterthwaite's degrees from ½ tr(P V_j P V_k)."""
    found, columns = scores.fitted(), scores.columns[:, :3]
    inverse = np.linalg.inv(scores.covariance(found.variances))
    covariance = np.linalg.inv(columns.T @ inverse @ columns)
    coefficients = covariance @ columns.T @ inverse @ scores.score
    projection = inverse - inverse @ columns @ covariance @ columns.T @ inverse
    products = [projection @ part for part in scores.parts()]
    information = np.array([[(one * other.T).sum() / 2 for one in products] for other in products])
    for weights in (np.array([0.0, 1, 0]), np.array([1.0, 0, 1])):
        slopes = np.array(
            [
                weights @ covariance @ columns.T @ inverse @ part @ inverse @ columns @ covariance @ weights
                for part in scores.parts()
            ]
        )
        variance = weights @ covariance @ weights
        degrees = 2 * variance**2 / (slopes @ np.linalg.inv(information) @ slopes)
        # The last column is twice the first less the third, so half of the first may lie on the others.
        told = found.contrast(np.append(weights, 0.0) if weights[0] == 0 else np.array([1.0, 0, 1, 1]))
        expected = weights @ coefficients
        assert told.value == pytest.approx(expected, abs=1e-3)
        assert told.error == pytest.approx(variance**0.5, rel=1e-3)
        assert told.degrees == pytest.approx(degrees, rel=0.03)


def test_what_columns_cannot_tell_apart_is_refused(scores: Scores) -> None:
    found = scores.fitted()
    assert not found.can_tell(np.array([0.0, 0, 1, 0]))
    with pytest.raises(ValueError, match="do not determine"):
        found.contrast(np.array([0.0, 0, 1, 0]))


def test_intervals_hold_what_they_are_about() -> None:
    """A change between eight weeks and four, of which few scores tell the weeks' own variance."""
    held = []
    for seed in range(150):
        scores = Scores(seed)
        scores.columns = scores.columns[:, :3]
        told = scores.fitted().contrast(np.array([0.0, 0, 1]))
        held.append(abs(told.value + 0.5) <= told.reach(0.95))
    assert 0.91 <= np.mean(held) <= 0.99


def test_without_variation_or_scores_there_is_no_model() -> None:
    ones = np.ones((6, 1))
    assert fit_nested_model(np.ones(6), ones, np.arange(6), np.zeros(6, dtype=int)) == "no variation"
    few = fit_nested_model(np.array([1.0, 2, 3]), np.ones((3, 1)), np.arange(3), np.zeros(3, dtype=int))
    assert few == "3 scores"
