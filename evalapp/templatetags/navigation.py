"""The navigation: its entries, and the tabs of the page's subject.

The URL determines the navigation: the first part below the project names the entry, and the longest tab path
that matches names the tab. A link is shown if the member may open its page.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from django import template
from django.urls import resolve, reverse

from evalapp.accounts.models import Role
from evalapp.reviews.to_do import reviews_to_do

register = template.Library()

# Further projects are listed under "All projects".
MOST_IN_SWITCHER = 12

Condition = Callable[[Mapping[str, Any]], bool]


class Page(NamedTuple):
    """``path``: below its entry or subject. ``when``: whether the page exists, given the template context.
    With ``is_found_elsewhere`` the link is shown only while the page is open.
    """

    label: str
    path: str
    when: Condition | None = None
    is_found_elsewhere: bool = False


class Tab(NamedTuple):
    label: str
    pages: tuple[Page, ...]


class Entry(NamedTuple):
    label: str
    path: str
    tabs: tuple[Tab, ...]


class Subject(NamedTuple):
    """A kind of page with its own tabs; ``path``: a pattern below the project."""

    label: str
    path: re.Pattern[str]
    tabs: tuple[Tab, ...]


class Link(NamedTuple):
    label: str
    href: str
    current: bool


def _tabs(*pages: Page) -> tuple[Tab, ...]:
    return tuple(Tab(page.label, (page,)) for page in pages)


def _campaign(holds: Callable[[Any], bool]) -> Condition:
    return lambda context: bool(context.get("campaign")) and holds(context["campaign"])


_COMPARES = _campaign(lambda campaign: campaign.compares)
_RATES = _campaign(lambda campaign: not campaign.compares)
_RUNS = _campaign(lambda campaign: campaign.state in ("open", "paused"))
_IS_LAUNCHED = _campaign(lambda campaign: campaign.state != "draft")
_CALIBRATES = _campaign(lambda campaign: campaign.calibration_items > 0)
_MAY_DECIDE = _campaign(lambda campaign: not campaign.picked_because)


def _has_outputs(context: Mapping[str, Any]) -> bool:
    return bool(context.get("run")) and context["run"].kind not in ("training", "dry_run")


ENTRIES = (
    Entry("Home", "", _tabs(Page("Home", ""))),
    Entry("Data", "data/", _tabs(Page("Datasets", ""), Page("Proposed rows", "proposed-rows/"))),
    Entry("Models", "models/", _tabs(Page("Models", ""), Page("Deployments", "deployments/"))),
    Entry(
        "Runs",
        "runs/",
        _tabs(
            Page("Runs", ""),
            Page("Sweeps", "sweeps/"),
            Page("Compare trainings", "compare/"),
            Page("Queue", "queue/"),
            Page("Jobs", "jobs/"),
        ),
    ),
    Entry(
        "Campaigns",
        "campaigns/",
        _tabs(
            Page("Campaigns", ""),
            Page("Rubrics", "rubrics/"),
            Page("Gates", "gates/"),
            Page("Imported ratings", "ratings/"),
            Page("Planner", "plan/"),
        ),
    ),
    Entry(
        "Results",
        "results/",
        _tabs(Page("Results", ""), Page("Tuning or prompt", "tuning/"), Page("Saved views", "views/")),
    ),
    Entry("Monitor", "monitor/", _tabs(Page("Streams", ""))),
    Entry(
        "Settings",
        "settings/",
        _tabs(
            Page("Project and privacy", ""),
            Page("Members", "members/"),
            Page("Erase a person", "erasures/"),
            Page("Webhooks", "webhooks/"),
            Page("Audit", "audit/"),
            Page("Endpoints", "endpoints/"),
            Page("Prices", "prices/"),
            Page("Storage", "storage/"),
            Page("Rule checks", "rule-checks/"),
            Page("External metrics", "external-metrics/"),
            Page("LLM judges", "llm-judges/"),
        ),
    ),
)

SUBJECTS = (
    Subject(
        "Dataset version",
        re.compile(r"data/\d+/v\d+/"),
        (
            Tab("Health", (Page("Findings", "health/"), Page("Contamination check", "contamination/"))),
            *_tabs(Page("Rows", ""), Page("Diff", "diff/"), Page("Card", "card/"), Page("Files", "files/")),
        ),
    ),
    Subject(
        "Model version",
        re.compile(r"models/\d+/"),
        _tabs(Page("Overview", ""), Page("Lineage", "lineage/"), Page("Card", "card/")),
    ),
    Subject(
        "Run",
        re.compile(r"runs/\d+/"),
        _tabs(
            Page("Overview", ""),
            Page("Outputs", "outputs/", _has_outputs),
            Page("Metrics", "metrics/", _has_outputs),
        ),
    ),
    Subject(
        "Campaign",
        re.compile(r"campaigns/\d+/"),
        (
            Tab("Progress", (Page("Progress", ""),)),
            Tab("Items", (Page("Items", "items/"), Page("Flagged items", "flags/"))),
            Tab(
                "Reviewers",
                (
                    Page("Progress by reviewer", "progress/"),
                    Page("Review quality", "quality/", _IS_LAUNCHED),
                    Page("Quotas and assignments", "assignments/"),
                    Page("Add items or reviewers", "additions/", _RUNS),
                ),
            ),
            Tab(
                "Design",
                (
                    Page("Design", "design/"),
                    Page("Checks", "checks/"),
                    Page("Calibration", "calibration/", _CALIBRATES),
                    Page("Deadline", "deadline/", is_found_elsewhere=True),
                    Page("Edit", "edit/", is_found_elsewhere=True),
                ),
            ),
            Tab("Gate", (Page("Gate", "gate/"),)),
        ),
    ),
    Subject(
        "Results",
        re.compile(r"results/\d+/"),
        (
            Tab("Summary", (Page("Summary", "", _RATES), Page("Summary", "pairs/", _COMPARES))),
            Tab(
                "Who is better",
                (
                    Page("Candidates", "who-is-better/", _RATES),
                    Page("Adjusted scores", "severity/", _RATES),
                    Page("Preferences", "preferences/", _COMPARES),
                    Page("Labels", "labels/", is_found_elsewhere=True),
                ),
            ),
            Tab(
                "Can I trust it",
                (
                    Page("Evidence", "can-i-trust-it/", _RATES),
                    Page("Agreement", "agreement/", _RATES),
                    Page("Metrics", "metrics/", _RATES),
                    Page("Differing preferences", "preferences/differing/", _COMPARES),
                    Page("LLM judge", "llm-judges/", is_found_elsewhere=True),
                ),
            ),
            Tab(
                "What to fix",
                (
                    Page("Reasons and subgroups", "what-to-fix/", _RATES),
                    Page("Cases", "cases/", _RATES),
                    Page("Corrections", "corrections/", _RATES),
                    Page("Disagreement finder", "finder/", _RATES),
                    Page("Disagreements", "adjudication/"),
                    Page("Change requests", "adjudication/change-requests/"),
                    Page("Appeals", "adjudication/appeals/"),
                ),
            ),
            Tab("Decision", (Page("Decision", "decide/", _MAY_DECIDE), Page("Reports", "reports/"))),
        ),
    ),
)


@register.inclusion_tag("components/rail.html", takes_context=True)
def rail(context: template.Context) -> dict[str, Any]:
    """The project switcher and the entries that the member's role may open; empty for people who only
    review.
    """
    project = context.get("project")
    memberships = [each for each in context.get("my_memberships") or () if each.role != Role.REVIEWER]
    may_create = bool(context.get("may_create_project"))
    return {
        "project": project,
        "entries": _entries(context) if project else [],
        "memberships": memberships[:MOST_IN_SWITCHER],
        "may_create": may_create,
        "switches": bool(memberships) or may_create,
    }


@register.inclusion_tag("components/page_tabs.html", takes_context=True)
def page_tabs(context: template.Context) -> dict[str, Any]:
    """The tabs of the page's entry or subject, and the pages of the open tab if it has several."""
    below = _path_below_project(context)
    entry = _entry_of(below or "")
    if below is None or not entry.path:
        return {}
    label, start, tabs = entry.label, entry.path, entry.tabs
    for subject in SUBJECTS:
        if found := subject.path.match(below):
            label, start, tabs = subject.label, found[0], subject.tabs
    shown = [(tab, pages) for tab in tabs if (pages := _pages(context, start, tab.pages, below))]
    every = [page for _, pages in shown for page in pages]
    fitting = [page for page in every if below.startswith(start + page.path)]
    here = max(fitting or every[:1], key=lambda page: len(page.path), default=None)
    url = _url_of(context)
    links = [Link(tab.label, url(start + pages[0].path), here in pages) for tab, pages in shown]
    counts = context.get("tab_counts") or {}
    parts = [
        Link(f"{page.label} ({counts[page.path]})" if counts.get(page.path) else page.label,
             url(start + page.path), page is here)
        for _, pages in shown if here in pages and len(pages) > 1 for page in pages
    ]  # fmt: skip
    open_tab = next((link.label for link in links if link.current), "")
    return {"label": label, "links": links if len(links) > 1 else [], "open_tab": open_tab, "parts": parts}


