"""A push of a dataset: the real client against a hub of ours."""

import hashlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub.spec import PushReport, PushResult, PushSpec
from run_directory.program import Refusal
from run_directory.protocol import ExitCode
from run_directory.records import RecordError
from tests.hub.dataset_repositories import FIRST_COMMIT, Commit, DatasetRepository
from tests.hub.server import Hub, serving
from tests.run_directory.tiny import events_of, opened, run, start

REPOSITORY = "house/letters"
HERE = ("127.0.0.1/32",)
TOKEN = "hf_secret_of_the_house"
CARD = "---\npretty_name: Letters v1\n---\n\n# Letters v1\n"
TRAIN, FEEDBACK = (f"data/{split}-00000-of-00001.parquet" for split in ("train", "feedback"))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as found:
        found.token = TOKEN
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepared(tmp_path / "run")


def prepared(run_directory: Path, *, rows: int = 40_000) -> Path:
    """A run directory with a dataset to send, whose training split is larger than a socket takes at once."""
    data = run_directory / "dataset" / "data"
    data.mkdir(parents=True)
    (data.parent / "README.md").write_text(CARD)
    texts = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(rows)]
    pq.write_table(pa.table({"text": texts}), data.parent / TRAIN)
    pq.write_table(pa.table({"text": texts[:3]}), data.parent / FEEDBACK)
    return run_directory


def told(hub: Hub, folder: Path, **fields: object) -> None:
    given = {
        "kind": "push", "repository": REPOSITORY, "hub": hub.url, "allowed": HERE, "message": "Letters v1",
        **fields,
    }  # fmt: skip
    (folder / "spec.json").write_text(PushSpec(**given).to_json())


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    # Nobody answers there: a client that used it would reach nothing.
    proxy = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    return kept | proxy | {"HF_TOKEN": TOKEN}


def pushed(hub: Hub, folder: Path, **fields: object) -> PushReport:
    told(hub, folder, **fields)
    code, errors = run("hub", folder, env=environment())
    result = PushResult.from_json((folder / "result.json").read_bytes())
    assert (result.exit_code, errors, result.outcome) == (code, "", "succeeded"), result.message
    assert result.report is not None
    return result.report


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the program sets before the library is imported, and its token."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def in_process(hub: Hub, folder: Path, **fields: object) -> PushReport:
    """The work in this process: a start of the program takes seconds."""
    from hub.push import push

    told(hub, folder, **fields)
    return push(opened(folder))[1]


def refused(hub: Hub, folder: Path, **fields: object) -> str:
    with pytest.raises(Refusal) as caught:
        in_process(hub, folder, **fields)
    return str(caught.value)


def files_of(folder: Path) -> dict[str, bytes]:
    top = folder / "dataset"
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_a_dataset_arrives_byte_for_byte_as_one_commit_in_a_private_repository(
    hub: Hub, folder: Path
) -> None:
    report = pushed(hub, folder)
    repository = hub.datasets[REPOSITORY]
    assert repository.is_private
    assert [each.message for each in repository.commits] == ["initial commit", "Letters v1"]
    assert repository.files == files_of(folder)
    assert report.files == {
        name: hashlib.sha256(content).hexdigest() for name, content in repository.files.items()
    }
    commit = repository.commits[-1].oid
    assert (report.commit, report.is_private, report.made_commit) == (commit, True, True)
    assert report.url == f"{hub.url}/datasets/{REPOSITORY}/tree/{commit}"
    table = pq.read_table(pa.BufferReader(repository.files[TRAIN]))
    assert table.num_rows == 40_000
    progress = [event for event in events_of(folder) if event["kind"] == "progress"]
    assert progress[-1]["step"] == progress[-1]["total"] == 3
    assert not any(TOKEN.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_arrived_loads_with_the_datasets_library(
    hub: Hub, folder: Path, tmp_path: Path, here: None
) -> None:
    datasets = pytest.importorskip("datasets")
    in_process(hub, folder)
    copy = tmp_path / "copy"
    for name, content in hub.datasets[REPOSITORY].files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    files = {"train": str(copy / TRAIN), "feedback": str(copy / FEEDBACK)}
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 40_000, "feedback": 3}


def test_the_token_goes_to_the_hub_and_not_to_its_storage(hub: Hub, folder: Path, here: None) -> None:
    in_process(hub, folder)
    tokens = {path.startswith("/storage/"): token for path, token in hub.asked}
    assert tokens == {True: "", False: f"Bearer {TOKEN}"}


def test_the_same_again_makes_no_second_commit_and_sends_nothing(
    hub: Hub, folder: Path, tmp_path: Path, here: None
) -> None:
    first = in_process(hub, folder)
    hub.asked.clear()
    again = in_process(hub, prepared(tmp_path / "again"))
    assert (again.commit, again.made_commit, again.files) == (first.commit, False, first.files)
    assert len(hub.datasets[REPOSITORY].commits) == 2
    assert [path for path, _ in hub.asked] == [f"/api/datasets/{REPOSITORY}"]


