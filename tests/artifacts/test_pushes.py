"""Dataset versions pushed to a hub: asked for on a page, sent by the real client to a hub of ours."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.artifacts.models import DatasetPush
from evalapp.artifacts.pushes import start_push
from evalapp.artifacts.tasks import push_to_hub
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import InvalidError, NotAllowedError
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.decisions.left_files import files_of
from evalapp.jobs.models import Job, JobEvent, JobState
from evalapp.jobs.services import retry_job
from tests.api.conftest import Program, problem_in, program_of
from tests.hub.dataset_repositories import DatasetRepository
from tests.hub.server import Hub, serving
from tests.registry.test_views import ClientFor
from tests.runs.conftest import rows_of

TOKEN = "hf_secret_of_the_house"
REPOSITORY = "house/questions"
TRAIN, FEEDBACK = (f"data/{split}-00000-of-00001.parquet" for split in ("train", "feedback"))
NAME, MAIL = "Annabell Wexford", "annabell.wexford@example.org"


@pytest.fixture
def hub(settings, tmp_path: Path) -> Iterator[Hub]:
    settings.RUNS_FOLDER = tmp_path / "runs"
    settings.MODEL_PYTHON = Path(sys.executable)
    settings.OUTGOING_ALLOWED, settings.HUB_TOKEN = ("127.0.0.1/32",), TOKEN
    with serving() as found:
        found.token = TOKEN
        settings.HUB_URL = found.url
        yield found


@pytest.fixture
def reachable(settings) -> None:
    """A hub that could be asked, and is not."""
    settings.MODEL_PYTHON = Path(sys.executable)
    settings.OUTGOING_ALLOWED, settings.HUB_TOKEN = ("hub.example",), TOKEN
    settings.HUB_URL = "https://hub.example"


def carried_out(push: DatasetPush) -> DatasetPush:
    push_to_hub(push.job_id)
    return DatasetPush.objects.select_related("job").get(pk=push.pk)


def page_of(version: DatasetVersion) -> str:
    return reverse("dataset_push", args=[version.dataset.project.slug, version.dataset_id, version.number])


def test_a_version_is_pushed_from_its_page_and_the_page_says_where_it_is(
    project: Project, version: DatasetVersion, engineer: User, hub: Hub, client_for: ClientFor, tmp_path: Path
) -> None:
    client = client_for(engineer)
    overview = reverse("dataset_files", args=[project.slug, version.dataset_id, version.number])
    assert page_of(version) in client.get(overview).text
    asked = client.get(page_of(version)).text
    assert f"dataset repository on {hub.url}" in asked and "The 3 test rows are held out" in asked
    assert "Training (6 rows)" in asked and "Feedback (2 rows)" in asked
    assert 'value="test"' not in asked

    answer = client.post(
        page_of(version), {"repository": REPOSITORY, "is_private": "on", "splits": ["train", "feedback"]}
    )
    push = DatasetPush.objects.get()
    assert answer["Location"] == reverse("job_detail", args=[project.slug, push.job_id])
    assert "in progress" in client.get(overview).text
    push = carried_out(push)
    assert (push.job.error, push.job.state) == ("", JobState.SUCCEEDED)
    repository = hub.datasets[REPOSITORY]
    assert (repository.is_private, len(repository.commits)) == (True, 2)
    assert set(repository.files) == {"README.md", TRAIN, FEEDBACK}
    assert (push.commit, push.is_private) == (repository.commits[-1].oid, True)
    shown = client.get(overview).text
    assert f'<a href="{hub.url}/datasets/{REPOSITORY}/tree/{push.commit}">{REPOSITORY}</a>, private' in shown
    assert push.commit[:12] in shown

    events = AuditEvent.objects.filter(object_type="datasetversion", object_id=version.pk)
    told = {event.action: event.data for event in events}
    assert told["dataset.push_started"]["repository"] == REPOSITORY
    assert told["dataset.pushed"]["commit"] == push.commit
    assert set(told["dataset.pushed"]["files"]) == set(repository.files)

    datasets = pytest.importorskip("datasets")
    copy = tmp_path / "copy"
    for name, content in repository.files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    loaded = datasets.load_dataset(str(copy), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 6, "feedback": 2}
    assert loaded["train"][0]["messages"][0]["content"] == "train question 0"


def test_no_test_row_and_no_original_is_in_what_is_sent(project: Project, engineer: User, hub: Hub) -> None:
    project.masks_personal_data = True
    project.save()
    rows = [
        *rows_of("test", 3),
        ExampleRow(
            split="train",
            messages=[{"role": "user", "content": f"My name is {NAME}. Write to {MAIL}."}],
            references=["Dear Ms Wexford."],
        ),
    ]
    dataset = create_dataset(project=project, name="Letters", by=engineer)
    masked = create_version(dataset=dataset, rows=rows, by=engineer)
    push = carried_out(start_push(version=masked, repository=REPOSITORY, by=engineer))
    assert push.job.state == JobState.SUCCEEDED
    files = hub.datasets[REPOSITORY].files
    assert set(files) == {"README.md", TRAIN}
    sent = str(pq.read_table(pa.BufferReader(files[TRAIN])).to_pylist()) + files["README.md"].decode()
    assert "⟨NAME 1⟩" in sent
    for text in (NAME, "Wexford", MAIL, "test question"):
        assert text not in sent


def test_the_test_split_can_be_asked_for_by_nobody(
    version: DatasetVersion, engineer: User, reachable: None, client_for: ClientFor
) -> None:
    with pytest.raises(NotAllowedError, match="The test split is held out"):
        start_push(version=version, repository=REPOSITORY, splits=["train", "test"], by=engineer)
    answer = client_for(engineer).post(page_of(version), {"repository": REPOSITORY, "splits": ["test"]})
    assert answer.status_code == 400
    assert not DatasetPush.objects.exists()
    job = Job.objects.create(project=version.dataset.project, task="t", title="Push")
    with pytest.raises(IntegrityError), transaction.atomic():
        DatasetPush.objects.create(
            project=job.project, version=version, hub="https://hub.example", repository=REPOSITORY,
            splits=["test"], job=job,
        )  # fmt: skip


def test_a_version_of_test_rows_alone_is_not_pushed(
    project: Project, engineer: User, reachable: None, client_for: ClientFor
) -> None:
    dataset = create_dataset(project=project, name="Held out", by=engineer)
    held_out = create_version(dataset=dataset, rows=rows_of("test", 2), by=engineer)
    with pytest.raises(InvalidError, match="has no rows of these splits"):
        start_push(version=held_out, repository=REPOSITORY, by=engineer)
    overview = reverse("dataset_files", args=[project.slug, dataset.pk, 1])
    assert page_of(held_out) not in client_for(engineer).get(overview).text


def test_a_job_that_lost_its_worker_makes_no_second_commit_and_leaves_no_rows_behind(
    version: DatasetVersion, engineer: User, hub: Hub, settings
) -> None:
    push = carried_out(start_push(version=version, repository=REPOSITORY, by=engineer))
    run = Path(settings.RUNS_FOLDER) / str(push.job_id)
    assert not (run / "dataset").exists()
    assert run.name in files_of(version.dataset.project)["runs"]
    # As a worker leaves it that is killed before it has written down what came of it.
    DatasetPush.objects.update(commit="", url="")
    (run / "result.json").unlink()
    Job.objects.update(state=JobState.QUEUED, finished_at=None)
    again = carried_out(push)
    assert (again.job.state, again.commit) == (JobState.SUCCEEDED, push.commit)
    assert len(hub.datasets[REPOSITORY].commits) == 2
    assert not (run / "dataset").exists()
    assert AuditEvent.objects.filter(action="dataset.pushed").count() == 2


def test_the_token_reaches_the_program_and_nothing_that_is_kept(
    version: DatasetVersion, engineer: User, hub: Hub, settings
) -> None:
    carried_out(start_push(version=version, repository=REPOSITORY, by=engineer))
    assert hub.datasets
    kept = [path for path in Path(settings.RUNS_FOLDER).rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if TOKEN.encode() in path.read_bytes()]
    assert not JobEvent.objects.filter(text__contains=TOKEN).exists()
    assert not AuditEvent.objects.filter(data__icontains=TOKEN).exists()


def test_a_push_goes_on_once_the_operator_has_allowed_the_storage(
    version: DatasetVersion, engineer: User, hub: Hub, settings
) -> None:
    hub.storage = hub.url.replace("127.0.0.1", "127.0.0.2")
    push = carried_out(start_push(version=version, repository=REPOSITORY, by=engineer))
    assert push.job.state == JobState.FAILED
    assert push.job.error.startswith("127.0.0.2 is 127.0.0.2, which is not public")
    assert not Path(settings.RUNS_FOLDER, str(push.job_id), "dataset").exists()
    settings.OUTGOING_ALLOWED = ("127.0.0.0/8",)
    hub.storage = hub.url
    retry_job(job=push.job, by=engineer)
    assert carried_out(push).job.state == JobState.SUCCEEDED


def test_what_was_to_be_private_is_not_sent_to_a_public_repository(
    version: DatasetVersion, engineer: User, hub: Hub
) -> None:
    hub.datasets[REPOSITORY] = DatasetRepository(is_private=False)
    push = carried_out(start_push(version=version, repository=REPOSITORY, by=engineer))
    assert push.job.error.startswith(f"The repository {REPOSITORY} is public on {hub.url}")
    assert (push.commit, hub.stored) == ("", {})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"OUTGOING_ALLOWED": ()}, "sends nothing to other machines"),
        ({"OUTGOING_ALLOWED": ("other.example",)}, "hub.example is not an allowed host"),
        ({"HUB_TOKEN": ""}, "A push to https://hub.example needs a token that may write"),
    ],
)
def test_the_page_says_why_nothing_can_be_pushed(
    version: DatasetVersion, engineer: User, reachable: None, client_for: ClientFor, settings,
    change: dict[str, object], said: str,
) -> None:  # fmt: skip
    for name, value in change.items():
        setattr(settings, name, value)
    page = client_for(engineer).get(page_of(version)).text
    assert said in page and "Repository" not in page
    answer = client_for(engineer).post(page_of(version), {"repository": REPOSITORY, "splits": ["train"]})
    assert answer.status_code == 400
    with pytest.raises(InvalidError, match=said):
        start_push(version=version, repository=REPOSITORY, by=engineer)
    assert not DatasetPush.objects.exists()


@pytest.mark.parametrize("repository", ["questions", "a/b/c", "https://hub.example/a/b", "a/../b"])
def test_a_bad_name_is_told_beside_its_field(
    version: DatasetVersion, engineer: User, reachable: None, client_for: ClientFor, repository: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        start_push(version=version, repository=repository, by=engineer)
    assert list(caught.value.fields) == ["repository"]
    answer = client_for(engineer).post(page_of(version), {"repository": repository, "splits": ["train"]})
    assert answer.status_code == 400 and "Write organisation/name" in answer.text


def test_the_same_push_is_on_its_way_once(version: DatasetVersion, engineer: User, reachable: None) -> None:
    first, again = (start_push(version=version, repository=REPOSITORY, by=engineer) for _ in range(2))
    assert again == first
    other = start_push(version=version, repository=REPOSITORY, splits=["train"], by=engineer)
    assert other != first


def test_who_may_push(
    version: DatasetVersion, engineer: User, reviewer: User, stranger: User, reachable: None,
    client_for: ClientFor,
) -> None:  # fmt: skip
    people = {engineer: 200, reviewer: 403, stranger: 404, None: 302}
    assert {person: client_for(person).get(page_of(version)).status_code for person in people} == people
    refused = {reviewer: 403, stranger: 404, None: 302}
    given = {"repository": REPOSITORY, "splits": ["train"]}
    assert {
        person: client_for(person).post(page_of(version), given).status_code for person in refused
    } == refused
    assert not DatasetPush.objects.exists()


def test_a_program_pushes_a_version_and_lists_its_pushes(
    project: Project, version: DatasetVersion, engineer: User, hub: Hub
) -> None:
    program: Program = program_of(engineer)
    at = f"projects/{project.slug}/datasets/{version.dataset_id}/versions/{version.number}/pushes/"
    answer = program.post(at, {"repository": REPOSITORY})
    begun = answer.json()
    assert (answer.status_code, begun["is_private"], begun["splits"]) == (202, True, ["train", "feedback"])
    push_to_hub(begun["job"]["id"])
    listed = program.get(at).json()["results"]
    assert [(row["id"], row["job"]["state"]) for row in listed] == [(begun["id"], "succeeded")]
    assert listed[0]["commit"] == hub.datasets[REPOSITORY].commits[-1].oid
    assert listed[0]["url"].endswith(listed[0]["commit"])
    refused = program.post(at, {"repository": REPOSITORY, "splits": ["test"]})
    assert "held out" in problem_in(refused, 403)["message"]
    assert problem_in(program.post(at, {"repository": REPOSITORY, "token": "hf_x"}), 400)["fields"]["token"]
