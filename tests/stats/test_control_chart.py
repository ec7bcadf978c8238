"""The weekly chart: published run lengths, widened limits, and weeks that say nothing."""

import numpy as np
import pytest

from evalapp.stats.control_chart import (
    Baseline,
    ControlChart,
    Week,
    average_deviation,
    control_chart,
    estimated_baseline,
    limit_width,
)
from proofs.simulations import report_share, simulated

REVIEWS = 100
KNOWN = Baseline(mean=4.0, deviation=1.0)
#: Standard error of a weekly mean of 100 reviews.
ERROR = 0.1


def weeks_of(
    generator: np.random.Generator, count: int, *, shift: float = 0.0, error: float = ERROR
) -> list[Week]:
    return [Week(4.0 + error * float(z), REVIEWS) for z in generator.normal(shift, 1, count)]


def first_alarm(chart: ControlChart) -> int | None:
    states = [point.state for point in chart.points]
    return states.index("alarm") + 1 if "alarm" in states else None


def run_length(generator: np.random.Generator, *, shift: float, most: int) -> int:
    chart = control_chart(weeks_of(generator, most, shift=shift), bad="low", deviation=1.0, baseline=KNOWN)
    return first_alarm(chart) or most


def test_average_and_limit_by_hand() -> None:
    weeks = [Week(3.9, 100), Week(3.7, 100), Week(4.1, 400)]
    chart = control_chart(weeks, bad="low", deviation=1.0, baseline=KNOWN)
    first, second, third = chart.points
    assert first.average == pytest.approx(4.0 - 0.2 * 0.1)
    assert first.limit == pytest.approx(4.0 - 2.5 * 0.2 * 0.1)
    # One standard error below, then three: 0.2, then 0.8 · 0.2 + 0.2 · 3 = 0.76.
    assert second.average == pytest.approx(4.0 - 0.76 * 0.1)
    assert second.limit == pytest.approx(4.0 - 2.5 * np.sqrt(0.04 + 0.04 * 0.64) * 0.1)
    # Four times the reviews halve the standard error: 0.1 above are two of them.
    assert third.average == pytest.approx(4.0 - (0.8 * 0.76 - 0.2 * 2) * 0.05)
    assert [point.state for point in chart.points] == ["steady", "alarm", "steady"]
    assert chart.state == "steady"
    assert chart.width.value == 2.5


def test_the_deviation_of_the_average_tends_to_its_limit() -> None:
    assert average_deviation(1) == pytest.approx(0.2)
    assert average_deviation(500) == pytest.approx(1 / 3)


def test_a_shift_of_one_standard_error_is_seen_in_about_six_and_a_half_weeks() -> None:
    generator = np.random.default_rng(1)
    lengths = [run_length(generator, shift=-1.0, most=80) for _ in range(1500)]
    assert np.mean(lengths) == pytest.approx(6.6, abs=0.35)


def test_alarms_are_those_of_the_recursion_without_the_chart() -> None:
    generator = np.random.default_rng(2)
    for _ in range(50):
        weeks = weeks_of(generator, 150)
        average, alarm = 0.0, None
        for place, week in enumerate(weeks, start=1):
            average = 0.8 * average + 0.2 * (4.0 - week.mean) / ERROR
            if alarm is None and average > 2.5 * average_deviation(place):
                alarm = place
        assert first_alarm(control_chart(weeks, bad="low", deviation=1.0, baseline=KNOWN)) == alarm


@pytest.mark.verification
@pytest.mark.parametrize(("shift", "weeks", "within"), [(0.0, 284, 5), (1.0, 6.63, 0.1)])
def test_mean_weeks_to_an_alarm(shift: float, weeks: float, within: float) -> None:
    """The recursion of the test above for 40,000 charts at once; the design says 278 and 6.6, from fewer."""
    generator = np.random.default_rng(3)
    charts = 40_000
    average, total, week = np.zeros(charts), 0, 0
    while average.size:
        week += 1
        total += average.size
        average = 0.8 * average + 0.2 * generator.normal(shift, 1, average.size)
        average = average[average <= 2.5 * average_deviation(week)]
    assert total / charts == pytest.approx(weeks, abs=within)


