"""The closing question by program."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.services import close_campaign
from evalapp.reviews.models import ClosingAnswer
from tests.api.conftest import problem_in, program_of
from tests.closing_campaign import OTHER, TUNED, make_tuned_campaign
from tests.factories import review_all

pytestmark = pytest.mark.django_db


def test_a_program_is_asked_once_when_the_campaign_is_closed(
    project: Project, reviewer: User, other_reviewer: User
) -> None:
    campaign = make_tuned_campaign(project, [reviewer, other_reviewer])
    api = program_of(reviewer)
    path = f"reviews/campaigns/{campaign.key}/"
    assert api.get(f"{path}closing/").json()["texts"] == []
    problem_in(api.post(f"{path}closing/", {"beliefs": []}), 409)

    review_all(campaign, reviewer, {})
    assert api.post(f"{path}next/").json()["no_work"]["closing_question"] is False
    close_campaign(campaign=campaign, by=project.created_by)
    assert api.post(f"{path}next/").json()["no_work"]["closing_question"] is True
    asked = api.get(f"{path}closing/")
    assert len(asked.json()["texts"]) == 6
    assert TUNED not in asked.text and OTHER not in asked.text and "lora" not in asked.text
    assert set(asked.json()["texts"][0]) == {"assignment", "slot", "messages", "answer"}

    beliefs = [
        {"assignment": each["assignment"], "slot": each["slot"], "belief": position - 2}
        for position, each in enumerate(asked.json()["texts"][:5])
    ]
    bad = [{**beliefs[0], "belief": 3}]
    assert "beliefs.0.belief" in problem_in(api.post(f"{path}closing/", {"beliefs": bad}), 400)["fields"]
    answer = api.post(f"{path}closing/", {"beliefs": beliefs})
    assert (answer.status_code, answer.content) == (204, b"")
    assert sorted(ClosingAnswer.objects.values_list("belief", flat=True)) == [-2, -1, 0, 1, 2]
    assert problem_in(api.post(f"{path}closing/", {"beliefs": beliefs}), 409)["code"] == "not_asked"
    assert api.post(f"{path}next/").json()["no_work"]["closing_question"] is False
