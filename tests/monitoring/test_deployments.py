"""Who served what, when: recorded, promoted, rolled back."""

import datetime as dt
import json

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.decisions.champions import set_alias_by_hand
from evalapp.monitoring.daily.counting import count_everywhere
from evalapp.monitoring.deployments.services import end_deployment, record_deployment, roll_back
from evalapp.monitoring.models import Stream
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import set_alias
from evalapp.webhooks.models import WebhookDelivery
from evalapp.webhooks.payloads import body_of
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.factories import make_candidates, make_webhook
from tests.monitoring.making import make_stream, rows_of, send

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer])


@pytest.fixture
def versions(project: Project) -> list[ModelVersion]:
    return make_candidates(project, ["v1", "v2", "v3"])


def running(stream: Stream) -> dict[str, float]:
    return dict(stream.deployments.filter(ended_at=None).values_list("version__label", "share"))


def test_all_of_the_traffic_replaces_and_a_part_is_shared(
    stream: Stream, versions: list[ModelVersion]
) -> None:
    first, second, third = versions
    start = timezone.now() - 9 * DAY
    record_deployment(stream=stream, version=first, started_at=start, by=None)
    with pytest.raises(InvalidError, match="at most 0%"):
        record_deployment(stream=stream, version=second, share=0.2, by=None)
    record_deployment(stream=stream, version=first, share=0.8, started_at=start + DAY, by=None)
    record_deployment(stream=stream, version=second, share=0.2, by=None)
    assert running(stream) == {"v1": 0.8, "v2": 0.2}
    record_deployment(stream=stream, version=third, by=None)
    assert running(stream) == {"v3": 1}
    with pytest.raises(ConflictError, match="already"):
        record_deployment(stream=stream, version=third, by=None)
    ended = end_deployment(deployment=stream.deployments.get(ended_at=None), by=None)
    assert running(stream) == {} and ended.ended_at is not None
    with pytest.raises(ConflictError, match="ended already"):
        end_deployment(deployment=ended, by=None)
    spans = stream.deployments.order_by("pk").values_list("version__label", "started_at", "ended_at")
    assert [(label, end is not None) for label, _, end in spans] == [
        ("v1", True), ("v1", True), ("v2", True), ("v3", True)
    ]  # fmt: skip
    assert spans[0][2] == spans[1][1] == start + DAY


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"share": 0.0}, "above 0"),
        ({"share": 1.5}, "above 0"),
        ({"started_at": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)}, "future"),
        ({"started_at": dt.datetime(1999, 1, 1, tzinfo=dt.UTC)}, "later time"),
        ({"note": "n" * 501}, "limit is 500"),
        ({"served_as": "\x00"}, "NUL"),
    ],
)
def test_what_cannot_be_is_refused(
    stream: Stream, versions: list[ModelVersion], change: dict[str, object], words: str
) -> None:
    record_deployment(stream=stream, version=versions[0], by=None)
    with pytest.raises(InvalidError, match=words):
        record_deployment(stream=stream, version=versions[1], by=None, **change)  # type: ignore[arg-type]
    assert running(stream) == {"v1": 1}


def test_a_promotion_deploys_where_the_champion_is_followed(
    project: Project, stream: Stream, versions: list[ModelVersion], reviewer: User, manager: User
) -> None:
    other = make_stream(project, [reviewer], "Batch", follows_champion=False)
    set_alias_by_hand(version=versions[0], alias="champion", by=manager)
    assert (running(stream), running(other)) == ({"v1": 1}, {})
    set_alias(version=versions[1], alias="champion", by=manager)
    assert running(stream) == {"v2": 1}
    set_alias(version=versions[1], alias="champion", by=manager)
    assert stream.deployments.count() == 2
    assert set(stream.deployments.values_list("origin", flat=True)) == {"promotion"}


def test_a_promotion_gives_all_traffic_to_what_served_a_part(
    stream: Stream, versions: list[ModelVersion], manager: User
) -> None:
    for version in versions[:2]:
        set_alias(version=version, alias="champion", by=manager)
    for version, share in ((versions[1], 0.8), (versions[0], 0.2)):
        record_deployment(stream=stream, version=version, share=share, by=manager)
    assert running(stream) == {"v2": 0.8, "v1": 0.2}
    set_alias(version=versions[0], alias="champion", by=manager)
    assert running(stream) == {"v1": 1}


