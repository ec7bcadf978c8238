"""`python -m hub`: the real client against a hub of ours, on the tiny model."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.spec import HubResult, HubSpec
from run_directory.bases import check_base
from run_directory.files import sha256_of
from run_directory.model_files import UnusableModelError
from run_directory.program import Refusal
from run_directory.protocol import ExitCode
from run_directory.records import RecordError
from tests.hub.server import COMMIT, Hub, serving
from tests.run_directory.tiny import make_base, opened, run, start, wait_for

REPOSITORY = "house/tiny"
HERE = ("127.0.0.1/32",)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("hub") / "tiny")


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    shutil.copytree(tiny, folder)
    (folder / "modeling_tiny.py").write_text("raise SystemExit('code of a repository ran')")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"another format")
    return folder


@pytest.fixture
def hub(model: Path) -> Iterator[Hub]:
    with serving() as found:
        found.models[REPOSITORY] = model
        yield found


def brought(hub: Hub, folder: Path, *, token: str = "", **fields: object) -> HubResult:
    folder.mkdir(exist_ok=True)
    given = {"repository": REPOSITORY, "hub": hub.url, "allowed": HERE, **fields}
    (folder / "spec.json").write_text(HubSpec(**given).to_json())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    code, errors = run("hub", folder, env=environment | ({"HF_TOKEN": token} if token else {}))
    result = HubResult.from_json((folder / "result.json").read_bytes())
    assert (result.exit_code, errors) == (code, "")
    return result


def refused(hub: Hub, folder: Path, *, token: str = "", **fields: object) -> str:
    """What the work says, in this process: a start of the program takes seconds."""
    from hub.download import download

    folder.mkdir(exist_ok=True)
    given = {"repository": REPOSITORY, "hub": hub.url, "allowed": HERE, **fields}
    (folder / "spec.json").write_text(HubSpec(**given).to_json())
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("HF_TOKEN", raising=False)
        if token:
            patched.setenv("HF_TOKEN", token)
        # What the program sets before the library is imported.
        patched.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        patched.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        with pytest.raises((Refusal, UnusableModelError)) as caught:
            download(opened(folder))
    assert not (folder / "model").exists()
    return str(caught.value)


def test_a_commit_is_brought_whole_without_code_pickles_or_other_formats(
    hub: Hub, model: Path, tmp_path: Path
) -> None:
    result = brought(hub, tmp_path / "run")
    assert (result.outcome, result.message) == (
        "succeeded",
        f"Imported {REPOSITORY} at commit {COMMIT[:12]}.",
    )
    report = result.report
    assert report is not None
    whole = tmp_path / "run" / "model"
    taken = sorted(path.name for path in whole.iterdir() if path.name != "manifest.json")
    assert taken == [
        "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    ]  # fmt: skip
    assert report.files == {name: sha256_of(model / name) for name in taken}
    assert (report.commit, report.license, report.gave_template) == (COMMIT, "apache-2.0", False)
    assert report.fingerprint == check_base(model).fingerprint
    assert json.loads((whole / "manifest.json").read_text())["commit"] == COMMIT
    assert {path for path, _ in hub.asked if "resolve" in path} == {
        f"/{REPOSITORY}/resolve/{COMMIT}/{name}" for name in taken
    }
    asked = len(hub.asked)
    assert brought(hub, tmp_path / "run").outcome == "succeeded"
    assert len(hub.asked) == asked


def test_the_token_comes_from_the_environment_and_stands_in_no_file(hub: Hub, tmp_path: Path) -> None:
    hub.token = "hf_secret_of_the_house"
    folder = tmp_path / "run"
    said = refused(hub, folder)
    assert said.startswith(
        f"{hub.url} has no model {REPOSITORY}, or it is private. It was requested with no token"
    )

    assert brought(hub, folder, token=hub.token).outcome == "succeeded"
    assert refused(hub, tmp_path / "other", token="hf_other").startswith(
        f"{hub.url} has no model {REPOSITORY}, or it is private. It was requested with the token of"
        " EVALAPP_HF_TOKEN"
    )
    holding = [
        path for path in folder.rglob("*") if path.is_file() and hub.token.encode() in path.read_bytes()
    ]
    assert holding == []


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (404, "RepoNotFound", "has no model house/tiny, or it is private"),
        (403, "GatedRepo", "house/tiny is gated: its owner grants access"),
        (403, "", "refuses access (status 403)"),
        (404, "RevisionNotFound", "has no branch, tag or commit 'main'"),
        (500, "", "answered with status 500"),
        (429, "", "is rate-limiting requests (status 429)"),
    ],
)
def test_what_the_hub_refuses_is_said_in_words(
    hub: Hub, tmp_path: Path, status: int, code: str, said: str
) -> None:
    hub.refuse[REPOSITORY] = (status, code)
    assert said in refused(hub, tmp_path / "run")


def test_a_page_in_place_of_an_answer_is_said_in_words(hub: Hub, tmp_path: Path) -> None:
    hub.refuse[REPOSITORY] = (200, "")
    hub.page = b"<html><body>Sign in to go on</body></html>"
    assert "sent an answer that is not from a hub, perhaps the page of a proxy" in refused(
        hub, tmp_path / "run"
    )


def test_a_hub_that_nobody_answers_for_and_one_that_may_not_be_asked(hub: Hub, tmp_path: Path) -> None:
    hub.url, there = "http://127.0.0.1:9", hub.url
    gone = refused(hub, tmp_path / "gone")
    assert gone.startswith("http://127.0.0.1:9 cannot be reached")
    hub.url = there
    closed = refused(hub, tmp_path / "closed", allowed=("huggingface.co",))
    assert closed.startswith("127.0.0.1 is 127.0.0.1, which is not public, so no request was sent")
    assert hub.asked == []


def test_a_host_that_the_hub_leads_to_is_judged_as_well(hub: Hub, tmp_path: Path) -> None:
    hub.leads_to = "http://127.0.0.2:1"
    assert refused(hub, tmp_path / "run").startswith("127.0.0.2 is 127.0.0.2, which is not public")


def test_a_download_that_breaks_off_goes_on_where_it_stopped(hub: Hub, model: Path, tmp_path: Path) -> None:
    hub.cut_at = 100_000
    result = brought(hub, tmp_path / "run")
    if result.outcome == "failed":
        result = brought(hub, tmp_path / "run")
    assert result.outcome == "succeeded"
    assert check_base(tmp_path / "run" / "model").fingerprint == check_base(model).fingerprint


def test_a_cancel_in_the_middle_of_a_file_is_heard(hub: Hub, tmp_path: Path) -> None:
    hub.cut_at, hub.waits_for = 100_000, threading.Event()
    folder = tmp_path / "run"
    folder.mkdir()
    given = HubSpec(repository=REPOSITORY, hub=hub.url, allowed=HERE)
    (folder / "spec.json").write_text(given.to_json())
    with start("hub", folder) as process:
        wait_for(process, "Downloading the weights")
        process.send_signal(signal.SIGTERM)
        hub.waits_for.set()
        process.communicate(timeout=600)
    assert process.returncode == ExitCode.CANCELLED
    assert not (folder / "model").exists()


def test_bytes_that_are_not_what_was_promised_are_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.wrong_bytes = True
    said = refused(hub, tmp_path / "run")
    assert said.startswith("model.safetensors differs from")


def test_models_that_cannot_be_used_are_refused_before_their_weights_come(
    hub: Hub, model: Path, tmp_path: Path
) -> None:
    config = json.loads((model / "config.json").read_text())

    def said(name: str) -> str:
        hub.asked.clear()
        return refused(hub, tmp_path / name)

    (model / "config.json").write_text(json.dumps(config | {"model_type": "tiny_of_the_house"}))
    assert "an architecture that transformers" in said("unknown")
    assert not any("model.safetensors" in path for path, _ in hub.asked)

    own_code = {"auto_map": {"AutoConfig": "modeling_tiny.TinyConfig"}, "model_type": "tiny_of_the_house"}
    (model / "config.json").write_text(json.dumps(config | own_code))
    assert "repository code, which is never run" in said("code")
    (model / "config.json").write_text(json.dumps(config | {"model_type": "clip"}))
    assert "has no text generation for" in said("images")
    (model / "config.json").write_text(json.dumps(config))
    (model / "model.safetensors").unlink()
    assert "has its weights as a pickle ('pytorch_model.bin')" in said("pickle")
    (model / "adapter_config.json").write_text("{}")
    assert "is an adapter, not a base" in said("adapter")


def test_a_chat_template_that_the_model_lacks_is_given_with_it(hub: Hub, model: Path, tmp_path: Path) -> None:
    template = (model / "chat_template.jinja").read_text()
    (model / "chat_template.jinja").unlink()
    assert "has no chat template" in refused(hub, tmp_path / "without")
    report = brought(hub, tmp_path / "with", chat_template=template).report
    assert report is not None
    assert report.gave_template
    assert check_base(tmp_path / "with" / "model").chat_template == template


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"repository": "../etc/passwd"}, "write the model's name as the hub does"),
        ({"repository": "a/b/c"}, "write the model's name as the hub does"),
        ({"repository": "house/tiny", "revision": "a b"}, "write a branch, a tag or a commit"),
        ({"repository": "house/tiny", "hub": "file:///etc"}, "write a URL with https://"),
    ],
)
def test_a_specification_names_a_model_and_nothing_else(fields: dict[str, str], said: str) -> None:
    with pytest.raises(RecordError, match=said):
        HubSpec.from_dict(fields)
