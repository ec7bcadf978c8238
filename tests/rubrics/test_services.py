from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError, InvalidError, StaleError
from evalapp.rubrics.drafts import Condition, CriterionDraft, TagDraft, drafts_of
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.models import Criterion, Rubric, RubricVersion
from evalapp.rubrics.services import (
    RubricProblemError,
    add_default_rubric,
    create_rubric,
    fingerprint,
    freeze,
    rename_rubric,
    save_version,
)


@pytest.fixture
def rubric(project: Project, manager: User) -> Rubric:
    return create_rubric(project=project, name="Answers", by=manager)


def a_scale(name: str = "Accuracy", **fields: object) -> CriterionDraft:
    return CriterionDraft(**{"name": name, **fields})


def a_question(name: str = "Any error", **fields: object) -> CriterionDraft:
    given = {"kind": "yes_no", "minimum": 0, "maximum": 1, "low_threshold": None, "undesired": 1, **fields}
    return CriterionDraft(**{"name": name, **given})


def a_category(name: str = "Kind", *labels: str, **fields: object) -> CriterionDraft:
    options = tuple(Option(label.removeprefix("!"), label.startswith("!")) for label in labels)
    given = {"kind": "category", "minimum": 1, "maximum": len(labels), "low_threshold": None, **fields}
    return CriterionDraft(**{"name": name, "options": options, **given})


def a_text(name: str = "Words", **fields: object) -> CriterionDraft:
    given = {"kind": "text", "minimum": 0, "maximum": 1, "low_threshold": None, **fields}
    return CriterionDraft(**{"name": name, **given})


def depending(on: str, *values: int, name: str = "Which") -> CriterionDraft:
    return a_scale(name, visible_if=Condition(on, values))


def test_every_new_project_can_rate_at_once(project: Project, manager: User) -> None:
    version = add_default_rubric(project=project, by=manager).versions.get()

    criteria = list(version.criteria.all())
    assert [(each.key, each.kind, each.minimum, each.maximum) for each in criteria] == [
        ("accuracy", "scale", 1, 5),
        ("clarity", "scale", 1, 5),
        ("tone", "scale", 1, 5),
        ("personalization", "scale", 1, 5),
        ("material-factual-error", "yes_no", 0, 1),
    ]
    assert [each.is_critical for each in criteria] == [False, False, False, False, True]
    assert all(len(each.level_descriptions) == len(each.levels) for each in criteria)
    assert next(tag.label for tag in criteria[2].reason_tags.all()) == "too formal"


def test_what_is_saved_is_what_was_given(rubric: Rubric, manager: User) -> None:
    given = [
        a_scale(
            key="accuracy",
            help_text="Right?",
            minimum=0,
            maximum=6,
            level_descriptions={"0": "wrong", "6": "right"},
            weight=Decimal("2.500"),
            is_required=False,
            allows_not_applicable=True,
            low_threshold=None,
            tags=(TagDraft("wrong figure", "wrong-figure"),),
        ),
        a_question(key="any-error", level_descriptions={"yes": "one or more"}, is_critical=True, undesired=1),
    ]

    version = save_version(rubric=rubric, criteria=given, instructions=" Read first. ", by=manager)

    assert drafts_of(version) == given
    assert version.instructions == "Read first."


def test_an_unused_version_is_edited_in_place_and_a_used_one_is_followed(
    rubric: Rubric, manager: User
) -> None:
    first = save_version(rubric=rubric, criteria=[a_scale()], by=manager)
    again = save_version(rubric=rubric, criteria=[a_scale(), a_scale("Tone")], by=manager)
    assert (again.pk, again.number) == (first.pk, 1)

    freeze(rubric_version=again, by=manager)
    frozen_at = again.frozen_at
    freeze(rubric_version=again, by=manager)
    second = save_version(rubric=rubric, criteria=[a_scale("Tone")], by=manager)

    assert again.frozen_at == frozen_at
    assert second.number == 2
    assert [criterion.name for criterion in again.criteria.all()] == ["Accuracy", "Tone"]
    assert AuditEvent.objects.filter(action="rubric.version_frozen").count() == 1


def test_saving_the_same_again_makes_no_version(rubric: Rubric, manager: User) -> None:
    first = save_version(rubric=rubric, criteria=[a_scale(level_descriptions={"1": "bad"})], by=manager)
    freeze(rubric_version=first, by=manager)

    assert save_version(rubric=rubric, criteria=drafts_of(first), by=manager) == first


