"""Dates of birth, addresses, e-mail addresses and names as people of several languages write them."""

import pytest

from evalapp.privacy.personal_data import personal_spans


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("geboren am 3. März 1979 in Köln", "3. März 1979"),
        ("am 3. März 1979 in Köln geboren", "3. März 1979"),
        ("geb. 03.03.1979", "03.03.1979"),
        ("Geburtsdatum: 03.03.1979", "03.03.1979"),
        ("née le 3 mars 1979", "3 mars 1979"),
        ("né(e) le 1er mars 1979", "1er mars 1979"),
        ("nacido el 3 de marzo de 1979", "3 de marzo de 1979"),
        ("fecha de nacimiento: 03/03/1979", "03/03/1979"),
        ("born in Leeds on 3 March 1979", "3 March 1979"),
        ("DOB: 1979-03-03", "1979-03-03"),
        ("Born on March 3rd, 1979.", "March 3rd, 1979"),
    ],
)
def test_a_date_of_birth(text: str, date: str) -> None:
    assert found(text) == [(date, "BIRTH DATE")]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Hauptstraße 5, 10115 Berlin.", "Hauptstraße 5, 10115 Berlin"),
        ("Hauptstraße 5\n10115 Berlin", "Hauptstraße 5\n10115 Berlin"),
        ("in der Hauptstr. 5, 60311 Frankfurt am Main und", "Hauptstr. 5, 60311 Frankfurt am Main"),
        ("Bahnhofstrasse 12, 8001 Zürich", "Bahnhofstrasse 12, 8001 Zürich"),
        ("Berliner Straße 12a, 10115 Berlin", "Berliner Straße 12a, 10115 Berlin"),
        ("At 12 High Street, Leeds LS1 4AP, please.", "12 High Street, Leeds LS1 4AP"),
        ("12 Baker Street, Springfield, IL 62704", "12 Baker Street, Springfield, IL 62704"),
        ("12 rue de la Paix, 75002 Paris", "12 rue de la Paix, 75002 Paris"),
        ("au 12 bis rue Victor Hugo, 69002 Lyon", "12 bis rue Victor Hugo, 69002 Lyon"),
        ("en la Calle Mayor 5, 28013 Madrid", "Calle Mayor 5, 28013 Madrid"),
        ("Write to 12 Baker Street, Please do.", "12 Baker Street"),
    ],
)
def test_postcode_and_town_belong_to_the_address(text: str, address: str) -> None:
    assert found(text) == [(address, "ADDRESS")]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Write to jane dot doe at example dot org", "jane dot doe at example dot org"),
        ("Write jane.doe (at) example.org now", "jane.doe (at) example.org"),
        ("jane[at]example[dot]org", "jane[at]example[dot]org"),
        ("jane at mail dot example dot org", "jane at mail dot example dot org"),
        ("jane.doe@example.org", "jane.doe@example.org"),
    ],
)
def test_an_address_written_for_people_alone(text: str, address: str) -> None:
    assert found(text) == [(address, "EMAIL")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Herr Juergen Mueller kam.", "Juergen Mueller"),
        ("gestern hat Juergen Mueller angerufen", "Juergen Mueller"),
        ("Mit freundlichen Gruessen\nJuergen Mueller", "Juergen Mueller"),
        ("Ich heisse Juergen Mueller", "Juergen Mueller"),
        ("Lieber Juergen,", "Juergen"),
        ("Yesterday Anna Weber called.", "Anna Weber"),
        ("we met Anna Maria Weber there", "Anna Maria Weber"),
        ("Hans-Peter Kolbe wrote", "Hans-Peter Kolbe"),
        ("Herr Dr. Martens rief an", "Martens"),
        ("It was Anna Park again.", "Anna Park"),
        ("Anna Weber\nUniversity of Leeds", "Anna Weber"),
    ],
)
def test_a_name(text: str, name: str) -> None:
    assert found(text) == [(name, "NAME")]


@pytest.mark.parametrize(
    "text",
    [
        "the Max Planck Institute in Munich",
        "Max Planck Institut",
        "Das Robert Koch-Institut warnt.",
        "Maria Hilf Krankenhaus",
        "Krankenhaus Maria Hilf",
        "St. Thomas Hospital",
        "Paul Ehrlich Institute",
        "Johns Hopkins University",
        "Friedrich Ebert Stiftung",
        "in der Robert Koch Straße wohnen",
        "over the Martin Luther King Bridge",
        "Robert Bosch GmbH",
        "rue Jean Moulin",
        "Dr. Martens boots and Dr. Oetker pizza",
        "San Diego Padres",
        "Max Length is 12.",
        "Hello World!",
        "Liebe Kunden,",
        "Viele Grüße,\nIhr Serviceteam",
        "meet me at example dot org",
        "look at this dot com thing",
        "Meet me at example. Look at this.",
        "visit us at example dot com",
        "born in 1979 with 3 kilograms",
        "the report of 3 March 1979",
        "Der Platz 12 ist frei.",
        "sent via Windows 11 and via Route 66",
        "She looked at point 5.",
    ],
)
def test_what_looks_like_a_persons_data_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_runs_without_end_are_read_in_a_moment() -> None:
    for run in (
        "a" * 100_000 + "@",
        "A-" * 50_000,
        " " * 100_000,
        "\n" * 100_000,
        "1 " * 50_000,
        "a.b@" * 25_000,
    ):
        personal_spans(f"Dear all, thanks. my name is passport plate born 1234567 at dot {run} dot regards")


def found(text: str) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.type) for span in personal_spans(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ich wohne Große Bleichen 21, 20354 Hamburg.", "Große Bleichen 21, 20354 Hamburg"),
        ("Am Alten Markt 3, 80331 München", "Am Alten Markt 3, 80331 München"),
        ("Postfach 1234, 70173 Stuttgart", "Postfach 1234, 70173 Stuttgart"),
        ("Herr Dr. von der Heide ruft an.", "von der Heide"),
        ("Viele Grüße\nHans-Peter von der Heide\nKurfürstendamm 101", "Hans-Peter von der Heide"),
    ],
)
def test_what_a_trial_missed_is_found(text: str, found: str) -> None:
    assert found in [text[span.start : span.end] for span in personal_spans(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Best regards,\nClaims Team",
        "Dear Valued Customer,\nthank you.",
        "Hallo Schadenabteilung, bitte melden.",
        "Hallo Zusammen, bitte melden.",
    ],
)
def test_groups_are_no_people(text: str) -> None:
    assert personal_spans(text) == []
