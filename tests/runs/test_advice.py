from typing import Any

import pytest

from evalapp.runs.training.advice import LIMA, LORA, LORA_LEARNS_LESS, QLORA, Source, advice

Given = dict[str, Any]
USUAL: Given = {"rows": 600, "method": "lora", "truncated": 0, "longest": 300, "context": 8192}


@pytest.mark.parametrize(
    ("given", "said", "sources"),
    [
        ({"rows": 40}, "40 rows are few", (LIMA,)),
        ({"rows": 9_999}, "10,000 examples are often recommended; there are 9,999 here", (LIMA,)),
        ({"rows": 10_000}, "10,000 rows are more than many tasks need", (LIMA,)),
        ({}, "within 1–2% of full fine-tuning. It depends on the task", (LORA, LORA_LEARNS_LESS)),
        ({"method": "full"}, "Train an adapter on the same rows and compare", (LORA, LORA_LEARNS_LESS)),
        ({"method": "qlora"}, "evaluate the model that will be served", (QLORA,)),
        ({"truncated": 1}, "1 row loses the end of an answer", ()),
        ({"truncated": 2}, "Set “Longest row in tokens” to 300", ()),
        ({"truncated": 2, "context": 256}, "choose a base that reads more", ()),
    ],
)
def test_what_is_said_has_its_source(given: Given, said: str, sources: tuple[Source, ...]) -> None:
    (found,) = [each for each in advice(**USUAL | given) if said in each.text]
    assert found.sources == sources


def test_nothing_is_said_of_what_is_well() -> None:
    assert len(advice(**USUAL)) == 2
