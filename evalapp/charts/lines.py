"""Vertical axis of charts with one line per candidate, grouped by criterion under its name."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import altair as alt

LINE_HEIGHT = 24
# If a label may take two lines.
TALL_LINE_HEIGHT = 30
# Labels get the width that they need, but at most 260 pixels and 46% of the chart, so that marks stay
# visible.
LONGEST_LABEL = "min(260, 0.46 * (containerSize()[0] || 780))"
# Width of a label's character in pixels, a little more than the mean.
CHARACTER = 6.6
# Headings are bold.
HEADING_CHARACTER = 7.4
# On a phone, a longer label is shown in two lines, so that it leaves room for the marks.
MOST_ON_A_LINE = 20
BREAK = "\n"
# Most lines on a sheet of paper, including headings, at which names are still legible.
MOST_ON_A_SHEET = 28
HEADING, OF_HEADING = "h", "datum.value[0] === 'h'"
_TEXT = "slice(datum.value, indexof(datum.value, ' ') + 1)"


class Grouped(Protocol):
    """A line of a chart, with its group."""

    @property
    def group(self) -> str: ...


Line = TypeVar("Line", bound=Grouped)


class Labels(NamedTuple):
    """Labels of a chart's lines.

    ``keys``: one per line, made of a position, a space and the text shown. ``order``: the keys with those of
    headings.
    ``names``: name each line without its heading, such as "Tone: v1".
    """

    keys: list[str]
    order: list[str]
    names: list[str]

    @property
    def height(self) -> int:
        """Height of the whole chart in pixels."""
        has_breaks = any(BREAK in key for key in self.order)
        return len(self.order) * (TALL_LINE_HEIGHT if has_breaks else LINE_HEIGHT)

    def axis(self, altair: Any, *, longest: int = 0) -> "alt.Y":
        """The axis. ``longest`` reserves room for this many characters, so that charts below one another
        align.
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
    """Labels of (group, label) lines, with the groups as headings; a single group has one if
    ``names_one``.
    """
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
    """The lines in parts of at most ``most`` with headings included; one part if None.

    A group is only split if it alone is longer than a part.
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
    """The label, if long, with a line break at the space nearest to its middle."""
    spaces = [place for place, character in enumerate(label) if character == " "]
    if len(label) <= MOST_ON_A_LINE or not spaces:
        return label
    place = min(spaces, key=lambda each: abs(each - len(label) / 2))
    return f"{label[:place]}{BREAK}{label[place + 1 :]}"
