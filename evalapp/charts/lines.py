"""The vertical axis of charts with a line a candidate, those of one criterion together under its name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import altair as alt

LINE_HEIGHT = 24
# As wide as a name needs, a quarter of a page at most and not half of a phone, so that the marks are seen, too.
LONGEST_LABEL = "min(260, 0.42 * (containerSize()[0] || 780))"
# Of a label's characters at its size, in pixels; a little more than the mean.
CHARACTER = 6.6
HEADING, OF_HEADING = "h", "datum.value[0] === 'h'"


class Labels(NamedTuple):
    """``keys`` place the lines; ``order`` has those of the headings, too. A key is a place, a space and what is
    shown. ``names`` tell each line by itself: "Tone: v1".
    """

    keys: list[str]
    order: list[str]
    names: list[str]

    @property
    def longest(self) -> int:
        """Characters of the longest label."""
        return max(len(_shown(key)) for key in self.order)

    def axis(self, altair: Any, *, longest: int = 0) -> "alt.Y":
        """``longest``: as much room as so many characters take, that charts below one another share their edges."""
        least = f"min({CHARACTER * longest}, {LONGEST_LABEL})"
        axis: alt.Y = altair.Y(
            "line:N",
            title=None,
            scale=altair.Scale(domain=self.order),
            axis=altair.Axis(
                labelExpr="slice(datum.value, indexof(datum.value, ' ') + 1)",
                labelFontWeight=altair.condition(OF_HEADING, altair.value(600), altair.value(400)),
                labelLimit=altair.ExprRef(LONGEST_LABEL),
                minExtent=altair.ExprRef(least),
                domain=False,
                ticks=False,
                labelColor="var(--ink)",
            ),
        )
        return axis


def grouped_labels(lines: Sequence[tuple[str, str]], *, names_one: bool = False) -> Labels:
    """Labels of (group, label) lines, each group's under its name; one group is named where ``names_one``."""
    has_headings = names_one or len({group for group, _ in lines}) > 1
    keys: list[str] = []
    order: list[str] = []
    for position, (group, label) in enumerate(lines):
        if has_headings and (not position or group != lines[position - 1][0]):
            order.append(f"{HEADING}{position} {group}")
        keys.append(f"{position} {label}")
        order.append(keys[-1])
    names = [f"{group}: {label}" if has_headings else label for group, label in lines]
    return Labels(keys, order, names)


def _shown(key: str) -> str:
    return key.partition(" ")[2]
