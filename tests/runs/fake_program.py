"""Stands in for `python -m training|training.dry_run|inference RUN_DIR` at the process edge: same files, no
model.

What it does is told by `behaviour.json` beside the run directories: {"do": …}. Verified against the real
programs by tests/runs/test_contract.py, which runs the same assertions with both.
"""

import fcntl
import json
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path

from hub.spec import HubSpec
from inference.spec import GenerationSpec
from run_directory.bases import check_base
from run_directory.files import sha256_of, write_whole
from run_directory.program import drop_torn_line
from tests.registry.handmade import make_adapter_folder, make_base_folder
from training.merge_spec import MergeSpec
from training.objectives import objective_of
from training.spec import MODEL_MAKERS, TrainingSpec

DEVICE = {"kind": "cpu", "name": "Abacus", "dtype": "fp32", "threads": 2, "reason": "there is no other"}
ENGINE = {"name": "transformers", "version": "0", "reason": "it is the only one"}


class Stop(Exception):
    pass


def main() -> int:
    if sys.argv[1] == "-c":  # asked which libraries are missing
        print("[]")
        return 0
    program, folder = sys.argv[2], Path(sys.argv[3])
    behaviour = json.loads((folder.parent / "behaviour.json").read_text())
    do = behaviour["do"]
    with (folder / "starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    if do == "say and leave":
        print("No module named torch", file=sys.stderr)
        return 1
    threading.Thread(target=leash, daemon=True).start()
    lock = (folder / "lock").open("a")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (folder / "result.json").unlink(missing_ok=True)
    drop_torn_line(folder / "events.jsonl")
    event(folder, "started", f"The {program} program has started.")
    if do == "refuse":
        return finish(folder, program, "failed", 3, "spec.json: rank 7 is unlucky", None)
    if do in ("lack memory", "be killed for memory"):
        shortage = {"device": "Abacus", "had_bytes": 16 * 10**9, "held_bytes": 15 * 10**9,
                    "asked_bytes": 2 * 10**9,
                    "batch_size": behaviour.get("batch_size", 8), "accumulation_steps": 2,
                    "length": 512}  # fmt: skip
        if do == "lack memory":
            event(folder, "warning", "Not enough memory on Abacus.", name="out_of_memory", **shortage)
            return finish(folder, program, "failed", 3, "Abacus ran out of memory", None)
        event(folder, "stage", "Training.", name="training", max_length=512)
        time.sleep(0.3)
        take_all_memory(behaviour["group"])
    if do == "broken events":
        with (folder / "events.jsonl").open("a") as events:
            events.write(behaviour.get("line", '{"kind": "progress", "time": NaN}') + "\n")
        time.sleep(60)
    if do == "ignore the stop":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        event(folder, "stage", "Deaf.")
        time.sleep(60)
    signal.signal(signal.SIGTERM, stop)
    try:
        work = {
            "training": train, "training.dry_run": dry_run, "inference": generate, "training.merge": merge,
            "hub": download,
        }[program]  # fmt: skip
        report = work(folder, behaviour)
    except Stop:
        return finish(folder, program, "cancelled", 4, "Stopped on request; the work so far is saved.", None)
    if do == "crash":
        return finish(folder, program, "crashed", 1, "Unexpected OSError: the disk is full", None)
    return finish(folder, program, "succeeded", 0, "Done.", report)


def take_all_memory(group: str) -> None:
    """Be killed by the kernel: in a control group with less memory than is taken."""
    Path(group, "cgroup.procs").write_text(str(os.getpid()))
    held = bytearray(2**28)
    raise AssertionError(len(held))


def leash() -> None:
    while os.read(0, 4096):
        pass
    os._exit(6)


def stop(*_: object) -> None:
    raise Stop


def generate(folder: Path, behaviour: dict) -> dict:
    spec = GenerationSpec.from_json((folder / "spec.json").read_bytes())
    rows = [json.loads(line) for line in (folder / "data.jsonl").open()]
    done = (folder / "outputs.jsonl").read_text().count("\n") if (folder / "outputs.jsonl").exists() else 0
    total = len(rows) * len(spec.candidates)
    event(folder, "stage", "Generating.", device=DEVICE, engine=ENGINE)
    number = 0
    with (folder / "outputs.jsonl").open("a") as outputs:
        for candidate in spec.candidates:
            for row in rows:
                number += 1
                if number <= done:
                    continue
                outputs.write(json.dumps(answer(candidate.key, row, behaviour, number)) + "\n")
                outputs.flush()
                event(folder, "progress", "A row.", step=number, total=total, eta_seconds=1.0)
                pause(folder, behaviour, number)
    return {
        "rows": len(rows),
        "outputs": total,
        "refused": 0,
        "candidates": [
            {"key": each.key, "outputs": len(rows), "refused": 0, "cut_at_length": 0, "completion_tokens": 3,
             "seconds": 0.1, "adapter_sha256": each.adapter_sha256} for each in spec.candidates
        ],
        "sampling": spec.sampling.to_dict(),
        "batch_size": spec.batch_size or 1,
        "engine": ENGINE,
        "device": DEVICE,
        "base_fingerprint": "f",
        "chat_template_sha256": "c",
        "outputs_sha256": sha256_of(folder / "outputs.jsonl"),
        "completion_tokens": 3,
        "tokens_per_second": 30.0,
        "resumed_from": done,
        "packages": {"python": "3\x00" if behaviour["do"] == "unstorable result" else "3"},
        "environment": {},
        "seconds": 0.1,
        "peak_memory_bytes": 1024,
    }  # fmt: skip


def answer(key: str, row: dict, behaviour: dict, number: int) -> dict:
    foreign = behaviour["do"] == "unknown example" and number == 2
    return {
        "candidate": key,
        "example": "row-999" if foreign else row["example"],
        "sample": row["sample"],
        "text": f"{key} answers {row['messages'][-1]['content']}",
        "finish_reason": "stop",
        "prompt_tokens": 5,
        "completion_tokens": 2**40 if behaviour["do"] == "too many tokens" and number == 2 else 3,
        "seconds": 0.01,
        "batch": number,
    }


def train(folder: Path, behaviour: dict) -> dict:
    spec = TrainingSpec.from_json((folder / "spec.json").read_bytes())
    first = max((int(path.name[11:]) for path in folder.glob("checkpoints/checkpoint-*")), default=0)
    event(folder, "stage", "Loading the base.", device=DEVICE)
    event(folder, "stage", "Training.", name="training", rows=account(spec))
    for step in range(first + 1, 5):
        figures = {"loss": 2.0 / step, "learning_rate": 1e-4, "gradient_norm": 1.0, "tokens_per_second": 9.0}
        event(folder, "progress", f"Step {step}.", step=step, total=4, eta_seconds=1.0, epoch=1.0, **figures)
        write_whole(checkpoint_folder(folder, step) / "complete", b"")
        pause(folder, behaviour, step)
    validated = validation_loss(spec)
    event(folder, "metrics", "Evaluated.", step=4, validation_loss=validated, best_validation_loss=validated,
          best_step=4)  # fmt: skip
    if spec.sample_prompts and behaviour["do"] != "no samples":
        row = behaviour.get("sampled", "row-1")
        answers = [{"row": row, "text": f"Learned in {spec.epochs:g} <b>passes</b>.", "is_whole": False}]
        event(folder, "samples", "Answered.", step=4, total=4, answers=answers)
    sha256, fingerprint = None, None
    if spec.method in MODEL_MAKERS:
        if not (folder / "model").exists():
            make_base_folder(folder / "model", fill=7)
            (folder / "model" / "manifest.json").write_text("{}")
        fingerprint = check_base(folder / "model").fingerprint
    else:
        if not (folder / "adapter").exists():
            make_adapter_folder(folder / "adapter", rank=spec.lora.rank)
        sha256 = sha256_of(folder / "adapter" / "adapter_model.safetensors")
    if behaviour["do"] == "another adapter":
        sha256 = "0" * 64
    return {
        "method": spec.method,
        "objective": spec.objective,
        "learning_rate": rate_of(spec),
        "set_by_rows": {},
        "rows": account(spec),
        "max_length": 128,
        "steps": 4,
        "epochs": 1.0,
        "losses": [{"step": step, "loss": 2.0 / step} for step in range(1, 5)],
        "validation_losses": [{"step": 4, "loss": validated}],
        "kept_step": 4,
        "trainable_parameters": 32,
        "total_parameters": 96,
        "trainable_share": 0.33,
        "tokens": 100,
        "drawn_rows": drawn(spec) if spec.data_share < 1 else None,
        "resumed_from": first or None,
        "continued_from_sha256": None,
        "adapter_sha256": sha256,
        "model_fingerprint": fingerprint,
        "base_fingerprint": "f",
        "chat_template_sha256": "c",
        "device": DEVICE,
        "packages": {"python": "3"},
        "seconds": 0.1,
        "peak_memory_bytes": 1024,
        "planned_steps": behaviour.get("planned_steps", 4),
    }


def checkpoint_folder(folder: Path, step: int) -> Path:
    checkpoint = folder / "checkpoints" / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state").write_text(f"state of step {step}")
    return checkpoint


def dry_run(folder: Path, behaviour: dict) -> dict:
    spec = TrainingSpec.from_json((folder / "spec.json").read_bytes())
    event(folder, "stage", "Loading the base.", device=DEVICE)
    pause(folder, behaviour, 1)
    spans = [
        {"part": "read", "tokens": 500, "beginning": ["<|im_start|>", "user", "\n", "<b>"], "left_out": 495,
         "end": ["?"]},
        {"part": "trained", "tokens": 1, "beginning": [" Yes"], "left_out": 0, "end": []},
        {"part": "cut", "tokens": 2, "beginning": [" and", " so"], "left_out": 0, "end": []},
    ]  # fmt: skip
    batches = {"batches": 3, "tokens": 100.0, "seconds": 2.0}
    fits = behaviour["do"] != "no memory"
    return {
        "method": spec.method,
        "objective": spec.objective,
        "learning_rate": rate_of(spec),
        "set_by_rows": {},
        "rows": account(spec),
        "max_length": 128,
        "context": 512,
        "median_length": 40,
        "longest_length": 503,
        "lengths": [{"first": 0, "last": 127, "rows": spec.rows - 2}, {"first": 128, "last": 511, "rows": 1}],
        "shown_rows": [
            {"id": "row-1", "why": "longest", "length": 503,
             "sequences": [{"name": "conversation", "spans": spans}]}
        ],
        "trainable_parameters": 9,
        "total_parameters": 1000,
        "trainable_share": 0.009,
        "memory": {"weights": 2_000_000, "gradients": 36, "optimiser": 72, "device": 8_000_000_000},
        "trial": {"longest": batches, "usual": batches, "evaluation": batches, "building_seconds": 1.0,
                  "warming_seconds": 1.0, "saving_seconds": 1.0}
        if fits else None,
        "estimate": {"steps": 30, "step_seconds": 4.0, "preparing_seconds": 10.0, "training_seconds": 120.0,
                     "evaluating_seconds": 40.0, "saving_seconds": 10.0} if fits else None,
        "base_fingerprint": "f",
        "chat_template_sha256": "c",
        "device": DEVICE,
        "packages": {"python": "3"},
        "seconds": 0.1,
        "peak_memory_bytes": 3 * 1024**3,
    }  # fmt: skip


def merge(folder: Path, behaviour: dict) -> dict:
    spec = MergeSpec.from_json((folder / "spec.json").read_bytes())
    event(folder, "progress", "Merging.", step=1, total=5)
    pause(folder, behaviour, 1)
    if not (folder / "model").exists():
        make_base_folder(folder / "model", fill=9)
    files = {path.name: sha256_of(path) for path in sorted((folder / "model").iterdir())}
    (folder / "model" / "manifest.json").write_text(json.dumps({"files": files}))
    compared = {"prompts": len(spec.prompts), "positions": 120, "same_next_token": 119,
                "mean_distance": 0.004,
                "largest_distance": 0.2}  # fmt: skip
    return {
        "dtype": "fp32" if spec.dtype == "base" else spec.dtype,
        "files": files,
        "size_bytes": sum(path.stat().st_size for path in (folder / "model").iterdir()),
        "fingerprint": (
            "f" if behaviour["do"] == "another model" else check_base(folder / "model").fingerprint
        ),
        "base_fingerprint": spec.base_fingerprint,
        "adapter_sha256": spec.adapter_sha256,
        "chat_template_sha256": "c",
        "compared": compared,
        "device": DEVICE,
        "packages": {"python": "3"},
        "seconds": 0.1,
        "peak_memory_bytes": 1024,
    }


def download(folder: Path, behaviour: dict) -> dict:
    spec = HubSpec.from_json((folder / "spec.json").read_bytes())
    # What a test looks at: whether the token came this way, and this way alone.
    (folder / "token").write_text(os.environ.get("HF_TOKEN", "none"))
    event(folder, "progress", "1 of 2 MiB.", step=1, total=2)
    pause(folder, behaviour, 1)
    if not (folder / "model").exists():
        make_base_folder(folder / "model", fill=3)
    if spec.chat_template:
        (folder / "model" / "chat_template.jinja").write_text(spec.chat_template)
    return {
        "repository": spec.repository,
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "license": "apache-2.0",
        "files": {path.name: sha256_of(path) for path in sorted((folder / "model").iterdir())},
        "size_bytes": 1000,
        "fingerprint": check_base(folder / "model").fingerprint,
        "gave_template": spec.chat_template is not None,
        "packages": {"python": "3"},
        "seconds": 0.1,
    }


def account(spec: TrainingSpec) -> dict:
    left = [f"row-{number}" for number in range(2, spec.rows + 1) if f"row-{number}" not in drawn(spec)]
    dropped = [{"id": name, "reason": "not_drawn" if position else "empty_completion"}
               for position, name in enumerate(left)]  # fmt: skip
    return {"given": spec.rows, "used": len(drawn(spec)) - 1, "truncated": 1, "truncated_ids": ["row-1"],
            "dropped": len(dropped), "dropped_rows": dropped, "train": len(drawn(spec)),
            "validation": 0}  # fmt: skip


def drawn(spec: TrainingSpec) -> list[str]:
    """Row 2 cannot be used; of the others as many as the share says."""
    usable = [f"row-{number}" for number in range(1, spec.rows + 1) if number != 2]
    return usable[: max(1, round(spec.data_share * len(usable)))]


def rate_of(spec: TrainingSpec) -> float:
    return spec.learning_rate or objective_of(spec.objective).learning_rate(spec.method, rank=spec.lora.rank)


def validation_loss(spec: TrainingSpec) -> float:
    """0.6 of the usual settings; more with fewer rows, other seeds and other rates."""
    return (
        0.6
        + 0.2 * math.log2(1 / spec.data_share)
        + 0.01 * abs(spec.seed - 42)
        + abs(math.log10(rate_of(spec) / 2e-4))
    )


def pause(folder: Path, behaviour: dict, number: int) -> None:
    """Hang at a step of the first start, so that a test can do something to the program there."""
    is_first_start = (folder / "starts").read_text().count("\n") == 1
    if behaviour.get("hang_at") == number and is_first_start:
        if behaviour["do"] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        (folder / "hangs").touch()
        time.sleep(60)


def event(folder: Path, kind: str, message: str, step: int | None = None, total: int | None = None, **fields):
    line = {"kind": kind, "time": "2026-01-01T00:00:00.000Z", "message": message, "step": step,
            "total": total,
            "fields": fields}  # fmt: skip
    with (folder / "events.jsonl").open("a") as events:
        events.write(json.dumps(line) + "\n")


def finish(folder: Path, program: str, outcome: str, code: int, message: str, report: dict | None) -> int:
    result = {"program": program, "format": 1, "outcome": outcome, "exit_code": code, "message": message,
              "spec_sha256": sha256_of(folder / "spec.json"), "report": report}  # fmt: skip
    text = json.dumps(result)
    behaviour = json.loads((folder.parent / "behaviour.json").read_text())["do"]
    write_whole(folder / "result.json", text[:-9].encode() if behaviour == "torn result" else text.encode())
    event(folder, "finished", message, outcome=outcome, exit_code=code)
    return code


if __name__ == "__main__":
    sys.exit(main())
