"""A new prompt begun with what experts said: their commonest reasons, their best corrections."""

import html
from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.exports.models import Export
from evalapp.exports.prompting import prompt_from
from evalapp.exports.services import decide_all, start_export
from evalapp.exports.tasks import write_export
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.runs.generation.few_shot import few_shot, row_numbers_in
from tests.factories import answers, corrected, make_campaign, make_proposed_rows, review_all, tagged
from tests.form_addresses import model_form

POOR = answers(accuracy=2, clarity=2, tone=1, personalization=1)
FAIR = answers(accuracy=3, clarity=3, tone=3, personalization=3)


@pytest.fixture
def campaign(project: Project, reviewer: User, engineer: User) -> Campaign:
    """Corrections of row 1 (fair) and row 2 (poor); "too formal" on two answers, another reason on one."""
    campaign = make_campaign(project, [reviewer], rows=3)
    review_all(
        campaign,
        reviewer,
        {
            ("formal", 1): tagged(corrected(FAIR, "Better one."), tone=["too-formal"]),
            ("formal", 2): tagged(corrected(POOR, "Better two."), tone=["too-formal", "too-casual"]),
        },
    )
    return campaign


@pytest.fixture
def export(campaign: Campaign, manager: User, settings, tmp_path: Path) -> Export:
    settings.ARTIFACTS_FOLDER = tmp_path
    export = make_proposed_rows(campaign, manager)
    decide_all(export=export, decision="accepted", by=manager)
    write_export(start_export(export=export, by=manager).pk)
    export.refresh_from_db()
    return export


def test_reasons_and_corrections_begin_the_prompt(export: Export) -> None:
    begun = prompt_from(export)
    lines = begun["system_prompt"].splitlines()
    assert lines[0] == "Experts marked in earlier answers, so avoid:"
    assert lines[1].endswith("(2 answers)")
    assert lines[2].endswith("(1 answer)")
    shown = few_shot(export.dataset_version, row_numbers_in(begun["example_rows"]))
    # Of the answer that was rated lower first.
    assert [turn["content"] for turn in shown.turns if turn["role"] == "assistant"] == [
        "Better two.",
        "Better one.",
    ]


def test_it_goes_on_from_the_words_of_the_prompt_that_was_reviewed(export: Export) -> None:
    reviewed = export.campaign.candidates.all()[0].model_version
    ModelVersion.objects.filter(pk=reviewed.pk).update(
        kind=ModelKind.PROMPT, base=reviewed, system_prompt="House style.", prompt_template="Q: {prompt}"
    )
    begun = prompt_from(export)
    assert begun["system_prompt"].startswith("House style.\n\nExperts marked")
    assert (begun["prompt_template"], begun["base"]) == ("Q: {prompt}", reviewed.pk)


def test_the_page_stores_nothing_and_opens_once_there_is_a_version(
    export: Export, campaign: Campaign, manager: User, client_for
) -> None:
    browser = client_for(manager)
    site = f"/projects/{campaign.project.slug}/data/proposed-rows"
    detail = browser.get(f"{site}/{export.pk}/").text
    form = model_form(campaign.project, "prompt", export=export.pk)
    assert html.escape(form) in detail
    page = browser.get(form).text
    assert "Experts marked in earlier answers" in page
    assert "most frequent reasons of experts" in page
    assert "Nothing is stored until you add it" in page
    assert not ModelVersion.objects.filter(kind=ModelKind.PROMPT).exists()
    Export.objects.filter(pk=export.pk).update(is_simulated=True)
    page = browser.get(form).text
    assert "Simulated experts marked in earlier answers" in page
    assert "most frequent reasons of simulated reviewers" in page
    export = make_proposed_rows(campaign, manager)
    unfinished = model_form(campaign.project, "prompt", export=export.pk)
    assert browser.get(unfinished).status_code == 409
