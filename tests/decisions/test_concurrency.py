"""A button pressed twice, or by eight at once, decides once and opens one tray."""

import pytest

from evalapp.accounts.models import User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.decisions.models import Decision
from evalapp.exports.models import Export, ExportRow
from tests.at_once import at_once
from tests.cast import client_of, make_project, make_user
from tests.factories import make_campaign, review_all

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
    address = f"/projects/{campaign.project.slug}/compare/{campaign.pk}/decide/"
    form = {"candidate": plain.pk, "verdict": "ship", "note": "Tone."}

    responses = at_once(8, lambda _: client_of(manager).post(address, form))

    assert [response.status_code for response in responses] == [302] * 8
    assert Decision.objects.count() == 1
    assert AuditEvent.objects.filter(action="decision.made").count() == 1


def test_eight_posts_of_one_tray_open_it_once_and_the_others_are_told() -> None:
    campaign, manager = reviewed()
    address = f"/projects/{campaign.project.slug}/export/new/"
    form = {"campaign": campaign.pk, "name": "Corrections", "sft_floor": 4, "pair_gap": 1, "pair_floor": 3}

    responses = at_once(8, lambda _: client_of(manager).post(address, form))

    assert sorted(response.status_code for response in responses) == [302] + [409] * 7
    told = [response.text for response in responses if response.status_code == 409]
    assert all("has an export named “Corrections” already" in text for text in told)
    export = Export.objects.get()
    assert ExportRow.objects.exclude(export=export).count() == 0 and export.rows.exists()
    assert AuditEvent.objects.filter(action="export.opened").count() == 1