@pytest.mark.verification
@pytest.mark.parametrize("error", [ERROR, 4 * ERROR])
@pytest.mark.parametrize("baseline_weeks", [8, 12, 26])
def test_a_false_alarm_within_a_year_is_no_likelier_with_an_estimated_baseline(
    baseline_weeks: int, error: float
) -> None:
    """Whether weeks vary as much as their reviews explain or much more."""
    generator = np.random.default_rng(3)
    alarms, runs = 0, simulated(3000)
    for _ in range(runs):
        weeks = weeks_of(generator, baseline_weeks + 52, error=error)
        chart = control_chart(weeks, bad="low", deviation=1.0, baseline_weeks=baseline_weeks)
        alarms += first_alarm(chart) is not None
    assert report_share("years with a false alarm", alarms / runs, runs, at_most=0.195)


def test_limits_are_wider_the_fewer_weeks_the_baseline_has() -> None:
    widths = [limit_width(weeks).value for weeks in (8, 12, 26, 52, 200)]
    assert widths == sorted(widths, reverse=True)
    assert limit_width(12).value == pytest.approx(3.14, abs=0.03)
    assert "12 weeks" in limit_width(12).note
    assert limit_width(None).value == 2.5


def test_a_week_with_few_reviews_is_never_green_and_moves_nothing() -> None:
    few = [Week(1.0, 29), Week(None, 0)]
    weeks = [Week(3.95, 100), *few, Week(3.95, 100)]
    chart = control_chart(weeks, bad="low", deviation=1.0, baseline=KNOWN)
    assert [point.state for point in chart.points][1:3] == ["not enough data"] * 2
    assert chart.points[1].average is None
    without = control_chart([weeks[0], weeks[-1]], bad="low", deviation=1.0, baseline=KNOWN)
    assert chart.points[-1] == without.points[-1]
    assert control_chart(few, bad="low", deviation=1.0, baseline=KNOWN).state == "not enough data"
    assert control_chart([], bad="low", deviation=1.0, baseline=KNOWN).state == "not enough data"


def test_an_error_rate_alarms_upwards() -> None:
    baseline = Baseline(mean=0.05, deviation=0.218)
    rising = [Week(0.05 + 0.02 * week, 100) for week in range(6)]
    high = control_chart(rising, bad="high", deviation=0.218, baseline=baseline)
    low = control_chart(rising, bad="low", deviation=0.218, baseline=baseline)
    assert high.state == "alarm"
    assert low.state == "steady"
    assert high.points[-1].average > high.points[-1].limit > 0.05


def test_the_baseline_is_estimated_from_the_first_weeks_and_these_are_not_judged() -> None:
    weeks = [Week(4.0 + 0.1 * (-1) ** week, 100) for week in range(12)] + [Week(2.0, 100)]
    chart = control_chart(weeks, bad="low", deviation=1.0)
    assert [point.state for point in chart.points] == ["baseline"] * 12 + ["alarm"]
    assert chart.baseline.mean == pytest.approx(4.0)
    assert chart.baseline.weeks == 12
    assert chart.width.value > 2.5


def test_weeks_vary_by_more_than_their_reviews_explain() -> None:
    generator = np.random.default_rng(4)
    weeks = [Week(4.0 + float(z), 100) for z in generator.normal(0, 0.3, 400)]
    found = estimated_baseline(weeks, deviation=1.0)
    assert found.error(100) == pytest.approx(0.3, abs=0.03)
    assert found.between == pytest.approx(np.sqrt(0.09 - 0.01), abs=0.03)
    quiet = estimated_baseline([Week(4.0, 100)] * 10, deviation=1.0)
    assert (quiet.between, quiet.error(100)) == (0.0, pytest.approx(0.1))


def test_without_enough_weeks_there_is_no_baseline() -> None:
    weeks = [Week(4.0, 100)] * 5 + [Week(4.0, 10)]
    chart = control_chart(weeks, bad="low", deviation=1.0)
    assert chart.reason == "the baseline takes 12 weeks with at least 30 reviews; there are 5"
    assert chart.width.reason == chart.reason
    assert [point.state for point in chart.points] == ["baseline"] * 5 + ["not enough data"]


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="week 2: the mean is nan"):
        control_chart([Week(4.0, 50), Week(float("nan"), 50)], bad="low", deviation=1.0)
    with pytest.raises(ValueError, match='"low" or "high", not "both"'):
        control_chart([], bad="both", deviation=1.0)
    with pytest.raises(ValueError, match="give one above 0"):
        control_chart([], bad="low", deviation=0.0)
    with pytest.raises(ValueError, match="3 weeks are too few for a baseline"):
        control_chart([], bad="low", deviation=1.0, baseline_weeks=3)
    with pytest.raises(ValueError, match="3 weeks are too few for a baseline"):
        limit_width(3)
