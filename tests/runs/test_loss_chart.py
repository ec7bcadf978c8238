import pytest

from evalapp.runs.training.loss_chart import MOST_POINTS, loss_chart


def test_no_chart_before_two_losses() -> None:
    assert loss_chart([]) is None
    assert loss_chart([(1, {"loss": 2.0})]) is None
    assert loss_chart([(1, {"loss": float("nan")}), (2, {"loss": 1.0})]) is None


def test_a_falling_loss_is_drawn_falling_within_its_frame() -> None:
    chart = loss_chart([(step, {"loss": 2.0 / step}) for step in range(1, 5)])
    assert chart is not None
    heights = [float(pair.split(",")[1]) for pair in chart.training.split()]
    assert heights == sorted(heights)
    assert all(0 < height <= chart.bottom for height in heights)
    assert [tick.label for tick in chart.y_ticks] == ["0", "0.5", "1", "1.5", "2"]
    assert [tick.label for tick in chart.x_ticks] == ["0", "1", "2", "3", "4"]


def test_a_long_training_is_thinned_and_keeps_its_end() -> None:
    chart = loss_chart([(step, {"loss": 1.0}) for step in range(1, 10_001)])
    assert chart is not None
    pairs = chart.training.split()
    assert len(pairs) <= MOST_POINTS + 1
    assert pairs[-1].startswith(f"{chart.right:.1f},")


@pytest.mark.parametrize(
    ("steps", "highest", "x_labels", "y_labels"),
    [
        (30, 4.7, ["0", "5", "10", "15", "20", "25", "30"], ["0", "1", "2", "3", "4", "5"]),
        (33, 0.9, ["0", "10", "20", "30"], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (12_000, 12.5, ["0", "2,000", "4,000", "6,000", "8,000", "10,000", "12,000"], ["0", "5", "10", "15"]),
        (2, 0.0, ["0", "1", "2"], ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
    ],
)
def test_ticks_are_round(steps: int, highest: float, x_labels: list[str], y_labels: list[str]) -> None:
    chart = loss_chart([(1, {"loss": highest}), (steps, {"loss": highest / 2})])
    assert chart is not None
    assert [tick.label for tick in chart.x_ticks] == x_labels
    assert [tick.label for tick in chart.y_ticks] == y_labels
    heights = [float(pair.split(",")[1]) for pair in chart.training.split()]
    assert all(10 <= height <= chart.bottom for height in heights)
    assert chart.x_ticks[-1].anchor == ("end" if steps != 33 else "middle")


def test_the_curve_is_told_in_words() -> None:
    chart = loss_chart(
        [
            (1, {"loss": 2.5}),
            (4, {"loss": 1.25, "validation_loss": 1.5}),
            (8, {"loss": 0.5, "validation_loss": 2}),
        ]
    )
    assert chart is not None
    assert chart.says == (
        "Training loss goes from 2.500 at step 1 to 0.500 at step 8. "
        "Validation loss is lowest, 1.500, at step 4, and is 2.000 at step 8."
    )
