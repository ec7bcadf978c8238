"""`python -m training.merge RUN_DIR`: merges an adapter into its base; see docs/run-directory.md.

The model is merged on the CPU in fp32, rounded once, written and loaded again from its files. Its answers are
then compared with those of the adapter on its base, since a bad merge does not show in the files.
"""

import sys
import time
from collections import Counter
from dataclasses import replace
from typing import Any, Literal

from run_directory.adapters import Adapter, check_adapter
from run_directory.bases import Base, check_base, check_weights, require_plain_weights
from run_directory.machine import chosen_device, package_versions, peak_memory_bytes, set_environment
from run_directory.program import Refusal, RunDirectory, run_program
from run_directory.protocol import MODEL_FOLDER, SPEC_FILE, Device
from training.libraries import leave_out_unneeded
from training.merge_spec import MergeCheck, MergedManifest, MergeReport, MergeResult, MergeSpec
from training.publishing import fresh_folder, publish, write_model

MOST_DISTANCE = 0.05
"""Mean distance above which the written model is rejected. Rounding to bf16 alone gives about 0.01."""

_FORMATS: dict[str, Literal["bf16", "fp16", "fp32"]] = {"BF16": "bf16", "F16": "fp16", "F32": "fp32"}
_STEPS = 5


class Merge:
    name = "training.merge"
    result_type = MergeResult

    def work(self, directory: RunDirectory) -> tuple[str, MergeReport]:
        leave_out_unneeded(directory.spec)
        return merge(directory)


def merge(directory: RunDirectory) -> tuple[str, MergeReport]:
    """Merge the adapter and base that spec.json names. Leaves a complete and compared `model/`, or none."""
    started = time.monotonic()
    spec = MergeSpec.from_json(directory.spec, where=SPEC_FILE)
    base, adapter = _checked(spec)
    _say(directory, 0, "Loading the base and the adapter.")
    import torch

    device = chosen_device(torch, device="cpu", dtype="fp32", threads=spec.threads)
    dtype = _format_of(base) if spec.dtype == "base" else spec.dtype
    model, prompts, expected = _on_its_base(base, adapter, spec, device)
    _say(directory, 1, "Merging.")
    model = model.merge_and_unload().to(_torch_type(torch, dtype))
    _say(directory, 2, f"Writing the model in {dtype}.")
    fresh = fresh_folder(directory.folder, MODEL_FOLDER)
    files = write_model(model, base, fresh)
    del model
    _say(directory, 3, "Checking the written model.")
    written = check_base(fresh)
    check = _compared(written, device, prompts, expected)
    _say(directory, 4, "Moving the model to its folder.")
    common: dict[str, Any] = {
        "dtype": dtype,
        "files": files,
        "fingerprint": written.fingerprint,
        "base_fingerprint": base.fingerprint,
        "adapter_sha256": adapter.sha256,
        "chat_template_sha256": written.chat_template_sha256,
        "compared": check,
    }
    target = directory.folder / MODEL_FOLDER
    publish(fresh, target, MergedManifest(**common).to_json())
    report = MergeReport(
        **common,
        size_bytes=sum(path.stat().st_size for path in target.iterdir()),
        device=device,
        packages=package_versions("torch", "transformers", "peft", "safetensors"),
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_memory_bytes(torch, device),
    )
    return (
        (
            f"Merged in {dtype}; the next token is the same at {check.same_next_token:,} of"
            f" {check.positions:,} places."
        ),
        report,
    )


def _say(directory: RunDirectory, step: int, message: str) -> None:
    # Stopping between two steps is safe: a restart repeats everything written so far.
    directory.interruption.check()
    directory.events.write("stage", message, name="merge")
    directory.events.write("progress", message, step=step, total=_STEPS)


def _checked(spec: MergeSpec) -> tuple[Base, Adapter]:
    base = check_base(spec.base_folder)
    if base.fingerprint != spec.base_fingerprint:
        raise Refusal(
            f"the base in {base.folder} has other weights than the adapter's base had when it was"
            " registered; put the old weights back, or register the base again"
        )
    require_plain_weights(base)
    check_weights(base)
    adapter = check_adapter(spec.adapter_folder, base)
    if adapter.sha256 != spec.adapter_sha256:
        raise Refusal(f"the adapter in {adapter.folder} is not the one that was registered; restore it")
    return base, adapter


def _on_its_base(base: Base, adapter: Adapter, spec: MergeSpec, device: Device) -> tuple[Any, Any, Any]:
    """The adapter on its base, the tokenised prompts, and the model's next-token probabilities for them."""
    from peft import PeftModel

    from run_directory.loading import load_model, load_tokenizer

    tokenizer = load_tokenizer(base)
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            add_generation_prompt=True, return_tensors="pt", return_dict=True,
        )["input_ids"][:, : base.context]
        for text in spec.prompts
    ]  # fmt: skip
    model = PeftModel.from_pretrained(load_model(base, device), str(adapter.folder), local_files_only=True)
    return model, prompts, _probabilities(model, prompts)


def _probabilities(model: Any, prompts: Any) -> list[Any]:
    import torch

    model.eval()
    with torch.inference_mode():
        return [model(prompt).logits[0].float().softmax(-1) for prompt in prompts]


def _compared(written: Base, device: Device, prompts: Any, expected: list[Any]) -> MergeCheck:
    """Compare the written model with the adapter on its base. Raises Refusal where they continue the prompts
    differently.
    """
    import torch

    from run_directory.loading import load_model

    found = _probabilities(load_model(written, replace(device, dtype="fp32")), prompts)
    pairs = list(zip(expected, found, strict=True))
    distances = torch.cat([(one - other).abs().sum(-1) / 2 for one, other in pairs])
    same = sum(int((one.argmax(-1) == other.argmax(-1)).sum()) for one, other in pairs)
    check = MergeCheck(
        prompts=len(prompts),
        positions=len(distances),
        same_next_token=same,
        mean_distance=float(distances.mean()),
        largest_distance=float(distances.max()),
    )
    if not check.mean_distance <= MOST_DISTANCE:
        raise Refusal(
            f"the merged model does not answer as the adapter on its base does: over {check.positions:,}"
            f" tokens their probabilities are {check.mean_distance:.3f} apart, where {MOST_DISTANCE} is the"
            ' most; export the adapter itself, or merge with dtype "fp32"'
        )
    return check


def _format_of(base: Base) -> Literal["bf16", "fp16", "fp32"]:
    """The number format of most of the base's weights. Raises Refusal for quantised weights."""
    counted = Counter(tensor.dtype for tensor in base.tensors.values() if tensor.dtype in _FORMATS)
    if not counted:
        raise Refusal(
            f"the weights of {base.folder} are in none of the formats {', '.join(_FORMATS)}; an adapter"
            " cannot be merged into quantised weights"
        )
    return _FORMATS[counted.most_common(1)[0][0]]


def _torch_type(torch: Any, dtype: str) -> Any:
    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[dtype]


def main(arguments: list[str]) -> int:
    set_environment()
    return run_program(Merge(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
