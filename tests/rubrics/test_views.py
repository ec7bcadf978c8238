from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from evalapp.accounts.models import Project, User
from evalapp.rubrics.drafts import Condition, CriterionDraft, drafts_of
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.models import Rubric, RubricVersion
from evalapp.rubrics.services import add_default_rubric, create_rubric, fingerprint, freeze, save_version

ClientFor = Callable[[User | None], Client]


@pytest.fixture
def rubric(project: Project, manager: User) -> Rubric:
    return add_default_rubric(project=project, by=manager)


def posted(page: object, **changes: str) -> dict[str, str]:
    """What the browser would send for the builder page, with some fields changed ("" leaves a box empty)."""
    form = page.context["form"]  # type: ignore[attr-defined]
    data = {
        "criteria-count": str(len(form.criteria)),
        "instructions": form.instructions,
        "based_on": form.based_on,
        "action": "save",
    }
    for criterion in form.criteria:
        draft = criterion.draft
        fields = {
            "kind": draft.kind,
            "key": draft.key,
            "name": draft.name,
            "help_text": draft.help_text,
            "minimum": str(draft.minimum),
            "maximum": str(draft.maximum),
            "weight": criterion.weight_text,
            "low_threshold": "" if draft.low_threshold is None else str(draft.low_threshold),
            "undesired": {1: "yes", 0: "no", None: ""}[draft.undesired],
            "tags": criterion.tags_text.replace("\n", "\r\n"),
            "tag_keys": criterion.tag_keys,
            "is_required": "1" if draft.is_required else "",
            "allows_not_applicable": "1" if draft.allows_not_applicable else "",
            "is_critical": "1" if draft.is_critical else "",
        }
        data.update({f"{criterion.prefix}-{name}": text for name, text in fields.items()})
        data.update({level.name: level.text for level in criterion.level_descriptions})
    return {name: text for name, text in {**data, **changes}.items() if text != ""}


def test_who_may_open_what(
    project: Project,
    rubric: Rubric,
    client_for: ClientFor,
    manager: User,
    engineer: User,
    reviewer: User,
    stranger: User,
) -> None:
    base = f"/projects/{project.slug}/campaigns/rubrics/"
    reading = [base, f"{base}{rubric.pk}/", f"{base}{rubric.pk}/v1/"]
    writing = [f"{base}new/", f"{base}{rubric.pk}/edit/", f"{base}{rubric.pk}/rename/"]
    for user, reads, writes in (
        (manager, 200, 200),
        (engineer, 200, 403),
        (reviewer, 403, 403),
        (stranger, 404, 404),
    ):
        client = client_for(user)
        assert {client.get(address).status_code for address in reading} == {reads}
        assert {client.get(address).status_code for address in writing} == {writes}
        assert {client.post(address, {"name": "x"}).status_code for address in writing} <= {writes, 302, 400}
    assert client_for(None).get(base).status_code == 302


def test_rubrics_of_another_project_are_not_found(
    rubric: Rubric, other_project: Project, stranger: User, client_for: ClientFor
) -> None:
    for name in ("rubric_detail", "rubric_edit", "rubric_rename"):
        address = reverse(name, args=[other_project.slug, rubric.pk])
        assert client_for(stranger).get(address).status_code == 404


def test_saving_what_the_page_shows_changes_nothing(
    project: Project, rubric: Rubric, manager: User, client_for: ClientFor
) -> None:
    before = fingerprint(rubric.versions.get())
    client = client_for(manager)
    address = reverse("rubric_edit", args=[project.slug, rubric.pk])

    answer = client.post(address, posted(client.get(address)))

    assert answer.status_code == 302
    assert fingerprint(rubric.versions.get()) == before


def test_an_edit_of_a_used_version_makes_the_next_and_shows_what_changed(
    project: Project, rubric: Rubric, manager: User, client_for: ClientFor
) -> None:
    freeze(rubric_version=rubric.versions.get(), by=manager)
    client = client_for(manager)
    address = reverse("rubric_edit", args=[project.slug, rubric.pk])
    changes = {
        "criteria-2-name": "Tone of voice",
        "criteria-2-weight": "2",
        "criteria-0-description-5": "Faultless.",
    }

    answer = client.post(address, posted(client.get(address), **changes), follow=True)

    assert [version.number for version in rubric.versions.order_by("number")] == [1, 2]
    page = " ".join(answer.content.decode().split())
    assert "Tone of voice: weight: <del>1</del> <ins>2</ins>" in page
    assert "<ins>Faultless.</ins>" in page


