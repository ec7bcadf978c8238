import re
from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.metrics import automatic, registry
from evalapp.metrics.registry import COMPARED_METRICS, METRICS
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign, review_all, run_scoring

MEASURES = Path(__file__).parents[2] / "docs" / "measures.md"


def anchors() -> set[str]:
    headings = re.findall(r"^#+ (.+)$", MEASURES.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_metric_is_explained_where_its_page_links_to() -> None:
    assert {metric.anchor for metric in METRICS.values()} <= anchors()


def test_every_link_inside_the_page_leads_somewhere() -> None:
    assert set(re.findall(r"\(#([^)]+)\)", MEASURES.read_text())) <= anchors()


# A metric is added by one file

VOWELS = """
from evalapp.measure import Measure, signature
from evalapp.metrics.metric import EachRow, Metric


def vowels(row, options):
    count = sum(row.output.count(each) for each in "aeiou")
    return Measure(value=float(count), n=1, signature=signature("vowels"))


METRICS = [
    Metric(
        name="vowels", label="Vowels", better="higher", largest=None, needs="nothing", anchor="length",
        engine=EachRow(vowels), order=45,
    )
]
"""


@pytest.fixture
def vowels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vowels.py").write_text(VOWELS)
    monkeypatch.setattr(automatic, "__path__", [*automatic.__path__, str(tmp_path)])
    (found,) = [each for each in registry._declared() if each.name not in METRICS]
    for known in (METRICS, COMPARED_METRICS):
        monkeypatch.setitem(known, found.name, found)


@pytest.mark.django_db
def test_a_metric_of_one_more_file_is_scored_compared_explained_and_exported(
    vowels: None, project: Project, reviewer: User
) -> None:
    campaign = make_campaign(project, [reviewer], rows=2)
    run_scoring(campaign)
    review_all(campaign, reviewer, {})
    client = client_of(project.created_by)
    results = f"/projects/{project.slug}/results/{campaign.pk}/"
    page = client.get(f"{results}who-is-better/").content.decode()
    assert 'href="/help/length/"' in page and "Vowels" in page
    assert "Vowels" in client.get(f"{results}metrics/").content.decode()
    table = client.get(f"{results}table.csv").content.decode()
    assert "vowels" in table.lower()
    api = (
        program_of(project.created_by)
        .get(f"/api/v1/projects/{project.slug}/campaigns/{campaign.pk}/comparison/")
        .content.decode()
    )
    assert '"vowels"' in api
