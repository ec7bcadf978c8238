"""Writes the run directory of a training or generation: data.jsonl, then spec.json, each atomically."""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from django.conf import settings

from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.queries import examples_of
from evalapp.registry.models import STANDING_KINDS, ModelKind, ModelVersion
from evalapp.runs.models import Run
from evalapp.runs.programs.inputs import adapter_of, link_inputs
from evalapp.runs.training.training_rows import messages_of, row_key, training_rows
from inference.spec import Candidate, GenerationRow, GenerationSpec
from run_directory.files import sync_folder, write_whole
from run_directory.protocol import DATA_FILE, SPEC_FILE, Message
from run_directory.records import Record
from training.objectives import objective_of
from training.spec import TrainingSpec


def folder_for(run: Run) -> Path:
    """RUNS_FOLDER/<job id>."""
    return Path(settings.RUNS_FOLDER) / str(run.job_id)


def prepare_training(run: Run) -> TrainingSpec:
    """Prepare the run's directory for ``python -m training``; an existing spec is kept."""
    folder = _prepared_folder(run)
    if (folder / SPEC_FILE).exists():
        return TrainingSpec.from_json((folder / SPEC_FILE).read_bytes(), where=SPEC_FILE)
    spec = TrainingSpec.from_dict(run.spec)
    rows, sha256 = _write_lines(
        folder / DATA_FILE, training_rows(run.dataset_version, objective_of(spec.objective))
    )
    spec = replace(spec, rows=rows, data_sha256=sha256)
    write_whole(folder / SPEC_FILE, spec.to_json().encode())
    return spec


def prepare_generation(run: Run) -> GenerationSpec:
    """Prepare the run's directory for ``python -m inference``; an existing spec is kept."""
    folder = _prepared_folder(run)
    if (folder / SPEC_FILE).exists():
        return GenerationSpec.from_json((folder / SPEC_FILE).read_bytes(), where=SPEC_FILE)
    rows, sha256 = _write_lines(folder / DATA_FILE, generation_rows(run))
    spec = replace(GenerationSpec.from_dict(run.spec), rows=rows, data_sha256=sha256)
    write_whole(folder / SPEC_FILE, spec.to_json().encode())
    return spec


def shard_folder(run: Run, number: int) -> Path:
    """RUNS_FOLDER/<job id>-<shard number from 1>."""
    folder = folder_for(run)
    return folder.with_name(f"{folder.name}-{number + 1}")


def prepare_shard(run: Run, number: int, count: int) -> GenerationSpec:
    """Prepare the directory of one of ``count`` shards: every ``count``-th row, with the engine that the run
    began with.
    """
    folder = shard_folder(run, number)
    _link(run, folder)
    if (folder / SPEC_FILE).exists():
        return GenerationSpec.from_json((folder / SPEC_FILE).read_bytes(), where=SPEC_FILE)
    rows, sha256 = _write_lines(folder / DATA_FILE, islice(generation_rows(run), number, None, count))
    spec = GenerationSpec.from_dict(run.spec)
    engine = {"engine": run.engine} if run.engine else {}
    spec = replace(spec, rows=rows, data_sha256=sha256, **engine)  # type: ignore[arg-type]  # an engine name from the program
    write_whole(folder / SPEC_FILE, spec.to_json().encode())
    return spec


def candidate_specs(run: Run) -> tuple[Candidate, ...]:
    """The run's candidates as the inference program reads them, in the order of their choice."""
    found = []
    for entry in run.candidates.select_related("model_version").order_by("pk"):
        version = entry.model_version
        is_adapter = version.kind == ModelKind.LORA
        found.append(
            Candidate(
                key=entry.key,
                # A full model is its own base; imported candidates do not generate.
                kind="base" if version.kind in STANDING_KINDS else version.kind,  # type: ignore[arg-type]  # these kinds have the program's names
                system_prompt=version.system_prompt or None,
                template=version.prompt_template or None,
                examples=_shown(version),
                adapter_folder=adapter_of(entry.key) if is_adapter else None,
                adapter_sha256=version.content_hash if is_adapter else None,
            )
        )
    return tuple(found)


def words_of(version: ModelVersion, *, key: str) -> Candidate:
    """An API model as a Candidate whose prompts ``conversation`` can word."""
    examples = _shown(version)
    return Candidate(
        key=key,
        kind="prompt" if version.system_prompt or version.prompt_template or examples else "base",
        system_prompt=version.system_prompt or None,
        template=version.prompt_template or None,
        examples=examples,
    )


def generation_rows(run: Run) -> Iterable[GenerationRow]:
    return rows_to_answer(run.dataset_version, run.splits, samples=int(run.job.params.get("samples", 1)))


def rows_to_answer(
    version: DatasetVersion, splits: Sequence[str], *, samples: int
) -> Iterable[GenerationRow]:
    """Each row of the splits ``samples`` times, in the version's order."""
    examples = examples_of(version, splits).only("row_number", "messages")
    for example in examples.iterator(chunk_size=1000):
        for sample in range(samples):
            yield GenerationRow(
                example=row_key(example.row_number), messages=messages_of(example), sample=sample
            )


def _shown(version: ModelVersion) -> tuple[Message, ...]:
    turns = version.config.get("examples", {}).get("turns", ())
    return tuple(Message(role=turn["role"], content=turn["content"]) for turn in turns)


def _prepared_folder(run: Run) -> Path:
    folder = folder_for(run)
    _link(run, folder)
    return folder


def _link(run: Run, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    link_inputs(run, folder)


def _write_lines(path: Path, records: Iterable[Record]) -> tuple[int, str]:
    """Write a file with one record per line, atomically; returns its rows and SHA-256."""
    digest, rows = hashlib.sha256(), 0
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for record in records:
                line = record.to_json().encode() + b"\n"
                digest.update(line)
                file.write(line)
                rows += 1
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return rows, digest.hexdigest()
