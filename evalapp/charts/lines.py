"""The vertical axis of charts with a line a candidate, those of one criterion together under its name."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import altair as alt

LINE_HEIGHT = 24
# Where a label may take two lines.
TALL_LINE_HEIGHT = 30
# As wide as a name needs, a quarter of a page at most and not half of a phone, so that the marks are seen,
# too.
LONGEST_LABEL = "min(260, 0.46 * (containerSize()[0] || 780))"
# Of a label's characters at its size, in pixels; a little more than the mean.
CHARACTER = 6.6
# A heading is bold.
HEADING_CHARACTER = 7.4
# A longer label does not go beside the marks on a phone: there it is shown in two lines.
MOST_ON_A_LINE = 20
BREAK = "\n"
# Of a sheet of paper, headings counted: in the size at which their names are still read.
MOST_ON_A_SHEET = 28
HEADING, OF_HEADING = "h", "datum.value[0] === 'h'"
_TEXT = "slice(datum.value, indexof(datum.value, ' ') + 1)"


class Grouped(Protocol):
    """A line of a chart."""

    @property
    def group(self) -> str: ...


Line = TypeVar("Line", bound=Grouped)


class Labels(NamedTuple):
    """``keys`` place the lines; ``order`` has those of the headings, too. A key is a place, a space and what
    is shown. ``names`` tell each line by itself: "Tone: v1".
    """

    keys: list[str]
    order: list[str]
    names: list[str]

    @property
    def height(self) -> int:
        """Of the whole chart, in pixels."""
        has_breaks = any(BREAK in key for key in self.order)
        return len(self.order) * (TALL_LINE_HEIGHT if has_breaks else LINE_HEIGHT)

    def axis(self, altair: Any, *, longest: int = 0) -> "alt.Y":
        """``longest``: as much room as so many characters take, that charts below one another share their
        edges.
        """
        least = f"min({CHARACTER * longest}, {LONGEST_LABEL})"
        axis: alt.Y = altair.Y(
            "line:N",
            title=None,
            scale=altair.Scale(domain=self.order),
            axis=altair.Axis(
                labelExpr=(
                    f"length({_TEXT}) * ({OF_HEADING} ? {HEADING_CHARACTER} : {CHARACTER}) > {LONGEST_LABEL}"
                    f" ? split({_TEXT}, '\\n') : replace({_TEXT}, '\\n', ' ')"
                ),
                labelLineHeight=13,
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
            order.append(f"{HEADING}{position} {_breakable(group)}")
        keys.append(f"{position} {_breakable(label)}")
        order.append(keys[-1])
    names = [f"{group}: {label}" if has_headings else label for group, label in lines]
    return Labels(keys, order, names)


def split_lines(lines: Sequence[Line], most: int | None) -> list[list[Line]]:
    """The lines in parts of ``most`` with their headings, all of them in one where it is None.

    A group goes on in the next part only where it alone is longer than one.
    """
    if most is None:
        return [list(lines)]
    parts: list[list[Line]] = []
    room = 0
    for _, found in groupby(lines, lambda line: line.group):
        group = list(found)
        if len(group) + 1 > room or not parts:
            parts.append([])
            room = most
        for line in group:
            takes = 1 if parts[-1] and parts[-1][-1].group == line.group else 2
            if takes > room:
                parts.append([])
                room, takes = most, 2
            room -= takes
            parts[-1].append(line)
    return parts


def _breakable(label: str) -> str:
    """The label with a break, where it is long, at the space nearest to its middle."""
    spaces = [place for place, character in enumerate(label) if character == " "]
    if len(label) <= MOST_ON_A_LINE or not spaces:
        return label
    place = min(spaces, key=lambda each: abs(each - len(label) / 2))
    return f"{label[:place]}{BREAK}{label[place + 1 :]}"
