"""The small real model for benchmarks of the model programs, with texts to train on and to answer."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.rouge import summary


def small_model(folder: str | None) -> Path:
    """A base folder: the given one, else the bundled small model, which is downloaded and converted once."""
    if folder is not None:
        return Path(folder)
    from evalapp.env import read_environment

    bundled = read_environment().bundled_model_folder
    if subprocess.run(
        [sys.executable, "-m", "installer.bundled_model", str(bundled)], check=False
    ).returncode:
        raise SystemExit(
            "Without the small model there is nothing to measure; give a model's folder with --base."
        )
    return bundled


def prompts(count: int, *, words: int, seed: int = 7) -> list[list[dict[str, Any]]]:
    """Conversations of one turn, of half to twice ``words`` words."""
    generator = random.Random(seed)
    return [
        [
            {
                "role": "user",
                "content": "Explain this to a client in plain words: "
                + summary(generator, generator.randint(words // 2, 2 * words)),
            }
        ]
        for _ in range(count)
    ]


def answers(count: int, *, words: int, seed: int = 11) -> list[list[dict[str, Any]]]:
    generator = random.Random(seed)
    return [
        [{"role": "assistant", "content": summary(generator, generator.randint(words // 2, 2 * words))}]
        for _ in range(count)
    ]


def run_module(name: str, *arguments: str) -> str:
    """Run a program and return its output; if it fails, end the benchmark with its errors."""
    done = subprocess.run(
        [sys.executable, "-m", name, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"{name} {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout
