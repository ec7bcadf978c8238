"""A real Llama of random weights, small enough to train in a second, and ways to start the programs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from run_directory.program import Events, Interruption, RunDirectory
from run_directory.protocol import EVENTS_FILE, RESULT_FILE, SPEC_FILE

ROOT = Path(__file__).resolve().parents[2]

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{%"
    " endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

CORPUS = [
    "You save 300 a month towards a house. Call us next week.",
    "The portfolio holds 60 percent shares and 40 percent bonds.",
    "Summarise the client's position in plain words.",
    "system user assistant",
] * 20


def make_base(folder: Path, *, seed: int = 0, hidden: int = 128, context: int = 512) -> Path:
    """A base folder as a model's publisher would ship it."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    core.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=512,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token="<|endoftext|>"
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=512,
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_adapter(base: Path, folder: Path, *, seed: int = 1, **config: Any) -> Path:
    """A LoRA adapter of random weights for a base, as peft saves it; strong enough to change every answer."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    settings = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | config
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**settings))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.2)
    model.save_pretrained(folder, save_embedding_layers=False)
    return folder


def spoiled(base: Path, folder: Path) -> Path:
    """The same base with one weight that is no number, of which its fingerprint need not tell."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][-1] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write_run(folder: Path, spec: Any, rows: Sequence[dict[str, Any]]) -> Path:
    """A run directory as the web application writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SPEC_FILE).write_text(spec if isinstance(spec, str) else spec.to_json())
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def opened(folder: Path) -> RunDirectory:
    """The run directory as a program sees it once it has started, for work inside this process."""
    import os

    return RunDirectory(
        folder,
        (folder / SPEC_FILE).read_bytes(),
        Events(folder / EVENTS_FILE, os.open(os.devnull, os.O_WRONLY)),
        Interruption(),
    )


def start(program: str, folder: Path, *arguments: str, **popen: Any) -> subprocess.Popen[str]:
    """The real program on a run directory, its console in `stdout`."""
    return subprocess.Popen(
        [sys.executable, "-m", program, str(folder), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **popen,
    )


def run(program: str, folder: Path, *arguments: str, **popen: Any) -> tuple[int, str]:
    """Exit code and standard error of the real program."""
    with start(program, folder, *arguments, **popen) as process:
        _, errors = process.communicate(timeout=240)
    return process.returncode, errors


def wait_for(process: subprocess.Popen[str], beginning: str) -> None:
    """Read the console up to a line that begins so."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f"the program ended without saying {beginning!r}")


def result_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / RESULT_FILE).read_text())
    return found


def events_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / EVENTS_FILE).read_text().splitlines()]