def test_a_renamed_criterion_keeps_its_key(rubric: Rubric, manager: User) -> None:
    version = save_version(rubric=rubric, criteria=[a_scale("Tone")], by=manager)
    renamed = [a_scale("Tone of voice", key="tone"), a_scale("Tone")]

    version = save_version(rubric=rubric, criteria=renamed, by=manager)

    assert [(each.key, each.name) for each in version.criteria.all()] == [
        ("tone", "Tone of voice"),
        ("tone-2", "Tone"),
    ]


def test_an_edit_of_what_somebody_else_changed_is_refused(rubric: Rubric, manager: User) -> None:
    version = save_version(rubric=rubric, criteria=[a_scale()], by=manager)
    seen = fingerprint(version)
    save_version(rubric=rubric, criteria=[a_scale("Clarity")], by=manager, based_on=seen)

    with pytest.raises(StaleError, match="Somebody saved this rubric"):
        save_version(rubric=rubric, criteria=[a_scale("Tone")], by=manager, based_on=seen)

    assert [each.name for each in version.criteria.all()] == ["Clarity"]


@pytest.mark.parametrize(
    ("criteria", "field", "message"),
    [
        ([], "criteria.0.name", "at least one criterion"),
        ([a_scale(" ")], "criteria.0.name", "Give the criterion a name"),
        ([a_scale("x" * 81)], "criteria.0.name", "1 to 80 characters"),
        ([a_scale(), a_scale("accuracy")], "criteria.1.name", "Two criteria are named"),
        ([a_scale(key="k"), a_scale("B", key="k")], "criteria.0.key", "Two criteria have the key"),
        ([a_scale(key="Not A Key")], "criteria.0.key", "small letters"),
        ([a_scale(minimum=5, maximum=5)], "criteria.0.maximum", "above the lowest"),
        ([a_scale(minimum=-10, maximum=100)], "criteria.0.maximum", "at most 101 levels"),
        ([a_scale(minimum=-40, maximum=-38)], "criteria.0.maximum", "between -10 and 100"),
        ([a_scale(level_descriptions={"6": "x"})], "criteria.0.level_descriptions", "no level 6"),
        ([a_scale(level_descriptions={"1": "x" * 501})], "criteria.0.level_descriptions", "at most 500"),
        ([a_scale(low_threshold=5)], "criteria.0.low_threshold", "1 to 4"),
        ([a_scale(weight=Decimal(-1))], "criteria.0.weight", "from 0 to 100"),
        ([a_scale(weight=Decimal("NaN"))], "criteria.0.weight", "from 0 to 100"),
        ([a_scale(weight=Decimal(0))], "criteria.0.weight", "above 0"),
        ([a_scale(kind="stars")], "criteria.0.kind", "one of scale, yes_no"),
        ([a_question(maximum=5)], "criteria.0.maximum", "levels 0 and 1"),
        ([a_question(is_critical=True, undesired=None)], "criteria.0.undesired", "undesired"),
        ([a_question(level_descriptions={"1": "x"})], "criteria.0.level_descriptions", "yes and no only"),
        ([a_scale(tags=(TagDraft("a"), TagDraft("A")))], "criteria.0.tags", "twice"),
        ([a_scale(tags=(TagDraft(" "),))], "criteria.0.tags", "1 to 60"),
        ([a_scale("a\x00b")], "criteria.0.name", "NUL"),
        ([a_scale(examples={"6": "x"})], "criteria.0.examples", "no level 6"),
        ([a_scale(examples={"1": "x" * 4_001})], "criteria.0.examples", "at most 4,000"),
        ([a_scale(options=(Option("x"),))], "criteria.0.options", "Only a category"),
        ([a_category("Kind", "one")], "criteria.0.options", "2 to 20 options"),
        ([a_category("Kind", "one", "One")], "criteria.0.options", "twice"),
        ([a_category("Kind", "one", " ")], "criteria.0.options", "1 to 60"),
        ([a_category("Kind", "!one", "!two")], "criteria.0.options", "Every option is undesired"),
        (
            [a_category("Kind", "one", "two", is_critical=True)],
            "criteria.0.options",
            "needs undesired options",
        ),
        ([a_category("Kind", "one", "two", maximum=3)], "criteria.0.maximum", "levels 1 to 2"),
        ([a_text()], "criteria.0.kind", "at least one scale"),
        ([a_scale(), a_text(is_critical=True)], "criteria.1.is_critical", "cannot fail"),
        ([a_scale(), a_text(tags=(TagDraft("x"),))], "criteria.1.tags", "no low level"),
        ([a_scale(), a_text(allows_not_applicable=True)], "criteria.1.allows_not_applicable", "optional"),
        ([a_scale(), a_text(level_descriptions={"1": "x"})], "criteria.1.level_descriptions", "no level 1"),
        ([a_scale(), a_text(), depending("words", 1)], "criteria.2.visible_if", "answered in words"),
        ([a_scale(), depending("nothing", 1)], "criteria.1.visible_if", "no criterion with the key"),
        (
            [a_scale("Two words"), depending("Two Words", 1)],
            "criteria.1.visible_if",
            "“two-words”: use that",
        ),
        ([a_scale("B"), depending("B", 1)], "criteria.1.visible_if", "The key of “B” is “b”"),
        ([depending("which", 1)], "criteria.0.visible_if", "cannot depend on itself"),
        ([depending("tone", 1), a_scale("Tone")], "criteria.0.visible_if", "comes later"),
        (
            [depending("b", 1, name="A"), depending("a", 1, name="B")],
            "criteria.0.visible_if",
            "depend on each other in a circle",
        ),
        ([a_scale("Tone"), depending("tone")], "criteria.1.visible_if", "at least one answer"),
        ([a_scale("Tone"), depending("tone", 7)], "criteria.1.visible_if", "has no answer 7"),
        ([a_scale(str(n)) for n in range(31)], "criteria.30.name", "at most 30"),
    ],
)
def test_what_cannot_be_rated_cannot_be_saved(
    rubric: Rubric, manager: User, criteria: list[CriterionDraft], field: str, message: str
) -> None:
    with pytest.raises(RubricProblemError) as caught:
        save_version(rubric=rubric, criteria=criteria, by=manager)

    assert message in " ".join(caught.value.fields[field])
    assert not RubricVersion.objects.exists()


