"""A criterion kind is one class and one line: what a new one, of values of its own, is found in without
another.
"""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.ratings.values import reader_of
from evalapp.reports.services import start_report
from evalapp.reports.tasks import write_report
from evalapp.reports.writing import report_folder
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Review, Score
from evalapp.reviews.queries import answers_of
from evalapp.rubrics import kinds
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.interchange import read_yaml
from evalapp.rubrics.kinds.values import Level, ValueProblemError
from evalapp.rubrics.models import Criterion, RubricVersion
from evalapp.rubrics.queries import yaml_of
from evalapp.rubrics.services import create_rubric, save_version
from tests.api.conftest import Program, program_for
from tests.factories import make_campaign, review_all
from tests.reviews.conftest import body, claim, post, url_of
from tests.rubrics.toy_kind import WITH_IT, Decimal

__all__ = ["program_for"]
pytestmark = pytest.mark.django_db
ClientFor = Callable[[User | None], Client]
ProgramFor = Callable[[User | None], Program]


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "KINDS", WITH_IT)


@pytest.fixture
def version(project: Project, manager: User) -> RubricVersion:
    rubric = create_rubric(project=project, name="Marked", by=manager)
    draft = CriterionDraft(
        name="Quality", kind="decimal", level_descriptions={"10": "Perfect."}, **Decimal.fixed(())
    )
    return save_version(rubric=rubric, criteria=[draft], by=manager)


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User, version: RubricVersion) -> Campaign:
    """Two people give "formal" 7.5 and 8, "plain" 2.5 and 3."""
    people = [reviewer, other_reviewer]
    campaign = make_campaign(project, people, rows=6, rubric_version=version)
    for person, more in zip(people, (0, 0.5), strict=True):
        said = {
            "formal": ReviewAnswers({"quality": 7.5 + more}),
            "plain": ReviewAnswers({"quality": 2.5 + more}),
        }
        review_all(campaign, person, said)
    return campaign


def test_the_editor_adds_it_and_shows_what_reviewers_will_see(
    project: Project, manager: User, version: RubricVersion, client_for: ClientFor
) -> None:
    client = client_for(manager)
    address = reverse("rubric_edit", args=[project.slug, version.rubric_id])
    answer = client.get(address)
    page = answer.content.decode()
    assert 'value="add-decimal"' in page and "Add a decimal" in page
    assert 'min="0.0" max="10.0" step="0.5"' in page
    added = client.post(
        address,
        {
            "based_on": answer.context["form"].based_on,
            "criteria-count": "1",
            "criteria-0-name": "Fluency",
            "criteria-0-kind": "decimal",
            "criteria-0-weight": "1",
            "criteria-0-description-20": "Reads like a book.",
            "action": "save",
        },
    )
    assert added.status_code == 302
    criterion = Criterion.objects.get(name="Fluency")
    assert (criterion.minimum, criterion.maximum) == (0, 20)
    assert criterion.level_descriptions == {"10": "Reads like a book."}


def test_a_file_takes_it_to_another_project_as_it_was(version: RubricVersion) -> None:
    written = yaml_of(version.rubric, version)
    (draft,) = read_yaml(written.encode()).criteria
    assert (draft.kind, draft.level_descriptions) == ("decimal", {"10": "Perfect."})
    assert draft.rules.in_words == "decimal 0 to 10"


def test_the_api_names_it_and_saves_it(project: Project, manager: User, program_for: ProgramFor) -> None:
    rubric = create_rubric(project=project, name="By API", by=manager)
    address = f"projects/{project.slug}/rubrics/{rubric.pk}/versions/"
    made = program_for(manager).post(address, {"criteria": [{"name": "Quality", "kind": "decimal"}]})
    assert made.status_code == 201, made.content
    assert made.json()["criteria"][0]["maximum"] == 20


