"""A training as TRL's documentation would write it, with the spec and rows of a run directory.

    python -m bench.bare_trl RUN_DIR

Uses none of our code except to read spec.json: TRL encodes, logs and saves. Prints one line of JSON: the time
of each step's log and the tokens seen. `bench.training` compares our program with it.
"""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from training.spec import TrainingSpec


def main() -> int:
    folder = Path(sys.argv[1])
    spec = TrainingSpec.from_json((folder / "spec.json").read_bytes())

    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    if spec.threads:
        torch.set_num_threads(spec.threads)
    logged: list[float] = []

    class Times(TrainerCallback):  # type: ignore[misc]  # transformers has no types
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" in logs:
                logged.append(time.time())

    wanted = ("prompt", "completion") if spec.objective == "sft" else ("prompt", "chosen", "rejected")
    rows = [json.loads(line) for line in (folder / "data.jsonl").open()]
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[spec.dtype]
    settings = _settings(spec, folder, has_gpu=torch.cuda.is_available())
    trainer_class, arguments = (
        (SFTTrainer, SFTConfig(**settings))
        if spec.objective == "sft"
        else (DPOTrainer, DPOConfig(**settings, beta=spec.beta, precompute_ref_log_probs=True))
    )
    trainer = trainer_class(
        model=AutoModelForCausalLM.from_pretrained(spec.base_folder, dtype=dtype),
        args=arguments,
        train_dataset=Dataset.from_list([{name: row[name] for name in wanted} for row in rows]),
        processing_class=AutoTokenizer.from_pretrained(spec.base_folder),
        peft_config=LoraConfig(
            r=spec.lora.rank,
            lora_alpha=spec.lora.alpha,
            lora_dropout=spec.lora.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
        callbacks=[Times()],
    )
    trainer.train()
    trainer.save_model(str(folder / "adapter"))
    tokens = max(entry.get("num_tokens", 0) for entry in trainer.state.log_history)
    print(json.dumps({"logged": logged, "tokens": tokens}))
    return 0


def _settings(spec: TrainingSpec, folder: Path, *, has_gpu: bool) -> dict[str, Any]:
    return {
        "output_dir": str(folder / "checkpoints"),
        "max_steps": spec.max_steps,
        "per_device_train_batch_size": spec.batch_size,
        "gradient_accumulation_steps": spec.accumulation_steps,
        "learning_rate": spec.learning_rate,
        "lr_scheduler_type": spec.schedule,
        "warmup_steps": math.ceil(spec.warmup_share * (spec.max_steps or 0)),
        "weight_decay": spec.weight_decay,
        "max_grad_norm": spec.max_gradient_norm,
        "seed": spec.seed,
        "use_cpu": not has_gpu,
        "bf16": False,
        "gradient_checkpointing": spec.gradient_checkpointing,
        "max_length": spec.max_length,
        "logging_steps": 1,
        "save_steps": spec.checkpoint_steps,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": has_gpu,
    }


if __name__ == "__main__":
    sys.exit(main())
