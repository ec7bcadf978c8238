"""A release gate asked from outside, and a build that fails when it says no."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from evalapp_client import Client, EvalappError, InvalidError

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.env import REPOSITORY
from evalapp.gates.models import GateEvaluation
from tests.factories import answers, make_campaign, review_all
from tests.gates.making import make_gated_campaign

BUILD = """
import pytest

@pytest.mark.evalapp_gate({campaign})
def test_release():
    pass

def test_by_fixture(evalapp_gate):
    assert evalapp_gate({campaign}, "v1 Gated", evaluate=False).results
"""


@pytest.fixture
def secret(manager: User) -> str:
    return create_api_token(user=manager, name="Delivery", by=manager).secret


@pytest.fixture
def client(live_server: Any, project: Project, secret: str) -> Client:
    return Client(live_server.url, secret, project.slug)


def reviewed(project: Project, people: list[User], score: int) -> int:
    campaign_gate = make_gated_campaign(project, people, rows=12, challengers=1)
    for person in people:
        review_all(campaign_gate.campaign, person, {"v1 Gated": answers(tone=score)})
    return campaign_gate.campaign_id


def test_a_verdict_is_asked_and_read(
    client: Client, project: Project, reviewer: User, engineer: User
) -> None:
    campaign = reviewed(project, [reviewer, engineer], 5)
    nothing = client.gate(campaign, evaluate=False)
    assert (nothing.verdict, nothing.is_release) == ("", False)
    assert "has not been evaluated" in nothing.explanation
    verdict = client.gate(campaign)
    assert (verdict.verdict, verdict.candidate, verdict.is_release) == ("release", "v1 Gated", True)
    assert {each.state for each in verdict.results} == {"met"}
    assert client.gate(campaign, "v1 Gated", evaluate=False) == verdict
    assert GateEvaluation.objects.count() == 1
    with pytest.raises(InvalidError, match="v1 Gated"):
        client.gate(campaign, "nobody")
    with pytest.raises(EvalappError, match="not of “nobody”"):
        client.gate(campaign, "nobody", evaluate=False)


def test_before_the_first_review_it_is_not_yet(client: Client, project: Project, reviewer: User) -> None:
    campaign = make_gated_campaign(project, [reviewer], rows=3).campaign_id
    verdict = client.gate(campaign)
    assert verdict.verdict == "not_yet" and verdict.reason in verdict.explanation
    without = make_campaign(project, [reviewer], name="Without a gate").pk
    with pytest.raises(EvalappError, match="no gate to evaluate"):
        client.gate(without)


def run_build(folder: Path, campaign: int, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_build.py").write_text(BUILD.format(campaign=campaign))
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("EVALAPP", "DJANGO"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "evalapp_client.pytest_plugin", "-p", "no:django", "-q"],
        cwd=folder,
        env={
            **own,
            "PYTHONPATH": str(REPOSITORY / "client"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(("score", "code"), [(5, 0), (1, 1)])
def test_a_build_fails_with_the_reasons_of_the_gate(
    live_server: Any,
    project: Project,
    reviewer: User,
    engineer: User,
    secret: str,
    tmp_path: Path,
    score: int,
    code: int,
) -> None:
    campaign = reviewed(project, [reviewer, engineer], score)
    where = {"EVALAPP_URL": live_server.url, "EVALAPP_PROJECT": project.slug, "EVALAPP_TOKEN": secret}
    done = run_build(tmp_path, campaign, **where)
    assert done.returncode == code, done.stdout + done.stderr
    if code:
        assert "The release gate says no." in done.stdout
        assert "v1 Gated: " in done.stdout and "not met" in done.stdout
        assert secret not in done.stdout


def test_a_build_that_cannot_ask_fails(tmp_path: Path, live_server: Any, secret: str) -> None:
    done = run_build(tmp_path, 1)
    assert done.returncode == 1
    assert "Set EVALAPP_URL, EVALAPP_PROJECT, EVALAPP_TOKEN" in done.stdout
    where = {"EVALAPP_URL": live_server.url, "EVALAPP_PROJECT": "elsewhere", "EVALAPP_TOKEN": secret}
    done = run_build(tmp_path, 1, **where)
    assert done.returncode == 1 and "could not be read" in done.stdout