def test_a_later_version_takes_the_place_of_an_earlier_one_and_leaves_the_files_of_others(
    hub: Hub, folder: Path, tmp_path: Path, here: None
) -> None:
    in_process(hub, folder)
    hub.datasets[REPOSITORY].files["notes.txt"] = b"written by hand"
    later = prepared(tmp_path / "later", rows=10)
    (later / "dataset" / FEEDBACK).unlink()
    report = in_process(hub, later, gone=(TRAIN, FEEDBACK, "data/validation-00000-of-00001.parquet"))
    assert report.made_commit
    assert hub.datasets[REPOSITORY].files == files_of(later) | {"notes.txt": b"written by hand"}


def test_public_only_when_asked_and_never_into_a_public_repository_otherwise(
    hub: Hub, folder: Path, here: None
) -> None:
    hub.datasets[REPOSITORY] = DatasetRepository(is_private=False)
    assert refused(hub, folder).startswith(
        f"the repository {REPOSITORY} is public on {hub.url}, and this push was to be private, so nothing"
    )
    assert (hub.stored, len(hub.datasets[REPOSITORY].commits)) == ({}, 1)
    assert not in_process(hub, folder, is_private=False).is_private
    assert not in_process(hub, folder, is_private=False, repository="house/open").is_private
    assert not hub.datasets["house/open"].is_private


def test_no_token_and_a_token_that_is_wrong(
    hub: Hub, folder: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    assert refused(hub, folder).startswith(
        f"{hub.url} refuses the token of EVALAPP_HF_TOKEN (status 401); check that it is right"
    )
    hub.asked.clear()
    monkeypatch.delenv("HF_TOKEN")
    assert refused(hub, folder).startswith(f"a push to {hub.url} needs a token that may write")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (None, f"may not create {REPOSITORY} on"),
        (True, "that the token of EVALAPP_HF_TOKEN may not see: it belongs to others"),
        (False, f"may not write to {REPOSITORY} on"),
    ],
)
def test_a_repository_of_others_is_left_alone(
    hub: Hub, folder: Path, here: None, there: bool | None, said: str
) -> None:
    hub.writers = {"elsewhere"}
    if there is not None:
        hub.datasets[REPOSITORY] = DatasetRepository(is_private=there)
    assert said in refused(hub, folder, is_private=bool(there))
    assert hub.stored == {}


@pytest.mark.parametrize(
    ("step", "status", "body", "said"),
    [
        ("info", 200, b"<html>Sign in</html>", "sent an answer that is not from a hub"),
        ("create", 200, b"<html>Sign in</html>", "sent an answer that is not from a hub"),
        ("create", 404, b"", f"may not create {REPOSITORY}"),
        ("preupload", 200, b"{}", "sent an answer that is not from a hub"),
        ("preupload", 403, b"", f"may not write to {REPOSITORY}"),
        ("batch", 200, b"<html>Sign in</html>", "sent an answer that is not from a hub"),
        ("batch", 403, b'{"error": "Storage of house is full"}', "(status 403: Storage of house is full)"),
        ("batch", 402, b"", "does not take this much (status 402"),
        ("batch", 413, b"", "does not take this much (status 413"),
        ("upload", 413, b"", "does not take this much (status 413"),
        ("upload", 503, b"", "answered with status 503"),
        ("commit", 401, b"", "refuses the token of EVALAPP_HF_TOKEN (status 401)"),
        ("commit", 403, b"", f"may not write to {REPOSITORY}"),
        ("commit", 412, b"", f"somebody else wrote to {REPOSITORY} at the same time"),
        ("commit", 200, b"[]", "sent an answer that is not from a hub"),
        ("commit", 200, b'{"commitUrl": "x", "commitOid": "../x"}', "sent an answer that is not from a hub"),
        ("commit", 429, b"", "is rate-limiting requests"),
    ],
)
def test_what_a_step_is_refused_with_is_said_in_words(
    hub: Hub, folder: Path, here: None, step: str, status: int, body: bytes, said: str
) -> None:
    hub.refuse_at[step] = (status, body)
    assert said in refused(hub, folder)
    assert all(len(each.commits) == 1 for each in hub.datasets.values())


def test_files_that_the_hub_has_no_room_for_are_said_in_its_words(hub: Hub, folder: Path, here: None) -> None:
    refusal = {"oid": "a", "size": 1, "error": {"code": 422, "message": "Quota of house is used up"}}
    body = json.dumps({"objects": [refusal]}).encode()
    hub.refuse_at["batch"] = (200, body)
    assert f"{hub.url} does not take the files of {REPOSITORY} (LFS batch API returned errors" in (
        said := refused(hub, folder)
    )
    assert "Quota of house is used up" in said


