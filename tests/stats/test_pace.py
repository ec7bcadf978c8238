"""When work will be done: known values, and how often the interval holds what then happens."""

from datetime import timedelta

import numpy as np
import pytest

from evalapp.stats.pace import daily_pace, days_counted, forecast, silence_allowed


@pytest.mark.parametrize(
    ("age", "days"), [(-1, 0), (0.9, 0), (3.5, 3), (6.9, 6), (7, 7), (13.9, 7), (14, 14), (90, 14)]
)
def test_whole_weeks_are_counted_from_the_first_week_on(age: float, days: int) -> None:
    assert days_counted(timedelta(days=age)) == days


def test_a_pace_is_the_mean_of_whole_days_with_an_interval() -> None:
    pace = daily_pace([10, 14, 6, 10])
    # Poisson's deviation (3.16) is below the sample's (3.27); t(3) at 97.5% is 3.182.
    assert pace.value == 10 and pace.n == 4
    assert pace.low == pytest.approx(10 - 3.182 * 3.266 / 2, abs=0.01)
    assert daily_pace([10, 10, 10]).low == pytest.approx(10 - 4.303 * 10**0.5 / 3**0.5, abs=0.01)


def test_what_cannot_be_told_says_so() -> None:
    assert daily_pace([5, 5]).reason == "fewer than 3 days"
    nothing = forecast([0, 0, 0], 10)
    assert nothing.pace.value == 0 and nothing.days.reason == "nothing in 3 days"
    assert nothing.soonest is None
    # One busy day among three: the pace may be next to nothing, so there is no latest day.
    wild = forecast([30, 0, 0], 100)
    assert wild.days.value == 10 and wild.latest is None and wild.days.low is None
    assert wild.soonest is not None and wild.soonest < 10
    assert wild.days.note == "no latest day: the pace is too uncertain"


def test_the_days_left_lie_within_their_interval() -> None:
    found = forecast([20] * 14, 200)
    assert found.days.value == 10
    assert found.soonest is not None and found.latest is not None
    assert found.soonest < 10 < found.latest < 20
    # Where the band of the coming days meets what is left.
    reach = 2.1604 * 20**0.5
    for days, sign in ((found.soonest, 1), (found.latest, -1)):
        assert 20 * days + sign * reach * (days + days**2 / 14) ** 0.5 == pytest.approx(200, rel=1e-3)


@pytest.mark.parametrize(("rest_days", "noise"), [(0, 1.0), (2, 1.0), (2, 0.5)])
def test_the_interval_holds_the_day_it_ends_in_95_of_100_campaigns(rest_days: int, noise: float) -> None:
    generator = np.random.default_rng(7)
    held, campaigns = 0, 400
    for _ in range(campaigns):
        week = [0 if day % 7 < rest_days else 1 for day in range(80)]
        rate = 30 * generator.gamma(1 / noise**2 * 4, noise**2 / 4, size=80)
        days = generator.poisson(rate * week)
        found = forecast(days[:14].tolist(), 300)
        ends = int(np.argmax(days[14:].cumsum() >= 300)) + 1
        assert found.soonest is not None
        latest = found.latest if found.latest is not None else float("inf")
        # It ends during a day, so the first day that could hold the end counts.
        held += found.soonest <= ends and ends - 1 <= latest
    assert held / campaigns >= 0.94


def test_a_silence_is_measured_by_the_pauses_before() -> None:
    hours = timedelta(hours=1)
    assert silence_allowed(None, 0) == timedelta(days=2)
    assert silence_allowed(16 * hours, 4) == timedelta(days=2)
    assert silence_allowed(16 * hours, 5) == 32 * hours
    assert silence_allowed(1 * hours, 500) == 12 * hours
    assert silence_allowed(timedelta(days=6), 50) == timedelta(days=7)
