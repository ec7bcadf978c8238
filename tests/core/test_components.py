import datetime as dt
import time

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone
from django.utils.html import escape, strip_tags


def render(source: str, **context: object) -> str:
    return Template("{% load components text %}" + source).render(Context(context)).strip()


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![a](https://outside.example/p.png)",
        "[a](javascript:alert(1))",
        "<svg onload=alert(1)>",
        "<iframe src=//x></iframe>",
        "[a](data:text/html,<script>1</script>)",
        "<math><mtext></mtext></math>",
    ],
)
def test_markdown_of_users_and_models_is_inert(source: str) -> None:
    html = render("{{ text|render_markdown }}", text=source).lower()
    for forbidden in ("<script", "<img", "<svg", "<iframe", "<math", 'href="javascript', 'href="data'):
        assert forbidden not in html


def test_markdown_headings_stay_below_the_page_title() -> None:
    assert render("{{ text|render_markdown }}", text="# Title\n\n**bold**") == (
        "<h3>Title</h3>\n<p><strong>bold</strong></p>"
    )


def test_a_text_of_a_book_s_length_is_shown_whole_and_at_once() -> None:
    text = "[<i>" * 50_000
    started = time.thread_time()
    html = render("{{ text|render_markdown }}", text=text)
    assert time.thread_time() - started < 1
    assert html == f'<pre class="plain">{escape(text)}</pre>'


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (4.1667, 3.86, 4.47, "4.2 (3.9 to 4.5)"),
        (0.51234, 0.49, 0.535, "0.51 (0.49 to 0.54)"),
        (4.8, 4.1, 5.0, "4.8 (4.1 to 5.0)"),
        (-0.04, -0.54, 0.46, "0.0 (−0.5 to 0.5)"),
        (4.1667, None, None, "4.17"),
        (None, None, None, "–"),
    ],
)
def test_a_figure_has_the_digits_its_interval_justifies(
    value: float | None, low: float | None, high: float | None, expected: str
) -> None:
    html = render("{% ranged_value value low high %}", value=value, low=low, high=high)
    assert strip_tags(html) == expected
    assert html.startswith('<span class="number')


def test_a_mean_of_counts_has_decimals_only_from_its_interval() -> None:
    assert strip_tags(render("{% ranged_value 12.0 None None is_count=True %}")) == "12"
    assert strip_tags(render("{% ranged_value 0.0 0.0 0.0 is_count=True %}")) == "0 (0 to 0)"
    assert strip_tags(render("{% ranged_value 0.12 0.04 0.2 is_count=True %}")) == "0.12 (0.04 to 0.20)"
    # "3 (2 to 5)" would hide that it may be less than 2.
    assert strip_tags(render("{% ranged_value 3.37 1.96 4.78 is_count=True %}")) == "3.4 (2.0 to 4.8)"
    assert strip_tags(render("{% ranged_value 3.4 1.9 5.4 %}")) == "3.4 (1.9 to 5.4)"
    assert strip_tags(render("{% ranged_value 134.4 122.1 146.7 is_count=True %}")) == "134 (122 to 147)"
    assert strip_tags(render("{% ranged_value 62.6 58.2 67.0 %}")) == "63 (58 to 67)"


def test_an_interval_is_drawn_on_the_common_axis_without_style_attributes() -> None:
    html = render("{% interval 3 2 4 1 5 gate=4.5 %}")
    assert 'cx="60.0"' in html and 'x1="32.0" x2="88.0"' in html and 'x1="102.0"' in html
    assert "style=" not in html


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [(0.15, 0.05, 0.36, "15% (5%–36%)"), (0.0, 0.0, 0.16, "0% (0%–16%)"), (0.3, None, None, "30%"),
     (None, None, None, "–")],
)  # fmt: skip
def test_a_share_is_said_in_percent(
    value: float | None, low: float | None, high: float | None, expected: str
) -> None:
    assert strip_tags(render("{% share value low high %}", value=value, low=low, high=high)) == expected
    drawn = strip_tags(
        render("{% interval value low high 0 1 is_share=True %}", value=value, low=low, high=high)
    )
    assert drawn.strip() == expected


def test_an_undefined_interval_is_a_dash() -> None:
    assert "–" in render("{% interval None None None 1 5 %}")


def test_a_rating_bar_straddles_the_centre_and_says_its_counts() -> None:
    html = render("{% rating_bar counts %}", counts=[1, 1, 2, 0, 0])
    assert 'aria-label="1: 1, 2: 1, 3: 2, 4: 0, 5: 0"' in html
    assert '<rect class="rating-1" x="25.00"' in html  # 25% + 25% + half of the middle's 50% lie left of 100


def test_relative_time_carries_the_absolute_one() -> None:
    when = timezone.now() - dt.timedelta(minutes=3)
    html = render("{% relative_time when %}", when=when)
    assert ">3 min ago</time>" in html
    assert f'title="{when.day} ' in html


def test_candidates_keep_colour_and_shape_by_position() -> None:
    first, second = (render("{% candidate n 'v' %}", n=n) for n in (0, 1))
    assert "candidate-1" in first and "<circle" in first
    assert "candidate-2" in second and "<rect" in second


def test_a_changed_filter_leaves_the_page() -> None:
    request = RequestFactory().get("/x", {"state": "open", "after": "k", "q": "a b"})
    assert render("{% query_with state='done' %}", request=request) == "?state=done&amp;q=a+b"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"train": 600, "test": 20}, "train 600, test 20"),
        ([3, "a"], "3, a"),
        ([], "none"),
        (None, "none"),
        (True, "yes"),
        ({"before": {"name": "<b>"}}, "before name &lt;b&gt;"),
    ],
)
def test_details_of_an_event_are_said_in_words(value: object, words: str) -> None:
    assert render("{{ value|in_words }}", value=value) == words


def test_a_chip_in_a_link_brings_no_white_space() -> None:
    html = render('<a href="/">{% chip "open" "Open" %}</a> 48 of 48')
    assert html == ('<a href="/"><span class="chip chip-busy" data-state="open">Open</span></a> 48 of 48')


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0 s"), (0.04, "under 1 s"), (0.9, "under 1 s"), (1.4, "1 s"), (None, "–")]
)
def test_a_short_time_is_not_rounded_to_nothing(seconds: float | None, expected: str) -> None:
    assert render("{% load durations %}{{ seconds|duration }}", seconds=seconds) == expected


def test_nothing_in_a_chart_ends_its_script_element() -> None:
    from django.utils.html import json_script

    from evalapp.charts.theme import themed
    from evalapp.templatetags.components import json_script_for_chart

    spec = {"title": "</script><!-- <script> & ]]>", "data": {"values": [{"name": "<b>&amp;</b>"}]}}
    assert json_script_for_chart(spec, 'a"<b>') == json_script(themed(spec), 'a"<b>')
