"""axe finds nothing on any page of the product: WCAG 2.2 AA and its best practices, light and dark.

The pages are those of the access table: whatever address answers with a page for some role is looked at,
and an address that is left out stands in `NO_PAGES` with its reason.
"""

import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import resolve, reverse
from playwright.sync_api import Page

from evalapp.accounts.invitations import invite
from evalapp.accounts.models import Project, User
from evalapp.accounts.people import create_reset_link
from evalapp.adjudication.appeals import COMPARISON_DECISION, REQUEST, appeal
from evalapp.adjudication.discussion import write_message
from evalapp.adjudication.models import ComparisonAdjudication
from evalapp.adjudication.services import AdjudicatedScore, adjudicate, adjudicate_comparison
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import close_campaign
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.services import apply_gate
from evalapp.monitoring.alerts import raise_alerts
from evalapp.monitoring.daily.counting import count_everywhere
from evalapp.monitoring.deployments.services import record_deployment
from evalapp.registry.endpoints import register_endpoint_model
from evalapp.registry.models import Endpoint
from evalapp.reviews.change_requests import request_changes
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from tests.access_objects import make_world
from tests.access_table import ACCESS
from tests.access_urls import kwargs_of
from tests.campaigns.making import make_campaign as make_draft
from tests.cast import client_of, make_project, make_user
from tests.e2e.looks import LOOKS, RULES, Look, findings, findings_here, open_with_axe, show
from tests.factories import (
    answers,
    corrected,
    make_campaign,
    make_candidates,
    make_flag,
    make_proposed_rows,
    make_webhook,
    review_all,
    run_scoring,
    submit_review,
    tagged,
    walk,
)
from tests.gates.making import make_gate
from tests.monitoring.making import evaluated_weeks, make_stream, sampled_week
from tests.reviews.preferences.conftest import judge_all
from tests.test_access import ROUTES

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("browser_bundle"),
]

LINKS = "[...document.querySelectorAll('a[href]')].map(each => each.getAttribute('href'))"
# Downloads and what ends the session or is no page.
LEFT_OUT = re.compile(
    r"/dossier/|/sample/|/v\d+/export/|\.csv|\.md|\.jsonl?|\.xml|\.zip|/files?/|download|/static/|/api/v1/|^mailto:"
)
HELP, MOST_HELP_PAGES = "/help/", 6
# Addresses that answer a GET, though not with a page of their own.
NO_PAGES = {
    "healthz": "JSON for a load balancer",
    "dataset_import_errors": "a CSV file",
    "dataset_export": "a file of rows",
    "rubric_file": "a YAML file",
    "rubric_sample": "a YAML file",
    "comparison_csv": "a CSV file",
    "saved_view_open": "leads on to the comparison that it shows",
    "analysis_table_csv": "a CSV file",
    "analysis_table_markdown": "a table as text",
    "judge_table_csv": "a CSV file",
    "judge_table_markdown": "a table as text",
    "planner_table_csv": "a CSV file",
    "planner_table_markdown": "a table as text",
    "decision_dossier": "a file of records",
    "export_file": "a file of the export",
    "preference_file": "a CSV file",
    "report_file": "a file of the report",
    "ratings_problems": "a CSV file",
    "adjudication_next": "leads on to the next disagreement, or to their list",
    "review_closing": "asked once after a campaign is closed; tests/e2e/test_closing.py looks at it",
    "emergency_sign_in": "a link of one use, held by tests/accounts/test_sign_on.py",
    "oidc_begin": "there with a provider only; tests/e2e/test_sign_on.py goes through it",
    "oidc_callback": "there with a provider only; tests/e2e/test_sign_on.py goes through it",
    "label_studio_tasks": "a JSON file",
    "label_studio_config": "an XML file",
    "campaign_cost": "a part of campaign_new, which holds it",
    "job_progress": "a part of job_detail, which holds it",
    "run_loss": "a part of run_detail, which holds it",
    "run_samples": "a part of run_detail, which holds it",
    "sweep_progress": "a part of sweep_detail, which holds it",
    "home": "leads on to the first project, or to the reviews",
    "account_set_password": "for who has no password, which nobody has who came by the door",
    "account_signup": "leads to the door: sign-up is closed",
    "model_card_file": "a Markdown file",
    "model_archive": "a zip",
    "model_file": "a file of weights",
    "merged_archive": "a zip",
    "merged_file": "a file of weights",
    "demonstration": "where the demonstration runs; its page is a project's home elsewhere",
}


