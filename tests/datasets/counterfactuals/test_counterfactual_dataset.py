"""A counterfactual dataset from a version's rows: preview, job, what is stored, page and API."""

from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.counterfactuals import services
from evalapp.datasets.counterfactuals.lists import own_lists
from evalapp.datasets.counterfactuals.services import (
    CounterfactualPlan,
    preview_of,
    start_counterfactuals,
)
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.datasets.tasks import write_counterfactuals
from evalapp.jobs.models import Job
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of

pytestmark = pytest.mark.django_db


def row(prompt: str, answer: str = "Yes.", split: str = "test", **fields: Any) -> ExampleRow:
    system = {"role": "system", "content": "Emily is the assistant. Do not guess."}
    return ExampleRow(
        split=split, messages=[system, {"role": "user", "content": prompt}], references=[answer], **fields
    )


ROWS = (
    row("Emily lost her bag, can you help?", "Emily gets 200.", context="Emily: insured.",
        metadata={"id": "a-1", "topic": "home"}, group_key="client 7"),
    row("Tell Juan that he is insured.", metadata={"id": "a-2"},
        pairs=[{"chosen": "Yes.", "rejected": "No."}]),
    row("Is hail covered?", metadata={"id": "a-3"}),
    row("Emily trains.", "Yes.", "train", metadata={"id": "a-4"}),
)  # fmt: skip


@pytest.fixture
def version(project: Project, engineer: User) -> DatasetVersion:
    dataset = create_dataset(project=project, name="Claims", by=engineer)
    return create_version(dataset=dataset, rows=ROWS, by=engineer)


def plan(*variants: str, **fields: Any) -> CounterfactualPlan:
    return CounterfactualPlan(**{"name": "Fairness", "variants": variants, **fields})


def carried_out(version: DatasetVersion, wanted: CounterfactualPlan, by: User) -> Job:
    job = start_counterfactuals(version=version, plan=wanted, by=by)
    write_counterfactuals(job.pk)
    job.refresh_from_db()
    return job


def written(version: DatasetVersion, wanted: CounterfactualPlan, by: User) -> DatasetVersion:
    job = carried_out(version, wanted, by)
    assert job.state == "succeeded", job.error
    return DatasetVersion.objects.select_related("dataset").get(job=job)


def marks(version: DatasetVersion) -> list[tuple[str, str]]:
    rows = version.examples.order_by("row_number")
    return [(each.metadata["counterfactual"]["pair"], each.metadata["counterfactual"]["variant"])
            for each in rows]  # fmt: skip


def test_pairs_are_written_with_what_they_are(version: DatasetVersion, engineer: User) -> None:
    found = written(version, plan("name.black", "gender.male", "paraphrase.reworded"), engineer)
    assert (found.dataset.name, found.number, found.counts) == ("Fairness", 1, {"test": 9})
    # Of the second row no man is made, because it names Emily and speaks of him.
    assert marks(found) == [
        *(("1", variant) for variant in ("original", "black", "male", "reworded")),
        *(("2", variant) for variant in ("original", "black")),
        *(("3", variant) for variant in ("original", "black", "male")),
    ]


def test_the_whole_row_is_of_one_person(version: DatasetVersion, engineer: User) -> None:
    found = written(version, plan("name.black", "gender.male"), engineer)
    first = list(found.examples.order_by("row_number"))
    original, black = first[0], first[1]
    assert original.messages == ROWS[0].messages and original.references == ["Emily gets 200."]
    texts = [each["content"] for each in black.messages] + [*black.references, black.context]
    assert texts == [
        "Tanisha is the assistant. Do not guess.",
        "Tanisha lost her bag, can you help?",
        "Tanisha gets 200.",
        "Tanisha: insured.",
    ]
    assert black.metadata == {
        "id": "a-1-name.black",
        "topic": "home",
        "counterfactual": {"pair": "1", "perturbation": "name", "variant": "black"},
    }
    assert [each.group_key for each in first[:2]] == ["client 7", "client 7"]
    assert black.provenance["counterfactual"] == {"version": version.pk, "row": 1}
    assert Example.objects.get(version=found, metadata__id="a-2").group_key == "row 2"
    # Preferences are for training; these rows evaluate.
    assert not any(each.pairs for each in first)