@pytest.mark.parametrize(
    ("action", "names"),
    [
        ("add-scale", ["Accuracy", "Clarity", "Tone", "Personalization", "Material factual error", ""]),
        ("remove-0", ["Clarity", "Tone", "Personalization", "Material factual error"]),
        ("down-0", ["Clarity", "Accuracy", "Tone", "Personalization", "Material factual error"]),
        ("up-4", ["Accuracy", "Clarity", "Tone", "Material factual error", "Personalization"]),
    ],
)
def test_criteria_are_added_removed_and_moved_by_plain_posts(
    project: Project, rubric: Rubric, manager: User, client_for: ClientFor, action: str, names: list[str]
) -> None:
    client = client_for(manager)
    address = reverse("rubric_edit", args=[project.slug, rubric.pk])

    page = client.post(
        address, posted(client.get(address), action=action, **{"criteria-1-help_text": "typed"})
    )

    assert page.status_code == 200
    assert [criterion.draft.name for criterion in page.context["form"].criteria] == names
    assert "typed" in page.content.decode()
    assert rubric.versions.get().criteria.count() == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"criteria-0-name": ""}, "Give the criterion a name of 1 to 80 characters."),
        ({"criteria-0-name": "Clarity"}, "Two criteria are named “Clarity”. Rename one."),
        ({"criteria-0-minimum": "five"}, "Write a whole number."),
        ({"criteria-0-maximum": "9" * 5000}, "Write a whole number."),
        ({"criteria-0-maximum": "99999"}, "Levels must be between"),
        ({"criteria-0-weight": "heavy"}, "Write a number, for instance 1 or 0.5."),
        ({"criteria-0-weight": "NaN"}, "A weight is a number from 0 to 100."),
        ({"criteria-0-low_threshold": "5"}, "Reasons can be asked at 1 to 4"),
        ({"criteria-4-undesired": ""}, "needs an undesired answer"),
        (
            {"criteria-0-kind": "stars"},
            "The kind of a criterion is one of scale, yes_no, category, text, spans.",
        ),
        ({"criteria-0-tags": "same\r\nSame"}, "is given twice"),
        ({"criteria-count": "0"}, "at least one criterion"),
        ({"based_on": "stale"}, "Somebody saved this rubric while you edited it."),
    ],
)
def test_what_is_wrong_is_told_and_what_was_typed_is_kept(
    project: Project,
    rubric: Rubric,
    manager: User,
    client_for: ClientFor,
    changes: dict[str, str],
    message: str,
) -> None:
    client = client_for(manager)
    address = reverse("rubric_edit", args=[project.slug, rubric.pk])
    given = posted(client.get(address), instructions="typed just now", **changes)

    answer = client.post(address, given)

    assert answer.status_code in (400, 412)
    assert message in answer.content.decode()
    assert "typed just now" in answer.content.decode()
    assert rubric.versions.get().criteria.count() == 5


@pytest.mark.parametrize("action", ["up-99", "remove-x", "dance-1", "down-"])
def test_a_button_that_is_not_there_is_refused(
    project: Project, rubric: Rubric, manager: User, client_for: ClientFor, action: str
) -> None:
    client = client_for(manager)
    address = reverse("rubric_edit", args=[project.slug, rubric.pk])

    assert client.post(address, posted(client.get(address), action=action)).status_code == 400


def test_a_new_rubric_from_the_template_or_empty(
    project: Project, manager: User, client_for: ClientFor
) -> None:
    client = client_for(manager)
    address = reverse("rubric_new", args=[project.slug])

    filled = client.post(address, {"name": "Letters", "template": "summaries"}, follow=True)
    empty = client.post(address, {"name": "Calls", "template": ""}, follow=True)
    taken = client.post(address, {"name": "Calls", "template": ""})

    assert len(filled.context["form"].criteria) == 5
    assert len(empty.context["form"].criteria) == 1
    assert taken.status_code == 400
    assert "already has a rubric named “Calls”" in taken.content.decode()


def test_the_preview_is_the_reviewers_form(
    project: Project, rubric: Rubric, manager: User, client_for: ClientFor
) -> None:
    page = client_for(manager).get(reverse("rubric_detail", args=[project.slug, rubric.pk])).content.decode()

    assert page.count('name="preview-criterion-tone"') == 5
    assert page.count('name="preview-criterion-material-factual-error"') == 2
    assert 'name="preview-tag-tone" value="too-formal"' in page
    assert "Just how a good colleague would say it." in page


def test_the_preview_of_marks_has_the_button_of_the_form(
    project: Project, manager: User, client_for: ClientFor
) -> None:
    rubric = create_rubric(project=project, name="Marks", by=manager)
    labels = (Option("invented"), Option("well said"))
    spans = CriterionDraft(
        name="Facts", kind="spans", minimum=0, maximum=1, low_threshold=None, options=labels
    )
    save_version(rubric=rubric, criteria=[CriterionDraft(name="Tone"), spans], by=manager)
    page = client_for(manager).get(reverse("rubric_detail", args=[project.slug, rubric.pk])).content.decode()
    assert '<button type="button" class="button" data-mark-open>Highlight in the answer' in page