@pytest.fixture
def filled(project: Project, reviewer: User, engineer: User, manager: User, settings: object) -> Project:
    """A project in which every list has something."""
    campaign = make_campaign(project, [reviewer, engineer], rows=3)
    run_scoring(campaign)
    low = tagged(corrected(answers(tone=1), "As it should be."), tone=["too-formal"])
    review_all(campaign, engineer, {("formal", 1): low})
    make_proposed_rows(campaign, manager)
    make_webhook(project)
    campaign_gate = apply_gate(campaign=campaign, gate=make_gate(project), by=manager)
    evaluate_gate(
        campaign_gate=campaign_gate, candidate=campaign.candidates.all()[0].model_version, by=manager
    )
    _dispute(campaign, reviewer, engineer, manager)
    for method, labels in (("pairwise", ("one", "two")), ("ranking", ("three", "four", "five"))):
        texts = {label: f"Answer {label} to {{n}}." for label in labels}
        compared = make_campaign(
            project, [reviewer, engineer], rows=3, texts=texts, method=method, name=method.title()
        )
        _dispute_preferences(compared, reviewer, engineer, manager)
    make_flag(campaign, reviewer)
    asked = Endpoint.objects.create(project=project, name="House server", url="https://models.example/v1")
    register_endpoint_model(
        endpoint=asked, label="House model", model="house-1", request={"reasoning_effort": "low"}, by=engineer
    )
    _watch(project, reviewer)
    return project


def _watch(project: Project, reviewer: User) -> None:
    """A stream with a deployment, events that are counted, a drawn week, and a judged one that alerts."""
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    record_deployment(stream=stream, version=make_candidates(project, ["served"])[0], by=None)
    sampled_week(stream)
    count_everywhere()
    (week,) = evaluated_weeks(stream, [3.0])
    raise_alerts(week)


def _dispute(campaign: Campaign, reviewer: User, engineer: User, manager: User) -> None:
    """One of the reviewer's answers differs: changes are requested, it is appealed, decided on
    and discussed.
    """
    assignment, entry = next(walk(campaign, reviewer))
    given = submit_review(
        reviewer=reviewer,
        assignment=assignment,
        item_output=entry,
        client_id=uuid.uuid4(),
        answers=answers(tone=5, clarity=1),
    )
    decided = {"clarity": AdjudicatedScore(2, "Two sentences are hard to follow.")}
    adjudicate(campaign=campaign, item_output=entry, scores=decided, by=manager)
    request_changes(review=given.review, by=manager, reason="Look at the tone again.")
    appeal(review=given.review, against=REQUEST, reason="It is friendly.", by=reviewer)
    write_message(campaign=campaign, subject=entry, by=manager, text="Which sentence?")


def _dispute_preferences(campaign: Campaign, reviewer: User, engineer: User, manager: User) -> None:
    """Preferences on every comparison differ; one is decided, discussed and appealed, and changes requested
    to one.
    """
    is_pair = campaign.method == "pairwise"
    judge_all(
        campaign,
        engineer,
        PreferenceAnswers("a") if is_pair else PreferenceAnswers("", [2, 1, 3]),
    )
    judge_all(
        campaign,
        reviewer,
        PreferenceAnswers("b") if is_pair else PreferenceAnswers("", [1, 2, 3]),
    )
    given, other = campaign.reviews.select_related("comparison").filter(reviewer=reviewer)[:2]
    adjudicate_comparison(
        campaign=campaign,
        comparison=given.comparison,
        preference=PreferenceAnswers("tie") if is_pair else PreferenceAnswers("", [3, 2, 1]),
        reason="Both leave the date out.",
        by=manager,
    )
    appeal(review=given, against=COMPARISON_DECISION, reason="The first has it.", by=reviewer)
    request_changes(review=other, by=manager, reason="Read both again.")
    write_message(campaign=campaign, subject=given.comparison, by=manager, text="Which date?")


