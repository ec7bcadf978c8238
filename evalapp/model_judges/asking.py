"""One question to an OpenAI-compatible address, through the guard that judges every outgoing request."""

import json
from typing import Any, NamedTuple

from evalapp.core.outgoing import OutgoingFailedError, send
from evalapp.model_judges.models import ModelJudge

ENDING = "/chat/completions"
ANSWER_SECONDS = 60.0
MOST_BYTES = 2**20
LONGEST_REPLY_TOKENS = 500
_SHOWN = 200
_KEY_REFUSED = (401, 403)
_NOT_THERE = 404


class AskedError(Exception):
    """No usable reply; ``is_final``: no other question will fare better, so the whole job may stop."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class Reply(NamedTuple):
    """``text`` is the model's, ``model`` what the address says answered."""

    text: str
    model: str


def completions_address(address: str) -> str:
    """Where questions go: ``…/v1`` or the whole address of chat completions may be given."""
    address = address.rstrip("/")
    return address if address.endswith(ENDING) else f"{address}{ENDING}"


def ask(judge: ModelJudge, question: str, *, secret: str) -> Reply:
    """Ask once. Raises AskedError, OutgoingRefusedError where the address may not be reached."""
    body = {
        "model": judge.model,
        "temperature": judge.temperature,
        "max_tokens": LONGEST_REPLY_TOKENS,
        "messages": [{"role": "user", "content": question}],
    }
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    try:
        answer = send(
            completions_address(judge.address),
            # A lone surrogate of a text goes out as its escape, which is all that JSON can say of it.
            body=json.dumps(body).encode(),
            headers=headers,
            seconds=ANSWER_SECONDS,
            most_bytes=MOST_BYTES,
        )
    except OutgoingFailedError as error:
        raise AskedError(f"{error}.") from error
    if answer.status in _KEY_REFUSED:
        raise AskedError(f"The address refused the API key ({answer.status}).", is_final=True)
    if answer.status == _NOT_THERE:
        raise AskedError("The address knows no such path or model (404).", is_final=True)
    if answer.status != 200:
        raise AskedError(f"The address answered {answer.status}: {_without(secret, answer.text)}")
    return _reply(answer.text, secret)


def _without(secret: str, text: str) -> str:
    """What an address says may repeat the key that it was sent."""
    text = " ".join(text.split())
    return (text.replace(secret, "[key]") if secret else text)[:_SHOWN] or "nothing"


def _reply(text: str, secret: str) -> Reply:
    try:
        found: Any = json.loads(text)
        content = found["choices"][0]["message"]["content"]
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise AskedError(
            f"The address does not answer as chat completions do: {_without(secret, text)}"
        ) from error
    if not isinstance(content, str):
        raise AskedError("The model's reply holds no text.")
    model = found.get("model")
    return Reply(_storable(content), _storable(model)[:200] if isinstance(model, str) else "")


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
