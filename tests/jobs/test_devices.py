"""One run a device, whatever dies."""

import subprocess
import sys
from pathlib import Path

import pytest

from evalapp.embedded import gpus
from evalapp.embedded.programs import model_worker
from evalapp.env import Environment, EnvironmentProblem, read_environment
from evalapp.jobs import devices
from evalapp.jobs.devices import held_device, is_any_free


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings) -> None:
    settings.HOME = tmp_path
    monkeypatch.setattr(devices, "names_of_devices", lambda: ("0", "GPU-5f"))


def environment(tmp_path: Path, **variables: str) -> Environment:
    return read_environment({"EVALAPP_HOME": str(tmp_path), **variables})


def test_each_run_gets_a_gpu_of_its_own_and_the_third_none(two_gpus: None) -> None:
    with held_device(seconds=0) as first, held_device(seconds=0) as second, held_device(seconds=0) as third:
        assert first is not None and second is not None
        assert (first.name, first.variables) == ("GPU 0", {"CUDA_VISIBLE_DEVICES": "0"})
        assert second.variables == {"CUDA_VISIBLE_DEVICES": "GPU-5f"}
        assert third is None and not is_any_free()
    assert is_any_free()


def test_a_group_of_gpus_is_one_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings) -> None:
    settings.HOME = tmp_path
    monkeypatch.setattr(devices, "names_of_devices", lambda: ("0+1",))
    with held_device(seconds=0) as first, held_device(seconds=0) as second:
        assert first is not None and second is None
        assert (first.name, first.gpus) == ("GPU 0+1", ("0", "1"))
        assert first.variables == {"CUDA_VISIBLE_DEVICES": "0,1"}
        assert first.with_one_gpu().variables == {"CUDA_VISIBLE_DEVICES": "0"}


def test_a_device_is_in_use_until_the_program_is_gone_and_not_only_its_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings
) -> None:
    settings.HOME = tmp_path
    monkeypatch.setattr(devices, "names_of_devices", lambda: ("0",))
    with held_device(seconds=0) as device:
        assert device is not None
        program = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[device.lock]
        )
    assert not is_any_free()
    program.communicate(b"\n", timeout=300)
    with held_device(seconds=5) as device:
        assert device is not None


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"EVALAPP_GPUS": "0,2"}, ("0", "2")),
        ({"EVALAPP_GPUS": "none"}, ()),
        ({"EVALAPP_GPUS": "MIG-a, MIG-b"}, ("MIG-a", "MIG-b")),
        ({"EVALAPP_GPUS": "0+1,2+3"}, ("0+1", "2+3")),
    ],
)
def test_the_setting_names_the_gpus(
    tmp_path: Path, variables: dict[str, str], found: tuple[str, ...]
) -> None:
    wanted = environment(tmp_path, **variables)
    assert gpus.gpus_for_runs(wanted) == found
    command = [str(word) for word in model_worker(wanted).command]
    assert command[command.index("--concurrency") + 1] == str(max(1, len(found)))


@pytest.mark.parametrize("text", ["0,0", "none,1"])
def test_a_setting_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"EVALAPP_GPUS.*name each GPU once"):
        environment(tmp_path, EVALAPP_GPUS=text)


def test_gpus_are_found_by_what_the_process_may_see_or_by_nvidia_smi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 0\necho 1\n")
    tool.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    find = gpus.gpus_for_runs.__wrapped__
    assert find(environment(tmp_path)) == ()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find(environment(tmp_path)) == ("0", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert find(environment(tmp_path)) == ("3",)


def test_a_cpu_is_one_device_and_hides_gpus_only_where_they_were_set_aside(tmp_path: Path, settings) -> None:
    settings.HOME = tmp_path
    for text, hidden in (("none", {"CUDA_VISIBLE_DEVICES": ""}), ("", {})):
        settings.ENVIRONMENT = environment(tmp_path, EVALAPP_GPUS=text)
        with held_device(seconds=0) as device, held_device(seconds=0) as another:
            assert device is not None and another is None
            assert (device.name, device.variables) == ("CPU", hidden)
