"""Rubrics as files."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.rubrics.drafts import Condition, CriterionDraft, RubricDraft, TagDraft, drafts_of, with_keys
from evalapp.rubrics.interchange import LARGEST_FILE, read_yaml, write_yaml
from evalapp.rubrics.kinds import KINDS
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.models import Rubric
from evalapp.rubrics.problems import draft_problems, hints
from evalapp.rubrics.services import fingerprint, import_rubric
from evalapp.rubrics.templates import TEMPLATES
from tests.api.conftest import program_of

HEAD = b"evalapp_rubric: 1\nname: Answers\n"


def refused(content: bytes) -> dict[str, list[str]]:
    with pytest.raises(InvalidError) as caught:
        read_yaml(content)
    return caught.value.fields or {"": [caught.value.message]}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))
def test_a_template_is_ready_to_use_and_survives_its_file(template: RubricDraft) -> None:
    keyed = replace(template, criteria=tuple(with_keys(template.criteria)))

    assert (draft_problems(keyed.criteria), hints(keyed.criteria)) == ([], [])
    assert read_yaml(write_yaml(keyed).encode()) == keyed


def test_every_setting_survives_the_file() -> None:
    rubric = RubricDraft(
        "Übung: „no“",
        "# not a comment",
        "One\n\n  two: - three\n",
        (
            CriterionDraft(
                name="no",
                key="no",
                help_text="yes: or\nno",
                minimum=-2,
                maximum=2,
                level_descriptions={"-2": "null", "2": "1.5"},
                weight=Decimal("0.25"),
                is_required=False,
                allows_not_applicable=True,
                low_threshold=None,
                tags=(TagDraft("on", "on"), TagDraft("&anchor *alias", "k")),
            ),
            CriterionDraft(
                name="Any error",
                key="error",
                kind="yes_no",
                minimum=0,
                maximum=1,
                level_descriptions={"yes": "so", "no": "not so"},
                is_critical=True,
                low_threshold=None,
                undesired=0,
                examples={"no": "Ja:\nnein"},
            ),
            CriterionDraft(
                name="Kind of error",
                key="kind",
                kind="category",
                minimum=1,
                maximum=3,
                low_threshold=None,
                options=(Option("none"), Option("yes", True), Option("1")),
                level_descriptions={"1": "All right."},
                visible_if=Condition("error", (1,)),
            ),
            CriterionDraft(
                name="In words",
                key="words",
                kind="text",
                minimum=0,
                maximum=1,
                low_threshold=None,
                is_required=False,
            ),
        ),
    )

    assert read_yaml(write_yaml(rubric).encode()) == rubric


def test_what_a_person_writes_is_read() -> None:
    read = read_yaml(
        HEAD
        + b"""
criteria:
- name: Tone
  level_descriptions: {1: off, 5: right}
  tags: [cold, too formal]
- name: Wrong
  kind: yes_no
  level_descriptions:
    yes: an error
    no: none
  undesired: yes
"""
    )

    tone, wrong = read.criteria
    assert (tone.minimum, tone.maximum, tone.low_threshold, [tag.label for tag in tone.tags]) == (
        1,
        5,
        2,
        ["cold", "too formal"],
    )
    assert (wrong.minimum, wrong.maximum, wrong.undesired, dict(wrong.level_descriptions)) == (
        0,
        1,
        1,
        {"yes": "an error", "no": "none"},
    )


def test_all_that_is_wrong_is_said_at_once() -> None:
    problems = refused(
        b"""
evalapp_rubric: 1
name: 12
colour: red
criteria:
- kind: scale
  minimum: one
  is_required: maybe
  wieght: 2
- name: Tone
  level_descriptions: [bad, good]
  tags: [{label: 3}]
- just a text
"""
    )

    assert set(problems) == {
        "name",
        "colour",
        "Criterion 1: name",
        "Criterion 1: minimum",
        "Criterion 1: is_required",
        "Criterion 1: wieght",
        "Criterion 2 “Tone”: level_descriptions",
        "Criterion 2 “Tone”: tags.1.label",
        "Criterion 3",
    }


def test_what_cannot_be_read_and_what_cannot_be_is_said_together_and_once() -> None:
    problems = refused(
        b"""