def test_what_people_write_is_shown_as_text(project: Project, manager: User, client_for: ClientFor) -> None:
    evil = "<script>alert(1)</script>"
    rubric = create_rubric(project=project, name=evil, description=evil, by=manager)
    criterion = CriterionDraft(name=evil, help_text=evil, level_descriptions={"1": evil})
    save_version(rubric=rubric, criteria=[criterion], instructions=evil, by=manager)

    for name in ("rubric_detail", "rubric_edit"):
        page = client_for(manager).get(reverse(name, args=[project.slug, rubric.pk])).content.decode()
        assert "<script>alert" not in page


def test_the_list_costs_the_same_however_long(
    project: Project, rubric: Rubric, manager: User, client_for: ClientFor
) -> None:
    client = client_for(manager)
    address = reverse("rubric_list", args=[project.slug])

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    one = cost()
    for name in ("A", "B"):
        create_rubric(project=project, name=name, template="summaries", by=manager)

    assert cost() == one
    assert RubricVersion.objects.count() == 3


def test_the_page_of_a_rubric_names_its_reasons_and_when_they_are_asked(
    project: Project, rubric: Rubric, client_for: ClientFor, manager: User
) -> None:
    page = client_for(manager).get(reverse("rubric_detail", args=[project.slug, rubric.pk]))

    words = " ".join(strip_tags(page.content.decode()).split())
    assert "too formal, too casual, pushy, cold, patronising (at 2 or less)" in words
    assert "invented fact, wrong advice (after yes)" in words


def test_a_category_and_a_condition_are_built_without_scripts(
    project: Project, manager: User, client_for: ClientFor
) -> None:
    rubric = create_rubric(project=project, name="Built", by=manager)
    client = client_for(manager)
    address = reverse("rubric_edit", args=[project.slug, rubric.pk])
    data = posted(client.get(address), **{"criteria-0-name": "Tone", "action": "add-category"})
    page = client.post(address, data)
    typed = {"criteria-1-name": "Error", "criteria-1-options": "none\r\n! rude\r\n!cold", "action": "refresh"}
    page = client.post(address, posted(page, **typed, **{"criteria-1-depends_on": "0"}))
    assert [each[1] for each in page.context["form"].criteria[1].condition_answers] == [
        "1",
        "2",
        "3",
        "4",
        "5",
    ]

    chosen = {"criteria-1-options": "none\n! rude\n!cold", "criteria-1-depends_on": "0", "action": "save"}
    answer = client.post(
        address,
        {
            **posted(
                page,
                **chosen,
                **{"criteria-1-description-2": "An insult.", "criteria-0-example-1": "Hey you"},
            ),
            "criteria-1-depends_value": ["1", "2"],
        },
    )

    assert answer.status_code == 302, answer.content.decode()
    tone, error = drafts_of(rubric.versions.get())
    assert (tone.examples, error.level_descriptions) == ({"1": "Hey you"}, {"2": "An insult."})
    assert [(option.label, option.is_undesired) for option in error.options] == [
        ("none", False),
        ("rude", True),
        ("cold", True),
    ]
    assert error.visible_if == Condition("tone", (1, 2))
    words = " ".join(strip_tags(client.get(answer.url).content.decode()).split())
    assert "one of none, rude, cold" in words
    assert "asked where Tone is 1 or 2" in words
    # An edit of something else keeps it all.
    page = client.get(address)
    kept = posted(
        page,
        instructions="Now with instructions.",
        **{"criteria-1-options": page.context["form"].criteria[1].options_text, "criteria-1-depends_on": "0"},
    )
    client.post(address, {**kept, "criteria-1-depends_value": ["1", "2"], "criteria-0-example-1": "Hey you"})
    assert drafts_of(rubric.versions.get()) == [tone, error]


def test_a_draft_says_what_would_make_it_better_and_a_used_version_is_left_alone(
    project: Project, manager: User, engineer: User, client_for: ClientFor
) -> None:
    rubric = create_rubric(project=project, name="Letters", by=manager)
    scale = CriterionDraft(
        name="Tone and style", level_descriptions={"1": "off", "2": "so", "3": "so", "4": "good"}
    )
    version = save_version(rubric=rubric, criteria=[scale], by=manager)
    address = reverse("rubric_detail", args=[project.slug, rubric.pk])
    edit = f'href="{reverse("rubric_edit", args=[project.slug, rubric.pk])}"'

    page = client_for(manager).get(address).text
    others = client_for(engineer).get(address).text
    freeze(rubric_version=version, by=manager)
    used = client_for(manager).get(address).text

    notice = page.partition("rubric-hints")[2].partition("</ul>")[0]
    assert "3 changes would improve its ratings" in notice
    assert edit in notice
    assert "“and” in the name asks two things at once" in notice
    assert "Level 5 has no text" in notice
    assert "3 changes would improve its ratings" in others
    assert edit not in others
    assert "rubric-hints" not in used
