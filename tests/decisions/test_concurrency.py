"""A button pressed twice, or by eight at once, decides once and proposes rows once."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError
from evalapp.datasets.services import create_dataset
from evalapp.decisions import deletion
from evalapp.decisions.champions import set_alias_by_hand
from evalapp.decisions.deletion import delete_project, paths_to_project
from evalapp.decisions.left_files import files_of
from evalapp.decisions.models import Decision
from evalapp.decisions.services import decide
from evalapp.exports.models import Export, ExportRow
from evalapp.gates.conditions import Condition, ConditionKind
from evalapp.gates.services import apply_gate
from evalapp.jobs.lease import claim as claim_job
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import create_job
from evalapp.registry.models import ModelVersion
from tests.at_once import at_once, until_somebody_waits
from tests.cast import client_of, make_project, make_user
from tests.datasets.conftest import uploads
from tests.datasets.files import questions, upload
from tests.factories import PLAIN, make_adapter, make_campaign, review_all
from tests.gates.making import make_gate
from tests.reviews.conftest import GOOD, body, claim, post, url_of

__all__ = ["uploads"]

pytestmark = pytest.mark.django_db(transaction=True)


def reviewed() -> tuple[Campaign, User]:
    """A reviewed campaign and the manager of its project."""
    manager, reviewer = make_user("manager"), make_user("reviewer")
    project = make_project("Summaries", owner=make_user("owner"), manager=manager, reviewer=reviewer)
    campaign = make_campaign(project, [reviewer], rows=2)
    review_all(campaign, reviewer, {})
    return campaign, manager


def test_eight_posts_of_one_decision_record_it_once() -> None:
    campaign, manager = reviewed()
    plain = campaign.candidates.get(model_version__label="plain").model_version
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/decide/"
    form = {"candidate": plain.pk, "verdict": "release", "note": "Tone."}

    responses = at_once(8, lambda _: client_of(manager).post(address, form))

    assert [response.status_code for response in responses] == [302] * 8
    assert Decision.objects.count() == 1
    assert AuditEvent.objects.filter(action="decision.made").count() == 1


@pytest.mark.parametrize("way", ["decision", "alias"])
def test_a_gate_applied_in_the_same_moment_binds_what_comes_after_it(way: str) -> None:
    campaign, manager = reviewed()
    project = campaign.project
    plain = campaign.candidates.get(model_version__label="plain").model_version
    tuned = make_adapter(project, "tuned", dataset_version=campaign.dataset_version)
    gated = make_campaign(project, [manager], texts={"other": PLAIN}, name="Gated")
    gate = make_gate(project)
    is_applied = Event()

    def work(number: int) -> None:
        if number == 0:
            with transaction.atomic():
                apply_gate(campaign=gated, gate=gate, by=manager)
                is_applied.set()
                until_somebody_waits()
        elif is_applied.wait(20) and way == "decision":
            decide(campaign=campaign, candidate=plain, verdict="release", note="", by=manager)
        else:
            set_alias_by_hand(version=tuned, alias="champion", by=manager)

    campaign_gate, refused = at_once(2, work)

    assert campaign_gate is None
    assert isinstance(refused, ConflictError) and "decides by the gate" in str(refused)
    assert not Decision.objects.exists()
    assert not ModelVersion.objects.filter(alias="champion").exists()


def test_a_gate_that_waits_for_a_decision_is_held_against_the_champion_it_makes() -> None:
    campaign, manager = reviewed()
    formal, plain = (
        campaign.candidates.get(model_version__label=label).model_version for label in ("formal", "plain")
    )
    set_alias_by_hand(version=formal, alias="champion", by=manager)
    gate = make_gate(campaign.project, Condition(ConditionKind.SUPERIORITY, "tone", "Tone", 0.0))
    is_decided = Event()

    def work(number: int) -> Any:
        if number == 0:
            with transaction.atomic():
                decide(campaign=campaign, candidate=plain, verdict="release", note="", by=manager)
                is_decided.set()
                return until_somebody_waits()
        is_decided.wait(20)
        return apply_gate(campaign=campaign, gate=gate, by=manager)

    decided, campaign_gate = at_once(2, work)

    assert decided is None
    assert campaign_gate.champion == plain


def test_eight_posts_propose_rows_once_and_the_others_are_told() -> None:
    campaign, manager = reviewed()
    address = f"/projects/{campaign.project.slug}/data/proposed-rows/new/"
    form = {"campaign": campaign.pk, "name": "Corrections", "answer_floor": 4, "pair_gap": 1, "pair_floor": 3}

    responses = at_once(8, lambda _: client_of(manager).post(address, form))

    assert sorted(response.status_code for response in responses) == [302] + [409] * 7
    told = [response.text for response in responses if response.status_code == 409]
    assert all("already has an export named “Corrections”" in text for text in told)
    export = Export.objects.get()
    assert ExportRow.objects.exclude(export=export).count() == 0 and export.rows.exists()
    assert AuditEvent.objects.filter(action="export.opened").count() == 1


@pytest.mark.usefixtures("uploads")
def test_no_uploaded_file_outlives_a_project_that_is_deleted_meanwhile(
    uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = make_user("owner")
    project = make_project("Summaries", owner=owner)
    dataset = create_dataset(project=project, name="Questions", by=owner)
    address = f"/projects/{project.slug}/data/{dataset.pk}/upload/"
    naming, uploaded = Event(), Event()

    def files_named_before_an_upload(of: Project) -> dict[str, list[str]]:
        files = files_of(of)
        naming.set()
        uploaded.wait(2)
        return files

    def work(number: int) -> Any:
        if number:
            assert naming.wait(20), "the deletion never came to its files"
            answer = client_of(owner).post(address, {"file": upload(questions(range(3)))})
            uploaded.set()
            return answer
        return delete_project(project=project, typed_name=project.name, by=owner)

    monkeypatch.setattr(deletion, "files_of", files_named_before_an_upload)
    refused, answer = at_once(2, work)

    assert refused is None
    assert answer.status_code in (404, 409)
    assert list(uploads.iterdir()) == []


def test_a_project_deleted_while_people_and_jobs_work_in_it_goes_once_and_whole() -> None:
    owner = make_user("owner")
    people = [make_user(f"reviewer {number}") for number in range(4)]
    members = {f"reviewer{number}": person for number, person in enumerate(people)}
    project = make_project("Summaries", owner=owner, **members)
    campaign = make_campaign(project, people, rows=20)
    held = [claim(campaign, person) for person in people]
    waiting = create_job(project=project, task="evalapp.tests.none", title="Training", by=owner)

    def work(number: int) -> Any:
        if number < 3:
            browser = client_of(owner)
            return browser.post(f"/projects/{project.slug}/settings/delete/", {"typed_name": project.name})
        if number < 7:
            return post(client_of(people[number - 3]), url_of(held[number - 3]), body())
        if number < 11:
            draft = {"answers": GOOD.as_dict(), "seconds_active": 1, "revision": 0}
            return post(client_of(people[number - 7]), f"{url_of(held[number - 7])}draft/", draft)
        if number == 11:
            return claim_job(waiting.pk, task=waiting.task)
        return create_job(project=project, task="evalapp.tests.none", title="Another", by=owner)

    results = at_once(13, work)

    answers = results[:11]
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert {answer.status_code for answer in answers} <= {200, 201, 302, 404, 409, 503}
    if results[11] is not None:
        # The worker was first, so the deletion was refused until its job is over.
        assert {answer.status_code for answer in results[:3]} == {409}
        Job.objects.update(state=JobState.CANCELLED, finished_at=timezone.now(), lease_expires_at=None)
    if Project.objects.exists():
        delete_project(project=project, typed_name=project.name, by=owner)
    assert AuditEvent.objects.filter(action="project.deleted").count() == 1
    assert {model.__name__ for model in paths_to_project() if model._base_manager.exists()} == set()
