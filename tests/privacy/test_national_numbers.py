"""National numbers of persons, and numbers of things that look alike."""

import random
from collections.abc import Callable

import pytest

from evalapp.privacy.personal_data import personal_spans


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("it is 44051401359, thanks", "44051401359"),
        ("AHV-Nummer 756.9217.0769.85.", "756.9217.0769.85"),
        ("I am 880320-0016 there", "880320-0016"),
        ("personnummer 8803200016", "8803200016"),
        ("hetu 131052-308T.", "131052-308T"),
        ("born as 710319/2745", "710319/2745"),
        ("rodné číslo 7103192745", "7103192745"),
        ("Rijksregisternummer 85.07.30-033.28", "85.07.30-033.28"),
        ("INSZ 85073003328", "85073003328"),
        ("burgerservicenummer is 1112.22.333", "1112.22.333"),
        ("BSN: 111222333", "111222333"),
        ("my NIE X-2482300W", "X-2482300W"),
        ("NIF 501964843", "501964843"),
        ("SVNR 1237 010180", "1237 010180"),
        ("I am 211062-5629", "211062-5629"),
        ("CPR 2110625629", "2110625629"),
        ("fødselsnummer 151086 95088", "151086 95088"),
        ("My PPS is 6433435OA", "6433435OA"),
        ("NI number AB 12 34 56 C", "AB 12 34 56 C"),
        ("my number 54362315K", "54362315K"),
        ("My social security number is 536 90 4399", "536 90 4399"),
        ("Steuer-ID 36 574 261 809", "36 574 261 809"),
    ],
)
def test_a_national_number_is_found_whole(text: str, number: str) -> None:
    assert [(text[each.start : each.end], each.type) for each in personal_spans(text)] == [
        (number, "NATIONAL ID")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Order X2482300W is late.",
        "Policy AB123456C ended.",
        "contract number 241-13-4676",
        "Artikel 54362315K",
        "article 6433435F is out of stock",
        "Invoice 880320-0016",
        "Policy 211062-5629 ended.",
        "Aktenzeichen 710319/2745",
        "order no. 44051401359",
        "Bestellung 44051401359",
        "ISBN 978-3-16-148410-0",
        "the code 4006381333931 is on it",
        "111222333 people",
        "536 90 4399 pieces",
        "44321401355 is the number of somebody who is not born yet.",
        "501964843 grains",
        "The number 2110625629 stands there.",
        "1237 010180",
        "§ 622 Abs. 2 BGB and section 12.3.4",
        "1,234,567.89 euros or 1.234.567,89 EUR",
        "ISO 9001:2015 und DIN 4102-1",
        "2024-03-18T10:22:33",
        "from 03.04.2021 to 05.06.2022",
    ],
)
def test_numbers_of_things_are_left_alone(text: str) -> None:
    assert personal_spans(text) == []


@pytest.mark.parametrize("length", [8, 9, 10, 11, 12, 13])
def test_hardly_a_random_number_is_one(length: int) -> None:
    draw = random.Random(length)
    digits: Callable[[], str] = lambda: "".join(draw.choices("0123456789", k=length))  # noqa: E731
    flagged = [text for text in (f"It is {digits()} there." for _ in range(400)) if personal_spans(text)]
    assert len(flagged) <= 0.03 * 400, flagged[:5]
