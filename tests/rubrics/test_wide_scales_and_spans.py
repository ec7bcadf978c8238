"""Scales of many levels, and labels for marks: built, checked, previewed, told apart, taken
along as a file.
"""

from dataclasses import replace

import pytest
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.rubrics.drafts import Condition, CriterionDraft, RubricDraft, drafts_of
from evalapp.rubrics.fields import fields_of
from evalapp.rubrics.forms import form_of
from evalapp.rubrics.interchange import read_yaml, write_yaml
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.problems import draft_problems, hints
from evalapp.rubrics.queries import changes
from evalapp.rubrics.services import create_rubric, save_version
from tests.api.conftest import program_of
from tests.cast import client_of

PERCENT = CriterionDraft(
    name="Quality",
    key="quality",
    minimum=0,
    maximum=100,
    low_threshold=20,
    level_descriptions={"0": "Useless.", "85": "Fine."},
)
MARKS = CriterionDraft(
    name="Facts",
    key="facts",
    kind="spans",
    minimum=0,
    maximum=1,
    low_threshold=None,
    allows_not_applicable=True,
    options=(Option("invented", is_undesired=True), Option("well said")),
)


def fields(*drafts: CriterionDraft) -> list[tuple[int, str]]:
    return [(problem.position, problem.field) for problem in draft_problems(drafts)]


def test_a_scale_has_up_to_101_levels() -> None:
    assert fields(PERCENT) == fields(replace(PERCENT, minimum=-10, maximum=90)) == []
    assert fields(replace(PERCENT, minimum=-10)) == [(0, "maximum")]
    assert fields(replace(PERCENT, maximum=101)) == [(0, "maximum"), (0, "maximum")]
    assert fields(replace(PERCENT, level_descriptions={"101": "Beyond."})) == [(0, "level_descriptions")]
    assert not replace(PERCENT, maximum=10).rules.is_typed


def test_its_texts_are_asked_for_in_tenths_and_where_there_is_one() -> None:
    (criterion,) = form_of([PERCENT], "", "").criteria
    assert [level.label for level in criterion.level_descriptions] == [
        *("0", "10", "20", "30", "40", "50", "60", "70", "80", "85", "90", "100")
    ]
    assert [
        "100 has no text" in hint.message for hint in hints([PERCENT]) if hint.field == "level_descriptions"
    ] == [True]
    assert any("few people can distinguish so many" in hint.message for hint in hints([PERCENT]))


def test_missing_texts_of_several_levels_are_told_in_the_plural() -> None:
    scale = CriterionDraft(
        name="Tone", key="tone", level_descriptions={"1": "No.", "3": "Fair.", "5": "Yes."}
    )
    (hint,) = [each.message for each in hints([scale]) if each.field == "level_descriptions"]
    assert hint.startswith("Levels 2, 4 have no text: ")


def test_it_is_a_number_with_a_legend() -> None:
    field = fields_of(PERCENT, answer={"value": 7})
    assert field.number == ("7", 0, 100, "20", "1", "whole number")
    assert [(level.label, level.text) for level in field.levels] == [("0", "Useless."), ("85", "Fine.")]
    assert fields_of(PERCENT, answer={"value": "na"}).number[0] == ""


def test_nothing_depends_on_a_number_or_on_marks() -> None:
    tone = CriterionDraft(name="Tone", key="tone")
    for before in (PERCENT, MARKS):
        dependent = replace(tone, visible_if=Condition(before.key, (0,)))
        assert fields(before, replace(tone, key="other", name="Other"), dependent) == [(2, "visible_if")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"options": ()}, "options"),
        ({"options": (Option("a"), Option(" A "))}, "options"),
        ({"options": (Option("x" * 61),)}, "options"),
        ({"options": tuple(Option(str(n)) for n in range(21))}, "options"),
        ({"is_critical": True}, "is_critical"),
        ({"low_threshold": 1}, "low_threshold"),
        ({"level_descriptions": {"1": "text"}}, "level_descriptions"),
    ],
)
def test_what_labels_cannot_be_is_named(change: dict[str, object], field: str) -> None:
    tone = CriterionDraft(name="Tone", key="tone")
    assert fields(tone, MARKS) == []
    assert (1, field) in fields(tone, replace(MARKS, **change))


def test_marks_alone_are_no_rubric_and_should_allow_for_nothing_to_mark() -> None:
    assert fields(MARKS) == [(0, "kind")]
    strict = [hint.field for hint in hints([replace(MARKS, allows_not_applicable=False)])]
    assert strict == ["allows_not_applicable"]


def test_a_file_brings_both_back_and_a_change_of_labels_is_told() -> None:
    rubric = RubricDraft("Both", "", "", (PERCENT, MARKS))
    assert read_yaml(write_yaml(rubric).encode()) == rubric
    other = replace(MARKS, options=(Option("invented"), Option("kind")))
    assert [(change.what, change.after) for change in changes([MARKS], [other])] == [
        ("Facts: kind", "marks: invented, kind"),
        ("Facts: undesired options", "none"),
    ]


@pytest.mark.django_db
def test_the_builder_makes_labels_and_shows_them_as_reviewers_see_them(
    project: Project, manager: User
) -> None:
    rubric = create_rubric(project=project, name="Both", by=manager)
    save_version(rubric=rubric, criteria=[PERCENT], by=manager)
    client = client_of(manager)
    address = reverse("rubric_edit", args=[project.slug, rubric.pk])
    page = client.get(address)
    data = {
        "criteria-count": "1",
        "based_on": page.context["form"].based_on,
        "criteria-0-kind": "scale",
        "criteria-0-key": "quality",
        "criteria-0-name": "Quality",
        "criteria-0-minimum": "0",
        "criteria-0-maximum": "100",
        "criteria-0-low_threshold": "20",
        "criteria-0-description-0": "Useless.",
        "criteria-0-description-85": "Fine.",
        "criteria-0-is_required": "1",
    }
    assert 'type="number" name="preview-criterion-quality"' in page.content.decode()
    added = client.post(address, {**data, "action": "add-spans"})
    assert "Labels <span" in added.content.decode()
    data |= {
        "criteria-count": "2",
        "criteria-1-kind": "spans",
        "criteria-1-name": "Facts",
        "criteria-1-options": "! invented\r\nwell said",
        "criteria-1-is_required": "1",
        "criteria-1-allows_not_applicable": "1",
    }
    preview = client.post(address, {**data, "action": "preview"}).content.decode()
    assert "Nothing to mark" in preview
    assert '<li data-label="1" class="is-undesired">invented</li>' in preview

    assert client.post(address, {**data, "action": "save"}).status_code == 302

    assert drafts_of(rubric.versions.get()) == [PERCENT, MARKS]
    shown = client.get(reverse("rubric_detail", args=[project.slug, rubric.pk])).content.decode()
    assert "marks: invented, well said" in shown
    program = program_of(manager)
    api = program.get(f"/api/v1/projects/{project.slug}/rubrics/{rubric.pk}/versions/1/").json()
    assert [each["kind"] for each in api["criteria"]] == ["scale", "spans"]
    again = program.post(
        f"/api/v1/projects/{project.slug}/rubrics/",
        {
            "name": "Again",
            "criteria": [{k: v for k, v in each.items() if v is not None} for each in api["criteria"]],
        },
    )
    assert again.status_code == 201, again.content
