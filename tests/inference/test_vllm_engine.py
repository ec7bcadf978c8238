"""How rows go through a vLLM engine; the engine itself is started by the tests marked vllm."""

from types import SimpleNamespace
from typing import Any

import pytest

from inference.engines import PromptBatch
from inference.prompts import Prompt
from inference.spec import GenerationRow
from inference.vllm_engine import VllmGenerator
from run_directory.program import Interruption, Stopped
from run_directory.protocol import Message


class Engine:
    """Answers as many requests at once as vLLM would, each after so many steps as its prompt has tokens."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.left: dict[str, int] = {}
        self.answered_at_once: list[int] = []
        self.adapters: dict[str, Any] = {}
        self.mixed = False

    def add_request(self, name: str, prompt: Any, parameters: Any, *, lora_request: Any) -> None:
        assert prompt["type"] == "token"
        assert name not in self.left
        self.left[name] = len(prompt["prompt_token_ids"])
        self.adapters[name] = lora_request and lora_request.lora_name

    def step(self) -> list[Any]:
        running = list(self.left)[: self.at_once]
        self.answered_at_once.append(len(running))
        self.mixed |= len({self.adapters[name] for name in self.left}) > 1
        for name in running:
            self.left[name] -= 1
        finished = [name for name in running if not self.left[name]]
        for name in finished:
            del self.left[name]
        text = {name: SimpleNamespace(text=name, finish_reason="stop", token_ids=[1]) for name in finished}
        return [SimpleNamespace(request_id=name, finished=True, outputs=[text[name]]) for name in finished]


def generator(monkeypatch: pytest.MonkeyPatch, batch_size: int) -> VllmGenerator:
    monkeypatch.setattr(VllmGenerator, "_parameters", lambda self, prompt: None)
    made = VllmGenerator.__new__(VllmGenerator)
    made.load = SimpleNamespace(batch_size=batch_size, interruption=Interruption(), adapters=())  # type: ignore[assignment]
    made.engine = Engine(batch_size)
    return made


def asked(number: int, *lengths: int, adapter: Any = None) -> PromptBatch:
    row = GenerationRow(example="e", messages=(Message(role="user", content="Hello"),))
    return PromptBatch(number, [Prompt(row, [0] * length) for length in lengths], adapter)


def texts(found: list[list[list[Any]]]) -> list[list[str]]:
    return [[answer.text for answer in batch] for group in found for batch in group]


def test_batches_come_whole_and_in_order_however_long_their_rows_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches = [asked(0, 9, 1), asked(1, 1, 1), asked(2), asked(3, 2, 1), asked(4, 1)]
    found = list(generator(monkeypatch, 2).answers(batches))
    assert texts(found) == [["0-0", "0-1"], ["1-0", "1-1"], [], ["3-0", "3-1"], ["4-0"]]
    # What waited for the long row of the first batch is written together with it.
    assert len(found[0]) > 1


def test_the_engine_is_never_short_of_rows_while_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    made = generator(monkeypatch, 4)
    list(made.answers([asked(number, 8, 1, 1, 1) for number in range(12)]))
    busy = made.engine.answered_at_once
    # Only the last batches have no others behind them.
    assert busy[:-8] == [4] * (len(busy) - 8)


def test_a_wish_to_stop_is_obeyed_at_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    made = generator(monkeypatch, 2)
    coming = made.answers([asked(0, 1, 1), asked(1, 50, 50)])
    assert len(next(coming)) == 1
    made.load.interruption.outcome = "cancelled"
    with pytest.raises(Stopped):
        next(coming)
    assert len(made.engine.answered_at_once) == 1


def test_rows_of_two_adapters_or_of_none_are_never_in_the_engine_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("vllm")
    one, other = (SimpleNamespace(sha256=name, folder=f"/{name}") for name in ("one", "other"))
    made = generator(monkeypatch, 2)
    made.load.adapters = (one, other)
    batches = [
        asked(0, 3, 1), asked(1, 1, 1),
        asked(2, 4, 1, adapter=one), asked(3, adapter=one), asked(4, adapter=other), asked(5, 2, 1,
        adapter=other),
    ]  # fmt: skip
    found = list(made.answers(batches))
    assert texts(found) == [["0-0", "0-1"], ["1-0", "1-1"], ["2-0", "2-1"], [], [], ["5-0", "5-1"]]
    assert made.engine.adapters == {
        "0-0": None, "0-1": None, "1-0": None, "1-1": None, "2-0": "one", "2-1": "one", "5-0": "other",
        "5-1": "other"
    }  # fmt: skip
    assert not made.engine.mixed


def test_nothing_asked_is_nothing_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(generator(monkeypatch, 2).answers([])) == []
    assert texts(list(generator(monkeypatch, 2).answers([asked(0), asked(1)]))) == [[], []]
