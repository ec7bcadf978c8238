"""A person whom a row names once is masked in all of it, by whichever part of the name it calls them."""

import pytest

from evalapp.datasets.masking import Masks
from evalapp.privacy.personal_data import personal_spans
from tests.curation.planted import harmless_texts, personal_texts


def masked(*texts: str) -> list[str]:
    masks = Masks((text, personal_spans(text)) for text in texts)
    return [masks.masked(text) for text in texts]


@pytest.mark.parametrize(
    ("named", "text", "told"),
    [
        ("My name is Thomas Weber.", "Thomas, your bill is paid.", "⟨NAME 1⟩, your bill is paid."),
        ("Ich heiße Käthe Schmidt.", "Liebe Käthe, bis morgen.", "Liebe ⟨NAME 1⟩, bis morgen."),
        ("Frau Schmidt zahlt.", "Käthe Schmidt rief an.", "⟨NAME 1⟩ rief an."),
        ("Frau Schmidt rief an: Käthe Schmidt.", "Ist Käthe da?", "Ist ⟨NAME 1⟩ da?"),
        ("Frau Łucja Żak kommt.", "Łucja ruft Żak an.", "⟨NAME 1⟩ ruft ⟨NAME 1⟩ an."),
        ("Herr d'Angelo kommt.", "Fragen Sie d'Angelo.", "Fragen Sie ⟨NAME 1⟩."),
        ("HERR MÜLLER HAT ANGERUFEN", "FRAU ANNA MÜLLER KOMMT", "FRAU ⟨NAME 1⟩ KOMMT"),
        ("Mr 王伟 called.", "We paid 王伟.", "We paid ⟨NAME 1⟩."),
        ("Ms Шевченко called.", "We paid Шевченко.", "We paid ⟨NAME 1⟩."),
    ],
)
def test_each_part_of_a_name_is_masked(named: str, text: str, told: str) -> None:
    assert masked(named, text)[1] == told
    assert masked(text, named)[0] == told


@pytest.mark.parametrize(
    ("named", "text"),
    [
        ("My name is Rose Miller.", "Rose prices went up."),
        ("My name is Will Smith.", "Will you pay?"),
        ("My name is Thomas Weber.", "It was the Thomas Street and the St Thomas Hospital."),
        ("FRAU MÜLLER KOMMT", "FRAU DOKTOR. MR ANGIOGRAPHIE. MS PATIENT."),
    ],
)
def test_ordinary_words_and_institutions_stay(named: str, text: str) -> None:
    assert masked(named, text)[1] == text


def test_what_stands_before_a_last_name_and_is_no_first_name_stays() -> None:
    text = "Nurse Weber and Oberarzt Weber met Familie Weber. Does Weber know? Die Patientin Weber fragt."
    assert masked("Mr Weber wrote.", text)[1] == text.replace("Weber", "⟨NAME 1⟩")


def test_of_two_with_one_first_name_each_has_a_placeholder() -> None:
    told = masked("My name is Thomas Weber.", "My name is Thomas Braun.", "We asked Thomas.")
    assert told == ["My name is ⟨NAME 1⟩.", "My name is ⟨NAME 2⟩.", "We asked ⟨NAME 3⟩."]


@pytest.mark.parametrize("seed", [5, 6])
def test_planted_names_are_masked_in_part_and_nothing_else_is(seed: int) -> None:
    names = [(text, name) for text, name, kind in personal_texts(seed) if kind == "NAME" and " " in name]
    harmless = harmless_texts(seed)
    assert len(names) >= 50
    for number, (text, name) in enumerate(names):
        first = name.split()[0]
        beside = harmless[number * 5 : number * 5 + 5]
        told = masked(text, f"{first}, your bill is paid.", f"{first} agreed.", f"We asked {first}.", *beside)
        assert not [each for each in told[1:4] if first in each]
        assert told[4:] == [masked(each)[0] for each in beside]