def test_names_are_taken_once_per_project(rubric: Rubric, manager: User, other_project: Project) -> None:
    with pytest.raises(ConflictError, match="already has a rubric named “Answers”"):
        create_rubric(project=rubric.project, name="Answers", by=manager)
    other = create_rubric(project=rubric.project, name="Letters", by=manager)
    with pytest.raises(ConflictError):
        rename_rubric(rubric=other, name="Answers", description="", by=manager)
    with pytest.raises(InvalidError, match="1 to 120"):
        rename_rubric(rubric=other, name=" ", description="", by=manager)
    with pytest.raises(InvalidError, match="no rubric template"):
        create_rubric(project=other_project, name="Answers", template="poems", by=manager)


def test_a_version_without_criteria_cannot_be_used(rubric: Rubric, manager: User) -> None:
    version = RubricVersion.objects.create(rubric=rubric, number=1)

    with pytest.raises(InvalidError, match="no criteria yet"):
        freeze(rubric_version=version, by=manager)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evalapp_criterion SET name = 'changed'",
        "UPDATE evalapp_reasontag SET label = 'changed'",
        "UPDATE evalapp_rubricversion SET instructions = 'changed'",
        "UPDATE evalapp_rubricversion SET frozen_at = NULL",
        (
            "INSERT INTO evalapp_reasontag (created_at, criterion_id, position, key, label)"
            " SELECT now(), id, 9, 'more', 'more' FROM evalapp_criterion"
        ),
    ],
)
def test_the_database_keeps_a_used_version(rubric: Rubric, manager: User, statement: str) -> None:
    version = save_version(rubric=rubric, criteria=[a_scale(tags=(TagDraft("late"),))], by=manager)
    freeze(rubric_version=version, by=manager)

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Criterion.objects.get().name == "Accuracy"


def test_a_project_with_a_used_rubric_can_still_be_deleted(rubric: Rubric, manager: User) -> None:
    version = save_version(rubric=rubric, criteria=[a_scale(tags=(TagDraft("late"),))], by=manager)
    freeze(rubric_version=version, by=manager)

    rubric.project.delete()

    assert not Criterion.objects.exists()


def test_options_keep_their_names_in_a_sentence() -> None:
    assert a_category("Kind", "Fine", "!GDPR breach", "!PII").rules.low_in_words == "GDPR breach, PII"
    assert a_question(undesired=1).rules.low_in_words == "yes"
