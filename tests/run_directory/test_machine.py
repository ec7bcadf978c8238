"""What the programs set before a model library is imported."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from run_directory.machine import chosen_device
from tests.run_directory.tiny import ROOT

SHOWN = (
    "import os; from run_directory.machine import set_environment; set_environment(); "
    "print(os.environ.get('CUDA_VISIBLE_DEVICES'))"
)


@pytest.mark.parametrize(
    ("given", "visible"),
    [
        ({}, "0"),
        ({"CUDA_VISIBLE_DEVICES": "3"}, "3"),
        ({"CUDA_VISIBLE_DEVICES": ""}, ""),
        # torchrun gives each of its processes a GPU.
        ({"LOCAL_RANK": "1"}, "None"),
    ],
)
def test_a_program_uses_one_gpu_unless_it_is_told_otherwise(given: dict[str, str], visible: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], cwd=ROOT, env=given, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == visible


LEFT_OUT = (
    "import sys; from training.libraries import leave_out_unneeded; leave_out_unneeded({spec!r}); "
    "asked = 'boto3', 'scipy', 'sklearn', 'torchvision', 'bitsandbytes'; "
    "{imports}print([name for name in asked if {is_there}])"
)


def _left(method: str, imports: str, is_there: str) -> str:
    spec = f'{{"method": "{method}"}}'.encode()
    asked = [sys.executable, "-c", LEFT_OUT.format(spec=spec, imports=imports, is_there=is_there)]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(("method", "left"), [("lora", "[]"), ("qlora", "['bitsandbytes']")])
def test_a_training_starts_without_libraries_that_it_never_uses(method: str, left: str) -> None:
    assert _left(method, "", "name not in sys.modules") == left


@pytest.mark.verification
@pytest.mark.parametrize(("method", "imported"), [("lora", "[]"), ("qlora", "['bitsandbytes']")])
def test_no_library_of_a_training_needs_what_is_left_out(method: str, imported: str) -> None:
    pytest.importorskip("trl")
    pytest.importorskip("bitsandbytes")
    libraries = "import training.program, training.trainers, trl.trainer.sft_trainer, peft.tuners.lora; "
    assert _left(method, libraries, "sys.modules.get(name)") == imported


@pytest.mark.parametrize(("is_native", "dtype"), [(True, "bf16"), (False, "fp32")])
def test_a_gpu_that_only_emulates_bf16_computes_in_fp32(is_native: bool, dtype: str) -> None:
    gpu = SimpleNamespace(
        is_available=lambda: True,
        is_bf16_supported=lambda *, including_emulation=True: is_native or including_emulation,
        get_device_name=lambda _: "a GPU",
    )
    torch = SimpleNamespace(cuda=gpu, set_num_threads=lambda _: None)
    found = chosen_device(torch, device="auto", dtype="auto", threads=1)
    assert (found.kind, found.name, found.dtype) == ("cuda", "a GPU", dtype)
