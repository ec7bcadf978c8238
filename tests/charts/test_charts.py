"""What is seen on each chart: its marks, labels and colours, in either theme, and the words beside it."""

import re
from xml.etree import ElementTree as ET

import pytest

from evalapp.charts.diverging import RatingLine, diverging_bars, segments
from evalapp.charts.drawing import PHONE_WIDTH, WIDTH, as_svg
from evalapp.charts.forest import Axis, ForestLine, differences_summary, forest, means_summary
from evalapp.charts.heat_map import TINT
from evalapp.charts.theme import CANDIDATES, RATINGS, SHAPES, Scheme, colour, resolved, themed
from tests.charts import samples
from tests.charts.samples import ALL, HOSTILE
from tests.core.test_contrast import contrast

SVG = "{http://www.w3.org/2000/svg}"
HARMLESS = {"svg", "g", "rect", "path", "line", "text", "tspan", "defs", "linearGradient", "stop", "clipPath"}
SCHEMES: list[Scheme] = ["light", "dark"]


def drawn(kind: str, scheme: Scheme = "light") -> ET.Element:
    return ET.fromstring(as_svg(ALL[kind](), scheme=scheme))


def words_of(drawing: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in drawing.iter(f"{SVG}text")]


def fills(drawing: ET.Element, mark: str) -> list[str]:
    groups = (each for each in drawing.iter() if f"mark-{mark} role-mark" in each.get("class", ""))
    return [hexadecimal(path.get("fill", "")) for group in groups for path in group.iter(f"{SVG}path")]


def hexadecimal(fill: str) -> str:
    parts = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", fill)
    return "#" + "".join(f"{int(part):02x}" for part in parts.groups()) if parts else fill


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", ALL)
def test_a_chart_can_be_read_in_either_theme(kind: str, scheme: Scheme) -> None:
    drawing = drawn(kind, scheme)
    seen = [text for text in drawing.iter(f"{SVG}text") if "".join(text.itertext()).strip()]
    assert seen
    ground = colour("surface", scheme)
    for text in seen:
        # Figures in a heat map lie on tinted cells, which the test below is about.
        assert contrast(hexadecimal(text.get("fill", "")), ground) >= 4.5, text.text


@pytest.mark.parametrize("kind", ALL)
def test_a_drawing_for_paper_holds_nothing_that_acts(kind: str) -> None:
    elements = list(drawn(kind).iter())
    assert {each.tag.removeprefix(SVG) for each in elements} <= HARMLESS
    attributes = [item for each in elements for item in each.attrib.items()]
    assert not [
        name for name, value in attributes if name.startswith("on") or "href" in name or "://" in value
    ]


def test_bars_have_a_segment_a_level_given_in_the_tones_of_the_ratings() -> None:
    bars = fills(drawn("ratings"), "rect")
    light = [colour(f"rating-{number}") for number in range(1, 6)]
    # Five levels of Base, three of the other, twice; the candidate without ratings has none.
    assert bars == [*light, *light[2:], *light, *light[2:]]
    labels = words_of(drawn("ratings"))
    assert labels.count("Base") == 2 and {"Tone", "Accuracy", "lowest", "highest"} <= set(labels)


def test_the_middle_level_straddles_the_centre() -> None:
    assert [(round(part.start, 3), round(part.end, 3), part.tone) for part in segments([1, 2, 4, 2, 1])] == [
        (-0.5, -0.4, 1),
        (-0.4, -0.2, 2),
        (-0.2, 0.2, 3),
        (0.2, 0.4, 4),
        (0.4, 0.5, 5),
    ]
    even = segments([1, 1, 1, 1])
    assert even[1].end == pytest.approx(0) and [part.tone for part in even] == [1, 2, 4, 5]
    assert segments([0, 0]) == []


def test_what_lies_beyond_the_cut_has_another_colour_than_what_is_kept() -> None:
    kept, lost = colour("candidate-1"), colour("rating-1")
    assert fills(drawn("lengths"), "rect") == [kept, kept, lost, lost]
    assert "cut at 20" in words_of(drawn("lengths"))
    # The table leaves out what is not there.
    assert samples.lengths().rows == [["0 to 9", 3], ["10 to 19", 12], ["30 to 39", 1]]


