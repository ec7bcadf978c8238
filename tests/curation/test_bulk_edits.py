"""One edit of many rows: shown first, then in the draft, all of it or nothing."""

from collections.abc import Callable, Iterable

import pytest

from evalapp.accounts.models import User
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.curation.bulk_edits import BulkEdit, apply_bulk_edit, preview
from evalapp.curation.drafts import Edit, discard_draft, edit_rows, open_draft
from evalapp.curation.models import DatasetDraft
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.curation.conftest import published, row

pytestmark = pytest.mark.django_db

ROWS = [
    row("Who pays?", "Kind regards, the ACME team", label="billing"),
    row("Is hail covered?", "Yes. Kind regards, the ACME team", "Yes, kind regards", label="cover"),
    row("Is theft covered?", "Yes.", label="cover", split="validation"),
]


@pytest.fixture
def draft(version_of: Callable[[Iterable[ExampleRow]], DatasetVersion], engineer: User) -> DatasetDraft:
    return open_draft(base=version_of(ROWS), by=engineer)


def changes_of(draft: DatasetDraft) -> dict[int, tuple[str, dict[str, object]]]:
    return {edit.example.row_number: (edit.operation, edit.changes) for edit in draft.edits.all()}


def test_what_matches_is_replaced_after_a_look(draft: DatasetDraft, engineer: User) -> None:
    bulk = BulkEdit("replace", "references", r"(?i)yes\. kind regards(.*)", "Yes.")
    shown = preview(draft, bulk)
    assert (shown.rows, [each.example.row_number for each in shown.first]) == (1, [2])
    assert not draft.edits.exists()
    bulk = BulkEdit("replace", "references", r"the (\w+) team", r"your \1 people", reason="house style")
    assert preview(draft, bulk).rows == 2 and apply_bulk_edit(draft=draft, bulk=bulk, by=engineer) == 2
    assert changes_of(draft) == {
        1: ("change", {"references.0": "Kind regards, your ACME people"}),
        2: ("change", {"references.0": "Yes. Kind regards, your ACME people"}),
    }
    assert {edit.reason for edit in draft.edits.all()} == {"house style"}
    again = BulkEdit("replace", "references", "ACME", "our")
    assert apply_bulk_edit(draft=draft, bulk=again, by=engineer) == 2
    assert changes_of(draft)[1] == ("change", {"references.0": "Kind regards, your our people"})
    assert [edit.revision for edit in draft.edits.all()] == [2, 2]


def test_an_answer_that_would_be_empty_stops_everything(draft: DatasetDraft, engineer: User) -> None:
    bulk = BulkEdit("replace", "references", "(?s).*Kind regards.*", "")
    with pytest.raises(InvalidError, match=r"Row 1: .*cannot be changed"):
        apply_bulk_edit(draft=draft, bulk=bulk, by=engineer)
    assert not draft.edits.exists()


def test_rows_are_dropped_and_moved(draft: DatasetDraft, engineer: User) -> None:
    move = BulkEdit("move", "label", "^cover$", to_split="train", reason="too few")
    assert apply_bulk_edit(draft=draft, bulk=move, by=engineer) == 1
    drop = BulkEdit("drop", "messages", "Is", only_split="train")
    assert apply_bulk_edit(draft=draft, bulk=drop, by=engineer) == 1
    assert changes_of(draft) == {2: ("drop", {}), 3: ("change", {"split": "train"})}
    assert apply_bulk_edit(draft=draft, bulk=BulkEdit("replace", "label", "cover", "x"), by=engineer) == 1
    assert published(draft, engineer).counts == {"train": 2}


def test_what_cannot_be_done_is_said(draft: DatasetDraft, engineer: User) -> None:
    for bulk, field in (
        (BulkEdit("replace", "references", "("), "pattern"),
        (BulkEdit("replace", "references", "(?=x)"), "pattern"),
        (BulkEdit("replace", "references", "Yes", r"\7"), "replacement"),
        (BulkEdit("move", "label", "cover"), "to_split"),
        (BulkEdit("odd", "label", "cover"), "action"),
        (BulkEdit("replace", "odd", "cover"), "action"),
    ):
        with pytest.raises(InvalidError) as caught:
            preview(draft, bulk)
        assert field in caught.value.fields, bulk
    discard_draft(draft=draft, by=engineer)
    with pytest.raises(ConflictError):
        apply_bulk_edit(draft=draft, bulk=BulkEdit("drop", "label", "x"), by=engineer)


def test_the_page_shows_before_it_stores(draft: DatasetDraft, engineer: User) -> None:
    version = draft.base
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/drafts/{draft.pk}/"
    browser = client_of(engineer)
    assert f"{address}bulk-edit/" in browser.get(address).text
    form = {"action": "replace", "field": "label", "pattern": "cover", "replacement": "insurance"}
    page = browser.post(f"{address}bulk-edit/", {**form, "step": "preview"}).text
    assert "2 rows would change" in page and "<del>cover</del> <ins>insurance</ins>" in page
    assert "Apply to 2 rows" in page and not draft.edits.exists()
    done = browser.post(f"{address}bulk-edit/", {**form, "step": "apply"}, follow=True).text
    assert "2 rows put into the draft." in done and draft.edits.count() == 2
    wrong = browser.post(f"{address}bulk-edit/", {**form, "pattern": "(", "step": "preview"})
    assert wrong.status_code == 400 and "regular expression" in wrong.text


def test_programs_count_first_and_then_store(draft: DatasetDraft, engineer: User) -> None:
    version = draft.base
    path = (
        f"projects/{version.dataset.project.slug}/datasets/{version.dataset_id}/drafts/{draft.pk}/bulk-edit/"
    )
    program = program_of(engineer)
    body = {"action": "drop", "field": "label", "pattern": "^billing$"}
    told = program.post(path, {**body, "only_preview": True}).json()
    assert told["rows"] == 1 and told["first"][0]["operation"] == "drop" and not draft.edits.exists()
    assert program.post(path, body).json()["rows"] == 1 and draft.edits.count() == 1
    problem_in(program.post(path, {**body, "pattern": "("}), 400)


def test_rows_that_are_dropped_or_merged_are_left(draft: DatasetDraft, engineer: User) -> None:
    edit_rows(draft=draft, edits=[Edit(3, "drop"), Edit(2, "merge", into_row=1)], by=engineer)
    assert preview(draft, BulkEdit("replace", "references", "e", "E")).rows == 1


def test_system_messages_and_prompts_are_edited_apart(
    version_of: Callable[[Iterable[ExampleRow]], DatasetVersion], engineer: User
) -> None:
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Be quick."}]
    version = version_of([ExampleRow("train", messages, ["Yes."]), row("Who pays?", "We do.")])
    draft = open_draft(base=version, by=engineer)
    for field, word in (("messages", "Please"), ("system", "Always")):
        bulk = BulkEdit("replace", field, "Be", word)
        assert apply_bulk_edit(draft=draft, bulk=bulk, by=engineer) == 1
    made = published(draft, engineer).examples.get(row_number=1)
    assert [each["content"] for each in made.messages] == ["Always kind.", "Please quick."]
