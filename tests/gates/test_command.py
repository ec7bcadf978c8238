"""`manage.py gate`: the verdict is the exit code, and no failure reads as one."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from evalapp.accounts.models import Project, User
from evalapp.gates import evaluation
from evalapp.gates.models import CampaignGate, GateEvaluation
from evalapp.management.commands.gate import Command
from tests.api.conftest import program_of
from tests.factories import answers, make_campaign, review_all
from tests.gates.making import make_gated_campaign

pytestmark = pytest.mark.django_db

GATE = "gate"


def exit_of(*arguments: str) -> int:
    """As a shell sees it."""
    try:
        call_command(GATE, *arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    except CommandError as error:
        return error.returncode
    return 0


def reviewed(project: Project, people: list[User], tone: int, **options: Any) -> CampaignGate:
    campaign_gate = make_gated_campaign(project, people, challengers=1, **options)
    for person in people:
        review_all(campaign_gate.campaign, person, {"v1 Gated": answers(tone=tone)})
    return campaign_gate


@pytest.mark.parametrize(("tone", "rows", "code"), [(5, 12, 0), (2, 12, 1)])
def test_release_is_0_and_do_not_release_is_1(
    project: Project, reviewer: User, engineer: User, tone: int, rows: int, code: int
) -> None:
    campaign_gate = reviewed(project, [reviewer, engineer], tone, rows=rows)
    assert exit_of(str(campaign_gate.campaign.pk)) == code
    # The same once more stands, and spends nothing.
    assert exit_of(str(campaign_gate.campaign.key)) == code
    assert exit_of("Gated", "--last") == code
    assert GateEvaluation.objects.count() == 1


def test_not_yet_is_2_in_words_and_as_json(
    project: Project, reviewer: User, engineer: User, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign_gate = make_gated_campaign(project, [reviewer, engineer], rows=4)
    review_all(campaign_gate.campaign, reviewer, {})
    assert exit_of(str(campaign_gate.campaign.pk), "--candidate", "v1 Gated") == 2
    assert capsys.readouterr().out.startswith("v1 Gated: not yet\n  undecided  Tone")
    assert exit_of(str(campaign_gate.campaign.pk), "--json") == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["candidate"], told["results"][0]["state"]) == (
        "not_yet",
        "v1 Gated",
        "undecided",
    )


def test_before_the_first_review_it_is_not_yet_with_what_is_planned(
    project: Project, reviewer: User, engineer: User, manager: User, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign_gate = make_gated_campaign(project, [reviewer, engineer], rows=4)
    for arguments in ([], ["--last"]):
        assert exit_of(str(campaign_gate.campaign.pk), *arguments) == 2
        assert capsys.readouterr().out == (
            "v1 Gated: not yet\n"
            "The gate is frozen and waits for the first review; 8 reviews of each candidate are planned.\n"
        )
    assert exit_of(str(campaign_gate.campaign.pk), "--json") == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["more_reviews"], told["evaluation"]) == ("not_yet", 8, None)

    program = program_of(manager)
    address = f"projects/{project.slug}/campaigns/{campaign_gate.campaign.pk}/gate/"
    for answer in (program.get(address), program.post(address, {})):
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert (shown["verdict"], shown["more_reviews"], shown["evaluation"]) == ("not_yet", 8, None)
        assert shown["reason"].startswith("The gate is frozen and waits for the first review")
    # Nothing was recorded, and nothing of the level is spent.
    assert not GateEvaluation.objects.exists()

    review_all(campaign_gate.campaign, reviewer, {})
    assert program.get(address).json()["verdict"] is None
    assert program.post(address, {}).status_code == 201


def test_what_explores_is_never_0_and_the_api_and_the_json_say_the_same(
    project: Project, reviewer: User, engineer: User, manager: User, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign_gate = reviewed(project, [reviewer, engineer], 5, rows=12, split="validation")
    assert exit_of(str(campaign_gate.campaign.pk)) == 2
    assert GateEvaluation.objects.get().verdict == "release"
    assert capsys.readouterr().out.startswith(
        "v1 Gated: not yet (by its numbers alone: release)\nExploratory: "
    )
    assert exit_of(str(campaign_gate.campaign.pk), "--json") == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["verdict_of_numbers"]) == ("not_yet", "release")
    assert told["reason"].startswith("This evaluation is exploratory, because ")

    address = f"projects/{project.slug}/campaigns/{campaign_gate.campaign.pk}/gate/"
    program = program_of(manager)
    for answer in (program.get(address), program.post(address, {})):
        shown = answer.json()
        assert (shown["verdict"], shown["evaluation"]["verdict"]) == ("not_yet", "release")
        assert shown["reason"] == told["reason"]


def test_what_cannot_be_asked_is_3(
    project: Project, reviewer: User, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_gate = make_gated_campaign(project, [reviewer, engineer], rows=2)
    assert exit_of("nowhere") == 3
    assert exit_of("999999999") == 3
    assert exit_of(str(campaign_gate.campaign.pk), "--candidate", "nobody") == 3
    draft = make_gated_campaign(project, [reviewer], name="Draft", is_open=False)
    assert exit_of(str(draft.campaign.pk)) == 3
    review_all(campaign_gate.campaign, reviewer, {})
    assert exit_of(str(campaign_gate.campaign.pk), "--last") == 3  # not evaluated yet
    without = make_campaign(project, [reviewer], rows=1, name="Without")
    assert exit_of(str(without.pk)) == 3

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(evaluation, "measure", broken)
    assert exit_of(str(campaign_gate.campaign.pk)) == 3


def test_wrong_arguments_do_not_read_as_not_yet() -> None:
    parser = Command().create_parser("manage.py", GATE)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--nonsense"])
    assert ended.value.code == 3
