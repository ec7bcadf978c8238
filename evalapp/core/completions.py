"""Chat completions of an OpenAI-compatible endpoint, asked through the guard that judges every outgoing
request.
"""

import email.utils
import json
import time
from typing import Any, NamedTuple

from evalapp.core.outgoing import Answer, OutgoingFailedError, send
from run_directory.reasoning import ReasoningAndAnswer, split_reasoning

ENDING = "/chat/completions"
ANSWER_SECONDS = 60.0
MOST_BYTES = 4 * 2**20
_SHOWN = 200
_REASONING_FIELDS = ("reasoning_content", "reasoning")
_KEY_REFUSED = (401, 403)
_NOT_THERE = 404
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same question may fare better."""


class CompletionError(Exception):
    """No usable reply. ``is_final``: no other question will fare better, so the whole work may stop;
    ``is_passing``: the same question may be answered when it is asked again, after ``wait`` seconds if the
    endpoint said how long.
    """

    def __init__(
        self, message: str, *, is_final: bool = False, is_passing: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.is_passing = is_passing
        self.wait = wait


class Completion(NamedTuple):
    """``text`` is the model's answer; ``model`` what the endpoint says answered. Token counts are None where
    the endpoint told none. ``finish_reason`` is the endpoint's own word, "" where there was none.
    ``reasoning`` is what the model thought before the answer, in a field of its own or a leading ``<think>``
    part; where it was cut meanwhile, the text is empty.
    """

    text: str
    model: str
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning: str = ""


def completions_url(url: str) -> str:
    """Where questions go: ``…/v1`` or the whole endpoint of chat completions may be given."""
    url = url.rstrip("/")
    return url if url.endswith(ENDING) else f"{url}{ENDING}"


def complete(url: str, body: dict[str, Any], *, secret: str, seconds: float = ANSWER_SECONDS) -> Completion:
    """Ask once. Raises CompletionError, OutgoingRefusedError where the endpoint may not be reached."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    try:
        answer = send(
            completions_url(url),
            # A lone surrogate of a text goes out as its escape, which is all that JSON can say of it.
            body=json.dumps(body).encode(),
            headers=headers,
            seconds=seconds,
            most_bytes=MOST_BYTES,
        )
    except OutgoingFailedError as error:
        raise CompletionError(f"{error}.", is_passing=True) from error
    _require_success(answer, secret)
    try:
        return completion_of(answer.text, secret=secret)
    except CompletionError as error:
        if not answer.broke_off:
            raise
        came = f"{len(answer.text):,} characters of it came: {without_secret(answer.text, secret)}"
        raise CompletionError(
            f"The endpoint began to answer, then the connection broke. {came}", is_passing=True
        ) from error


def completion_of(text: str, *, secret: str = "") -> Completion:
    """What a body of chat completions says. Raises CompletionError for anything else."""
    try:
        found: Any = json.loads(text)
        choice = found["choices"][0]
        message = choice["message"]
        content = message["content"]
        reasoning = _reasoning(message)
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        # A page in HTML is what a proxy in trouble sends, and it may be gone when the question is asked
        # again.
        raise CompletionError(
            f"The endpoint's answer is not a chat completion: {without_secret(text, secret)}",
            is_passing=True,
        ) from error
    finish = choice.get("finish_reason")
    if content is None and (finish == "content_filter" or reasoning):
        content = ""
    if not isinstance(content, str):
        raise CompletionError("The model's reply has no text.")
    model, usage = found.get("model"), found.get("usage")
    said = ReasoningAndAnswer(reasoning, content) if reasoning else split_reasoning(content)
    return Completion(
        _storable(said.answer),
        _storable(model)[:200] if isinstance(model, str) else "",
        _storable(finish)[:40] if isinstance(finish, str) else "",
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
        _storable(said.reasoning),
    )


def _reasoning(message: dict[str, Any]) -> str:
    """What a server took off the answer by itself, under one of the names that are usual for it."""
    found = (message.get(name) for name in _REASONING_FIELDS)
    return next((text for text in found if isinstance(text, str) and text.strip()), "")


def without_secret(text: str, secret: str) -> str:
    """The beginning of what an endpoint says, which may repeat the key that it was sent."""
    text = " ".join(text.split())
    return (text.replace(secret, "[key]") if secret else text)[:_SHOWN] or "nothing"


def _require_success(answer: Answer, secret: str) -> None:
    if answer.status in _KEY_REFUSED:
        raise CompletionError(f"The endpoint refused the API key ({answer.status}).", is_final=True)
    if answer.status == _NOT_THERE:
        raise CompletionError("The endpoint has no such path or model (404).", is_final=True)
    if answer.status != 200:
        raise CompletionError(
            f"The endpoint answered {answer.status}: {without_secret(answer.text, secret)}",
            is_passing=answer.status in _PASSING,
            wait=_seconds_of(answer.retry_after),
        )


def _seconds_of(retry_after: str) -> float | None:
    """Retry-After as seconds from now: a number, or a date."""
    if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 9:
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _count(usage: object, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if type(value) is int and 0 <= value < 2**31 else None


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
