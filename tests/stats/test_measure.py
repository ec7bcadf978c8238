import math

import pytest

from evalapp.measure import Measure, signature


def test_a_value_that_is_not_finite_is_refused() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not a finite number"):
            Measure(value=value, n=3, signature="alpha")


def test_an_undefined_measure_says_why_and_has_no_interval() -> None:
    undefined = Measure.undefined("one reviewer", n=4, signature="alpha")
    assert (undefined.defined, undefined.value, undefined.reason) == (False, None, "one reviewer")
    with pytest.raises(ValueError, match="needs a reason"):
        Measure(value=None, n=0, signature="alpha")
    with pytest.raises(ValueError, match="has no interval"):
        Measure(value=None, n=0, low=0.0, high=1.0, reason="one reviewer", signature="alpha")


@pytest.mark.parametrize("ends", [(0.0, None), (None, 1.0), (1.0, 0.0), (math.nan, 1.0)])
def test_a_broken_interval_is_refused(ends: tuple[float | None, float | None]) -> None:
    with pytest.raises(ValueError, match="interval"):
        Measure(value=0.5, n=3, low=ends[0], high=ends[1], signature="alpha")


def test_half_width_is_the_plus_or_minus_beside_a_mean() -> None:
    assert Measure(value=2.3, n=9, low=2.1, high=2.5, signature="x").half_width == pytest.approx(0.2)
    assert Measure(value=2.3, n=9, signature="x").half_width is None


def test_a_signature_reads_like_sacrebleu_and_leaves_out_what_is_not_set() -> None:
    assert signature("alpha", scale="ordinal", level=0.95, stemmer=True, seed=None) == (
        "alpha|version:1|scale:ordinal|level:0.95|stemmer:yes"
    )
