"""Numbers of passports, licences and vehicles, and what beside a card's number belongs to it."""

import pytest

from evalapp.privacy.personal_data import personal_spans


def found(text: str) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.type) for span in personal_spans(text)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("My passport no. C01X00T47 was stolen.", "C01X00T47"),
        ("passport number 536 904 399", "536 904 399"),
        ("Mein Reisepass: C01X00T47", "C01X00T47"),
        ("Reisepass-Nr. C01X00T47", "C01X00T47"),
        ("Passnummer C01X00T47", "C01X00T47"),
        ("Personalausweis T220001293 liegt bei", "T220001293"),
        ("Personalausweisnummer: T220001293", "T220001293"),
        ("passeport numéro 09AB12345", "09AB12345"),
        ("carte d'identité n° 880692310285", "880692310285"),
        ("My driving licence number is MORGA657054SM9IJ.", "MORGA657054SM9IJ"),
        ("driver's license: D1234567", "D1234567"),
        ("Fuehrerschein Nr. B072RRE2I55", "B072RRE2I55"),
    ],
)
def test_a_number_after_the_word_of_a_document(text: str, number: str) -> None:
    assert found(text) == [(number, "PASSPORT")]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("das Kennzeichen „B-MW 1234“", "B-MW 1234"),
        ("amtliches Kennzeichen: M AB 123", "M AB 123"),
        ("The number plate LS12 ABC was gone.", "LS12 ABC"),
        ("my car's registration is LS12ABC", "LS12ABC"),
        ("reg. LS12 ABC", "LS12 ABC"),
        ("immatriculation AB-123-CD", "AB-123-CD"),
        ("une voiture immatriculée AB-123-CD", "AB-123-CD"),
        ("see 1M8GDM9AXKP042788.", "1M8GDM9AXKP042788"),
        ("FIN: WVWZZZ1JZXW000001", "WVWZZZ1JZXW000001"),
    ],
)
def test_a_number_of_a_vehicle(text: str, number: str) -> None:
    assert found(text) == [(number, "VEHICLE")]


@pytest.mark.parametrize(
    "text",
    [
        "A passport in 2024 costs 82.50 pounds.",
        "the passport 2024 edition",
        "The Passport Act 1988 applies.",
        "driving licence class B since 2019",
        "a registration fee of EUR 120",
        "registration number HRB 12345",
        "registration number HR B 1234",
        "company registration AB12 CDE",
        "registration: 12 MAR 24",
        "the plate was 12 cm wide",
        "Model AB-123-CD is sold.",
        "AB12 CDE is a spare part.",
        "WVWZZZ1JZXW000001 lies there.",
        "tracking 1M8GDM9AXKP042788",
        "UPS 1Z999AA10123456784",
        "SKU 1234567T and batch K-20240318-7791",
    ],
)
def test_numbers_that_look_like_documents_are_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Card 4111 1111 1111 1111, exp 04/27, CVC 123", ["4111 1111 1111 1111", "04/27", "123"]),
        ("4111111111111111 04/27 123", ["4111111111111111", "04/27", "123"]),
        ("CVC 123 for 4111-1111-1111-1111", ["123", "4111-1111-1111-1111"]),
        (
            "Karte 4111 1111 1111 1111, gültig bis 04/2027, Prüfziffer 123",
            ["4111 1111 1111 1111", "04/2027", "123"],
        ),
        ("4111 1111 1111 1111 123", ["4111 1111 1111 1111"]),
        ("Card 4111 1111 1111 1111 paid 123 euros on 12/03/2024.", ["4111 1111 1111 1111"]),
    ],
)
def test_expiry_date_and_code_beside_a_card(text: str, parts: list[str]) -> None:
    assert found(text) == [(part, "CARD") for part in parts]


@pytest.mark.parametrize(
    "text", ["It expires 04/27, and CVC 123 is a code.", "EAN 4006381333931", "the device 490154203237518"]
)
def test_nothing_is_a_card_without_a_cards_number(text: str) -> None:
    assert found(text) == []
