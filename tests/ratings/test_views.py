"""The pages of imports of ratings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import Example
from evalapp.ratings.formats.base import ColumnRole
from evalapp.ratings.forms import USES
from evalapp.ratings.models import RatingsImport
from evalapp.ratings.tasks import import_ratings
from tests.factories import make_rubric
from tests.ratings.files import COLUMNS, carried_out, imported, rating, ratings, received, table


@pytest.fixture
def office(client_for: Callable[[User | None], Client], manager: User) -> Client:
    return client_for(manager)


def address(name: str, project: Project, *arguments: Any) -> str:
    return reverse(name, args=[project.slug, *arguments])


def post_form(office: Client, page: str, action: str, **changes: Any) -> Any:
    """Send the form of a page as a browser would, with changes."""
    form = office.get(page).context["form"]
    given = {name: form[name].value() for name in form.fields}
    data = {name: value for name, value in given.items() if value not in (None, False, "")}
    return office.post(page, {**data, **changes, "action": action})


def work_off(project: Project) -> None:
    import_ratings(project.ratings_imports.latest("pk").job_id)  # type: ignore[arg-type]


def test_a_file_is_uploaded_checked_and_imported_through_the_pages(office: Client, project: Project) -> None:
    file = SimpleUploadedFile("spring.csv", ratings())
    uploaded = office.post(address("ratings_upload", project), {"file": file})
    page = uploaded["Location"]
    first = office.get(page).content.decode()
    assert "Check file" in first
    assert "Accuracy 1" in first

    assert post_form(office, page, "check").status_code == 302
    work_off(project)
    checked = office.get(page).content.decode()
    assert "Import as a closed campaign" in checked
    assert "16 values: " not in checked and "8 values: " in checked

    assert post_form(office, page, "start", name="Spring", is_blind="on").status_code == 302
    work_off(project)
    done = office.get(page).content.decode()
    assert "16 of 16 records were imported as" in done
    campaign = project.campaigns.get()
    assert (campaign.name, campaign.is_blind, campaign.is_imported) == ("Spring", True, True)
    for name in (
        "campaign_detail",
        "result_detail",
        "campaign_items",
        "campaign_progress",
        "campaign_quality",
    ):
        response = office.get(address(name, project, campaign.pk))
        assert response.status_code == 200, name
    assert "Imported" in office.get(address("campaign_list", project)).content.decode()
    item = campaign.items.first()
    assert item is not None
    case = office.get(address("case_detail", project, campaign.pk, item.pk))
    assert case.status_code == 200


def test_choices_for_names_are_kept_and_followed(office: Client, project: Project, reviewer: User) -> None:
    ratings_import = received(project, reviewer, ratings(people=("Mara",)))
    carried_out(ratings_import, reviewer, checks_only=True)
    page = address("ratings_import", project, ratings_import.pk)

    answer = post_form(
        office,
        page,
        "check",
        reviewer_0=reviewer.pk,
        candidate_1="0",
        criterion_1_kind="-",
        criterion_0_maximum=7,
    )

    assert answer.status_code == 302
    ratings_import.refresh_from_db()
    assert ratings_import.options["reviewers"] == {"Mara": reviewer.pk}
    assert ratings_import.options["candidates"] == {"tuned": 0}
    assert ratings_import.options["criteria"] == {
        "Accuracy": {
            "kind": "scale",
            "minimum": 1,
            "maximum": 7,
            "steps_per_point": 1,
            "lower_is_better": False,
        },
        "Tone": {"use": "-"},
    }
    work_off(project)
    form = office.get(page).context["form"]
    assert form["criterion_1_kind"].value() == "-"
    assert str(form["reviewer_0"].value()) == str(reviewer.pk)


def test_with_a_rubric_of_the_project_each_criterion_is_mapped(
    office: Client, project: Project, manager: User
) -> None:
    rubric = make_rubric(project)
    ratings_import = received(project, manager, table(rating(criterion="Correct")))
    carried_out(ratings_import, manager, checks_only=True)
    page = address("ratings_import", project, ratings_import.pk)
    post_form(office, page, "check", rubric_version=rubric.pk)
    work_off(project)

    shown = office.get(page)
    assert "has no criterion “Correct”" in shown.content.decode()
    post_form(office, page, "start", criterion_0_use="accuracy")
    work_off(project)

    assert project.campaigns.get().rubric_version == rubric


def test_problems_are_shown_and_downloaded_without_formulas(
    office: Client, project: Project, manager: User
) -> None:
    ratings_import = received(
        project, manager, table(rating(value="=1+1"), *(rating(n) for n in range(2, 12)))
    )
    carried_out(ratings_import, manager)
    page = office.get(address("ratings_import", project, ratings_import.pk)).content.decode()
    assert "1 of 11 records cannot be used" in page

    file = office.get(address("ratings_problems", project, ratings_import.pk))

    lines = b"".join(file.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "row,field,problem,fix,left out"
    assert lines[1].startswith("2,Accuracy,“=1+1” is not a whole number.,")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "The file is empty"),
        ("a.csv", b"PK\x03\x04", "Excel workbook"),
        ("a.json", b'{"a": 1', "The first row cannot be read"),
        ("a.pdf", b"%PDF", "ends in .pdf"),
    ],
)
def test_a_bad_upload_is_told_beside_the_field(
    office: Client, project: Project, name: str, content: bytes, message: str
) -> None:
    answer = office.post(address("ratings_upload", project), {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code == 400
    assert message in str(answer.context["form"].errors["file"])


def test_a_mapping_that_cannot_be_is_told(office: Client, project: Project, manager: User) -> None:
    ratings_import = received(project, manager, ratings())
    page = address("ratings_import", project, ratings_import.pk)

    answer = post_form(office, page, "check", column_1="ignore")

    assert answer.status_code == 400
    assert "Choose the column with the candidate whose answer was rated" in answer.content.decode()


def test_every_use_of_a_column_can_be_chosen_and_groups_are_kept(
    office: Client, project: Project, manager: User
) -> None:
    assert {use for use, _ in USES} == {use.value for use in ColumnRole}
    rows = [(*rating(item), f"client {item % 2}") for item in range(1, 5)]
    ratings_import = received(project, manager, table(*rows, columns=(*COLUMNS, "client")))
    page = address("ratings_import", project, ratings_import.pk)
    post_form(office, page, "check")
    work_off(project)
    post_form(office, page, "start")
    work_off(project)
    groups = Example.objects.order_by("row_number").values_list("group_key", flat=True)
    assert list(groups) == ["client 1", "client 0", "client 1", "client 0"]


def test_a_taken_name_and_a_second_start_are_told(office: Client, project: Project, manager: User) -> None:
    imported(project, manager, ratings(), file_name="spring.csv")
    ratings_import = received(project, manager, ratings(items=3), "spring.csv")
    carried_out(ratings_import, manager, checks_only=True)
    page = address("ratings_import", project, ratings_import.pk)

    answer = post_form(office, page, "start")
    assert answer.status_code == 409
    assert "has a campaign named “spring” already" in answer.content.decode()


def test_an_upload_is_discarded(office: Client, project: Project, manager: User, uploads: Path) -> None:
    ratings_import = received(project, manager, ratings())

    answer = office.post(address("ratings_import", project, ratings_import.pk), {"action": "discard"})

    assert answer.status_code == 302
    assert not RatingsImport.objects.exists()


def test_the_list_costs_the_same_with_one_and_with_three(
    office: Client, project: Project, manager: User
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert office.get(address("ratings_list", project)).status_code == 200
        return len(captured)

    assert "No ratings yet" in office.get(address("ratings_list", project)).content.decode()
    imported(project, manager, ratings(items=1), file_name="one.csv")
    one = queries()
    imported(project, manager, ratings(items=2), file_name="two.csv")
    received(project, manager, ratings(items=3), "three.csv")
    assert queries() == one


def test_the_files_for_label_studio_are_attachments(office: Client, project: Project, manager: User) -> None:
    campaign = imported(project, manager, ratings(), file_name="spring.csv").campaign
    assert campaign is not None
    tasks = office.get(address("label_studio_tasks", project, campaign.pk))
    config = office.get(address("label_studio_config", project, campaign.pk))

    assert tasks["Content-Disposition"] == 'attachment; filename="spring-label-studio.json"'
    assert b'"annotations"' in b"".join(tasks.streaming_content)  # type: ignore[attr-defined]
    assert config["Content-Disposition"] == 'attachment; filename="spring-label-studio.xml"'
    assert config.content.startswith(b"<View>")


def test_an_engineer_sees_and_does_not_import(
    client_for: Callable[[User | None], Client], project: Project, engineer: User, manager: User
) -> None:
    ratings_import = received(project, manager, ratings())
    page = client_for(engineer).get(address("ratings_import", project, ratings_import.pk))
    assert "Only members who may edit campaigns can finish this import" in page.content.decode()


def test_a_scale_on_which_lower_is_better_is_imported_as_one(office: Client, project: Project) -> None:
    file = SimpleUploadedFile("errors.csv", ratings())
    page = office.post(address("ratings_upload", project), {"file": file})["Location"]
    post_form(office, page, "check")
    work_off(project)
    form = office.get(page).context["form"]
    assert form["criterion_0_lower_is_better"].value() is False
    refused = post_form(
        office, page, "start", criterion_0_kind="text", criterion_0_lower_is_better="on"
    ).content.decode()
    assert "“Lower is better” is for scales only." in refused

    post_form(office, page, "start", criterion_0_lower_is_better="on", criterion_0_maximum=7)
    work_off(project)

    version = project.campaigns.get().rubric_version
    accuracy, tone = version.criteria.order_by("position")
    assert (accuracy.lower_is_better, accuracy.weight, accuracy.low_threshold, accuracy.maximum) == (
        True, 0, None, 7
    )  # fmt: skip
    assert (tone.lower_is_better, tone.weight, tone.low_threshold) == (False, 1, 2)
