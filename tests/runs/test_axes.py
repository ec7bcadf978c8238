"""The settings in which trainings of a sweep differ."""

from typing import Any

import pytest

from evalapp.core.errors import InvalidError
from evalapp.runs.training.axes import (
    AXES,
    VERSION,
    applied,
    combinations_of,
    in_words,
    read_values,
    value_in,
    written,
)
from training.spec import TrainingSpec


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("seed", "1, 2;3\n4 4", [1, 2, 3, 4]),
        ("data_share", "25%, 0.5, 100", [0.25, 0.5, 1.0]),
        ("data_share", "1%, 1", [0.01, 1.0]),
        ("learning_rate", "1e-4 2e-4", [1e-4, 2e-4]),
        ("method", "LoRA, full", ["lora", "full"]),
        ("seed", " ", []),
    ],
)
def test_values_are_read_as_people_write_them(name: str, text: str, values: list[Any]) -> None:
    assert read_values(name, text) == values


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [("seed", "1, two", "two"), ("schedule", "steep", "steep"), ("lora.rank", "1.5", "1.5")],
)
def test_what_is_no_value_is_named(name: str, text: str, word: str) -> None:
    with pytest.raises(InvalidError, match=f"“{word}” is not a value of"):
        read_values(name, text)


def test_every_setting_is_one_of_the_programs() -> None:
    spec = TrainingSpec(base_folder="/b", rows=1).to_dict()
    for name, axis in AXES.items():
        if name == VERSION:
            # The web chooses the rows.
            continue
        assert name == "learning_rate" or name == "max_length" or value_in(spec, name) is not None
        value = {"learning_rate": 2e-4, "max_length": 512}.get(name, value_in(spec, name))
        assert axis.read(axis.write(value)) == value


def test_versions_are_read_and_leave_the_settings_alone() -> None:
    assert read_values(VERSION, "v1, 3") == [1, 3]
    combination = {VERSION: 3, "seed": 2}
    assert applied({"epochs": 1}, combination) == {"epochs": 1, "seed": 2}
    assert in_words(combination) == "v3, seed 2"
    with pytest.raises(InvalidError, match="“v0” is not a value of “Dataset version”"):
        read_values(VERSION, "v0")


def test_every_pair_of_values_is_a_training_and_has_words() -> None:
    found = combinations_of({"lora.rank": [8, 16], "data_share": [0.25, 1.0]})
    assert [in_words(each) for each in found] == [
        "LoRA rank 8, 25% of the data",
        "LoRA rank 8, 100% of the data",
        "LoRA rank 16, 25% of the data",
        "LoRA rank 16, 100% of the data",
    ]
    common = {"epochs": 1.0, "lora": {"rank": 4, "alpha": 8}}
    assert applied(common, found[0]) == {"epochs": 1.0, "lora": {"rank": 8, "alpha": 8}, "data_share": 0.25}
    assert common["lora"] == {"rank": 4, "alpha": 8}
    assert written("lora.rank", None) == "–"


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({}, "at least two values"),
        ({"seed": [1]}, "at least two values"),
        ({"seed": list(range(7)), "epochs": [1, 2, 3]}, "7 × 3 = 21 trainings; a sweep has 20 at most"),
        ({"seed": list(range(21))}, "That would be 21 trainings; a sweep has 20 at most"),
        # Counted, not made: they would fill any memory.
        ({name: list(range(900)) for name in AXES}, "a sweep has 20 at most"),
        ({"rows": [1, 2]}, "cannot differ in 'rows'"),
        ({"seed": []}, "needs a list of values"),
        ({"seed": "12"}, "needs a list of values"),
        ({"seed": [1, [2]]}, "is not a value of “Seed”"),
        ({"seed": [1, True]}, "'True' is not a value of “Seed”"),
        ({"seed": [1, 1.5]}, "'1.5' is not a value of “Seed”"),
        ({"data_share": [0.5, "much"]}, "'much' is not a value of “Share of the data”"),
        ({"schedule": ["steep", "linear"]}, "'steep' is not a value"),
        ({"seed": [1, 1]}, "is given twice"),
    ],
)
def test_what_is_no_sweep_is_said(axes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidError, match=says):
        combinations_of(axes)