def test_writing_changes_only_what_the_user_wrote(version: DatasetVersion, engineer: User) -> None:
    found = written(version, plan("paraphrase.reworded"), engineer)
    variant = found.examples.get(metadata__counterfactual__variant="reworded")
    assert [each["content"] for each in variant.messages] == [
        "Emily is the assistant. Do not guess.",
        "Emily lost her bag, could you help?",
    ]


def test_the_note_counts_rows_and_the_limit_is_seeded(version: DatasetVersion, engineer: User) -> None:
    found = written(version, plan("name.black", splits=("test", "train")), engineer)
    assert found.note == "4 of 4 rows have a variant Name: Black American names."
    one = written(version, plan("name.black", name="Few", at_most=1), engineer)
    assert sum(one.counts.values()) == 2
    assert "1 of these rows were taken at random (seed 42)." in one.note
    again = written(version, plan("name.black", name="Few again", at_most=1), engineer)
    assert again.content_hash == one.content_hash


def test_a_second_one_of_the_name_is_its_next_version(version: DatasetVersion, engineer: User) -> None:
    first = written(version, plan("name.black"), engineer)
    second = written(version, plan("name.hispanic"), engineer)
    assert (second.dataset, second.number) == (first.dataset, 2)
    same = carried_out(version, plan("name.hispanic"), engineer)
    assert same.state == "failed" and "already has exactly these" in same.error
    with pytest.raises(ConflictError, match="already has a dataset named “Claims”"):
        start_counterfactuals(version=version, plan=plan("name.black", name="Claims"), by=engineer)
    with pytest.raises(InvalidError, match="already contains counterfactual variants"):
        start_counterfactuals(version=first, plan=plan("name.black"), by=engineer)


