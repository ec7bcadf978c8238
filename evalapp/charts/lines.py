"""The vertical axis of charts with a line a candidate, those of one criterion together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import altair as alt

LINE_HEIGHT = 24
# A third of the page's width, that names may be read and a phone still shows the marks; no more on paper.
LONGEST_LABEL = "max(110, min(260, (containerSize()[0] || 780) / 3))"


class Labels(NamedTuple):
    """``keys``: each line's own label; ``order``: those with a gap between groups."""

    keys: list[str]
    order: list[str]

    def axis(self, altair: Any) -> "alt.Y":
        axis: alt.Y = altair.Y(
            "line:N",
            title=None,
            scale=altair.Scale(domain=self.order),
            axis=altair.Axis(
                labelLimit=altair.ExprRef(LONGEST_LABEL), domain=False, ticks=False, labelColor="var(--ink)"
            ),
        )
        return axis


def grouped_labels(lines: Sequence[tuple[str, str]]) -> Labels:
    """Labels of (group, label) lines: "Tone: v1", or the label alone where there is one group."""
    groups = list(dict.fromkeys(group for group, _ in lines))
    keys: list[str] = []
    order: list[str] = []
    for position, (group, label) in enumerate(lines):
        key = f"{group}: {label}" if len(groups) > 1 else label
        while key in keys:
            key += "\N{NO-BREAK SPACE}"
        if order and group != lines[position - 1][0]:
            # A label that nobody sees, another one for each gap.
            order.append(" " * (1 + sum(not each.strip() for each in order)))
        keys.append(key)
        order.append(key)
    return Labels(keys, order)
