"""Every chart of a filled project as its reader sees it: light on a desk and dark on a phone,
with long names.

Nothing is cut off, shortened, too small, too pale or on top of something else; the words, the table and the
figure under the pointer are there.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.monitoring.deployments.services import record_deployment
from evalapp.reports.services import start_report
from evalapp.reports.tasks import write_report
from evalapp.reports.writing import report_folder
from evalapp.rubrics.services import create_rubric, save_version
from evalapp.rubrics.templates.summaries import SUMMARIES
from tests.charts import samples
from tests.e2e.looks import show
from tests.factories import GOOD, PLAIN, answers, make_campaign, review_all, run_scoring
from tests.monitoring.making import evaluated_weeks, make_stream

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("browser_bundle"),
]

LOOKS = [("light", 1400), ("dark", 390)]
LABELS = ("Base model without any prompt", "v2, tuned on the corrections of May")
LEAST_SIZE, LEAST_CONTRAST = 10, 4.5
# What is wrong with a drawing's texts, as the browser has laid them out.
FLAWS = """(svg, [least, contrast]) => {
  const parse = (colour) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = colour;
    const found = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
    probe.remove();
    return found;
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  let ground = svg;
  const clear = ["transparent", "rgba(0, 0, 0, 0)"];
  while (ground && clear.includes(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
  const surface = parse(getComputedStyle(ground ?? document.body).backgroundColor);
  const box = svg.getBoundingClientRect();
  const scale = box.width / (svg.viewBox.baseVal.width || box.width);
  // Where labels have no room, every other one is made transparent.
  const isSeen = (each) => each.textContent.trim() && Number(getComputedStyle(each).opacity) > 0;
  const texts = [...svg.querySelectorAll("text")].filter(isSeen);
  const flaws = [];
  const placed = texts.map((text) => {
    const at = text.getBoundingClientRect();
    const words = text.textContent;
    if (at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1
      || at.bottom > box.bottom + 1)
      flaws.push(`cut off: ${words}`);
    if (words.endsWith("…")) flaws.push(`shortened: ${words}`);
    const size = parseFloat(getComputedStyle(text).fontSize) * scale;
    if (size < least) flaws.push(`${size.toFixed(1)} px: ${words}`);
    // Figures of a heat map lie on tinted cells, which tests/charts measures.
    if (!text.closest(".mark-text.role-mark")
      && ratio(parse(getComputedStyle(text).fill), surface) < contrast)
      flaws.push(`pale: ${words}`);
    return [at, words];
  });
  placed.forEach(([one, words], position) => {
    for (const [other, more] of placed.slice(position + 1)) {
      const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (across > 2 && down > 4) flaws.push(`on top of one another: ${words} | ${more}`);
    }
  });
  return flaws;
}"""


@pytest.fixture
def campaign(
    project: Project, reviewer: User, other_reviewer: User, settings: Any, tmp_path: Path
) -> Campaign:
    settings.ARTIFACTS_FOLDER = tmp_path / "artifacts"
    rubric = create_rubric(project=project, name="Long names", by=None)
    criteria = [
        (
            replace(
                draft,
                name="Words that nobody needs",
                key="clarity",
                lower_is_better=True,
                weight=Decimal(0),
                low_threshold=None,
                tags=(),
            )
            if draft.name == "Clarity"
            else draft
        )
        for draft in SUMMARIES.criteria
    ]
    campaign = make_campaign(
        project,
        [reviewer, other_reviewer],
        rows=12,
        texts=dict(zip(LABELS, (GOOD, PLAIN), strict=True)),
        rubric_version=save_version(rubric=rubric, criteria=criteria, by=None),
    )
    run_scoring(campaign)
    for turn, person in enumerate((reviewer, other_reviewer)):
        said = {
            (label, row): answers(
                error=int(not row % 6),
                tone=1 + (row + turn * (row % 2) + position) % 5,
                accuracy=2 + (row + position) % 4,
                clarity=1 + (row * 7 + turn) % 5,
                personalization=1 + (row * 3 + position + turn) % 5,
            )
            for position, label in enumerate(LABELS)
            for row in range(1, 13)
        }
        review_all(campaign, person, said)
    return campaign


@pytest.fixture(autouse=True)
def _nothing_is_complained_of(page: Page) -> Iterator[None]:
    """Vega warns in the console of what it draws otherwise than it is told."""
    said: list[str] = []
    page.on(
        "console",
        lambda message: said.append(message.text) if message.type in ("warning", "error") else None,
    )
    yield
    assert said == []


def _looked_at(*, first: int) -> pytest.MarkDecorator:
    """`make test` looks once, because all kinds are seen twice below; `make verify` looks in both ways."""
    other = pytest.param(*LOOKS[1 - first], marks=pytest.mark.verification)
    return pytest.mark.parametrize(("theme", "width"), [LOOKS[first], other])


@_looked_at(first=0)
def test_every_chart_of_the_pages_can_be_read(
    theme: str, width: int, campaign: Campaign, project: Project, reviewer: User, manager: User,
    live_server: Any, page: Page, sign_in: Callable[[User], object],
) -> None:  # fmt: skip
    stream = make_stream(project, [reviewer], thresholds={"tone": 3.6}, baseline_weeks=8)
    evaluated_weeks(stream, [4.2, 4.3, 4.1, 4.2, 4.25, 4.15, 4.2, 4.3])
    evaluated_weeks(stream, [4.9], reviews=12)
    weeks = evaluated_weeks(stream, [3.4, 3.2, 3.1])
    for week, candidate in zip(weeks, campaign.candidates.select_related("model_version"), strict=False):
        version = candidate.model_version
        record_deployment(stream=stream, version=version, started_at=week.begins_at, by=None)
    show(page, (theme, width))
    sign_in(manager)
    seen = []
    pages = [("who_is_better", campaign.pk), ("can_i_trust_it", campaign.pk), ("stream_detail", stream.pk)]
    for name, key in pages:
        page.goto(live_server.url + reverse(name, args=[project.slug, key]))
        if name == "who_is_better":
            page.locator("summary", has_text="Distribution of scores").click()
        expect(page.locator("figure[data-chart] .chart-drawing svg").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        for figure in page.locator("figure[data-chart]").all():
            seen.append(figure.get_attribute("data-chart"))
            _look_at(figure, page)
    assert seen == ["ratings", "agreement-drawn", "human-against-metric", "weekly-tone"]


def _look_at(figure: Locator, page: Page) -> None:
    drawing = figure.locator(".chart-drawing svg")
    expect(drawing).to_be_visible()
    flaws = drawing.evaluate(FLAWS, [LEAST_SIZE, LEAST_CONTRAST])
    assert flaws == [], figure.get_attribute("data-chart")
    assert len(figure.locator(".chart-says").inner_text()) > 20
    mark = figure.locator(".mark-symbol.role-mark path, .mark-rect.role-mark path").first
    # A figure may lie on its cell, and a point on another.
    mark.hover(force=True)
    expect(page.locator("#vg-tooltip-element.visible")).to_be_visible()
    page.mouse.move(0, 0)
    figure.locator("summary").press("Enter")
    expect(figure.locator("details table")).to_be_visible()
    figure.locator("summary").press("Enter")


@_looked_at(first=1)
def test_every_picture_of_a_report_can_be_read(
    theme: str, width: int, campaign: Campaign, manager: User, page: Page
) -> None:
    report = start_report(campaign=campaign, by=manager)
    assert report.job is not None
    write_report(report.job.pk)
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    page.goto((report_folder(report) / "report.html").as_uri())
    drawings = page.locator("figure svg:visible")
    assert drawings.count() == page.locator("figure").count() >= 8
    flaws = [each.evaluate(FLAWS, [LEAST_SIZE, LEAST_CONTRAST]) for each in drawings.all()]
    assert flaws == [[]] * len(flaws)


@pytest.mark.urls("tests.e2e.gallery")
@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_one_chart_of_every_kind_can_be_read(
    theme: str, width: int, project: Project, manager: User, live_server: Any, page: Page,
    sign_in: Callable[[User], object],
) -> None:  # fmt: skip
    """Those, too, that no page of the filled project shows; their names have one very long word."""
    show(page, (theme, width))
    sign_in(manager)
    page.goto(f"{live_server.url}/gallery/")
    for kind in samples.ALL:
        figure = page.locator(f"figure[data-chart=chart-{kind}]")
        expect(figure.locator(".chart-drawing svg")).to_be_visible(timeout=20_000)
        _look_at(figure, page)
