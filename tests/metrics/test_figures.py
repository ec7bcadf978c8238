import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalapp.metrics.figures import figures, invented_figures


def invented(output: str, *given_texts: str) -> list[str]:
    return [span.text for span in invented_figures(output, given_texts)]


@pytest.mark.parametrize(
    ("output", "given"),
    [
        ("1,200", "1200"),
        ("1200", "1 200"),
        ("1\u00a0200", "1,200"),
        ("1'200", "1200"),
        ("£1.2k", "£1,200"),
        ("£1,200", "1.2k"),
        ("12 %", "12%"),
        ("12 per cent", "12%"),
        ("12%", "a share of 0.12"),
        ("50 basis points", "0.5%"),
        ("1.200,50", "1,200.50"),
        ("1.200", "1200"),
        ("1,5", "1.5"),
        ("12,34,567", "1234567"),
        ("£1.2m", "£1,234,000"),
        ("£1.2 million", "£1.2m"),
        ("12.3%", "12.34%"),
        ("3 years", "three years"),
        ("2nd", "number 2"),
        ("in 2031", "due 2031-05-12"),
        ("12 May 2031", "12/05/2031"),
        ("May 12th, 2031", "2031-05-12"),
        ("3 April 2031", "03/04/2031"),
        ("3 April 2031", "04/03/2031"),
        ("May 2031", "12 May 2031"),
        ("12 May", "12 May 2031"),
        ("14:30", "at 14:30"),
        ("5-7%", "between 5% and 7%"),
        ("fell by 3%", "-3%"),
        ("option 7 200 clients", "option 7 for 200 clients"),
        ("1,2,3", "1 and 2 and 3"),
        ("٣", "3"),
        ("$480,000.", "480000"),
    ],
)
def test_another_way_of_writing_is_not_an_invention(output: str, given: str) -> None:
    assert invented(output, given) == []


@pytest.mark.parametrize(
    ("output", "given", "found"),
    [
        ("£1.3m", "£1,234,000", ["£1.3m"]),
        ("35 clients", "34.6", ["35"]),
        ("grew 12.5% and 7%", "7%", ["12.5%"]),
        ("13 May 2031", "May 2031", ["13 May 2031"]),
        ("12 May 2032", "12 May 2031", ["12 May 2032"]),
        ("by 2032", "2031-05-12", ["2032"]),
        ("£250,000 and £250k and £260k", "250000", ["£260k"]),
        ("5 or 6", "", ["5", "6"]),
        ("99.", "100", ["99"]),
    ],
)
def test_what_the_context_does_not_hold_is_found(output: str, given: str, found: list[str]) -> None:
    assert invented(output, given) == found


def test_spans_point_into_the_output() -> None:
    output = "Your fund grew 12.5% to £1,300 by 3 May 2031."
    spans = invented_figures(output, ["no figures here"])
    assert [output[span.start : span.end] for span in spans] == ["12.5%", "£1,300", "3 May 2031"]
    assert [span.text for span in spans] == ["12.5%", "£1,300", "3 May 2031"]


def test_numbers_of_a_list_and_digits_in_names_are_no_figures() -> None:
    assert invented("1. Save more\n2) Spend less\n (3) Q3, A4 and CO2", "") == []


def test_every_given_text_counts() -> None:
    assert invented("5 of 7", "5", "7") == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789.,'’ \u00a0%kmb£-/:()MayJun\n", max_size=60))
def test_a_text_invents_nothing_against_itself(text: str) -> None:
    assert invented_figures(text, [text]) == []
    for figure in figures(text):
        assert text[figure.span.start : figure.span.end] == figure.span.text


def test_a_long_run_of_digits_ends_soon() -> None:
    hostile = "1" * 20_000 + " 1," * 5_000 + "1 000" * 5_000 + "12/12/" * 5_000
    assert invented_figures(hostile, [hostile]) == []
