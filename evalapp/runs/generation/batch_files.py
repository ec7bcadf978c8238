"""OpenAI batch files: the input with a run's questions, and the answers in its output."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from evalapp.core.completions import CompletionError, completion_of
from evalapp.datasets.models import DatasetVersion
from evalapp.registry.models import ModelVersion
from evalapp.runs.generation.endpoint_requests import request_body
from evalapp.runs.programs.directory import rows_to_answer, words_of
from inference.spec import SamplingParameters

URL = "/v1/chat/completions"
_CUSTOM_ID = re.compile(r"row-(\d{1,9})(?:\.(\d{1,5}))?")
_SHOWN = 200


class BatchAnswer(NamedTuple):
    """One line of a batch's output; ``refusal`` says why it has no answer."""

    row: int
    sample: int
    text: str
    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    refusal: str = ""
    reasoning: str = ""


def batch_lines(
    version: DatasetVersion,
    *,
    splits: Sequence[str],
    candidate: ModelVersion,
    sampling: SamplingParameters,
    samples: int,
) -> Iterator[str]:
    """The batch input for an API model, one line per question. ``custom_id`` identifies the row and, from the
    second on, the sample.
    """
    words = words_of(candidate, key="candidate")
    for row in rows_to_answer(version, splits, samples=samples):
        line = {
            "custom_id": row.example + (f".{row.sample}" if row.sample else ""),
            "method": "POST",
            "url": URL,
            "body": request_body(words, candidate.config, row, sampling),
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def answer_of_line(fields: dict[str, Any]) -> BatchAnswer:
    """Parse a line of a batch's output. Raises ValueError with the problem."""
    named = _CUSTOM_ID.fullmatch(str(fields.get("custom_id")))
    if named is None:
        raise ValueError(
            f"its custom_id is {str(fields.get('custom_id'))[:40]!r}, not “row-5” or “row-5.1”, as this"
            " page's batch files write it"
        )
    row, sample = int(named[1]), int(named[2] or 0)
    response = fields.get("response")
    if not isinstance(response, dict):
        return _refused_answer(row, sample, fields.get("error"))
    if response.get("status_code") != 200:
        return _refused_answer(row, sample, response.get("body"), status=response.get("status_code"))
    try:
        found = completion_of(json.dumps(response.get("body")))
    except CompletionError as error:
        raise ValueError(str(error).rstrip(".").lower()) from error
    if not found.text.strip() and not found.reasoning:
        return BatchAnswer(
            row, sample, "", "refused", found.prompt_tokens, found.completion_tokens, "the answer is empty"
        )
    finish = "length" if found.finish_reason == "length" else "stop"
    return BatchAnswer(
        row,
        sample,
        found.text,
        finish,
        found.prompt_tokens,
        found.completion_tokens,
        reasoning=found.reasoning,
    )


def _refused_answer(row: int, sample: int, details: object, *, status: object = None) -> BatchAnswer:
    problem = f"the endpoint answered {status}" if isinstance(status, int) else "the endpoint gave no answer"
    detail = " ".join(json.dumps(details, ensure_ascii=False).split())[:_SHOWN] if details else ""
    return BatchAnswer(row, sample, "", "refused", refusal=f"{problem}: {detail}" if detail else problem)