def test_streams_that_follow_the_champion_are_rolled_back_together(
    project: Project, stream: Stream, versions: list[ModelVersion], reviewer: User, manager: User
) -> None:
    other = make_stream(project, [reviewer], "Batch")
    make_webhook(project)
    WebhookDelivery.objects.all().delete()
    for version in versions[:2]:
        set_alias(version=version, alias="champion", by=manager)
    roll_back(stream=stream, reason="It is wrong about fees.", by=manager)
    assert running(stream) == running(other) == {"v1": 1}
    deliveries = WebhookDelivery.objects.filter(event="champion.changed").order_by("pk")
    told = [json.loads(body_of(each) or "")["champion"] for each in deliveries]
    assert [each["model_version"] for each in told] == [versions[place].pk for place in (0, 1, 0)]
    assert told[0]["link"].endswith(f"/models/{versions[0].pk}/") and "v1" not in str(told)


def test_a_roll_back_gives_the_traffic_and_the_title_back(
    stream: Stream, versions: list[ModelVersion], manager: User
) -> None:
    with pytest.raises(ConflictError, match="nothing to go back to"):
        roll_back(stream=stream, reason="It is wrong about fees.", by=manager)
    for version in versions[:2]:
        set_alias(version=version, alias="champion", by=manager)
    with pytest.raises(InvalidError, match="reason"):
        roll_back(stream=stream, reason="  ", by=manager)
    made = roll_back(stream=stream, reason="It is wrong about fees.", by=manager)
    assert running(stream) == {"v1": 1} and made.origin == "roll_back"
    versions[0].refresh_from_db()
    versions[1].refresh_from_db()
    assert (versions[0].alias, versions[1].alias) == ("champion", "")
    assert stream.deployments.count() == 3
    # A second one goes further back, and never forward to what was rolled back.
    with pytest.raises(ConflictError, match="nothing to go back to"):
        roll_back(stream=stream, reason="Once more.", by=manager)
    for version in versions[1:]:
        record_deployment(stream=stream, version=version, by=manager)
    assert running(stream) == {"v3": 1}
    assert roll_back(stream=stream, reason="Slow.", by=manager).version == versions[1]
    assert roll_back(stream=stream, reason="Wrong again.", by=manager).version == versions[0]


def test_a_program_records_ends_and_rolls_back(
    project: Project, stream: Stream, versions: list[ModelVersion], engineer: User, manager: User
) -> None:
    build_server, start = program_of(engineer), f"projects/{project.slug}/"
    body = {"stream": stream.pk, "version": versions[0].pk, "served_as": "claims-v1"}
    first = build_server.post(f"{start}deployments/", body).json()
    assert (first["origin"], first["share"], first["ended_at"]) == ("recorded", 1, None)
    build_server.post(f"{start}deployments/", {**body, "version": versions[1].pk, "served_as": ""})
    assert problem_in(build_server.post(f"{start}deployments/", {**body, "version": 10**9}), 400)
    listed = build_server.get(f"{start}deployments/?stream={stream.pk}").json()["results"]
    assert [each["served_as"] for each in listed] == ["v2", "claims-v1"]
    roll = f"{start}streams/{stream.pk}/roll-back/"
    problem_in(build_server.post(roll, {"reason": "Wrong."}), 403)
    back = program_of(manager).post(roll, {"reason": "Wrong about fees."}).json()
    assert (back["version"], back["served_as"]) == (versions[0].pk, "claims-v1")
    ended = build_server.post(f"{start}deployments/{back['id']}/end/", {}).json()
    assert ended["ended_at"] is not None


def test_somebody_records_one_sees_it_on_the_chart_and_rolls_back(
    project: Project, stream: Stream, versions: list[ModelVersion], manager: User
) -> None:
    client, start = client_of(manager), f"/projects/{project.slug}/"
    given = {"stream": stream.pk, "percent": "100", "served_as": "", "note": "Quarterly release"}
    for version in versions[:2]:
        page = client.post(f"{start}models/deployments/", {**given, "version": version.pk}, follow=True)
        assert f"{version.label} in Support chat is recorded" in page.text
    refused = client.post(f"{start}models/deployments/", {**given, "version": versions[1].pk})
    assert refused.status_code == 409 and "serves 100%" in refused.text
    send(stream, rows_of(2, timezone.now()))
    count_everywhere()
    assert "deployed: (1) v1 on" in client.get(f"{start}monitor/{stream.pk}/daily-metrics/").text
    page = client.get(f"{start}monitor/{stream.pk}/roll-back/").text
    assert "“v1” served before it" in page
    done = client.post(f"{start}monitor/{stream.pk}/roll-back/", {"reason": "Wrong."}, follow=True)
    assert "“v1” serves “Support chat” again" in done.text
    assert "Rolled back" in client.get(f"{start}models/deployments/").text
