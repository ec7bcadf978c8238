import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalapp.metrics.automatic.numbers import numbers, unsupported_numbers
from tests.metrics.growth import LINEAR_AT_MOST, growth


def invented(output: str, *given_texts: str) -> list[str]:
    return [span.text for span in unsupported_numbers(output, given_texts)]


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
    spans = unsupported_numbers(output, ["no numbers here"])
    assert [output[span.start : span.end] for span in spans] == ["12.5%", "£1,300", "3 May 2031"]
    assert [span.text for span in spans] == ["12.5%", "£1,300", "3 May 2031"]


def test_numbers_of_a_list_and_digits_in_names_are_no_figures() -> None:
    assert invented("1. Save more\n2) Spend less\n (3) Q3, A4 and CO2", "") == []


def test_every_given_text_counts() -> None:
    assert invented("5 of 7", "5", "7") == []


@settings(max_examples=200)
@given(st.text(alphabet="0123456789.,'’ \u00a0%kmb£-/:()MayJun\n", max_size=60))
def test_a_text_invents_nothing_against_itself(text: str) -> None:
    assert unsupported_numbers(text, [text]) == []
    for number in numbers(text):
        assert text[number.span.start : number.span.end] == number.span.text


def test_a_long_run_of_digits_ends_soon() -> None:
    hostile = "1" * 20_000 + " 1," * 5_000 + "1 000" * 5_000 + "12/12/" * 5_000
    assert unsupported_numbers(hostile, [hostile]) == []


@pytest.mark.parametrize(
    "part", ["12,", "1,", "1 ", "123 ", "12,34,", "1.1,", "1/1/", "£ ", "12 May ", "May 12 ", "1 per "]
)
def test_the_cost_of_a_list_of_numbers_grows_with_its_length(part: str) -> None:
    ratio = growth(
        lambda text: unsupported_numbers(text, [text, "also given"]),
        lambda characters: part * (characters // len(part)),
        characters=2_000,
    )
    assert ratio < LINEAR_AT_MOST


def test_many_dates_are_looked_up_in_one_step_each() -> None:
    days = [
        f"{day} {month} {year}"
        for year in range(1900, 1950)
        for month in ("May", "June")
        for day in range(1, 29)
    ]
    assert invented("; ".join(days), "; ".join(reversed(days))) == []
    ratio = growth(
        lambda text: unsupported_numbers(text, [text.replace("19", "20")]),
        lambda characters: "; ".join(f"1 May {1900 + number % 50}" for number in range(characters // 12)),
        # A short context is kept, so that only the long text would read it.
        characters=21_000,
    )
    assert ratio < LINEAR_AT_MOST


@pytest.mark.parametrize(
    "number",
    [
        "9" * 5_000,
        "9" * 1_000_000,
        "9" * 1_000_000 + "k",
        "9" * 999_999 + " trillion",
        "0." + "1" * 5_000 + "%",
        "1," + "000," * 20_000 + "000",
        "1 basis point in " + "9" * 1_000_001 + " bp",
    ],
    ids=lambda number: f"{number[:4]}…{number[-9:]}",
)
def test_a_number_too_long_for_a_value_is_compared_as_it_is_written(number: str) -> None:
    assert invented(f"see {number}", f"known: {number}, 1") == []
    other = number.replace("9", "8", 1).replace("1", "2", 1).replace("000", "111", 1)
    assert len(invented(f"see {other}", f"known: {number}")) >= 1


def test_a_long_number_is_still_found_by_its_neighbours() -> None:
    identifier = "7" * 60
    assert invented(f"No {identifier}: 5%", f"reference {identifier}, 4%") == ["5%"]
    assert invented("7" * 61, identifier) == ["7" * 61]