def test_weeks_of_few_reviews_are_hollow_and_an_alarm_has_a_colour_and_shape_of_its_own() -> None:
    drawing = drawn("weekly")
    usual, alarm, hollow = colour("candidate-1"), colour("rating-1"), colour("surface")
    points = fills(drawing, "symbol")[-12:]
    states = [row[-1] for row in samples.weekly().rows]
    assert states[8] == "not enough data" and states[-1] == "alarm"
    expected = {"alarm": alarm, "not enough data": hollow}
    assert points == [expected.get(state, usual) for state in states]
    # What the weeks are held against is named beside its line.
    assert [word for word in words_of(drawing) if word in ("Smoothed", "Limit", "Threshold")] == [
        "Smoothed",
        "Limit",
        "Threshold",
    ]


def test_a_long_name_takes_two_lines_on_a_phone_and_one_on_a_page() -> None:
    name = "v2, tuned on the corrections of May"
    line = ForestLine("Use of words that nobody needs", name, name, samples.measured(3, 2, 4))
    chart = forest([line], Axis("Mean", [name], (1, 5)), says="", longest=1)
    wide, narrow = (ET.fromstring(as_svg(chart, width=width)) for width in (WIDTH, PHONE_WIDTH))
    assert {name, line.group} <= set(words_of(wide))
    found = words_of(narrow)
    assert "v2, tuned on thecorrections of May" in found and not [word for word in found if "…" in word]
    assert float(narrow.get("width", 0)) <= PHONE_WIDTH + 1


def test_a_difference_that_cannot_be_told_from_none_is_hollow() -> None:
    points = fills(drawn("differences"), "symbol")
    second, third = colour("candidate-2"), colour("candidate-3")
    assert points == [second, colour("surface"), third]
    assert sum("stroke-dasharray" in line.attrib for line in drawn("differences").iter(f"{SVG}line")) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_figures_of_the_heat_map_can_be_read_on_their_cells(scheme: Scheme) -> None:
    drawing = drawn("agreement", scheme)
    cells = fills(drawing, "rect")
    # Both sides of the diagonal of the two pairs that have a value.
    assert len(cells) == 4
    for cell in cells:
        assert contrast(colour("ink", scheme), over(cell, colour("surface", scheme))) >= 4.5
    assert words_of(drawing).count("0.71") == 2


def over(front: str, ground: str) -> str:
    mixed = (
        round(TINT * int(front[at : at + 2], 16) + (1 - TINT) * int(ground[at : at + 2], 16))
        for at in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02x}" for part in mixed)


def test_what_people_wrote_is_text_and_never_a_colour() -> None:
    spec = resolved(themed(samples.ratings().spec))
    lines = [part["of"] for values in spec["datasets"].values() for part in values]
    assert f"Tone: {HOSTILE}" in lines
    assert any("</script>" in word for word in words_of(drawn("ratings")))
    named = resolved({"title": "var(--ink)", "data": {"values": [{"line": "var(--ink)"}]}})
    assert (named["title"], named["data"]["values"][0]["line"]) == ("var(--ink)", "var(--ink)")


def test_every_colour_of_the_theme_is_a_token() -> None:
    for scheme in SCHEMES:
        assert "var(" not in str(resolved({}, scheme))
    assert (len(RATINGS), len(CANDIDATES), len(SHAPES)) == (5, 8, 8)


