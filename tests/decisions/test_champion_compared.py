"""Results speak of a candidate against the champion of the campaign's gate."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.decisions.services import decide
from evalapp.gates.services import apply_gate
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all
from tests.gates.making import make_gate

pytestmark = pytest.mark.django_db


def test_the_champion_of_the_gate_is_what_others_are_compared_with(
    project: Project, reviewer: User, engineer: User, manager: User
) -> None:
    """Also where its outputs came last. The project's home shows what is compared with it, or decided on."""
    campaign = make_campaign(project, [reviewer, engineer], rows=12, split="test")
    _, plain = (entry.model_version for entry in campaign.candidates.order_by("position"))
    gate = make_gate(project, rubric=campaign.rubric_version.rubric)
    apply_gate(campaign=campaign, gate=gate, champion=plain, by=manager)
    said = {
        (name, row): answers(tone=tone)
        for name, tone in (("formal", 5), ("plain", 2))
        for row in range(1, 13)
    }
    for person in (reviewer, engineer):
        review_all(campaign, person, said)
    browser = client_of(manager)
    shown = browser.get(f"/projects/{project.slug}/results/{campaign.pk}/")
    assert shown.context["reference"].label == "plain"
    assert [each.challenger.label for each in shown.context["summaries"]] == ["formal"]
    home = browser.get(f"/projects/{project.slug}/")
    assert [cycle.row.label for cycle in home.context["cycles"]] == ["formal"]
    decide(campaign=campaign, candidate=plain, verdict="do_not_release", note="It goes.", by=manager)
    home = browser.get(f"/projects/{project.slug}/")
    assert [cycle.row.label for cycle in home.context["cycles"]] == ["plain"]
