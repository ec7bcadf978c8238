"""Chat completions of an OpenAI-compatible endpoint, requested through the guard for outgoing requests."""

import email.utils
import json
import time
from typing import Any, NamedTuple

from evalapp.core.outgoing import Answer, OutgoingFailedError, send
from run_directory.reasoning import ReasoningAndAnswer, split_reasoning

COMPLETIONS_PATH = "/chat/completions"
ANSWER_SECONDS = 60.0
MOST_BYTES = 4 * 2**20
_LONGEST_SHOWN = 200
_REASONING_FIELDS = ("reasoning_content", "reasoning")
_KEY_REFUSED_STATUSES = (401, 403)
_NOT_FOUND_STATUS = 404
_PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which a repeated request may succeed."""


class CompletionError(Exception):
    """No usable reply. ``is_final``: no other request will succeed either, so the whole job may stop;
    ``is_passing``: the same request may succeed later, after ``wait`` seconds if the endpoint named a time.
    """

    def __init__(
        self, message: str, *, is_final: bool = False, is_passing: bool = False, wait: float | None = None
    ) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.is_passing = is_passing
        self.wait = wait


class Completion(NamedTuple):
    """``text``: the model's answer; ``model``: the endpoint's name for it. Token counts are None if not
    reported. ``finish_reason``: the endpoint's own word, or "". ``reasoning``: the model's reasoning before
    the answer, from its own field or a leading ``<think>`` part; if the output was truncated within it, the
    text is empty.
    """

    text: str
    model: str
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning: str = ""


def completions_url(url: str) -> str:
    """The URL for chat completions; ``url`` may be the base ``…/v1`` or already the full one."""
    url = url.rstrip("/")
    return url if url.endswith(COMPLETIONS_PATH) else f"{url}{COMPLETIONS_PATH}"


def complete(url: str, body: dict[str, Any], *, secret: str, seconds: float = ANSWER_SECONDS) -> Completion:
    """Request one completion. Raises CompletionError, and OutgoingRefusedError if the endpoint is not
    allowed.
    """
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    try:
        answer = send(
            completions_url(url),
            # A lone surrogate is sent as an escape, the only form that JSON has for it.
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
        received = f"{len(answer.text):,} characters of it came: {without_secret(answer.text, secret)}"
        raise CompletionError(
            f"The endpoint began to answer, then the connection broke. {received}", is_passing=True
        ) from error


def completion_of(text: str, *, secret: str = "") -> Completion:
    """The completion in a response body. Raises CompletionError for any other content."""
    try:
        found: Any = json.loads(text)
        choice = found["choices"][0]
        message = choice["message"]
        content = message["content"]
        reasoning = _reasoning(message)
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        # A proxy with a problem answers with an HTML page; a later request may succeed.
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
    reasoning_and_answer = ReasoningAndAnswer(reasoning, content) if reasoning else split_reasoning(content)
    return Completion(
        _storable(reasoning_and_answer.answer),
        _storable(model)[:200] if isinstance(model, str) else "",
        _storable(finish)[:40] if isinstance(finish, str) else "",
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
        _storable(reasoning_and_answer.reasoning),
    )


def _reasoning(message: dict[str, Any]) -> str:
    """Reasoning that the server separated from the answer, from one of the usual fields."""
    found = (message.get(name) for name in _REASONING_FIELDS)
    return next((text for text in found if isinstance(text, str) and text.strip()), "")


def without_secret(text: str, secret: str) -> str:
    """The beginning of an endpoint's message without the API key, which it may repeat."""
    text = " ".join(text.split())
    return (text.replace(secret, "[key]") if secret else text)[:_LONGEST_SHOWN] or "nothing"


def _require_success(answer: Answer, secret: str) -> None:
    if answer.status in _KEY_REFUSED_STATUSES:
        raise CompletionError(f"The endpoint refused the API key ({answer.status}).", is_final=True)
    if answer.status == _NOT_FOUND_STATUS:
        raise CompletionError("The endpoint has no such path or model (404).", is_final=True)
    if answer.status != 200:
        raise CompletionError(
            f"The endpoint answered {answer.status}: {without_secret(answer.text, secret)}",
            is_passing=answer.status in _PASSING_STATUSES,
            wait=_seconds_of(answer.retry_after),
        )


def _seconds_of(retry_after: str) -> float | None:
    """Retry-After, a number or a date, as seconds from now."""
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
