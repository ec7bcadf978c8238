"""What a phone shows: no column out of sight, and choices beside their words."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.decisions.saved_views import save_view
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.services import apply_gate
from evalapp.monitoring.alerts import raise_alerts
from evalapp.monitoring.models import Stream
from evalapp.registry.models import ModelVersion
from evalapp.reviews.preferences.answers import PreferenceAnswers
from tests.analysis.segments import make_segmented, review_with_paradox
from tests.analysis.test_pair_order import compared
from tests.artifacts.conftest import adapter
from tests.artifacts.test_merging import merged
from tests.campaigns.making import make_open_campaign
from tests.factories import (
    answers,
    corrected,
    make_campaign,
    make_flag,
    make_proposed_rows,
    make_webhook,
    review_all,
    run_scoring,
)
from tests.gates.making import make_gate
from tests.monitoring.making import evaluated_weeks, make_stream, sampled_week
from tests.registry.conftest import base, model_folders
from tests.results_pages import TABS
from tests.reviews.preferences.conftest import judge, judge_all
from tests.runs.conftest import behave, training, version

__all__ = ["adapter", "base", "behave", "model_folders", "training", "version"]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

CELLS_OUT_OF_SIGHT = """[...document.querySelectorAll('.table-cards tbody :is(th, td)')]
    .filter(cell => cell.getBoundingClientRect().right > window.innerWidth)
    .map(cell => cell.textContent.trim())"""
LABELS = (
    "[...new Set([...document.querySelectorAll('.table-cards td[data-label]')].map(cell =>"
    " cell.dataset.label))]"
)


@pytest.fixture
def phone(page: Page) -> Page:
    page.set_viewport_size({"width": 390, "height": 844})
    return page


@pytest.fixture
def watched(project: Project, reviewer: User) -> Stream:
    """A stream with a drawn week, and a judged one that alerts."""
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    sampled_week(stream)
    (week,) = evaluated_weeks(stream, [3.0])
    raise_alerts(week)
    return stream


@pytest.fixture
def gated(project: Project, manager: User, reviewer: User, engineer: User) -> Campaign:
    """A reviewed campaign with an evaluation of its gate, a flag and proposed rows."""
    campaign = make_campaign(project, [reviewer, engineer], rows=2)
    run_scoring(campaign)
    review_all(campaign, reviewer, {"formal": corrected(answers(tone=1), "As it should be.")})
    review_all(campaign, engineer, {})
    make_proposed_rows(campaign, manager)
    make_flag(campaign, reviewer)
    campaign_gate = apply_gate(campaign=campaign, gate=make_gate(project), by=manager)
    evaluate_gate(
        campaign_gate=campaign_gate, candidate=campaign.candidates.all()[0].model_version, by=manager
    )
    return campaign


def test_every_column_is_in_sight(
    phone: Page,
    project: Project,
    manager: User,
    gated: Campaign,
    watched: Stream,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    webhook, export = make_webhook(project), project.exports.get()
    given_up = webhook.deliveries.filter(attempts=1).latest("id")
    sign_in(manager)
    criteria = {each.name: each.kind for each in gated.rubric_version.criteria.all()}
    scales = {name for name, kind in criteria.items() if kind == "scale"}
    key_figures = {"Satisfaction", "Relevance", "Hallucination"}
    incident = watched.incidents.get()
    expected = {
        "": {"Data", "Candidate", "ROUGE-L", *criteria, "Decision"},
        "settings/members/": {"Email", "Role", "Since"},
        "settings/audit/": {"Time", "Person", "Action", "Object", "Details"},
        "settings/webhooks/": {"State", "Events", "Waiting", "Failed", "Last delivered"},
        f"settings/webhooks/{webhook.pk}/": {"State", "Answer", "Attempts", "Event time", "Next attempt"},
        f"settings/webhooks/{webhook.pk}/deliveries/{given_up.pk}/": {"Answer", "Result", "Seconds"},
        f"results/{gated.pk}/adjudication/": {"Differences", "State"},
        f"campaigns/{gated.pk}/gate/": {"State", "Estimate", "Reason"},
        f"campaigns/{gated.pk}/flags/": {"Item", "Problem", "Flagged"},
        "monitor/": {"State", *key_figures, "Events", "Last event", "Next sample"},
        f"monitor/{watched.pk}/": {"State", "Sampled", "Tone", "Campaign"},
        f"monitor/{watched.pk}/incidents/{incident.pk}/": {"Week", "Cause"},
        f"monitor/{watched.pk}/weeks/1/": {"Answer", "Model", "At", "Inclusion probability"},
        f"data/proposed-rows/{export.pk}/": {"Kind", "Included", "Reason", "Decision"},
        f"results/{gated.pk}/cases/": {"Candidate", *criteria, "ROUGE-L", "Reviews"},
        f"results/{gated.pk}/severity/": {"Total", *scales, "Severity", "Standard error", "Infit", "Scores"},
    }
    for path, labels in expected.items():
        phone.goto(f"{live_server.url}/projects/{project.slug}/{path}")
        assert phone.evaluate(CELLS_OUT_OF_SIGHT) == [], path
        assert set(phone.evaluate(LABELS)) == labels, path
        assert phone.evaluate("document.documentElement.scrollWidth") == 390, path


def test_what_is_taken_along_of_a_model_is_in_sight(
    phone: Page, project: Project, engineer: User, adapter: ModelVersion, live_server: Any,
    sign_in: Callable[[User], object],
) -> None:  # fmt: skip
    found = merged(adapter, engineer)
    sign_in(engineer)
    files = {"Size", "SHA-256"}
    for path, labels in {
        f"models/merged/{found.pk}/": files,
        f"models/{adapter.pk}/": {"State", "Format", "Size"},
    }.items():
        phone.goto(f"{live_server.url}/projects/{project.slug}/{path}")
        assert phone.evaluate(CELLS_OUT_OF_SIGHT) == [], path
        assert labels <= set(phone.evaluate(LABELS)), path
        assert phone.evaluate("document.documentElement.scrollWidth") == 390, path
        scrolling = (
            "[...document.querySelectorAll('.table-wrap')].filter(each => each.scrollWidth >"
            " each.clientWidth).length"
        )
        assert phone.evaluate(scrolling) == 0, path


def test_a_checkbox_stands_beside_its_words(
    phone: Page, project: Project, manager: User, live_server: Any, sign_in: Callable[[User], object]
) -> None:
    sign_in(manager)
    phone.goto(f"{live_server.url}/projects/{project.slug}/campaigns/new/")
    beside = phone.evaluate("""[...document.querySelectorAll('.field-switch')].map(field => {
            const box = field.querySelector('input').getBoundingClientRect();
            const words = field.querySelector('label').getBoundingClientRect();
            return box.right <= words.left && box.top >= words.top && box.bottom <= words.bottom;
        })""")
    assert beside == [True] * 4


def test_results_of_compared_answers_fit_on_a_phone(
    phone: Page,
    project: Project,
    manager: User,
    reviewer: User,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    campaign = make_campaign(project, [reviewer], rows=2, method="pairwise", repeat_share=50)
    judge(campaign, reviewer)
    judge(campaign, reviewer)
    sign_in(manager)
    results, managed = f"results/{campaign.pk}", f"campaigns/{campaign.pk}"
    for path in (
        *(f"{results}/pairs/", f"{results}/preferences/", f"{results}/preferences/differing/"),
        f"{results}/adjudication/change-requests/",
        *(f"{managed}/checks/", f"{managed}/calibration/", f"{managed}/quality/"),
    ):
        phone.goto(f"{live_server.url}/projects/{project.slug}/{path}")
        assert phone.evaluate("document.documentElement.scrollWidth") == 390, path
        assert phone.evaluate(CELLS_OUT_OF_SIGHT) == [], path


def test_the_desk_of_preferences_that_differ_fits_on_a_phone(
    phone: Page,
    project: Project,
    manager: User,
    reviewer: User,
    other_reviewer: User,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    campaign = make_open_campaign(
        project, [reviewer, other_reviewer], rows=1, candidates=5, overlap=2, method="ranking"
    )
    judge_all(campaign, reviewer, PreferenceAnswers("", [1, 2, 3, 4, 5]), "A reason of some words. " * 8)
    judge_all(
        campaign, other_reviewer, PreferenceAnswers("", [5, 4, 3, 2, 1]), "another-one-without-a-space" * 4
    )
    sign_in(manager)
    for path in ("adjudication/", "adjudication/next/"):
        phone.goto(f"{live_server.url}/projects/{project.slug}/results/{campaign.pk}/{path}")
        assert phone.evaluate("document.documentElement.scrollWidth") == 390, path
        assert phone.evaluate(CELLS_OUT_OF_SIGHT) == [], path


def test_a_phone_shows_no_keys(
    project: Project,
    reviewer: User,
    browser: Any,
    live_server: Any,
    sign_in: Callable[[User], object],
    page: Page,
) -> None:
    campaign = make_campaign(project, [reviewer], rows=1)
    sign_in(reviewer)
    kept = page.context.storage_state()
    shown = "[...document.querySelectorAll('main kbd')].filter(key => key.offsetParent).length"
    address = f"{live_server.url}/reviews/campaigns/{campaign.key}/"
    page.goto(address)
    page.wait_for_selector("main kbd:visible")
    assert page.evaluate(shown) > 0
    touched = browser.new_context(
        storage_state=kept, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    held = touched.new_page()
    held.goto(address)
    held.wait_for_selector("[data-key-for] kbd", state="attached")
    assert held.evaluate(shown) == 0
    touched.close()


def test_comparisons_filters_and_agreement_fit_on_a_phone(
    phone: Page,
    project: Project,
    manager: User,
    reviewer: User,
    engineer: User,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    campaign = make_segmented(project, [reviewer, engineer], rows=12)
    run_scoring(campaign)
    review_with_paradox(campaign, [reviewer, engineer], rows=12)
    save_view(
        campaign=campaign, name="One segment", query="field.segment=institutional", is_shared=True, by=manager
    )
    sign_in(manager)
    compared = f"results/{campaign.pk}"
    for path in (
        *(f"{compared}/{tab}" for tab in TABS),
        *(f"{compared}/?field.segment=institutional&reviewers=1", f"{compared}/?reviewers=9"),
        *(f"{compared}/agreement/?criterion=tone", "results/views/", "settings/prices/"),
    ):
        phone.goto(f"{live_server.url}/projects/{project.slug}/{path}")
        assert phone.evaluate("document.documentElement.scrollWidth") == 390, path
        assert phone.evaluate(CELLS_OUT_OF_SIGHT) == [], path


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_results_of_comparisons_are_not_wider_than_a_phone(
    method: str,
    phone: Page,
    live_server: Any,
    sign_in: Callable[[User], Any],
    project: Project,
    reviewer: User,
    other_reviewer: User,
    engineer: User,
    manager: User,
) -> None:
    campaign = compared(project, [reviewer, other_reviewer, engineer], method)
    run_scoring(campaign)
    sign_in(manager)
    for path in (f"results/{campaign.pk}/pairs/", f"campaigns/{campaign.pk}/quality/"):
        phone.goto(f"{live_server.url}/projects/{project.slug}/{path}")
        assert phone.evaluate("document.documentElement.scrollWidth") == 390, path
        assert phone.evaluate(CELLS_OUT_OF_SIGHT) == []
