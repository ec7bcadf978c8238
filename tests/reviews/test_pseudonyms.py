"""Where answers are shown a reviewer has a number; a name only if the project says so."""

from collections.abc import Iterable

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.exports.files import rating_lines
from evalapp.exports.queries import ratings_of
from evalapp.reviews.pseudonyms import pseudonym_numbers, shown_names
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import answers, corrected, make_campaign, make_proposed_rows, review_all, run_scoring

pytestmark = pytest.mark.django_db
NAMES = ("Zoltan Zwicky", "Yolanda Yperen")


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User, engineer: User) -> Campaign:
    """Two people with unmistakable names have reviewed, a third has not begun."""
    for person, name in zip((reviewer, other_reviewer), NAMES, strict=True):
        person.name = name
        person.save(update_fields=["name"])
    campaign = make_campaign(project, [reviewer, other_reviewer, engineer], rows=3)
    run_scoring(campaign)
    review_all(campaign, other_reviewer, {"formal": corrected(answers(tone=1), "Better.")})
    review_all(campaign, reviewer, {})
    return campaign


def test_numbers_go_by_the_first_review_and_stay(
    campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    assert pseudonym_numbers([campaign]) == {campaign.pk: {other_reviewer.pk: 1, reviewer.pk: 2}}
    names = shown_names(campaign, reader_id=reviewer.pk)
    assert [names.of(person.pk) for person in (other_reviewer, reviewer)] == ["Reviewer 1", "You"]
    assert names.of(-1) == "Not begun yet"


def pages(campaign: Campaign, project: Project, manager: User) -> Iterable[tuple[str, str]]:
    """Everything that shows what reviewers did, as pages, API and file."""
    base = f"/projects/{project.slug}/"
    item = campaign.items.first()
    assert item is not None
    export = make_proposed_rows(campaign, manager)
    row = export.rows.filter(review__isnull=False).first()
    assert row is not None
    client: Client = client_of(manager)
    for path in (
        "",
        f"campaigns/{campaign.pk}/progress/",
        f"campaigns/{campaign.pk}/quality/",
        f"campaigns/{campaign.pk}/items/",
        f"results/{campaign.pk}/",
        f"results/{campaign.pk}/table.csv",
        f"results/{campaign.pk}/cases/?reviewer=1",
        f"results/{campaign.pk}/cases/?differ=1",
        f"results/{campaign.pk}/cases/{item.pk}/",
        f"data/proposed-rows/{export.pk}/",
        f"data/proposed-rows/{export.pk}/rows/{row.pk}/",
        f"data/lineage/{row.review_id}/",
    ):
        answer = client.get(base + path)
        assert answer.status_code == 200, path
        yield path, answer.text
    api = program_of(manager)
    for path in ("progress/", "quality/", "comparison/", "cases/", f"cases/{item.pk}/"):
        answer = api.get(f"projects/{project.slug}/campaigns/{campaign.pk}/{path}")
        assert answer.status_code == 200, path
        yield f"api {path}", answer.text
    yield "csv", "".join(rating_lines(ratings_of(campaign), shown_names(campaign)))


def test_no_name_stands_where_answers_are_shown(campaign: Campaign, project: Project, manager: User) -> None:
    seen = dict(pages(campaign, project, manager))
    assert len(seen) > 12
    for path, text in seen.items():
        for secret in (*NAMES, "reviewer@cast.example"):
            assert secret not in text, path
    assert "Reviewer 1" in seen[f"campaigns/{campaign.pk}/progress/"]
    assert "Not begun yet" in seen[f"campaigns/{campaign.pk}/progress/"]


def test_names_stand_there_if_the_project_says_so(
    campaign: Campaign, project: Project, manager: User
) -> None:
    Project.objects.filter(pk=project.pk).update(shows_reviewer_names=True)
    project.refresh_from_db()
    campaign.refresh_from_db()
    campaign.project.refresh_from_db()
    seen = dict(pages(campaign, project, manager))
    for path in (
        f"campaigns/{campaign.pk}/progress/",
        f"results/{campaign.pk}/",
        "api progress/",
        "csv",
        f"results/{campaign.pk}/cases/?reviewer=1",
    ):
        assert NAMES[1] in seen[path], path


def test_where_people_are_added_names_stand_without_what_they_did(
    campaign: Campaign, project: Project, manager: User
) -> None:
    page = client_of(manager).get(f"/projects/{project.slug}/campaigns/{campaign.pk}/").text
    table = page.partition("<h2>Reviewers</h2>")[2].partition("</table>")[0]
    assert NAMES[0] in table and NAMES[1] in table
    assert 'class="right">6<' not in table and "Assignments submitted" not in table
    # By name, not by how much they did.
    assert table.index(NAMES[1]) < table.index(NAMES[0])
