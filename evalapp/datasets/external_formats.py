"""Rows as other tools write them, put into this product's fields: Alpaca, ShareGPT, preferences. Pure.

Preferences are TRL's and LLaMA-Factory's: ``chosen`` and ``rejected`` beside a prompt or as whole
conversations, and a ``completion`` with a ``label`` (or ``kto_tag``) that is true or false.
"""

from collections.abc import Callable
from typing import Any

from evalapp.datasets.rows import FieldProblem

_ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bing", "bard", "model"), "assistant"),
    "system": "system",
}
_PREFERENCE = ("chosen", "rejected")


class ExternalFormatError(Exception):
    """A row in one of these formats that cannot be read; ``problem`` says why."""

    def __init__(self, name: str, problem: str, mend: str) -> None:
        super().__init__(problem)
        self.problem = FieldProblem(name, problem, mend)


def put_into_own_fields(fields: dict[str, Any]) -> Callable[[str], str]:
    """Rename a row's fields in place; from the name of a field here to what the file calls it.

    A row that has ``messages`` or ``prompt`` is in this product's own words, but for preferences.
    Raises ExternalFormatError.
    """
    named: dict[str, str] = {}
    is_own = "messages" in fields or "prompt" in fields
    if not is_own and "conversations" in fields:
        named |= _share_gpt(fields)
    elif not is_own and "instruction" in fields:
        named |= _alpaca(fields)
    if isinstance(fields.get("kto_tag"), bool) and "label" not in fields:
        fields["label"] = fields.pop("kto_tag")
        named["label"] = "kto_tag"
    if all(name in fields for name in _PREFERENCE):
        named |= _pair(fields)
    elif isinstance(fields.get("label"), bool):
        named |= _rated(fields)
    return lambda name: named.get(name, name)


def _share_gpt(fields: dict[str, Any]) -> dict[str, str]:
    turns = fields.pop("conversations")
    if not isinstance(turns, list) or not turns:
        raise ExternalFormatError(
            "conversations", "This must be a list of turns.", 'Write [{"from": "human", "value": "…"}].'
        )
    fields["messages"] = [_turn(turn, f"conversations[{n}]") for n, turn in enumerate(turns, start=1)]
    named = {"messages": "conversations"}
    for number in range(1, len(turns) + 1):
        named[f"messages[{number}].content"] = f"conversations[{number}].value"
        named[f"messages[{number}].role"] = f"conversations[{number}].from"
    return named


def _turn(turn: Any, name: str) -> dict[str, Any]:
    if isinstance(turn, dict) and turn.keys() == {"role", "content"}:
        return turn
    if not isinstance(turn, dict) or "from" not in turn or "value" not in turn:
        raise ExternalFormatError(name, "This is no turn.", 'Write {"from": "human", "value": "…"}.')
    role = _ROLES.get(str(turn["from"]).lower())
    if role is None:
        raise ExternalFormatError(
            f"{name}.from",
            f"The speaker “{str(turn['from'])[:40]}” is not supported.",
            "Only what system, human and gpt say can be reviewed; leave such rows out.",
        )
    return {"role": role, "content": turn["value"]}


def _alpaca(fields: dict[str, Any]) -> dict[str, str]:
    instruction, more = fields.pop("instruction"), fields.pop("input", "")
    if more in (None, ""):
        text = instruction
    elif isinstance(instruction, str) and isinstance(more, str):
        text = f"{instruction}\n\n{more}"
    else:
        raise ExternalFormatError("input", "This is not text.", "Put text in double quotes.")
    earlier = fields.pop("history", None) or []
    fields["messages"] = [*_history(earlier), {"role": "user", "content": text}]
    if "output" in fields and "completion" not in fields:
        fields["completion"] = fields.pop("output")
    return {f"messages[{2 * len(earlier) + 1}].content": "instruction", "completion": "output"}


def _history(earlier: Any) -> list[dict[str, Any]]:
    if not isinstance(earlier, list) or not all(
        isinstance(exchange, list) and len(exchange) == 2 for exchange in earlier
    ):
        raise ExternalFormatError(
            "history", "This must be a list of earlier exchanges.", 'Write [["question", "answer"]].'
        )
    return [
        {"role": role, "content": text}
        for exchange in earlier
        for role, text in zip(("user", "assistant"), exchange, strict=True)
    ]


def _pair(fields: dict[str, Any]) -> dict[str, str]:
    if "messages" not in fields and "prompt" not in fields:
        fields["messages"] = _shared_beginning(fields)
    pair = {name: _answer(fields.pop(name), name) for name in _PREFERENCE}
    fields["pairs"] = [*(fields.get("pairs") or ()), pair]
    return {f"pairs[{len(fields['pairs'])}].{name}": name for name in _PREFERENCE}


def _shared_beginning(fields: dict[str, Any]) -> list[Any]:
    """The prompt of two whole conversations; what is left of each is its answer."""
    chosen, rejected = (fields[name] for name in _PREFERENCE)
    if not (isinstance(chosen, list) and isinstance(rejected, list)) or chosen[:-1] != rejected[:-1]:
        raise ExternalFormatError(
            "chosen",
            "There is no prompt, and chosen and rejected are not two conversations that differ in their last"
            " turn.",
            "Give the prompt in a field of its own.",
        )
    fields["chosen"], fields["rejected"] = chosen[-1:], rejected[-1:]
    return chosen[:-1]


def _rated(fields: dict[str, Any]) -> dict[str, str]:
    is_good = fields.pop("label")
    if "completion" not in fields:
        messages = fields.get("messages")
        if not isinstance(messages, list) or len(messages) < 2:
            raise ExternalFormatError("label", "There is no answer that it judges.", "Give the completion.")
        # LLaMA-Factory judges the closing turn.
        fields["completion"] = [messages.pop()]
    fields["rated"] = [
        *(fields.get("rated") or ()),
        {"answer": _answer(fields.pop("completion"), "completion"), "good": is_good},
    ]
    return {f"rated[{len(fields['rated'])}].answer": "completion"}


def _answer(value: Any, name: str) -> Any:
    """The text of an answer that is given as text or as the assistant's turn."""
    turns = value if isinstance(value, list) else [value]
    if len(turns) == 1 and isinstance(turns[0], dict):
        turn = _turn(turns[0], name)
        if turn["role"] == "assistant":
            return turn["content"]
    elif not isinstance(value, list):
        return value
    raise ExternalFormatError(name, "This must be one answer of the assistant.", "Write its text.")
