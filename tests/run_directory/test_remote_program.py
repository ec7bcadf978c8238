"""A program on a machine with neither web nor database: all it needs comes from the store and its model
folders.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from run_directory.inputs import INPUTS_FILE, Input, Inputs, describe_base
from run_directory.saver import RunSaver
from run_directory.saves import SavedRun
from run_directory.store import Store
from tests.run_directory.tiny import CHAT_TEMPLATE, ROOT, make_base, write_run
from tests.training.runs import make_spec, rows
from training.spec import TrainingResult


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "tiny")


class Node:
    def __init__(self, home: Path, store: Store) -> None:
        self.home, self.store = home, store

    def carry(self, program: str, save: int) -> "subprocess.CompletedProcess[str]":
        words = [program, "--store", self.store.url, "--key", "7", "--save", str(save)]
        return subprocess.run(
            [sys.executable, "-m", "run_directory.remote_program", *words],
            cwd=ROOT, env={**os.environ, "EVALAPP_HOME": str(self.home), "EVALAPP_MODEL_FOLDERS": ""},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "node", Store(f"file://{tmp_path / 'store'}"))


def submit(node: Node, folder: Path, base: Path, save: int) -> SavedRun:
    """Put a training into the store as a worker does."""
    spec = make_spec(base, base_folder="inputs/base", max_steps=4, checkpoint_steps=2)
    write_run(folder, spec, rows(spec.rows))
    known = describe_base(base)
    named = Input(
        place="inputs/base", name="Tiny", fingerprint=known.fingerprint, settings=dict(known.settings),
        folder="/nowhere",
    )  # fmt: skip
    (folder / INPUTS_FILE).write_text(Inputs(inputs=(named,)).to_json())
    run = SavedRun(node.store, "7", folder)
    RunSaver(run, save, None).save()
    return run


def test_a_training_comes_back_with_its_adapter_and_without_checkpoints(
    node: Node, tiny: Path, tmp_path: Path
) -> None:
    run = submit(node, tmp_path / "worker" / "7", tiny, save=2)
    shutil.copytree(tiny, node.home / "models" / "under another name")

    done = node.carry("training", save=3)

    assert (done.returncode, done.stderr) == (0, "")
    saved = run.of(3)
    assert saved is not None
    run.fetch(saved)
    result = TrainingResult.from_json((run.folder / "result.json").read_bytes())
    assert result.report is not None
    assert (result.outcome, result.report.steps) == ("succeeded", 4)
    assert (run.folder / "adapter" / "adapter_model.safetensors").is_file()
    assert not any(file.name.startswith("checkpoints/") for file in saved.files)
    assert (node.home / "runs" / "7" / "inputs" / "base").resolve().name == "under another name"


def test_a_base_that_is_missing_is_said_with_where_to_copy_it_from(
    node: Node, tiny: Path, tmp_path: Path
) -> None:
    submit(node, tmp_path / "worker" / "7", tiny, save=2)
    done = node.carry("training", save=3)
    assert done.returncode == 2
    assert done.stderr.startswith("The base “Tiny” is in no model folder of ")
    assert "copy the folder /nowhere there from the machine that has it" in done.stderr


def test_the_same_weights_with_another_chat_template_are_another_base(
    node: Node, tiny: Path, tmp_path: Path
) -> None:
    submit(node, tmp_path / "worker" / "7", tiny, save=2)
    other = shutil.copytree(tiny, node.home / "models" / "other")
    (other / "chat_template.jinja").write_text(CHAT_TEMPLATE.replace("<|im_start|>", ""))
    done = node.carry("training", save=3)
    assert done.returncode == 2
    assert f"{other} has the same weights, but another chat template." in done.stderr


def test_a_run_that_the_store_does_not_hold_is_said(node: Node) -> None:
    done = node.carry("inference", save=3)
    assert (done.returncode, done.stderr) == (2, f"{node.store.url} has nothing of the run 7.\n")
