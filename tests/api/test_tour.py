"""docs/api-tour.md, snippet by snippet, as its reader would: bash and curl, real workers, a
real tiny model.
"""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client

from evalapp.accounts.models import Project
from evalapp.datasets.models import DatasetVersion
from evalapp.embedded.processes import Program
from evalapp.embedded.programs import default_worker, model_worker
from evalapp.env import environment, read_environment
from evalapp.exports.lineage import model_lineage
from evalapp.jobs.models import Job, JobState
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.reviews.models import Review
from tests.cast import client_of, make_user
from tests.run_directory.tiny import ROOT, make_base

TOUR = ROOT / "docs" / "api-tour.md"
LONGEST_SECONDS = 240
NEEDED = re.compile(r"\$\{(\w+):[?-]")
END_OF_BLOCK = "--- the end of this snippet ---"
PASSWORD = "nine plain words open the door"


def snippets() -> list[str]:
    """The fenced shell blocks of the tour, in order."""
    return re.findall(r"^```bash\n(.*?)^```$", TOUR.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    """A folder of the product's own for this test."""
    read = read_environment({"EVALAPP_HOME": str(tmp_path)})
    settings.MODEL_FOLDERS = read.model_folders
    settings.BUNDLED_MODEL_FOLDER = tmp_path / "models" / "none"
    settings.FILE_UPLOAD_TEMP_DIR = read.upload_folder()
    settings.RUNS_FOLDER, settings.ARTIFACTS_FOLDER = tmp_path / "runs", tmp_path / "artifacts"
    return tmp_path


@pytest.fixture
def workers(home: Path, live_server: Any) -> Iterator[None]:
    """Both workers as the product starts them, on the live server's database."""
    address = urlsplit(os.environ["DATABASE_URL"])
    name = django_settings.DATABASES["default"]["NAME"]
    variables = {
        **os.environ,
        "DATABASE_URL": address._replace(path=f"/{name}").geturl(),
        "EVALAPP_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "evalapp.settings",
    }
    started: list[subprocess.Popen[bytes]] = []
    try:
        started += [
            _start(program, variables, home) for program in (default_worker(), model_worker(environment()))
        ]
        yield
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _start(program: Program, variables: dict[str, str], home: Path) -> "subprocess.Popen[bytes]":
    with (home / f"{program.name}.log").open("wb") as log:
        return subprocess.Popen(
            [str(part) for part in program.command],
            cwd=program.folder,
            env=variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


class Shell:
    """One bash that is fed snippet by snippet; it ends at the first command that fails."""

    def __init__(self, folder: Path) -> None:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("EVALAPP")}
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=plain,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._alarm = threading.Timer(LONGEST_SECONDS, self._kill)
        self._alarm.start()

    def run(self, snippet: str) -> str:
        """What the snippet prints; AssertionError with all of it where a command failed."""
        # An open quote would swallow all that follows and wait for ever.
        subprocess.run(["bash", "-n"], input=snippet, text=True, check=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{snippet}\necho '{END_OF_BLOCK}'\n")
        self._process.stdin.flush()
        said = []
        for line in self._process.stdout:
            if line.strip() == END_OF_BLOCK:
                return "".join(said)
            said.append(line)
        raise AssertionError(f"This snippet failed:\n\n{snippet}\nIt said:\n\n{''.join(said)}")

    def close(self) -> None:
        self._alarm.cancel()
        self._kill()
        self._process.communicate()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    folder = tmp_path / "shell"
    folder.mkdir()
    started = Shell(folder)
    yield started
    started.close()


def make_token(browser: Client) -> str:
    """By the form in the profile."""
    page = browser.post("/profile/tokens/", {"name": "Tour", "days": "30"})
    found = re.search(r"eva_[\w-]{30,}", page.text)
    assert found, page.text
    return found.group()


def join_as_reviewer(owner: Client) -> Client:
    """Somebody follows an invitation that the owner made on the project's page."""
    slug = Project.objects.get().slug
    page = owner.post(
        f"/projects/{slug}/settings/members/", {"emails": "reviewer@example.org", "role": "reviewer"}
    )
    link = re.search(r"http://testserver(/invitations/[^\"]+)", page.text)
    assert link, page.text
    browser = Client()
    answer = browser.post(link.group(1), {"name": "A reviewer", "password1": PASSWORD, "password2": PASSWORD})
    assert answer.status_code == 302, answer.text
    return browser


def test_every_snippet_of_the_tour_works(
    live_server: Any, workers: None, shell: Shell, settings: Any
) -> None:
    make_base(settings.MODEL_FOLDERS[0] / "tiny")
    owner = client_of(make_user("owner", is_superuser=True))
    given: dict[str, Callable[[], str]] = {
        "EVALAPP": lambda: live_server.url,
        "TOKEN": lambda: make_token(owner),
        "REVIEWER_TOKEN": lambda: make_token(join_as_reviewer(owner)),
    }
    said = ""
    for snippet in snippets():
        for name in NEEDED.findall(snippet):
            if name in given:
                shell.run(f"export {name}='{given.pop(name)()}'")
        answer = shell.run(snippet)
        print(answer)  # pytest shows it where something below fails
        said += answer

    assert not given, "the tour does not ask for these any more"
    assert "The correction trained adapter" in said
    assert '"code":"invalid"' in said, "the error of the misspelt field"
    project = Project.objects.get()
    _, last = DatasetVersion.objects.filter(dataset__project=project).order_by("number")
    assert last.counts["train"] > 4 and "feedback" not in last.counts
    first, second = ModelVersion.objects.filter(project=project, kind=ModelKind.LORA).order_by("id")
    assert second.parent == first
    assert [step.version for step in model_lineage(project, second.pk).steps][:2] == [second, first]
    assert Review.objects.filter(campaign__project=project).count() == 2 * 2 * 3
    states = Job.objects.filter(project=project).values_list("title", "state")
    assert {state for title, state in states if "mistake" not in title} == {JobState.SUCCEEDED}
    assert dict(states)["Training of A mistake"] == JobState.CANCELLED
