"""A person's texts are found however they are written, and nothing else."""

import json
import unicodedata

import pytest

from evalapp.data_protection.person import ERASED, Person

TEXTS = ["Zoë Ng", "Ng", "zoe@example.org", "+44 20 7946 0958", "DE89370400440532013000"]


@pytest.mark.parametrize(
    "text",
    [
        "Zoë Ng",
        "ZOË NG",
        "Zoë\n\tNg",
        "Zoë\u00a0Ng",
        unicodedata.normalize("NFD", "Zoë Ng"),
        r"Zo\u00eb Ng",
        r"ZO\u00CB\u00a0NG",
        r"Zo\u00eb\nNg",
        "Zoe@Example.org",
        "+442079460958",
        "+44 207946 0958",
        "DE89 3704 0044 0532 0130 00",
    ],
)
def test_each_way_of_writing_is_found(text: str) -> None:
    person = Person(TEXTS)
    assert person.is_in(f"Dear {text}, yes.")
    assert person.erased(f"Dear {text}, yes.") == f"Dear {ERASED}, yes."


def test_a_name_after_an_escaped_end_of_line_is_found() -> None:
    answer = json.dumps({"text": "Dear\nZoë Ng,\tNg and\r\nŁucja 😀", "other": "Zo"})
    assert json.loads(Person([*TEXTS, "łucja 😀"]).erased(answer)) == {
        "text": f"Dear\n{ERASED},\t{ERASED} and\r\n{ERASED}", "other": "Zo",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["Ngo", "Zoë", "anzoe@example.org", "+44 20 7946 09581", "⟨NAME 1⟩"])
def test_what_only_looks_alike_stays(text: str) -> None:
    assert not Person(TEXTS).is_in(text)
    assert Person(TEXTS).erased(text) == text


def test_erasing_twice_is_erasing_once_and_placeholders_stay() -> None:
    person = Person(["name", "erase"])
    once = person.erased("my name is ⟨NAME 1⟩, erase")
    assert once == f"my {ERASED} is ⟨NAME 1⟩, {ERASED}"
    assert person.erased(once) == once


def test_values_keep_their_shape() -> None:
    person = Person([*TEXTS, "10482"])
    value = {"role": "Ng", "list": ["Ng", 1, None, True], "number": 10482, "Ng": {"Ng": 1.5, "ng": 2}}
    assert person.erased_value(value) == {
        "role": ERASED, "list": [ERASED, 1, None, True], "number": 10482, "Ng": {"Ng": 1.5, "ng": 2},
    }  # fmt: skip
    assert person.erased_value(value, names=True) == {
        "role": ERASED, "list": [ERASED, 1, None, True], "number": ERASED,
        ERASED: {ERASED: 1.5, f"{ERASED} 2": 2},
    }  # fmt: skip


def test_a_filter_of_a_url_is_read_as_one() -> None:
    person = Person(TEXTS)
    assert person.erased_query("text=Zo%C3%AB+Ng&split=test") == "text=%E2%9F%A8ERASED%E2%9F%A9&split=test"
    assert person.erased_query("split=test&reviewers=") == "split=test&reviewers="


def test_positions_follow_their_words() -> None:
    person, text = Person(TEXTS), "Dear Zoë Ng, your claim (Ng) is paid."
    erased = person.erased(text)
    start, end = person.moved(text, text.index("claim"), text.index("claim") + 5)
    assert erased[start:end] == "claim"
    start, end = person.moved(text, text.index("paid"), len(text))
    assert erased[start:end] == "paid."
    start, end = person.moved(text, 5, 8)
    assert erased[start:end] == ERASED
    start, end = person.moved(text, 0, 9)
    assert erased[start:end] == f"Dear {ERASED}"