@register.inclusion_tag("components/review_link.html", takes_context=True)
def review_link(context: template.Context) -> dict[str, Any]:
    """The link to one's own reviews and their number, for people with reviews to do and for people who only
    review.
    """
    user = context["user"]
    to_do = reviews_to_do(user)
    roles = {each.role for each in context.get("my_memberships") or ()}
    request = context.get("request")
    is_here = request is not None and request.path.startswith(reverse("review_home"))
    return {
        "to_do": to_do,
        "is_here": is_here,
        "is_shown": bool(to_do) or is_here or roles == {Role.REVIEWER},
    }


def _entries(context: template.Context) -> list[Link]:
    below = _path_below_project(context)
    here = None if below is None else _entry_of(below)
    url = _url_of(context)
    links = []
    for entry in ENTRIES:
        pages = [page for tab in entry.tabs for page in _pages(context, entry.path, tab.pages, "")]
        if pages:
            links.append(Link(entry.label, url(entry.path + pages[0].path), entry is here))
    return links


def _path_below_project(context: template.Context) -> str | None:
    """The part of the URL after the project; None outside projects."""
    request, project = context.get("request"), context.get("project")
    if request is None or project is None:
        return None
    start = reverse("project_home", args=[project.slug])
    return request.path.removeprefix(start) if request.path.startswith(start) else None


def _entry_of(below: str) -> Entry:
    return next((entry for entry in ENTRIES[1:] if below.startswith(entry.path)), ENTRIES[0])


def _url_of(context: template.Context) -> Callable[[str], str]:
    start = reverse("project_home", args=[context["project"].slug])
    return lambda below: start + below


def _pages(context: template.Context, start: str, pages: Iterable[Page], below: str) -> Sequence[Page]:
    """The pages that exist and that this member may open."""
    may = context.get("may") or ()
    given = {str(name): value for name, value in context.flatten().items()}
    return [
        page
        for page in pages
        if (page.when is None or page.when(given))
        and (not page.is_found_elsewhere or below.startswith(start + page.path))
        and _permission_of(re.sub(r"\d+", "1", start) + page.path) in may
    ]


@lru_cache(maxsize=256)
def _permission_of(below: str) -> str:
    """The name of the permission that the view at a path below a project requires."""
    path = f"/projects/any/{below}"
    if below.endswith("llm-judges/") and below.startswith("results/"):
        path += "1/"
    view: Any = resolve(path).func
    return str(view.required_permission.name)