def test_the_desk_takes_half_a_point_and_nothing_between(
    project: Project, reviewer: User, version: RubricVersion, client_for: ClientFor
) -> None:
    campaign = make_campaign(
        project, [reviewer], rows=1, rubric_version=version, texts={"formal": "Dear you."}
    )
    client, upcoming = client_for(reviewer), claim(campaign, reviewer)
    page = client.get(url_of(upcoming)).content.decode()
    assert 'data-control="number"' in page and 'step="0.5"' in page
    refused = post(client, url_of(upcoming), body({"scores": {"quality": 7.3}}))
    assert refused.status_code == 400
    assert "Quality needs a number in steps of 0.5" in refused.content.decode()
    beyond = post(client, url_of(upcoming), body({"scores": {"quality": 10.5}}))
    assert "Quality is 0 to 10; 10.5 is outside." in beyond.content.decode()
    assert post(client, url_of(upcoming), body({"scores": {"quality": 7.5}})).status_code == 201
    score = Score.objects.get()
    assert (score.value, score.words) == (15, "7.5")
    assert answers_of(Review.objects.get()).scores == {"quality": 7.5}
    again = client.get(url_of(upcoming)).content.decode()
    assert 'value="7.5"' in again


def test_without_scripts_the_form_is_read_too(
    project: Project, reviewer: User, version: RubricVersion, client_for: ClientFor
) -> None:
    campaign = make_campaign(
        project, [reviewer], rows=1, rubric_version=version, texts={"formal": "Dear you."}
    )
    upcoming = claim(campaign, reviewer)
    form = {"client_id": body()["client_id"], "criterion-quality": "9.5", "revision": "0"}
    client_for(reviewer).post(url_of(upcoming), form)
    assert Score.objects.get().words == "9.5"


def test_the_comparison_is_of_the_numbers_on_the_page_in_the_file_and_in_the_api(
    campaign: Campaign, manager: User, client_for: ClientFor, program_for: ProgramFor
) -> None:
    client, place = client_for(manager), [campaign.project.slug, campaign.pk]
    page = client.get(reverse("who_is_better", args=place)).content.decode()
    assert "0–10" in page
    assert re.search(r"7\.[78]", page), re.findall(r'class="figure".{0,300}', page)
    table = client.get(reverse("analysis_table_csv", args=[*place, "people"])).content.decode()
    (heading, *rows) = csv.reader(io.StringIO(table))
    column = next(number for number, name in enumerate(heading) if name.startswith("Quality"))
    assert sorted(float(row[column]) for row in rows) == [2.75, 7.75]
    found = program_for(manager).get(f"projects/{place[0]}/campaigns/{campaign.pk}/comparison/").json()
    cells = {row["label"]: row["human"][0] for row in found["candidates"]}
    assert cells["formal"]["mean"]["value"] == pytest.approx(7.75)
    assert cells["formal"]["counts"]["7.5"] == 6
    assert "7.8" in client.get(reverse("case_list", args=place)).content.decode()
    case = reverse("case_detail", args=[*place, campaign.items.earliest("pk").pk])
    assert "7.5" in client.get(case).content.decode()


def test_a_report_names_the_kind_and_its_means(
    campaign: Campaign, manager: User, settings: object, tmp_path: Path
) -> None:
    settings.ARTIFACTS_FOLDER = tmp_path  # type: ignore[attr-defined]
    report = start_report(campaign=campaign, by=manager)
    assert report.job is not None
    write_report(report.job.pk)
    report.refresh_from_db()
    text = (report_folder(report) / "report.html").read_text(encoding="utf-8")
    assert "Decimal, 0–10" in text and "7.75" in text


def test_a_ratings_file_answers_it(version: RubricVersion) -> None:
    (criterion,) = version.criteria.all()
    draft = CriterionDraft(name=criterion.name, kind="decimal", **Decimal.fixed(()))
    read = reader_of(draft)
    assert read("7.5") == Level(15)
    with pytest.raises(ValueProblemError, match="no step"):
        read("7.3")
