"""A generation as vLLM's documentation would write it, with the spec and rows of a run directory.

    python -m bench.bare_vllm RUN_DIR

The engine gets the same arguments as in our program, and all prompts in one call of `LLM.generate`. Prints
one line of JSON: the generated tokens and the seconds of that call. `bench.generation` compares our program
with it.
"""

import json
import os
import sys
import time
from pathlib import Path

from inference.engines import vllm_environment
from run_directory.machine import set_environment

_STARTED_AGAIN = "BARE_VLLM_STARTED_AGAIN"


def main() -> int:
    set_environment()
    if _STARTED_AGAIN not in os.environ:
        # vLLM on the CPU reads these variables when its process starts.
        environment = {**os.environ, **vllm_environment(None), _STARTED_AGAIN: "1"}
        os.execve(sys.executable, [sys.executable, "-m", "bench.bare_vllm", *sys.argv[1:]], environment)
    # Keep the libraries' output out of the result on standard output.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    from vllm import LLM, SamplingParams, TokensPrompt

    from inference.generate import _load, _prepare
    from inference.vllm_engine import engine_arguments
    from run_directory.program import Events, Interruption, RunDirectory

    folder = Path(sys.argv[1])
    events = Events(folder / "events.jsonl", os.open(os.devnull, os.O_WRONLY))
    directory = RunDirectory(folder, (folder / "spec.json").read_bytes(), events, Interruption())
    run = _prepare(directory)
    engine = LLM(**engine_arguments(_load(directory, run)))
    prompts = [prompt for batch in run.plan for prompt in batch.prompts]
    parameters = SamplingParams(
        temperature=0.0, max_tokens=run.spec.sampling.max_tokens, stop_token_ids=run.end_tokens
    )
    began = time.monotonic()
    found = engine.generate(
        [TokensPrompt(prompt_token_ids=prompt.tokens) for prompt in prompts], parameters, use_tqdm=False
    )
    seconds = time.monotonic() - began
    tokens = sum(len(each.outputs[0].token_ids) for each in found)
    answer.write(json.dumps({"tokens": tokens, "seconds": seconds}) + "\n")
    answer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
