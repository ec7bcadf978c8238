"""The request to an endpoint for one row."""

import json
from typing import Any

from inference.prompts import conversation, row_seed
from inference.spec import Candidate, GenerationRow, SamplingParameters

_LEFT_OUT_AT = {"top_k": 0, "repetition_penalty": 1.0}
"""Parameters outside OpenAI's own interface, sent only if they differ from these neutral values."""


def request_body(
    words: Candidate, config: dict[str, Any], row: GenerationRow, sampling: SamplingParameters
) -> dict[str, Any]:
    """Body of a chat completions request. ``config`` has the "model" and optionally further fields in
    "request", where null removes a field.
    """
    settings: dict[str, Any] = {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "repetition_penalty": sampling.repetition_penalty,
        "seed": row_seed(sampling.seed, row.example, row.sample),
        **({"stop": list(sampling.stop)} if sampling.stop else {}),
    }
    if sampling.json_schema is not None:
        schema = {"name": "answer", "strict": True, "schema": json.loads(sampling.json_schema)}
        settings["response_format"] = {"type": "json_schema", "json_schema": schema}
    settings = {name: value for name, value in settings.items() if _LEFT_OUT_AT.get(name) != value}
    body = {"model": config["model"], "messages": conversation(words, row.messages), **settings}
    body |= config.get("request", {})
    return {name: value for name, value in body.items() if value is not None}
