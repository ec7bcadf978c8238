"""Models of a hub: asked for on a page, downloaded by a program, registered with their commit."""

import json
import sys
from pathlib import Path

import pytest
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.artifacts import hub
from evalapp.artifacts.hub import start_download
from evalapp.artifacts.models import HubDownload
from evalapp.artifacts.tasks import import_from_hub
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.jobs import devices
from evalapp.jobs.models import JobEvent, JobState
from evalapp.registry.models import ModelVersion
from hub.spec import HubReport
from tests.form_addresses import model_form
from tests.hub.server import COMMIT, serving
from tests.registry.test_views import ClientFor
from tests.run_directory.tiny import make_base
from tests.runs.conftest import Behave

TOKEN = "hf_secret_of_the_house"


@pytest.fixture
def reachable(behave: Behave, settings) -> None:
    settings.OUTGOING_ALLOWED = ("hub.example",)
    settings.HUB_URL = "https://hub.example"
    settings.HUB_TOKEN = TOKEN


def brought(project: Project, by: User, **given: str) -> HubDownload:
    found = start_download(project=project, by=by, **{"repository": "house/tiny", "name": "Tiny", **given})
    import_from_hub(found.job_id)
    return HubDownload.objects.select_related("job", "produced__model").get(pk=found.pk)


def test_a_model_is_registered_as_a_base_with_its_commit(
    project: Project, engineer: User, reachable: None, settings
) -> None:
    found = brought(project, engineer)
    assert (found.job.error, found.job.state) == ("", JobState.SUCCEEDED)
    base = found.produced
    assert base is not None
    assert (base.model.name, base.label, base.kind) == ("Tiny", "house/tiny (main)", "base")
    assert base.config["hub"] == {
        "repository": "house/tiny", "revision": "main", "commit": COMMIT, "hub": "https://hub.example",
        "license": "apache-2.0",
        "gave_template": False,
    }  # fmt: skip
    assert Path(base.path) == Path(settings.HUB_FOLDER) / "house--tiny" / COMMIT[:12]
    assert AuditEvent.objects.filter(action="model.download_started", project_id=project.pk).exists()
    assert AuditEvent.objects.filter(action="model.registered", object_id=base.pk).exists()
    # Repeating it after a lost worker registers nothing twice.
    import_from_hub(found.job_id)
    assert ModelVersion.objects.count() == 1


