import pytest

from evalapp.core.errors import InvalidError
from evalapp.core.names import checked_name, has_visible
from evalapp.datasets.services import create_dataset


@pytest.mark.parametrize(
    "name", ["Żółć", "日本語", "שלום\u200f", "a \u200d b", "👩\u200d💻", "O'Brien & Söhne <x>"]
)
def test_names_of_every_language_are_taken(name):
    assert checked_name(name, of="the dataset") == name


def test_spaces_around_and_line_ends_inside_are_evened_out():
    assert checked_name(" One\r\n\ttwo  three ", of="the dataset") == "One two three"


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x7f", "\u202e", "\u2066", "\ud800"])
def test_a_character_that_hides_or_turns_text_round_is_named(character):
    with pytest.raises(InvalidError) as caught:
        checked_name(f"ab{character}c", of="the dataset")
    assert f"Character 3 of the name is U+{ord(character):04X}" in caught.value.fields["name"][0]


@pytest.mark.parametrize("name", ["", "  ", "\u200b\u200b", "\u00a0\ufeff", "x" * 121])
def test_a_name_needs_something_to_see_and_an_end(name):
    with pytest.raises(InvalidError, match="1 to 120 characters"):
        checked_name(name, of="the dataset")


def test_a_text_is_visible_by_one_character():
    assert has_visible("\u200b.\u200b")
    assert not has_visible("\u200b \n\u2060")


@pytest.mark.django_db
def test_a_dataset_cannot_pose_as_another(project, owner):
    with pytest.raises(InvalidError, match=r"U\+202E"):
        create_dataset(project=project, name="Test \u202etniart", by=owner)