def test_a_file_that_no_hub_takes_is_refused_before_anything_is_asked(
    hub: Hub, folder: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.push.MOST_FILE_BYTES", 2_000_000)
    assert refused(hub, folder).startswith(f"{TRAIN} has 0.0 GB, and a hub takes files of up to")
    assert hub.asked == []


def test_the_hub_and_its_storage_are_reached_only_where_it_is_allowed(
    hub: Hub, folder: Path, here: None
) -> None:
    closed = refused(hub, folder, allowed=("huggingface.co",))
    assert closed.startswith("127.0.0.1 is 127.0.0.1, which is not public, so no request was sent")
    assert hub.asked == []
    hub.storage = hub.url.replace("127.0.0.1", "127.0.0.2")
    elsewhere = refused(hub, folder)
    assert elsewhere.startswith("127.0.0.2 is 127.0.0.2, which is not public, so no request was sent")
    assert hub.stored == {}
    assert len(hub.datasets[REPOSITORY].commits) == 1


def test_what_somebody_else_commits_meanwhile_is_not_overwritten(hub: Hub, folder: Path, here: None) -> None:
    hub.waits_at["upload"] = threading.Event()

    def commit() -> None:
        assert hub.reached.wait(60)
        theirs = Commit("e" * 40, "by hand", {"README.md": b"Written by hand."})
        hub.datasets[REPOSITORY].commits.append(theirs)
        hub.waits_at["upload"].set()

    somebody = threading.Thread(target=commit)
    somebody.start()
    assert f"somebody else wrote to {REPOSITORY} at the same time" in refused(hub, folder)
    somebody.join()
    assert hub.datasets[REPOSITORY].files == {"README.md": b"Written by hand."}


def test_a_hub_and_a_storage_that_nobody_answers_for(hub: Hub, folder: Path, here: None) -> None:
    hub.storage = "http://127.0.0.1:9"
    assert refused(hub, folder).startswith(f"{hub.url} or its storage cannot be reached")
    hub.url = "http://127.0.0.1:9"
    assert refused(hub, folder).startswith("http://127.0.0.1:9 or its storage cannot be reached")


def killed(hub: Hub, folder: Path, step: str) -> None:
    """Start a push, and kill it while the hub keeps it waiting at this step."""
    hub.waits_at[step] = threading.Event()
    told(hub, folder)
    with start("hub", folder, env=environment()) as process:
        assert hub.reached.wait(120)
        process.kill()
        hub.waits_at.pop(step).set()
        process.communicate(timeout=60)
    assert not (folder / "result.json").exists()


def test_a_push_that_is_killed_after_its_commit_makes_no_second_one(hub: Hub, folder: Path) -> None:
    killed(hub, folder, "commit")
    commit = hub.datasets[REPOSITORY].commits[-1].oid
    assert commit != FIRST_COMMIT
    report = pushed(hub, folder)
    assert (report.commit, report.made_commit) == (commit, False)
    assert len(hub.datasets[REPOSITORY].commits) == 2


def test_a_push_that_is_killed_while_it_sends_goes_on(hub: Hub, folder: Path) -> None:
    killed(hub, folder, "upload")
    assert pushed(hub, folder).made_commit
    assert hub.datasets[REPOSITORY].files == files_of(folder)
    assert len(hub.datasets[REPOSITORY].commits) == 2


def test_a_cancel_while_a_file_is_sent_is_heard(hub: Hub, folder: Path) -> None:
    hub.waits_at["upload"] = threading.Event()
    told(hub, folder)
    with start("hub", folder, env=environment()) as process:
        assert hub.reached.wait(120)
        process.send_signal(signal.SIGTERM)
        hub.waits_at["upload"].set()
        process.communicate(timeout=120)
    assert process.returncode == ExitCode.CANCELLED
    assert len(hub.datasets[REPOSITORY].commits) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"repository": "letters"}, "write organisation/name"),
        ({"repository": "house/../letters"}, "write organisation/name"),
        ({"repository": "house/letters--2"}, "write organisation/name"),
        ({"repository": "house/letters.git"}, "write organisation/name"),
        ({"repository": f"house/{'l' * 96}"}, "write organisation/name"),
        ({"hub": "file:///etc"}, "write a URL with https://"),
        ({"message": " "}, "say in a line what the commit is"),
        ({"kind": "download"}, "is not one of 'push'"),
    ],
)
def test_a_specification_names_a_repository_and_nothing_else(fields: dict[str, str], said: str) -> None:
    given = {"kind": "push", "repository": REPOSITORY, "message": "Letters v1"}
    with pytest.raises(RecordError, match=said):
        PushSpec.from_dict(given | fields)
