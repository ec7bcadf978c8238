"""Edits in a draft, and the version that comes of them."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from evalapp.accounts.models import User
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.curation.cards import card_of
from evalapp.curation.drafts import (
    RESTORE,
    Edit,
    EditConflictError,
    apply_proposals,
    counts_of,
    discard_draft,
    edit_rows,
    open_draft,
)
from evalapp.curation.models import Finding
from evalapp.curation.publishing import start_publishing
from evalapp.curation.queries import corrections_of, findings_of, history_of, kinds_of
from evalapp.curation.tasks import publish_draft
from evalapp.datasets.diff import diff_of
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_version
from evalapp.jobs.models import Job
from evalapp.jobs.services import request_cancel, retry_job
from tests.api.conftest import problem_in, program_of
from tests.at_once import at_once
from tests.cast import client_of
from tests.curation.conftest import MESSY, checked, published, row

pytestmark = pytest.mark.django_db
Make = Callable[[Iterable[ExampleRow]], DatasetVersion]


def example(version: DatasetVersion, number: int) -> Example:
    return version.examples.select_related("version").get(row_number=number)


def test_messy_rows_become_a_version_that_accounts_for_each(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    check = checked(version, engineer)
    draft = open_draft(base=version, by=engineer)
    applied = apply_proposals(draft=draft, findings=check.findings.order_by("pk"), by=engineer)
    assert applied == (6, 1)
    edit_rows(
        draft=draft,
        edits=[Edit(5, "change", {"references.0": "Yes, up to 5,000 euros."}, reason="checked"),
               Edit(9, "change", {"split": "validation"})],
        by=engineer,
    )  # fmt: skip
    counts = counts_of(draft)
    assert counts == (10, 2, 2, 1, 1, 4)
    assert counts.rows_in == counts.kept + counts.changed + counts.moved + counts.merged + counts.dropped
    made = published(draft, engineer, "First round")
    assert (made.number, made.parent, made.note, sum(made.counts.values())) == (2, version, "First round", 5)
    rows = {each.row_key: each for each in made.examples.all()}
    assert set(rows) == {1, 2, 5, 6, 9}
    assert rows[2].references == [MESSY[1].references[0]]
    assert rows[6].messages[0]["content"] == "My name is ⟨NAME 1⟩, mail ⟨EMAIL 1⟩. Who pays?"
    assert rows[6].references == ["Dear ⟨NAME 1⟩, we do."]
    assert rows[9].split == "validation" and rows[5].references == ["Yes, up to 5,000 euros."]
    assert checked(made, engineer).counts.get("personal_data") is None


def test_rows_keep_their_identity_through_edits_and_imports(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY[:3])
    draft = open_draft(base=version, by=engineer)
    edit_rows(
        draft=draft,
        edits=[Edit(1, "change", {"messages.0": "Is snow covered?"}), Edit(2, "drop")],
        by=engineer,
    )
    second = published(draft, engineer)
    assert list(second.examples.order_by("row_number").values_list("row_key", flat=True)) == [1, 3]
    found = diff_of(second, version)
    assert [(each.change, each.number, each.was, each.fields) for each in found.changes] == [
        ("changed", 1, 1, ["prompt"]), ("removed", None, 2, []),
    ]  # fmt: skip
    again = [row("A new one?", "Yes."), MESSY[1], row("Is snow covered?", "No.")]
    third = create_version(dataset=version.dataset, rows=again, by=engineer)
    keys = third.examples.order_by("row_number").values_list("row_key", flat=True)
    assert list(keys) == [4, 2, 1]


def test_the_history_of_a_row_tells_who_changed_what_and_why(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY[:2])
    for text in ("Yes, up to 4,000 euros.", "Yes, up to 3,000 euros."):
        draft = open_draft(base=version, by=engineer)
        edit_rows(
            draft=draft, edits=[Edit(1, "change", {"references.0": text}, reason=f"now {text}")], by=engineer
        )
        version = published(draft, engineer)
    edits = list(history_of(example(version, 1)))
    assert [edit.reason for edit in edits] == ["now Yes, up to 3,000 euros.", "now Yes, up to 4,000 euros."]
    assert [edit.draft.version.number for edit in edits if edit.draft.version] == [3, 2]
    assert not history_of(example(version, 2))
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/v3/rows/"
    browser = client_of(engineer)
    told = browser.get(f"{address}1/history/").text
    assert "<del>4,000</del> <ins>3,000</ins>" in told and "now Yes, up to 4,000 euros." in told
    assert "Nobody edited this row." in browser.get(f"{address}2/history/").text


def test_the_card_tells_why_rows_were_edited_by_hand(version_of: Make, engineer: User) -> None:
    draft = open_draft(base=version_of(MESSY[:5]), by=engineer)
    edits = [Edit(number, "drop", reason="Not ours") for number in (1, 3)]
    edit_rows(draft=draft, edits=[*edits, Edit(2, "change", {"label": "theft"})], by=engineer)
    reasons = [(each.done, each.said, each.rows) for each in card_of(published(draft, engineer)).reasons]
    assert reasons == [("Dropped", "Not ours", 2), ("Changed", "edited by hand", 1)]


def test_the_history_names_the_review_that_a_version_took_the_row_from(
    version_of: Make, engineer: User
) -> None:
    version = version_of(MESSY[:2])
    corrected = replace(
        MESSY[0], references=["Yes, up to 4,000 euros."], provenance={"export": 3, "review": 7}
    )
    later = create_version(dataset=version.dataset, rows=[corrected, MESSY[1]], by=engineer)
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/v2/rows/"
    told = client_of(engineer).get(f"{address}1/history/").text
    assert "Nobody edited this row." not in told and "/data/lineage/7/" in told
    assert [(each.version, each.review) for each in corrections_of(example(later, 1))] == [(later, 7)]
    assert "Nobody edited this row." in client_of(engineer).get(f"{address}2/history/").text


def test_a_merged_row_gives_its_answer_to_the_one_that_stays(version_of: Make, engineer: User) -> None:
    rows = [
        row("Who pays?", "We do."),
        row("Who pays??", "We do!"),
        row("Who pays, please?", "The insurer pays."),
    ]
    version = version_of(rows)
    draft = open_draft(base=version, by=engineer)
    edit_rows(draft=draft, edits=[Edit(2, "merge", into_row=1), Edit(3, "merge", into_row=2)], by=engineer)
    made = published(draft, engineer)
    assert [each.references for each in made.examples.all()] == [["We do.", "The insurer pays."]]
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/v2/rows/1/history/"
    assert "Row 2 merged into row 1" in client_of(engineer).get(address).text


def test_what_cannot_be_is_refused_and_nothing_is_stored(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY[:3])
    draft = open_draft(base=version, by=engineer)
    good = Edit(1, "change", {"label": "hail"})
    for bad, said in (
        (Edit(9, "drop"), "no row 9"),
        (Edit(2, "change"), "at least one field"),
        (Edit(2, "change", {"messages.3": "x"}), "no field"),
        (Edit(2, "change", {"messages.0.role": "x"}), "no field"),
        (Edit(2, "change", {"rated.0.answer": "x"}), "no field"),
        (Edit(2, "change", {"messages.0": " "}), "cannot be changed like this"),
        (Edit(2, "change", {"messages.0": 5}), "cannot be changed like this"),
        (Edit(2, "change", {"references": "text"}), "cannot be changed like this"),
        (Edit(2, "change", {"split": "none"}), "cannot be changed like this"),
        (Edit(2, "change", {"metadata.x": float("nan")}), "cannot be changed like this"),
        (Edit(2, "merge"), "another row of its split"),
        (Edit(2, "merge", into_row=2), "another row of its split"),
        (Edit(2, "merge", into_row=99), "another row of its split"),
    ):  # fmt: skip
        with pytest.raises(InvalidError, match=said):
            edit_rows(draft=draft, edits=[good, bad], by=engineer)
    assert not draft.edits.exists()
    for changes, name, said in (
        ({"references.0": " "}, "references.0", "like this: Reference: "),
        ({"references.1": " "}, "references.1", "like this: Reference 2: "),
        ({"messages.0": " "}, "messages.0", "like this: Prompt: "),
    ):
        with pytest.raises(InvalidError, match=said) as caught:
            edit_rows(draft=draft, edits=[Edit(2, "change", changes)], by=engineer)
        assert list(caught.value.fields) == [name]
    with pytest.raises(ConflictError, match="changes nothing"):
        published(draft, engineer)


def test_a_row_merged_into_one_that_goes_is_named(version_of: Make, engineer: User) -> None:
    draft = open_draft(base=version_of(MESSY[:3]), by=engineer)
    edit_rows(draft=draft, edits=[Edit(3, "merge", into_row=2), Edit(2, "drop")], by=engineer)
    with pytest.raises(InvalidError, match="Row 3 is merged into row 2, which is dropped"):
        published(draft, engineer)
    edit_rows(draft=draft, edits=[Edit(2, "merge", into_row=3)], by=engineer)
    with pytest.raises(InvalidError, match="is dropped or merged itself"):
        published(draft, engineer)


def test_the_second_of_two_editors_is_told(version_of: Make, engineer: User, manager: User) -> None:
    draft = open_draft(base=version_of(MESSY[:3]), by=engineer)
    edit_rows(draft=draft, edits=[Edit(1, "change", {"label": "a"}, revision=0)], by=engineer)
    with pytest.raises(EditConflictError, match="was changed meanwhile"):
        edit_rows(draft=draft, edits=[Edit(1, "change", {"label": "b"}, revision=0)], by=manager)
    edit_rows(draft=draft, edits=[Edit(1, "change", {"label": "b"}, revision=1)], by=manager)
    assert draft.edits.get().changes == {"label": "b"}
    edit_rows(draft=draft, edits=[Edit(1, RESTORE, revision=2)], by=engineer)
    assert not draft.edits.exists()


def test_a_published_or_discarded_draft_takes_no_more(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY[:3])
    draft = open_draft(base=version, by=engineer)
    assert open_draft(base=version, by=engineer) == draft
    edit_rows(draft=draft, edits=[Edit(1, "drop")], by=engineer)
    published(draft, engineer)
    with pytest.raises(ConflictError, match="published"):
        edit_rows(draft=draft, edits=[Edit(2, "drop")], by=engineer)
    other = open_draft(base=version, by=engineer)
    assert other != draft
    edit_rows(draft=other, edits=[Edit(1, "drop")], by=engineer)
    job = start_publishing(draft=other, note="", by=engineer)
    with pytest.raises(ConflictError, match="being published"):
        edit_rows(draft=other, edits=[Edit(2, "drop")], by=engineer)
    publish_draft(job.pk)
    job.refresh_from_db()
    assert job.state == "failed" and "already has exactly these 2 rows" in job.error
    edit_rows(draft=other, edits=[Edit(2, "change", {"label": "a"})], by=engineer)
    job = start_publishing(draft=other, note="", by=engineer)
    request_cancel(job=job, by=engineer)
    discard_draft(draft=other, by=engineer)
    with pytest.raises(ConflictError, match="discarded"):
        published(other, engineer)


@pytest.mark.django_db(transaction=True)
def test_a_draft_is_published_once(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY[:3])
    draft = open_draft(base=version, by=engineer)
    edit_rows(draft=draft, edits=[Edit(1, "drop")], by=engineer)
    outcomes = at_once(4, lambda _: start_publishing(draft=draft, note="", by=engineer))
    assert sum(isinstance(each, ConflictError) for each in outcomes) == 3
    (job,) = [each for each in outcomes if isinstance(each, Job)]
    publish_draft(job.pk)
    publish_draft(job.pk)
    assert version.dataset.versions.count() == 2


def test_what_was_edited_after_its_publication_was_started_needs_another(
    version_of: Make, engineer: User, manager: User
) -> None:
    draft = open_draft(base=version_of(MESSY[:3]), by=engineer)
    edit_rows(draft=draft, edits=[Edit(1, "drop")], by=engineer)
    job = start_publishing(draft=draft, note="", by=manager)
    request_cancel(job=job, by=manager)
    edit_rows(draft=draft, edits=[Edit(2, "drop")], by=engineer)
    retry_job(job=job, by=engineer)
    publish_draft(job.pk)
    job.refresh_from_db()
    assert job.state == "failed" and "edited after you started this" in job.error
    assert published(draft, manager).counts == {"train": 1}


def test_a_second_person_publishes_where_the_project_asks_for_it(
    version_of: Make, engineer: User, manager: User
) -> None:
    version = version_of(MESSY[:3])
    project = version.dataset.project
    client_of(manager).post(
        f"/projects/{project.slug}/settings/",
        {"name": project.name, "population": "panel", "needs_second_person": "on"},
    )
    draft = open_draft(base=version, by=engineer)
    edit_rows(draft=draft, edits=[Edit(1, "drop")], by=engineer)
    page = client_of(engineer).post(
        f"/projects/{project.slug}/data/{version.dataset_id}/drafts/{draft.pk}/", {"action": "publish"}
    )
    assert page.status_code == 400 and "nobody publishes a draft in which they edited rows" in page.text
    assert published(draft, manager).counts == {"train": 2}


def test_a_proposal_leaves_what_was_edited_by_hand(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    check = checked(version, engineer)
    draft = open_draft(base=version, by=engineer)
    edit_rows(
        draft=draft,
        edits=[
            Edit(6, "change", {"references.0": "Dear Ms Schmidt, Peter Miller of ours pays."}),
            Edit(3, "drop"),
        ],
        by=engineer,
    )
    apply_proposals(draft=draft, findings=check.findings.filter(example__row_number__in=[3, 6]), by=engineer)
    changes = draft.edits.get(example__row_number=6).changes
    assert changes["references.0"] == "Dear Ms ⟨NAME 1⟩, ⟨NAME 2⟩ of ours pays."
    assert changes["messages.0"].startswith("My name is ⟨NAME 1⟩")
    assert draft.edits.get(example__row_number=3).operation == "drop"


def test_a_corrected_answer_does_not_come_back_with_a_copy(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    draft = open_draft(base=version, by=engineer)
    merges = [Edit(number, "merge", into_row=2) for number in (3, 4)]
    edit_rows(draft=draft, edits=[Edit(2, "change", {"references.0": "Yes."}), *merges], by=engineer)
    rows = {each.row_key: each for each in published(draft, engineer).examples.all()}
    assert rows[2].references == ["Yes."]


def test_a_row_that_is_masked_still_has_its_broken_answer(version_of: Make, engineer: User) -> None:
    asked = "My name is Anna Schmidt, mail anna@mail.example.org. Who pays?"
    version = version_of([row(asked, "As an AI language model, I cannot help with that."), MESSY[0]])
    check = checked(version, engineer)
    draft = open_draft(base=version, by=engineer)

    def open_of(kind: str) -> list[Finding]:
        return list(findings_of(check, kind, "open"))

    apply_proposals(draft=draft, findings=open_of("personal_data"), by=engineer)
    assert (open_of("personal_data"), len(open_of("broken_answer"))) == ([], 1)
    summary = {each.kind: each for each in kinds_of(check)}["broken_answer"]
    assert (summary.open, summary.drafted) == (1, 0)
    assert apply_proposals(draft=draft, findings=open_of("broken_answer"), by=engineer) == (1, 0)
    assert (open_of("personal_data"), open_of("broken_answer")) == ([], [])
    assert published(draft, engineer).counts == {"train": 1}


def test_a_person_has_one_placeholder_in_the_whole_row(version_of: Make, engineer: User) -> None:
    texts = (
        "Hier spricht Wolfgang Huber, IBAN DE89 3704 0044 0532 0130 00.",
        "Guten Tag Herr Huber, Ihr Konto DE89370400440532013000. Huber zahlt.",
    )
    version = version_of([row(*texts)])
    check = checked(version, engineer)
    draft = open_draft(base=version, by=engineer)
    apply_proposals(draft=draft, findings=check.findings.filter(kind="personal_data"), by=engineer)
    assert draft.edits.get().changes == {
        "messages.0": "Hier spricht ⟨NAME 1⟩, IBAN ⟨IBAN 1⟩.",
        "references.0": "Guten Tag Herr ⟨NAME 1⟩, Ihr Konto ⟨IBAN 1⟩. ⟨NAME 1⟩ zahlt.",
    }


def test_a_row_that_repeats_one_which_goes_is_left_to_a_person(version_of: Make, engineer: User) -> None:
    refusal = "As an AI language model, I cannot help with that."
    rows = [
        row("Who pays for the broken window?", refusal),
        row("Who pays for the brokn window?", refusal),
        MESSY[0],
    ]
    version = version_of(rows)
    check = checked(version, engineer)
    assert set(check.findings.values_list("kind", "example__row_number")) >= {
        ("near_duplicate", 2),
        ("broken_answer", 1),
    }
    draft = open_draft(base=version, by=engineer)
    near = check.findings.filter(kind="near_duplicate")
    assert apply_proposals(draft=draft, findings=near, by=engineer) == (1, 0)
    broken = check.findings.filter(kind="broken_answer", example__row_number=1)
    assert apply_proposals(draft=draft, findings=broken, by=engineer) == (1, 1)
    assert [edit.example.row_number for edit in draft.edits.all()] == [1]
    assert published(draft, engineer).counts == {"train": 2}


def test_a_finding_whose_other_row_is_dropped_is_settled(version_of: Make, engineer: User) -> None:
    check = checked(version := version_of(MESSY), engineer)
    conflict = check.findings.get(kind="conflict")
    assert (conflict.example and conflict.example.row_number, conflict.other_rows) == (5, [1])
    draft = open_draft(base=version, by=engineer)
    for edit in (Edit(1, "drop"), Edit(1, "merge", into_row=4)):
        assert conflict in findings_of(check, "conflict", "open")
        edit_rows(draft=draft, edits=[edit], by=engineer)
        assert conflict in findings_of(check, "conflict", "drafted")
        assert not findings_of(check, "conflict", "open")
        edit_rows(draft=draft, edits=[Edit(1, RESTORE)], by=engineer)


@pytest.mark.parametrize("applied_first", [False, True])
def test_of_a_row_and_its_copy_one_stays(version_of: Make, engineer: User, applied_first: bool) -> None:
    check = checked(version := version_of(MESSY), engineer)
    copies = check.findings.filter(kind="exact_duplicate")
    assert [each.other_rows for each in copies] == [[2]]
    draft = open_draft(base=version, by=engineer)
    if applied_first:
        assert apply_proposals(draft=draft, findings=copies, by=engineer) == (1, 0)
    edited = edit_rows(draft=draft, edits=[Edit(2, "drop", reason="not ours")], by=engineer)
    assert edited.kept_copies == ([3] if applied_first else [])
    assert ("stays: row 3." in edited.message) is applied_first
    if not applied_first:
        assert apply_proposals(draft=draft, findings=copies, by=engineer) == (0, 1)
    assert [edit.example.row_number for edit in draft.edits.all()] == [2]
    assert not findings_of(check, "exact_duplicate", "open")
    edit_rows(draft=draft, edits=[Edit(3, "drop", reason="nor this")], by=engineer)
    assert draft.edits.count() == 2


def test_of_several_copies_one_takes_the_place_of_the_row(version_of: Make, engineer: User) -> None:
    copies = [MESSY[1]] * 3
    check = checked(version := version_of(copies), engineer)
    draft = open_draft(base=version, by=engineer)
    assert apply_proposals(draft=draft, findings=check.findings.all(), by=engineer).done == 2
    assert edit_rows(draft=draft, edits=[Edit(1, "drop")], by=engineer).kept_copies == [2]
    assert [edit.example.row_number for edit in draft.edits.order_by("example__row_number")] == [1, 3]


def test_a_row_is_edited_and_published_in_the_browser(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/"
    browser = client_of(engineer)
    form = browser.get(f"{address}v1/rows/6/edit/").context["form"]
    values = {name: form.initial.get(name, "") for name in form.fields}
    assert values["messages.0"].startswith("My name is")
    page = browser.post(
        f"{address}v1/rows/6/edit/", {**values, "references.0": "We do.", "action": "save"}, follow=True
    )
    assert "Saved in the draft." in page.text
    late = browser.post(f"{address}v1/rows/6/edit/", {**values, "references.0": "Mine", "action": "save"})
    assert late.status_code == 400 and "changed meanwhile" in late.text and "Mine" in late.text
    assert "compared with your text" in late.text and "<del>We do.</del> <ins>Mine</ins>" in late.text
    again = {name: late.context["form"][name].value() for name in values}
    saved = browser.post(f"{address}v1/rows/6/edit/", {**again, "action": "save"}, follow=True)
    assert "Saved in the draft." in saved.text and version.drafts.get().edits.get().changes == {
        "references.0": "Mine"
    }
    again = {**again, "references.0": "We do.", "revision": 2, "action": "save"}
    browser.post(f"{address}v1/rows/6/edit/", again)
    draft = version.drafts.get()
    assert f"{address}drafts/{draft.pk}/" in browser.get(address).text
    shown = browser.get(f"{address}drafts/{draft.pk}/").text
    assert "10 rows = 9 unchanged + 1 changed" in shown and "<ins>We</ins> do." in shown
    waits = browser.post(
        f"{address}drafts/{draft.pk}/", {"action": "publish", "note": "by hand"}, follow=True
    ).text
    assert f"Publish the draft of {version}" in waits and "Create version" not in waits
    draft.refresh_from_db()
    assert draft.job is not None
    publish_draft(draft.job.pk)
    closed = browser.get(f"{address}drafts/{draft.pk}/").text
    assert "It became" in closed and "Create version" not in closed


def test_programs_edit_apply_and_publish(version_of: Make, engineer: User) -> None:
    version = version_of(MESSY)
    checked(version, engineer)
    path = f"projects/{version.dataset.project.slug}/datasets/{version.dataset_id}/"
    program = program_of(engineer)
    problem_in(program.post(f"{path}drafts/", {"base": 7}), 400)
    draft = program.post(f"{path}drafts/", {"base": 1}).json()
    assert draft["counts"]["kept"] == 10 and draft["state"] == "open"
    rows = f"{path}drafts/{draft['id']}/rows/"
    edit = {"row_number": 1, "operation": "change", "changes": {"label": "hail"}, "revision": 0}
    assert program.patch(rows, {"edits": [edit]}).json()["edits"][0]["revision"] == 1
    problem_in(program.patch(rows, {"edits": [edit]}), 409)
    applied = program.post(f"{path}drafts/{draft['id']}/proposals/", {"kind": "broken_answer"})
    assert applied.json() == {"done": 2, "left": 0}
    assert [each["row_number"] for each in program.get(rows).json()["results"]] == [1, 7, 8]
    made = program.post(f"{path}drafts/{draft['id']}/publish/", {"note": "by API"})
    assert made.status_code == 202 and made.json()["state"] == "open"
    publish_draft(made.json()["job"]["id"])
    assert program.get(f"{path}drafts/{draft['id']}/").json()["version"] == 2
    assert [each["state"] for each in program.get(f"{path}drafts/").json()["results"]] == ["published"]
    problem_in(program.ask("DELETE", f"{path}drafts/{draft['id']}/"), 409)
    other = program.post(f"{path}drafts/", {"base": 2}).json()
    assert program.ask("DELETE", f"{path}drafts/{other['id']}/").status_code == 204
