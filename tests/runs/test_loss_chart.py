from evalapp.runs.loss_chart import MOST_POINTS, loss_chart


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
