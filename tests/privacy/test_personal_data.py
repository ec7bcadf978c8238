"""Which personal data are found in a text, and which look-alikes are left alone."""

import pytest

from evalapp.privacy.personal_data import personal_spans
from tests.curation.planted import harmless_texts, personal_texts

LEAST_RECALL = 0.95


def test_data_with_a_checksum_or_a_form_are_found_with_their_place() -> None:
    texts = personal_texts(5)
    missed = [
        (kind, planted)
        for text, planted, kind in texts
        if not any(
            (text[each.start : each.end], each.type) == (planted, kind) for each in personal_spans(text)
        )
    ]
    assert len(missed) <= (1 - LEAST_RECALL) * len(texts), missed[:5]


def test_numbers_that_look_like_peoples_data_are_left_alone() -> None:
    texts = harmless_texts(6)
    flagged = [text for text in texts if personal_spans(text)]
    assert len(flagged) <= 0.02 * len(texts), flagged[:5]


@pytest.mark.parametrize(
    ("text", "planted"),
    [
        ("Born on 12 March 1981 in Leeds.", "BIRTH DATE"),
        ("Write to 12 Baker Street, please.", "ADDRESS"),
        ("Her number is 536-90-4399.", "NATIONAL ID"),
        ("It came from 192.168.1.10 yesterday.", "IP"),
        ("Sehr geehrte Frau Müller, danke.", "NAME"),
        ("رسالة من Mohammed Haddad 😀", "NAME"),
        ("Thanks,\nElżbieta Nowak", "NAME"),
    ],
)
def test_other_data_of_people(text: str, planted: str) -> None:
    assert [span.type for span in personal_spans(text)] == [planted]


def test_a_name_is_the_same_with_its_genitive() -> None:
    text = "Daniel Okafor’s claim. It is Daniel Okafor's and Daniel Okafor agrees, as O'Brien-Smith does."
    assert [text[each.start : each.end] for each in personal_spans(text)] == ["Daniel Okafor"] * 3
