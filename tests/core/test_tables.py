"""A table that leaves a page: what a spreadsheet, a document and a reader get of it."""

import csv
import io

from evalapp.core.tables import Column, Table, TextCell, csv_lines, in_words, markdown
from evalapp.measure import Measure

MEAN = Measure(value=4.1666, low=3.9, high=4.5, n=20, note="for this panel", signature="mean")
NONE = Measure.undefined("one reviewer", n=3, signature="alpha")
TABLE = Table(
    "people",
    "What people | say",
    [
        Column("Candidate"),
        Column("Tone", "number", is_measure=True),
        Column("Outputs", "count"),
        Column("p", "p"),
    ],
    [
        ['=HYPERLINK("x")|<b>', MEAN, 1200, 0.0004],
        ["v2\nhouse_style", NONE, 3, 0.25],
        ["v3", None, 0, None],
    ],
    note="A note.",
)


def test_a_spreadsheet_gets_every_part_of_a_figure_and_no_formula() -> None:
    lines = list(csv.reader(io.StringIO("".join(csv_lines(TABLE)))))
    assert lines[0] == [
        *("Candidate", "Tone", "Tone low", "Tone high", "Tone n"),
        *("Tone undefined because", "Tone note", "Outputs", "p"),
    ]
    assert lines[1] == [
        *('\'=HYPERLINK("x")|<b>', "4.1666", "3.9", "4.5", "20", "", "for this panel", "1200", "0.0004"),
    ]
    assert lines[2] == ["v2\nhouse_style", "", "", "", "3", "one reviewer", "", "3", "0.25"]
    assert lines[3] == ["v3", "", "", "", "", "", "", "0", ""]


def test_markdown_keeps_its_columns_whatever_people_wrote() -> None:
    assert markdown(TABLE).splitlines() == [
        r"**What people \| say**",
        "",
        r"| Candidate | Tone | Outputs | p |",
        "| --- | ---: | ---: | ---: |",
        r'| =HYPERLINK\("x"\)\|\<b\> | 4.2 \(3.9 to 4.5\); n = 20; for this panel | 1,200 | \< 0.001 |',
        r"| v2 house\_style | One reviewer; n = 3 | 3 | 0.250 |",
        r"| v3 | – | 0 | – |",
        "",
        "A note.",
    ]


def test_a_share_is_told_in_percent() -> None:
    share = Measure(value=0.15, low=0.05, high=0.36, n=20, signature="share")
    assert in_words(share, Column("Low", "share", is_measure=True)) == TextCell("15% (5% to 36%)", "n = 20")
    assert in_words(0.5, Column("Low", "share")) == TextCell("50%")
