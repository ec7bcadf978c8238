"""Promotion, deployment with a share of the traffic and roll back by the client, and a build's script."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from evalapp_client import Client, ConflictError, EvalappError, InvalidError
from evalapp_client.connection import Patience

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from evalapp.decisions.models import Decision
from evalapp.decisions.services import decide
from evalapp.env import REPOSITORY
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.models import CampaignGate
from evalapp.monitoring.deployments.models import Deployment
from evalapp.monitoring.deployments.services import record_deployment
from evalapp.monitoring.models import Stream
from evalapp.registry.models import ModelAlias, ModelVersion
from tests.client.networks import Network
from tests.factories import answers, review_all
from tests.gates.making import make_gated_campaign
from tests.monitoring.making import make_stream

SCRIPT = REPOSITORY / "client" / "examples" / "deliver.py"
AT_ONCE = Patience(first=0.01, longest=0.02, total=5)


@pytest.fixture
def secret(manager: User) -> str:
    return create_api_token(user=manager, name="Delivery", by=manager).secret


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def client(live_server: Any, project: Project, secret: str, network: Network) -> Client:
    return Client(live_server.url, secret, project.slug, patience=AT_ONCE, transport=network)


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer], follows_champion=True)


@pytest.fixture
def reviewed(project: Project, reviewer: User, engineer: User) -> Callable[..., int]:
    def make(score: int = 5) -> int:
        people = [reviewer, engineer]
        campaign_gate = make_gated_campaign(project, people, rows=12, challengers=1)
        for person in people:
            review_all(campaign_gate.campaign, person, {"v1 Gated": answers(tone=score)})
        return campaign_gate.campaign_id

    return make


def version_of(label: str) -> ModelVersion:
    return ModelVersion.objects.get(label=label)


def serving(stream: Stream) -> dict[str, float]:
    running = stream.deployments.filter(ended_at=None)
    return {each.version.label: round(each.share, 6) for each in running.select_related("version")}


def served_by_old(stream: Stream, by: User) -> None:
    record_deployment(stream=stream, version=version_of("old Gated"), by=by)


def test_a_share_is_taken_from_the_others_in_proportion(
    client: Client, stream: Stream, project: Project, manager: User, reviewed: Callable[..., int]
) -> None:
    reviewed()
    served_by_old(stream, manager)
    new = version_of("v1 Gated")
    made = client.deploy(stream.pk, new.pk, share=0.25, note="Build 481")
    assert serving(stream) == {"old Gated": 0.75, "v1 Gated": 0.25}
    assert (made.share, made.note, made.served_as, made.is_running) == (0.25, "Build 481", "v1 Gated", True)
    client.deploy(stream.pk, new.pk, share=0.5)
    assert serving(stream) == {"old Gated": 0.5, "v1 Gated": 0.5}
    client.deploy(stream.pk, new.pk)
    assert serving(stream) == {"v1 Gated": 1.0}
    assert [each.version for each in client.deployments(stream.pk) if each.is_running] == [new.pk]
    with pytest.raises(InvalidError, match="share"):
        client.deploy(stream.pk, new.pk, share=1.5)


def test_a_lost_answer_deploys_and_rolls_back_once(
    client: Client, network: Network, stream: Stream, manager: User, reviewed: Callable[..., int]
) -> None:
    reviewed()
    served_by_old(stream, manager)
    client.deployments(stream.pk)
    count = Deployment.objects.count()
    # The answer to the second request, which is the one that writes.
    _lose(network, after=1)
    client.deploy(stream.pk, version_of("v1 Gated").pk)
    assert Deployment.objects.count() == count + 1 and serving(stream) == {"v1 Gated": 1.0}
    _lose(network, after=1)
    back = client.roll_back(stream.pk, "Complaints")
    # A second one would have gone back to the new version.
    assert Deployment.objects.count() == count + 2 and serving(stream) == {"old Gated": 1.0}
    assert (back.origin, back.note) == ("roll_back", "Complaints")
    assert version_of("old Gated").alias == ModelAlias.CHAMPION


def _lose(network: Network, *, after: int) -> None:
    """The answer after so many others is lost."""
    real, left = network.handle_request, [after]

    def handle(request: Any) -> Any:
        if left[0] == 0:
            network.loses_answers, left[0] = 1, -1
        elif left[0] > 0:
            left[0] -= 1
        return real(request)

    network.handle_request = handle  # type: ignore[method-assign]


def test_nothing_to_go_back_to_is_told(client: Client, stream: Stream) -> None:
    with pytest.raises(ConflictError, match="nothing to go back to"):
        client.roll_back(stream.pk, "Complaints")


def test_only_a_release_is_promoted_and_once(
    client: Client, network: Network, stream: Stream, manager: User, reviewed: Callable[..., int]
) -> None:
    campaign = reviewed()
    verdict = client.gate(campaign)
    assert verdict.version == version_of("v1 Gated").pk and verdict.evaluation is not None
    _lose(network, after=0)
    promotion = client.promote(verdict, "Build 481")
    decision = Decision.objects.get()
    assert (decision.pk, decision.evaluation_id, decision.note) == (
        promotion.decision, verdict.evaluation, "Build 481",
    )  # fmt: skip
    assert promotion.seal == decision.seal != ""
    assert version_of("v1 Gated").alias == ModelAlias.CHAMPION
    # The stream follows the champion.
    assert serving(stream) == {"v1 Gated": 1.0}


def test_another_verdict_is_not_promoted(client: Client, reviewed: Callable[..., int]) -> None:
    verdict = client.gate(reviewed(1))
    with pytest.raises(EvalappError, match="Only a recorded “release” is promoted"):
        client.promote(verdict)
    assert not Decision.objects.exists()


def run_script(url: str, secret: str, project: Project, *options: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("EVALAPP", "DJANGO"))}
    where = {"EVALAPP_URL": url, "EVALAPP_TOKEN": secret, "EVALAPP_PROJECT": project.slug} if url else {}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *options],
        env={**own, **where, "PYTHONPATH": str(REPOSITORY / "client")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


CHECK = f"{sys.executable} -c 'import sys; sys.exit({{code}} if sys.argv[1:] == [\"v1 Gated\"] else 9)'"


class TestScript:
    def test_it_delivers_step_by_step(
        self,
        live_server: Any,
        project: Project,
        secret: str,
        stream: Stream,
        manager: User,
        reviewed: Callable[..., int],
    ) -> None:
        campaign = reviewed()
        served_by_old(stream, manager)
        asked = (
            live_server.url, secret, project, "--campaign", str(campaign), "--stream", str(stream.pk),
            "--share", "0.1", "--check", CHECK.format(code=0), "--note", "Build 481",
        )  # fmt: skip
        done = run_script(*asked)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-3:] == [
            f"v1 Gated serves 10% of stream {stream.pk}.",
            f"v1 Gated is the champion (decision {Decision.objects.get().pk}).",
            f"v1 Gated serves all of stream {stream.pk}.",
        ]
        assert serving(stream) == {"v1 Gated": 1.0}
        shares = list(stream.deployments.order_by("pk").values_list("version__label", "share"))
        assert shares == [("old Gated", 1.0), ("old Gated", 0.9), ("v1 Gated", 0.1), ("v1 Gated", 1.0)]
        assert secret not in done.stdout + done.stderr
        # Once more, it takes no traffic away and promotes nothing anew.
        assert run_script(*asked).returncode == 0
        assert stream.deployments.count() == len(shares) and Decision.objects.count() == 1

    def test_a_check_that_fails_rolls_back(
        self,
        live_server: Any,
        project: Project,
        secret: str,
        stream: Stream,
        manager: User,
        reviewed: Callable[..., int],
    ) -> None:
        campaign = reviewed()
        served_by_old(stream, manager)
        done = run_script(
            live_server.url, secret, project, "--campaign", str(campaign), "--stream", str(stream.pk),
            "--share", "0.1", "--check", CHECK.format(code=1), "--note", "Build 481",
        )  # fmt: skip
        assert done.returncode == 4, done.stdout + done.stderr
        assert serving(stream) == {"old Gated": 1.0}
        assert not Decision.objects.exists()
        newest = stream.deployments.latest("pk")
        assert newest.origin == "roll_back" and newest.note.endswith("failed. Build 481")

    @pytest.mark.parametrize(
        ("verdict", "code", "words"),
        [
            ("release", 0, "v1 Gated serves all of stream"),
            ("not_yet", 4, "old Gated serves all of stream"),
        ],
    )
    def test_what_somebody_signed_by_hand_stands(
        self,
        live_server: Any,
        project: Project,
        secret: str,
        stream: Stream,
        manager: User,
        owner: User,
        reviewed: Callable[..., int],
        verdict: str,
        code: int,
        words: str,
    ) -> None:
        campaign = reviewed()
        Stream.objects.update(follows_champion=False)
        served_by_old(stream, manager)
        campaign_gate = CampaignGate.objects.get(campaign=campaign)
        new = version_of("v1 Gated")
        evaluation = evaluate_gate(campaign_gate=campaign_gate, candidate=new, by=None).evaluation
        decide(
            campaign=campaign_gate.campaign,
            candidate=new,
            verdict=verdict,
            note="Read by hand.",
            by=owner,
            evaluation=evaluation,
        )
        done = run_script(
            live_server.url, secret, project, "--campaign", str(campaign), "--stream", str(stream.pk),
            "--share", "0.1", "--note", "Build 481",
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert words in done.stdout.splitlines()[-1]
        assert serving(stream) == {"v1 Gated" if code == 0 else "old Gated": 1.0}
        assert Decision.objects.count() == 1

    def test_a_gate_that_says_no_changes_nothing(
        self, live_server: Any, project: Project, secret: str, stream: Stream, reviewed: Callable[..., int]
    ) -> None:
        done = run_script(
            live_server.url, secret, project, "--campaign", str(reviewed(1)), "--stream", str(stream.pk)
        )
        assert done.returncode == 1 and "do not release" in done.stdout
        assert not stream.deployments.exists()

    def test_what_cannot_be_asked_is_told(self, live_server: Any, project: Project, secret: str) -> None:
        options = ("--campaign", "1", "--stream", "1")
        done = run_script("", "", project, *options)
        assert done.returncode == 2 and "Set EVALAPP_URL, EVALAPP_PROJECT, EVALAPP_TOKEN." in done.stderr
        done = run_script(live_server.url, secret, project, *options)
        assert done.returncode == 5 and "Not delivered:" in done.stderr