def pages_of_disputes(project: Project) -> list[str]:
    """What those who decide see of compared answers; addresses of one form with what they see of reviews."""
    found = []
    for adjudication in ComparisonAdjudication.objects.filter(campaign__project=project):
        address = [project.slug, adjudication.campaign_id]
        found += [
            reverse("adjudication_list", args=address),
            reverse("appeal_list", args=address),
            reverse("change_request_list", args=address),
            reverse("adjudication_comparison", args=[*address, adjudication.comparison_id]),
            reverse("comparison_discussion", args=[*address, adjudication.comparison_id]),
            reverse("appeal_detail", args=[*address, adjudication.appeals.get().pk]),
            reverse("case_detail", args=[*address, adjudication.comparison.item_id]),
        ]
    return found


# `make test` looks at each page in one of the looks by turns, `make verify` in both.
IN_TURN_OR_BOTH = pytest.mark.parametrize(
    "both", [pytest.param(False, id="in-turn"), pytest.param(True, id="both", marks=pytest.mark.verification)]
)


class Looking:
    """Opens pages of the product and collects what axe finds there, in both looks or in turn.

    In turn each look has a tab of its own: to change the look of a page takes as long as to open it.
    """

    def __init__(self, page: Page, base: str, *, both: bool) -> None:
        self._page, self._base = page, base
        self._tabs: Iterator[tuple[Page, Look]] | None = None
        if not both:
            tabs = [(page.context.new_page(), look) for look in LOOKS]
            for tab, look in tabs:
                show(tab, look)
            self._tabs = itertools.cycle(tabs)

    def look_at(self, address: str) -> list[str]:
        """What axe finds at an address."""
        if self._tabs is None:
            return findings(self._page, self._base + address)
        self._page, look = next(self._tabs)
        open_with_axe(self._page, self._base + address)
        return findings_here(self._page, look)

    def pages_from(self, begin: list[str]) -> tuple[list[str], list[str]]:
        """One address of each kind that can be reached by links, and what axe finds there; kinds differ in
        more than numbers. Of the help, whose pages are texts in one frame, a few are enough.
        """
        kinds: dict[str, str] = {}
        found: list[str] = []
        waiting = list(begin)
        while waiting:
            address = waiting.pop(0).partition("#")[0]
            kind = re.sub(r"\d+", "0", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "key", address.partition("?")[0]))
            if not address.startswith("/") or LEFT_OUT.search(address) or kind in kinds:
                continue
            if kind.startswith(HELP) and sum(each.startswith(HELP) for each in kinds) >= MOST_HELP_PAGES:
                continue
            kinds[kind] = address
            found += self.look_at(address)
            waiting += self._page.evaluate(LINKS)
        return list(kinds.values()), found


def name_of(address: str) -> str:
    return str(resolve(address.partition("?")[0]).url_name)


def rest_of_pages(project: Project, person: User, seen: set[str]) -> tuple[dict[str, str], set[str]]:
    """Pages of the table that links did not lead to, by name; and what is no page for this person."""
    world = make_world(project, reviewer=person)
    world.links = _links(project, world)
    pages: dict[str, str] = {}
    others: set[str] = set()
    for name in sorted(set(ACCESS) - seen):
        if name.startswith("api_"):
            continue
        address = _address(name, world)
        # Each in a browser of its own, because one of them is the way out.
        browser = client_of(person)
        # The secret of a new password leaves the address before the page comes.
        answer = browser.get(address, follow=name in world.links)
        is_page = answer.status_code == 200 and answer["Content-Type"].startswith("text/html")
        if is_page and (answer.streaming or "<!doctype html>" in answer.text):
            pages[name] = address
        elif answer.status_code != 405:
            others.add(f"{name} ({answer.status_code})" if name not in NO_PAGES else name)
    return pages, others