def test_a_download_needs_no_device(
    project: Project,
    engineer: User,
    reachable: None,
    settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.HOME = tmp_path
    monkeypatch.setattr(devices, "names_of_devices", lambda: ("cpu",))
    with devices.held_device(seconds=0) as device:
        assert device is not None
        assert brought(project, engineer).job.state == JobState.SUCCEEDED


def test_the_token_reaches_the_program_and_nothing_that_is_kept(
    project: Project, engineer: User, reachable: None, settings
) -> None:
    found = brought(project, engineer)
    run = Path(settings.RUNS_FOLDER) / str(found.job_id)
    assert (run / "token").read_text() == TOKEN
    (run / "token").unlink()
    holding = [path for path in run.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert holding == []
    assert not JobEvent.objects.filter(text__contains=TOKEN).exists()
    assert not AuditEvent.objects.filter(data__icontains=TOKEN).exists()


def test_no_other_program_gets_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    from evalapp.jobs.executor import program_environment

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("EVALAPP_HF_TOKEN", TOKEN)
    assert TOKEN not in program_environment({}).values()


def test_a_given_template_makes_another_model_of_the_same_commit(
    project: Project, engineer: User, reachable: None
) -> None:
    template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    one, other = brought(project, engineer), brought(project, engineer, name="Other", chat_template=template)
    assert one.produced is not None and other.produced is not None
    assert other.produced.path.startswith(f"{one.produced.path}-")
    assert (Path(other.produced.path) / "chat_template.jinja").read_text() == template
    assert one.produced.config["chat_template_sha256"] != other.produced.config["chat_template_sha256"]


def test_a_refusal_of_the_hub_is_the_jobs_error_and_leaves_no_model(
    project: Project, engineer: User, reachable: None, behave: Behave, client_for: ClientFor, settings
) -> None:
    behave("refuse")
    found = brought(project, engineer)
    assert (found.job.state, found.job.error) == (JobState.FAILED, "spec.json: rank 7 is unlucky.")
    assert not ModelVersion.objects.exists()
    assert not Path(settings.HUB_FOLDER).exists()
    page = client_for(engineer).get(reverse("hub_download", args=[project.slug, found.pk])).text
    assert "rank 7 is unlucky" in page
    assert "Edit import" in page


def test_nothing_is_asked_where_the_operator_opened_no_way_out(
    project: Project, engineer: User, behave: Behave, client_for: ClientFor, settings
) -> None:
    settings.OUTGOING_ALLOWED = ()
    with pytest.raises(
        InvalidError, match=r"sends nothing to other machines.*name huggingface.co, \*\.huggingface\.co"
    ):
        start_download(project=project, repository="house/tiny", by=engineer)
    address = model_form(project, "hub")
    assert "EVALAPP_OUTGOING_ALLOWED" in client_for(engineer).get(address).text
    answer = client_for(engineer).post(address, {"repository": "house/tiny"})
    assert answer.status_code == 400
    assert not HubDownload.objects.exists()


@pytest.mark.parametrize(
    ("repository", "revision", "label"),
    [
        ("house/tiny", "v1.2", "house/tiny (v1.2)"),
        ("house/tiny", COMMIT, f"house/tiny ({COMMIT[:12]})"),
        (f"{'h' * 40}/{'t' * 50}", "main", f"{'t' * 50} (main)"),
        (f"house/{'t' * 90}", "main", "t" * 80),
    ],
)
def test_a_base_is_called_by_repository_and_revision(repository: str, revision: str, label: str) -> None:
    report = HubReport(
        repository=repository, commit=COMMIT, license=None, files={}, size_bytes=1, fingerprint="f",
        gave_template=False, packages={}, seconds=1.0,
    )  # fmt: skip
    assert hub._label_of(HubDownload(repository=repository, revision=revision), report) == label


def test_what_goes_wrong_names_the_model_and_no_folder_of_the_server(
    project: Project, engineer: User, model_folders: Path, tmp_path: Path, settings
) -> None:
    settings.RUNS_FOLDER = tmp_path / "runs"
    settings.MODEL_PYTHON = Path(sys.executable)
    settings.OUTGOING_ALLOWED = ("127.0.0.1/32",)
    with serving() as server:
        published = server.models["house/tiny"] = make_base(tmp_path / "published")
        settings.HUB_URL = server.url
        (published / "chat_template.jinja").unlink(missing_ok=True)
        words = json.loads((published / "tokenizer_config.json").read_text())
        words.pop("chat_template", None)
        (published / "tokenizer_config.json").write_text(json.dumps(words))
        found = brought(project, engineer)
    assert found.job.state == JobState.FAILED
    assert found.job.error.startswith("house/tiny has no chat template")
    told = [found.job.error, *JobEvent.objects.filter(job=found.job).values_list("text", flat=True)]
    assert [text for text in told if str(tmp_path) in text or str(settings.HOME) in text] == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"repository": "../../etc"}, "repository"),
        ({"repository": "https://huggingface.co/house/tiny"}, "repository"),
        ({"repository": "house/tiny", "revision": "a b"}, "revision"),
        ({"repository": "house/tiny", "chat_template": "{% if %}"}, "chat_template"),
    ],
)
def test_a_bad_name_is_told_beside_its_field(
    project: Project, engineer: User, reachable: None, given: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        start_download(project=project, by=engineer, **given)
    assert list(caught.value.fields) == [field]


def test_a_model_that_is_on_its_way_is_asked_for_once(
    project: Project, engineer: User, reachable: None
) -> None:
    first, again = (
        start_download(project=project, repository="house/tiny", name="Tiny", by=engineer) for _ in range(2)
    )
    assert again == first
    other = start_download(project=project, repository="house/tiny", name="Other", by=engineer)
    assert other != first


def test_a_name_that_is_taken_is_refused_before_the_download(
    project: Project, engineer: User, reachable: None
) -> None:
    brought(project, engineer)
    with pytest.raises(ConflictError, match="a model called “Tiny” already"):
        start_download(project=project, repository="house/other", name="Tiny", by=engineer)


def test_the_real_client_brings_the_tiny_model_from_a_hub_of_ours(
    project: Project, engineer: User, model_folders: Path, client_for: ClientFor, tmp_path: Path, settings
) -> None:
    settings.RUNS_FOLDER = tmp_path / "runs"
    settings.MODEL_PYTHON = Path(sys.executable)
    settings.OUTGOING_ALLOWED, settings.HUB_TOKEN = ("127.0.0.1/32",), TOKEN
    with serving() as server:
        server.models["house/tiny"] = make_base(tmp_path / "published")
        server.token = TOKEN
        settings.HUB_URL = server.url
        answer = client_for(engineer).post(model_form(project, "hub"), {"repository": "house/tiny"})
        found = HubDownload.objects.get()
        assert answer["Location"] == reverse("hub_download", args=[project.slug, found.pk])
        import_from_hub(found.job_id)
    found = HubDownload.objects.select_related("job", "produced__model").get()
    assert (found.job.error, found.job.state) == ("", JobState.SUCCEEDED)
    assert found.produced is not None
    assert (found.produced.model.name, found.produced.config["hub"]["commit"]) == ("house/tiny", COMMIT)
    page = client_for(engineer).get(reverse("model_version", args=[project.slug, found.produced.pk])).text
    assert f", revision main, at commit <code>{COMMIT}</code>" in page
    followed = client_for(engineer).get(reverse("job_detail", args=[project.slug, found.job_id])).text
    assert str(tmp_path) not in followed
