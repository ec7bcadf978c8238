"""Prompts that show examples: of the training split alone, as stored, before every question."""

import pytest

from evalapp.core.errors import InvalidError
from evalapp.gates.lineage import training_data_of
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.registry.services import register_prompt
from evalapp.runs.generation.few_shot import few_shot, row_numbers_in
from evalapp.runs.programs.directory import candidate_specs, prepare_generation
from evalapp.runs.queries import position_among_tried, prompts_tried
from evalapp.runs.services import start_generation
from inference.prompts import conversation
from inference.spec import Candidate
from run_directory.protocol import Message
from tests.form_addresses import model_form

pytestmark = pytest.mark.django_db


@pytest.fixture
def shown(project, base, version, engineer) -> ModelVersion:
    return register_prompt(
        project=project, base=base, label="Two examples", system_prompt="Be brief.",
        prompt_template="Q: {prompt}",
        examples=few_shot(version, [2, 1]), by=engineer,
    )  # fmt: skip


def test_examples_stand_between_the_system_turn_and_the_question(project, version, shown, engineer, behave):
    run = start_generation(
        project=project, dataset_version=version, splits=["test"], candidates=[shown],
        sampling={"max_tokens": 8},
        name="Prompted", by=engineer,
    )  # fmt: skip
    (candidate,) = candidate_specs(run)
    assert prepare_generation(run).candidates == (candidate,)
    asked = conversation(candidate, [Message(role="user", content="Why?")])
    assert [(turn["role"], turn["content"]) for turn in asked] == [
        ("system", "Be brief."),
        ("user", "train question 1"), ("assistant", "train answer 1"),
        ("user", "train question 0"), ("assistant", "train answer 0"),
        ("user", "Q: Why?"),
    ]  # fmt: skip


def test_a_rows_own_system_turn_stays_first(version):
    candidate = Candidate(
        key="shown",
        kind="prompt",
        examples=(Message(role="user", content="Q"), Message(role="assistant", content="A")),
    )
    asked = [Message(role="system", content="House style."), Message(role="user", content="Why?")]
    assert [turn["content"] for turn in conversation(candidate, asked)] == ["House style.", "Q", "A", "Why?"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([7], "Row 7 of .* is in its test split. A prompt may show only training rows"),
        ([10], "is in its feedback split"),
        ([99], "has no row 99"),
        ([1, 1], "given twice"),
        (list(range(1, 40)), "At most 32"),
    ],
)
def test_only_rows_of_the_training_split_are_shown(version, rows, said):
    with pytest.raises(InvalidError, match=said):
        few_shot(version, rows)


@pytest.mark.parametrize(("text", "rows"), [("3, 17 42", [3, 17, 42]), ("5;6", [5, 6]), ("", [])])
def test_row_numbers_are_read_as_people_write_them(text, rows):
    assert row_numbers_in(text) == rows


@pytest.mark.parametrize("text", ["3, x", "-1", "1.5", "٣", "9" * 12])
def test_what_is_no_row_number_is_told(text):
    with pytest.raises(InvalidError, match="is not a row number"):
        row_numbers_in(text)


def test_other_examples_are_another_candidate_and_all_tries_are_counted(
    project, base, version, shown, engineer
):
    other = register_prompt(
        project=project, base=base, label="One example", system_prompt="Be brief.",
        prompt_template="Q: {prompt}",
        examples=few_shot(version, [1]), by=engineer,
    )  # fmt: skip
    assert other.content_hash != shown.content_hash
    assert (position_among_tried(shown), position_among_tried(other)) == ((1, 2), (2, 2))
    assert prompts_tried(project) == [(base, 2)]


def test_a_gate_compares_the_tested_rows_with_what_a_prompt_shows(shown, version):
    assert training_data_of(shown).versions == [version]


def test_the_page_previews_what_the_model_gets_and_refuses_other_splits_beside_the_field(
    project, base, version, engineer, client_for
):
    browser = client_for(engineer)
    address = model_form(project, "prompt")
    form = {"base": base.pk, "label": "Shown", "examples_version": version.pk, "example_rows": "1, 3"}
    page = browser.post(address, {**form, "sample": "And this?", "preview": "1"}).text
    assert page.index("train question 0") < page.index("train answer 2") < page.index("And this?</dd>")
    assert not ModelVersion.objects.filter(kind=ModelKind.PROMPT).exists()
    refused = browser.post(address, {**form, "example_rows": "7"})
    assert refused.status_code == 400
    assert "is in its test split" in refused.text
    half = browser.post(address, {**form, "example_rows": ""})
    assert "Choose a version and enter its rows" in half.text
    made = browser.post(address, form, follow=True).text
    assert "Rows 1, 3 of" in made
    assert "the only prompt tried on that base" in made