def _links(project: Project, world: SimpleNamespace) -> dict[str, str]:
    """Addresses that hold a secret, or need a row in a state that is none of a finished project."""
    by = project.created_by
    assert by is not None
    invited = invite(project=project, email="new.person@cast.example", role="reviewer", by=by)
    reset = create_reset_link(membership=world.membership, by=project.memberships.get(user=by))
    upload = reverse("dataset_upload", args=[project.slug, world.dataset.pk])
    file = SimpleUploadedFile("rows.jsonl", b'{"prompt": "Why?", "completion": "So."}\n')
    draft = make_draft(project, [by], dataset="More clients", rubric="Second rubric")
    return {
        "dataset_import": client_of(by).post(upload, {"file": file})["Location"],
        "campaign_edit": reverse("campaign_edit", args=[project.slug, draft.pk]),
        "invitation_accept": reverse("invitation_accept", args=[invited.token]),
        "account_reset_password_from_key": reset,
    }


def _address(name: str, world: SimpleNamespace) -> str:
    if name in world.links:
        return str(world.links[name])
    route = next(route for route in ROUTES if route.name == name)
    return reverse(name, kwargs=kwargs_of(name, list(route.kwargs), world))


@IN_TURN_OR_BOTH
def test_axe_finds_nothing_for_those_who_run_it(
    both: bool,
    filled: Project,
    owner: User,
    page: Page,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    # The site admin, too, so that no page is closed to them.
    owner.is_superuser = True
    owner.set_password("nine plain words open the door")
    owner.save(update_fields=["is_superuser", "password"])
    base = live_server.url
    looking = Looking(page, base, both=both)
    look_at = looking.look_at
    found = findings(page, f"{base}/accounts/login/", second=RULES)
    found += look_at(reverse("account_reset_password"))
    sign_in(owner)
    # The frame of all pages.
    found += findings(page, f"{base}/projects/{filled.slug}/", second=RULES)
    addresses, found_there = looking.pages_from(["/projects/", f"/projects/{filled.slug}/", "/reviews/"])
    # Two kinds of comparisons have their results at addresses of one form.
    more = [
        f"/projects/{filled.slug}/results/{campaign.pk}/pairs/"
        for campaign in filled.campaigns.exclude(method="pointwise")
    ]
    more += pages_of_disputes(filled)
    judged = Review.objects.filter(campaign__project=filled, comparison__isnull=False).latest("pk")
    more.append(reverse("change_request_new", args=[filled.slug, judged.campaign_id, judged.pk]))
    seen = {name_of(address) for address in [*addresses, *more]} | {"account_login", "account_reset_password"}
    second = make_project("Second", owner=owner, reviewer=make_user("second reviewer"))
    rest, others = rest_of_pages(second, owner, seen)
    assert others - set(NO_PAGES) == set(), "say in NO_PAGES why these are no pages, or reach them"
    for address in [*more, *rest.values(), "/nowhere/", f"/projects/{filled.slug}/nowhere/"]:
        found += look_at(address)
    assert [*found, *found_there] == []


@IN_TURN_OR_BOTH
def test_axe_finds_nothing_for_a_reviewer(
    both: bool,
    filled: Project,
    reviewer: User,
    page: Page,
    live_server: Any,
    sign_in: Callable[[User], object],
) -> None:
    base = live_server.url
    campaign = filled.campaigns.get(name="Spring round")
    sign_in(reviewer)
    looking = Looking(page, base, both=both)
    look_at = looking.look_at
    addresses, found = looking.pages_from(["/reviews/", "/projects/"])
    assert {"review_home", "review_submitted", "review_next"} <= {name_of(address) for address in addresses}
    more = [
        f"/reviews/campaigns/{compared.key}/" for compared in filled.campaigns.exclude(method="pointwise")
    ]
    mine = Review.objects.select_related("assignment").filter(
        comparison__adjudications__isnull=False, reviewer=reviewer
    )
    more += [reverse("review_discussion", args=[each.assignment.key, each.slot]) for each in mine]
    found += [each for address in more for each in look_at(address)]
    # What else a reviewer meets: somebody else's address, an end, a closed campaign.
    found += look_at(f"/projects/{filled.slug}/settings/members/")
    start = reverse("review_next", args=[campaign.key])
    review_all(campaign, reviewer, {})
    found += look_at(start) + look_at(reverse("review_submitted"))
    close_campaign(campaign=campaign, by=None)
    found += look_at(start) + look_at(reverse("review_home"))
    assert found == []
