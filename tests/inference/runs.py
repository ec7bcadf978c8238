"""Generation runs on the tiny base, as the web application would write them."""

import json
from pathlib import Path
from typing import Any

from inference.spec import Candidate, GenerationReport, GenerationSpec, SamplingParameters
from tests.run_directory.tiny import opened, write_run

ROWS = 7
CANDIDATES = 3
TOTAL = ROWS * CANDIDATES


def rows(count: int = ROWS) -> list[dict[str, Any]]:
    return [
        {"example": f"ex-{n}", "messages": [{"role": "user", "content": "Summarise client " * (1 + n % 3)}]}
        for n in range(count)
    ]


def make_spec(base: Path, adapter: Path, **fields: Any) -> GenerationSpec:
    settings: dict[str, Any] = {
        "base_folder": str(base),
        "rows": ROWS,
        "candidates": (
            Candidate(key="base", kind="base"),
            Candidate(key="prompt", kind="prompt", system_prompt="In plain words."),
            Candidate(key="v1", kind="lora", adapter_folder=str(adapter)),
        ),
        "sampling": SamplingParameters(max_tokens=12),
        "engine": "transformers",
        "batch_size": 2,
        "dtype": "fp32",
        "device": "cpu",
        "threads": 1,
    }
    return GenerationSpec(**(settings | fields))


def generate(
    folder: Path, spec: GenerationSpec, given: list[dict[str, Any]] | None = None
) -> GenerationReport:
    from inference.generate import generation

    write_run(folder, spec, given if given is not None else rows(spec.rows))
    return generation(opened(folder))[1]


def outputs_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "outputs.jsonl").read_text().splitlines()]


def texts_of(folder: Path) -> dict[tuple[str, str, int], tuple[str, str, int]]:
    """Text, reason and tokens of each output; fails when a row is given twice."""
    found = {
        (one["candidate"], one["example"], one["sample"]): (
            one["text"],
            one["finish_reason"],
            one["completion_tokens"],
        )
        for one in outputs_of(folder)
    }
    assert len(found) == len(outputs_of(folder))
    return found