evalapp_rubric: 1
name: Answers
description: 3
instructions: "a NUL: \\0"
criteria:
- {name: Tone, key: tone, minimum: 5, maximum: 1}
- {name: tone, weight: 1000, wieght: 2}
- {name: Facts, key: facts, minimum: one, maximum: 0, visible_if: {criterion: gone, values: [1]}}
- {name: Ease, key: ease, visible_if: {criterion: pace, values: [1]}}
- {name: Pace, key: pace, visible_if: {criterion: ease, values: [1]}}
- {name: Reach, visible_if: {criterion: facts, values: [7]}}
"""
    )

    assert set(problems) == {
        "description",
        "instructions",
        "Criterion 1 “Tone”: name",
        "Criterion 1 “Tone”: maximum",
        "Criterion 2 “tone”: name",
        "Criterion 2 “tone”: weight",
        "Criterion 2 “tone”: wieght",
        "Criterion 3 “Facts”: minimum",
        "Criterion 3 “Facts”: visible_if",
        "Criterion 4 “Ease”: visible_if",
    }
    assert sum("in a circle" in text for texts in problems.values() for text in texts) == 1


def test_a_file_without_criteria_or_name_says_both() -> None:
    problems = refused(b"evalapp_rubric: 1\ncriteria: []\n")

    assert set(problems) == {"name", "criteria"}
    assert "criteria" not in refused(HEAD + b"criteria: [12]\n")


def test_the_sample_has_every_kind_and_can_be_brought_as_it_is(
    project: Project, manager: User, client_for
) -> None:
    client: Client = client_for(manager)
    sample = client.get(reverse("rubric_sample", args=[project.slug]))
    shown = client.get(reverse("rubric_import", args=[project.slug]))

    rubric = import_rubric(project=project, content=sample.content, by=manager)

    criteria = drafts_of(rubric.versions.get())
    assert {draft.kind for draft in criteria} == {kind.name for kind in KINDS}
    assert any(draft.visible_if for draft in criteria)
    assert any(draft.tags for draft in criteria)
    assert any(draft.examples for draft in criteria)
    assert hints(criteria) == []
    assert sample.content.decode() in shown.content.decode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a rubric file"),
        (b"- a\n- b\n", "not a rubric file"),
        (b"evalapp_rubric: 2\n", "not a rubric file"),
        (HEAD + b"criteria: [\n", "Line 4, column 1: not YAML"),
        (HEAD + b"\tname: x\n", "Line 3, column 1: not YAML"),
        (HEAD + b"description: a\x00b\n", "not YAML"),
        (HEAD + b"description: \xff\n", "not UTF-8"),
        (HEAD + b"name: again\n", "Line 3: “name” is given twice"),
        (HEAD + b"a: &a [x]\nb: [*a, *a]\n", "no aliases"),
        (HEAD + b"criteria: &a [*a]\n", "no aliases"),
        (HEAD + b"description: !!python/object/apply:os.system [id]\n", "no tags"),
        (HEAD + b"criteria: " + b"[" * 5_000 + b"]" * 5_000, "nested too deeply"),
        (HEAD + b"criteria: " + b"{a: " * 5_000, "nested too deeply"),
        (HEAD + b"description: " + b"1" * 5_000, "too many digits"),
        (HEAD + b"criteria: !!binary aGVsbG8=\n", "no tags"),
        (HEAD + b"? [a]\n: b\n", "not YAML"),
        (HEAD + b"#" * LARGEST_FILE, "at most 128 kB"),
        (b"--- a\n--- b\n", "not YAML"),
        (b"evalapp_rubric: true\nname: Answers\n", "not a rubric file"),
        (b"evalapp_rubric: 1.0\nname: Answers\n", "not a rubric file"),
        (
            HEAD + b'description: "\\U00110000"\n',
            "Line 3: an escape (\\U and eight digits) names no character",
        ),
        (
            HEAD + b'description: "\\UFFFFFFFF"\n',
            "Line 3: an escape (\\U and eight digits) names no character",
        ),
        (HEAD + b"criteria: [{name: A, level_descriptions: {1: a, +1: b}}]\n", "Line 3: “1” is given twice"),
        (HEAD + b'criteria: [{name: A, level_descriptions: {1: a, "1": b}}]\n', "Line 3: “1” is given twice"),
        (HEAD + b'"\\uD800": 1\n"\\uD800": 2\n', "Line 4: “U+D800” is given twice"),
    ],
)
def test_a_file_that_is_none_is_refused_with_a_sentence(content: bytes, said: str) -> None:
    ((message, *_),) = refused(content).values()

    assert said in message


def test_conditions_in_a_circle_are_refused_with_the_circle(
    project: Project, manager: User, client_for
) -> None:
    content = (
        HEAD
        + b"""