def test_each_chart_says_what_is_seen() -> None:
    assert (
        samples.means().says
        == f"Tone: {HOSTILE} has the highest mean, 4.6 (4.4 to 4.8), Base the lowest, 2.9 (2.6 to 3.2)."
    )
    same = [ForestLine("Tone", name, name, samples.measured(3, 2, 4)) for name in ("Base", "v1")]
    assert means_summary(same) == "Tone: all have the same mean, 3.0 (2.0 to 4.0)."
    near = [same[0], ForestLine("Tone", "v1", "v1", samples.measured(3.4, 2.4, 4.4))]
    assert means_summary(near) == (
        "Tone: the means lie between 3.0 (2.0 to 4.0) of Base and 3.4 (2.4 to 4.4) of v1, whose"
        " intervals overlap; their difference has its own interval."
    )
    assert means_summary(same[:1]) == "Tone: Base has a mean of 3.0 (2.0 to 4.0)."
    assert samples.ratings().says.startswith(
        f"Tone: {HOSTILE} is above the middle level most often (90% of 20), Base least often (20% of 20); "
    )
    alone = diverging_bars([RatingLine("Tone", "v1", [("1", 1), ("2", 0), ("3", 3)])])
    assert alone.says == "Tone: v1 is above the middle level in 75% of 4."
    says = samples.differences().says
    assert says.startswith(f"On Tone {HOSTILE} is higher than Base by 1.7 (1.2 to 2.2); ")
    assert "on Accuracy v1 is lower than Base by 0.6 (0.2 to 1.0)" in says
    assert "1 of 3 is not significant" in says
    assert (
        samples.agreement().says
        == "Weighted kappa on Tone is highest between Reviewer 1 and Reviewer 2, 0.71, and lowest between "
        "Reviewer 1 and Reviewer 3, −1.00."
    )


def test_what_was_not_tested_is_no_difference_that_was_not_found() -> None:
    untested = ForestLine(
        "Tone", "v1", "v1", samples.measured(1, 1, 1), is_marked=False, untested="no variation"
    )
    open_ = ForestLine("Clarity", "v1", "v1", samples.measured(0.1, -1, 1), is_marked=False)
    marked = ForestLine("Accuracy", "v1", "v1", samples.measured(1, 0.5, 1.5))
    assert differences_summary([untested], "Base") == "1 of 1 is not tested: no variation."
    assert (
        differences_summary([untested, open_], "Base")
        == "No tested difference from Base is significant. 1 of 2 is not tested: no variation."
    )
    assert differences_summary([untested, marked, open_], "Base").endswith(
        "; 1 of 2 is not significant. 1 of 3 is not tested: no variation."
    )


@pytest.mark.parametrize("kind", ALL)
def test_the_sentence_is_on_the_drawing_and_every_figure_in_the_table(kind: str) -> None:
    chart = ALL[kind]()
    assert chart.spec["description"] == chart.says
    assert "config" not in chart.spec
    assert all(len(row) == len(chart.columns) for row in chart.rows)
    rows = {"ratings": 6, "differences": 4, "means": 2, "agreement": 3, "lengths": 3, "weekly": 12,
            "losses": 42,
            "learning": 4}  # fmt: skip
    assert len(chart.rows) == rows[kind]


def test_an_undefined_estimate_has_its_reason_in_the_table() -> None:
    assert ["Accuracy", HOSTILE, "No scores", 0] in samples.differences().rows


def test_losses_are_thinned_and_their_ends_kept() -> None:
    chart = samples.losses()
    base = [row for row in chart.rows if row[0] == "Base"]
    assert len(base) == 40
    assert (base[0], base[-1]) == (["Base", "1", "3.0000"], ["Base", "1,000", "0.0030"])
    assert [row for row in chart.rows if row[0] == HOSTILE] == [
        [HOSTILE, "1", "2.0000"], [HOSTILE, "2", "1.5000"],
    ]  # fmt: skip


def test_each_curve_has_the_colour_of_its_place() -> None:
    for kind in ("losses", "learning"):
        groups = [each for each in drawn(kind).iter() if "mark-line role-mark" in each.get("class", "")]
        strokes = {
            hexadecimal(path.get("stroke", "")) for group in groups for path in group.iter(f"{SVG}path")
        }
        assert strokes == {colour("candidate-1"), colour("candidate-2")}, kind
        assert {"Base", HOSTILE} <= set(words_of(drawn(kind))), "the legend"


def test_sizes_have_a_tick_each_unless_labels_would_meet() -> None:
    assert [word for word in words_of(drawn("learning")) if word in {"25", "26", "50", "100"}] == [
        "25",
        "50",
        "100",
    ]
    assert samples.learning().rows[:2] == [
        ["Base", "25", "2", "1.9 to 2.1", 2],
        ["Base", "100", "1.5", "–", 1],
    ]