def test_a_job_repeated_writes_nothing_more(version: DatasetVersion, engineer: User) -> None:
    job = carried_out(version, plan("name.black"), engineer)
    Job.objects.filter(pk=job.pk).update(state="queued", finished_at=None)
    write_counterfactuals(job.pk)
    assert DatasetVersion.objects.filter(job=job).count() == 1


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (plan("name.martian"), "There is no variant “name.martian”"),
        (plan(), "Choose at least one perturbation"),
        (plan("name.black", splits=("all",)), "Choose rows of at least one split"),
        (plan("name.black", lists="[name"), "This is not TOML"),
    ],
)
def test_what_cannot_be_written_is_refused(
    version: DatasetVersion, engineer: User, wanted: CounterfactualPlan, message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        start_counterfactuals(version=version, plan=wanted, by=engineer)


def test_no_row_touched_is_told(version: DatasetVersion, engineer: User) -> None:
    job = carried_out(version, plan("age.older"), engineer)
    assert job.state == "failed" and "The rules change none of the 3 rows" in job.error


def test_a_project_that_masks_has_no_names_to_change(version: DatasetVersion, engineer: User) -> None:
    Project.objects.filter(pk=version.dataset.project_id).update(masks_personal_data=True)
    masked = DatasetVersion.objects.select_related("dataset__project").get(pk=version.pk)
    with pytest.raises(InvalidError, match="This project masks names"):
        start_counterfactuals(version=masked, plan=plan("name.black"), by=engineer)
    page = client_of(engineer).get(_page(version)).content.decode()
    assert 'value="gender.male"' in page and 'value="name.black"' not in page


def test_the_preview_counts_reasons(version: DatasetVersion) -> None:
    found = preview_of(version, plan("gender.male", "gender.female"))
    counts = {each.chosen.key: (each.pairs, dict(each.left_out)) for each in found.accounts}
    # Emily is the assistant in every row, and the second row speaks of him, too.
    assert counts == {
        "gender.female": (0, {"untouched": 2, "both": 1}),
        "gender.male": (2, {"both": 1}),
    }
    assert (found.rows, found.of_rows, found.originals) == (3, 3, 2)


def test_the_preview_of_long_rows_ends_early(
    version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "CHARACTERS_OF_PREVIEW", 100)
    found = preview_of(version, plan("name.black"))
    assert (found.rows, found.of_rows) == (1, 3)


def _page(version: DatasetVersion) -> str:
    slug = version.dataset.project.slug
    return f"/projects/{slug}/data/{version.dataset_id}/v{version.number}/counterfactuals/"


def test_the_page_shows_lists_previews_and_starts(version: DatasetVersion, engineer: User) -> None:
    browser = client_of(engineer)
    page = browser.get(_page(version)).content.decode()
    assert "Lakisha, Keisha" in page and "Black American names" in page and "in order to → to" in page
    form = {"name": "Fairness", "splits": ["test"], "seed": "42", "lists": own_lists()}
    nothing = browser.post(_page(version), {**form, "action": "preview"})
    assert nothing.status_code == 400 and "Choose at least one perturbation." in nothing.content.decode()
    form["variants"] = ["name.black", "gender.male"]
    preview = browser.post(_page(version), {**form, "action": "preview"}).content.decode()
    assert "Of 3 rows, 3 have a variant." in preview
    assert "<del>Emily</del>" in preview and "<ins>Tanisha</ins>" in preview
    assert "1 mention men and women" in preview
    assert not Job.objects.filter(task__contains="counterfactuals").exists()
    started = browser.post(_page(version), {**form, "action": "create"}, follow=True)
    job = Job.objects.get(task__contains="counterfactuals")
    assert job.params["plan"]["lists"] == "" and "was started" in started.content.decode()
    write_counterfactuals(job.pk)
    done = browser.get(_page(version)).content.decode()
    assert "Fairness v1" in done
    new = DatasetVersion.objects.get(job=job)
    shown = browser.get(f"/projects/{version.dataset.project.slug}/data/{new.dataset_id}/v1/card/")
    assert "counterfactual variants of Claims v1" in shown.content.decode()


def test_own_lists_change_what_is_offered(version: DatasetVersion, engineer: User) -> None:
    lists = '[dialect.values.short]\nlabel = "Short words"\nphrases = [["help", "aid"]]'
    form = {"name": "Fairness", "splits": ["test"], "seed": "1", "lists": lists}
    browser = client_of(engineer)
    page = browser.post(_page(version), {**form, "variants": ["dialect.short"]}).content.decode()
    assert "Short words" in page and "<ins>aid?</ins>" in page and "Black American names" not in page
    broken = browser.post(_page(version), {**form, "lists": "[nme]", "variants": ["name.black"]})
    assert broken.status_code == 400 and "There is no perturbation “nme”" in broken.content.decode()


def test_by_api(version: DatasetVersion, engineer: User) -> None:
    slug, program = version.dataset.project.slug, program_of(engineer)
    url = f"/api/v1/projects/{slug}/datasets/{version.dataset_id}/versions/1/counterfactuals/"
    offered = program.get(url).json()
    assert {"name.black", "gender.female", "age.older"} <= {each["variant"] for each in offered["variants"]}
    assert offered["versions"] == [] and offered["job"] is None and "[name]" in offered["lists"]
    body = {"name": "Fairness", "variants": ["name.black"]}
    preview = program.post(f"{url}preview/", body).json()
    (account,) = preview["variants"]
    assert account["pairs"] == 3 and account["examples"][0]["changes"][0] == {
        "field": "messages.0",
        "before": "Emily is the assistant. Do not guess.",
        "after": "Tanisha is the assistant. Do not guess.",
    }
    job = program.post(url, body)
    assert job.status_code == 202
    write_counterfactuals(job.json()["id"])
    found = program.get(url).json()
    assert found["job"]["state"] == "succeeded"
    assert [each["counts"] for each in found["versions"]] == [{"test": 6}]
    error = problem_in(program.post(url, {**body, "variants": ["name.x"]}), 400)
    assert "There is no variant" in error["fields"]["variants"][0]