criteria:
- {name: Tone, key: tone, visible_if: {criterion: facts, values: [1]}}
- {name: Length, key: length, visible_if: {criterion: tone, values: [1]}}
- {name: Facts, key: facts, visible_if: {criterion: length, values: [1]}}
- {name: Ease, key: ease, visible_if: {criterion: ease, values: [1]}}
- {name: Late, key: late, visible_if: {criterion: last, values: [1]}}
- {name: Last, key: last}
"""
    )
    said = "These depend on each other in a circle, so none would ever be asked: "
    with pytest.raises(InvalidError) as caught:
        import_rubric(project=project, content=content, by=manager)
    assert caught.value.fields == {
        "Criterion 1 “Tone”: visible_if": [
            said + "“Tone” → “Facts” → “Length” → “Tone”. Remove the condition of one."
        ],
        "Criterion 4 “Ease”: visible_if": ["A criterion cannot depend on itself."],
        "Criterion 5 “Late”: visible_if": [
            "“Last” comes later, so its answer is not known yet. Depend on an earlier criterion."
        ],
    }
    file = SimpleUploadedFile("rubric.yaml", content)
    page = client_for(manager).post(reverse("rubric_import", args=[project.slug]), {"file": file})
    assert page.status_code == 400
    assert "“Tone” → “Facts” → “Length” → “Tone”. Remove the condition of one." in page.text
    assert not Rubric.objects.filter(project=project, name="Answers").exists()


def test_a_file_becomes_a_rubric_and_its_copy_says_the_same(
    project: Project,
    manager: User,
    client_for,
) -> None:
    template = TEMPLATES["clinical"]
    first = import_rubric(project=project, content=write_yaml(template).encode(), by=manager)
    version = first.versions.get()
    client: Client = client_for(manager)

    answer = client.get(reverse("rubric_file", args=[project.slug, first.pk, 1]))
    content = answer.content
    second = import_rubric(project=project, content=content, name="A copy", by=manager)

    assert answer["Content-Disposition"] == 'attachment; filename="discharge-summaries-v1.yaml"'
    assert [draft.name for draft in drafts_of(version)] == [draft.name for draft in template.criteria]
    assert fingerprint(second.versions.get()) == fingerprint(version)


def test_the_page_says_what_is_wrong_where_and_makes_nothing(
    project: Project, manager: User, client_for
) -> None:
    content = HEAD + b"criteria:\n- name: Tone\n  maximum: 1\n- name: tone\n  wieght: 2\n"
    client: Client = client_for(manager)

    def send(content: bytes):
        file = SimpleUploadedFile("rubric.yaml", content)
        return client.post(reverse("rubric_import", args=[project.slug]), {"file": file})

    page = send(content)
    assert page.status_code == 400
    assert "Criterion 2 “tone”: wieght: Unknown entry." in page.content.decode()
    assert "Criterion 1 “Tone”: maximum: The highest level must be above the lowest." in page.content.decode()
    assert not Rubric.objects.filter(project=project, name="Answers").exists()
    assert (
        send(
            content.replace(b"  wieght: 2\n", b"")
            .replace(b"maximum: 1", b"maximum: 3")
            .replace(b"tone", b"Facts")
        ).status_code
        == 302
    )


@pytest.mark.parametrize(
    ("line", "place", "said"),
    [
        ('description: "\\uD800"', "description", "half of a character (U+D800)"),
        ('"\\uD800": 1', "U+D800", "Unknown entry"),
        ('criteria: [{name: "\\uDFFF\\0"}]', "Criterion 1: name", "half of a character (U+DFFF)"),
        ('criteria: [{name: A, help_text: "\\0"}]', "Criterion 1 “A”: help_text", "NUL character"),
        (
            'criteria: [{name: A, level_descriptions: {1: "\\uD800"}}]',
            "Criterion 1 “A”: level_descriptions.1",
            "half of a",
        ),
        (
            'criteria: [{name: A, level_descriptions: {"\\uD800": a}}]',
            "Criterion 1 “A”: level_descriptions",
            "no level U+D800",
        ),
        ('criteria: [{name: A, "\\uD800": a}]', "Criterion 1 “A”: U+D800", "Unknown entry"),
        ('criteria: [{name: A, tags: ["\\uD800"]}]', "Criterion 1 “A”: tags.1", "half of a character"),
        ('criteria: [{name: A, tags: [{label: a, key: "\\0"}]}]', "Criterion 1 “A”: tags.1.key", "NUL"),
        (
            "criteria: [{name: A, tags: [{label: a, key: A b/<script>}]}]",
            "Criterion 1 “A”: tags",
            "small letters",
        ),
        (
            f"criteria: [{{name: A, tags: [{{label: a, key: {'k' * 41}}}]}}]",
            "Criterion 1 “A”: tags",
            "at most 40",
        ),
        (
            "criteria: [{name: A, tags: [{label: a, key: k}, {label: b, key: k}]}]",
            "Criterion 1 “A”: tags",
            "Two reasons have the key “k”",
        ),
        ("criteria: [{name: A, weight: 0.00001}]", "Criterion 1 “A”: weight", "three decimals"),
    ],
)
def test_what_nothing_can_keep_is_refused_at_its_place(
    project: Project, manager: User, client_for, line: str, place: str, said: str
) -> None:
    content = (f"{HEAD.decode()}{line}\n").encode()
    assert said in refused(content)[place][0]
    file = SimpleUploadedFile("rubric.yaml", content)
    page = client_for(manager).post(reverse("rubric_import", args=[project.slug]), {"file": file})
    assert page.status_code == 400
    assert not Rubric.objects.filter(project=project, name="Answers").exists()


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"criteria:\n" + b"-\n" * 22_000, "criteria"),
        (b"criteria: [{name: A, tags: [" + b"a, " * 22_000 + b"]}]\n", "Criterion 1 “A”: tags"),
        (b"criteria: [{name: A, options: [" + b"a, " * 22_000 + b"]}]\n", "Criterion 1 “A”: options"),
    ],
)
def test_a_list_of_far_too_many_entries_is_refused_before_they_are_read(content: bytes, place: str) -> None:
    problems = refused(HEAD + content)
    assert list(problems) == [place]
    assert problems[place][0].startswith("There are 22,000 ")


def test_keys_of_many_criteria_of_one_name_are_made_in_one_go() -> None:
    """Each number was counted up to from one again: of 20,000 names that took minutes."""
    started = time.thread_time()
    keyed = with_keys([CriterionDraft(name="Tone", tags=[TagDraft("a")] * 2)] * 20_000)
    assert time.thread_time() - started < 10
    assert [draft.key for draft in keyed[:3]] == ["tone", "tone-2", "tone-3"]
    assert [tag.key for tag in keyed[0].tags] == ["a", "a-2"]
    assert len({draft.key for draft in keyed}) == 20_000


def test_a_program_is_refused_the_same_keys_and_weights(project: Project, manager: User) -> None:
    address = f"/api/v1/projects/{project.slug}/rubrics/"
    for field, value in (
        ("tags", [{"label": "a", "key": "k"}, {"label": "b", "key": "k"}]),
        ("tags", [{"label": "a", "key": "A b/<script>"}]),
        ("weight", 0.00001),
    ):
        body = {"name": "Answers", "criteria": [{"name": "A", field: value}]}
        answer = program_of(manager).post(address, body)
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [f"criteria.0.{field}"])


def test_where_lower_is_better_no_low_level_has_to_be_emptied() -> None:
    scale = (
        b"criteria:\n- name: Tone\n- {name: Errors, minimum: 0, maximum: 9, weight: 0, lower_is_better: true"
    )
    read = read_yaml(HEAD + scale + b"}\n")
    assert read.criteria[1].low_threshold is None
    assert read_yaml(write_yaml(read).encode()).criteria[1].low_threshold is None
    # Who asks for reasons at a low level is still told why that cannot be.
    ((place, said),) = refused(HEAD + scale + b", low_threshold: 2}\n").items()
    assert "lower_is_better" in place and "low answers need no reasons" in said[0]
