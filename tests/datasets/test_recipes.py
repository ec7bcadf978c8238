"""Versions written by a recipe from rows of others, again and again."""

import json
import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import FROM_DRAFT, Dataset, DatasetRecipe, DatasetVersion, Example
from evalapp.datasets.recipes.mixing import Mixture, mix_rows, resolve_sources
from evalapp.datasets.recipes.services import create_recipe, delete_recipe, start_writing
from evalapp.datasets.recipes.settings import ALL, RecipeSettings, Source
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.datasets.tasks import write_version_by_recipe
from evalapp.jobs.models import Job
from evalapp.runs.contamination.contamination_guard import compared_with_evaluation
from tests.api.conftest import problem_in, program_of
from tests.at_once import at_once
from tests.cast import client_of

pytestmark = pytest.mark.django_db


def row(prompt: str, answer: str, split: str = "train", **fields: Any) -> ExampleRow:
    return ExampleRow(
        split=split, messages=[{"role": "user", "content": prompt}], references=[answer], **fields
    )


def corrected(prompt: str, answer: str) -> ExampleRow:
    return row(prompt, answer, provenance={"export": 1, "export_rows": [1]})


def answers(rows: Iterable[Example]) -> dict[str, str]:
    return {f"{each.split}: {each.prompt_text}": each.references[0] for each in rows}


CLAIMS = (
    row("Is hail covered?", "Yes.", metadata={"topic": "car"}),
    row("Is theft covered?", "Yes.", metadata={"topic": "home"}),
    row("Is fire covered?", "Yes.", metadata={"topic": "home"}),
    row("Who pays?", "We do.", "validation"),
    row("How long?", "Two weeks.", "test"),
    row("How much?", "All of it.", "feedback"),
)


@pytest.fixture
def claims(project: Project, engineer: User) -> Dataset:
    return made(project, engineer, "Claims", CLAIMS)


def made(project: Project, by: User, name: str, *versions: Sequence[ExampleRow]) -> Dataset:
    dataset = create_dataset(project=project, name=name, by=by)
    for rows in versions:
        create_version(dataset=dataset, rows=rows, by=by)
    return dataset


def mixture(dataset: Dataset, *sources: Source, seed: int = 1) -> Mixture:
    settings = RecipeSettings(sources, seed)
    settings.check()
    return mix_rows(dataset, settings, resolve_sources(dataset, settings))


def taken(found: Mixture) -> dict[str, str]:
    rows = Example.objects.in_bulk(found.rows)
    return answers(rows[pk] for pk in found.rows)


def written(recipe: DatasetRecipe, by: User) -> DatasetVersion:
    job = start_writing(recipe=recipe, by=by)
    write_version_by_recipe(job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded", job.error
    return DatasetVersion.objects.get(job=job)


def test_a_later_source_replaces_and_held_out_prompts_stay_out(claims: Dataset, engineer: User) -> None:
    corrections = made(
        claims.project, engineer, "Corrections",
        [corrected("Is hail covered?", "Yes, up to 5,000 euros."), corrected("How long?", "Soon."),
         corrected("How much?", "90%."), row("Is hail covered?", "never read", "test")],
    )  # fmt: skip
    found = mixture(claims, Source(claims.pk), Source(corrections.pk))
    assert taken(found) == {
        "train: Is theft covered?": "Yes.",
        "train: Is fire covered?": "Yes.",
        "validation: Who pays?": "We do.",
        "test: How long?": "Two weeks.",
        "train: Is hail covered?": "Yes, up to 5,000 euros.",
        "train: How much?": "90%.",
    }
    base, other = found.accounts
    assert (base.rows, base.taken, base.left_out) == (6, 4, {"replaced": 2})
    assert (other.rows, other.taken, other.left_out) == (3, 2, {"held_out": 1})
    assert found.counts == {"train": 4, "validation": 1, "test": 1}


def test_a_short_prompt_that_many_rows_have_stays_as_the_contamination_check_has_it(
    project: Project, engineer: User
) -> None:
    """Only the row that has the held-out answer, too, is a leak; and so is a short prompt that few have."""
    many = [row("Summarise this", f"Summary {number}.") for number in range(12)]
    base = made(project, engineer, "Summaries", [*many, row("Summarise this", "The held-out one.", "test"),
                row("Which excess?", "100 euros.", "test")])  # fmt: skip
    more = made(project, engineer, "More", [row("Summarise this", "The held-out one."),
                row("Summarise this", "Another."), row("Which excess?", "200 euros.")])  # fmt: skip
    alone = mixture(base, Source(base.pk))
    assert alone.accounts[0].left_out == {} and alone.counts["train"] == 12
    found = mixture(base, Source(more.pk), Source(base.pk))
    assert found.counts == {"train": 15}
    found = mixture(base, Source(base.pk), Source(more.pk))
    assert [each.left_out for each in found.accounts] == [{}, {"held_out": 2}]
    recipe = create_recipe(
        dataset=base, name="Both", settings=RecipeSettings((Source(base.pk), Source(more.pk)), 1), by=engineer
    )
    assert not compared_with_evaluation(written(recipe, engineer)).is_refused


def test_filters_limits_and_shares(claims: Dataset, engineer: User) -> None:
    home = mixture(claims, Source(claims.pk, where={"topic": ["home", "boat"]}))
    assert home.counts["train"] == 2 and home.accounts[0].left_out == {"filter": 1}
    one = mixture(claims, Source(claims.pk, at_most=1))
    assert one.counts == {"train": 1, "validation": 1, "test": 1, "feedback": 1}
    each = mixture(claims, Source(claims.pk, per_field="topic", at_most_per_value=1))
    assert each.counts["train"] == 2 and each.accounts[0].left_out == {"cap": 1}
    raw = made(claims.project, engineer, "Raw", [row(f"Question {n}?", "Answer.") for n in range(40)])
    shared = mixture(claims, Source(claims.pk, share=25), Source(raw.pk, share=75))
    assert shared.counts["train"] == 12
    assert [account.left_out for account in shared.accounts] == [{}, {"share": 31}]
    limited = mixture(claims, Source(claims.pk, share=50), Source(raw.pk, share=50, at_most=2))
    assert [account.taken for account in limited.accounts] == [2 + 3, 2]


def test_the_seed_chooses_the_same_rows_when_others_come(project: Project, engineer: User) -> None:
    rows = [row(f"Question {n}?", "Answer.") for n in range(200)]
    raw = made(project, engineer, "Raw", rows[:150], rows)
    first = set(taken(mixture(raw, Source(raw.pk, 1, at_most=60))))
    assert first == set(taken(mixture(raw, Source(raw.pk, 1, at_most=60))))
    assert len(first & set(taken(mixture(raw, Source(raw.pk, 2, at_most=60))))) >= 35
    assert first != set(taken(mixture(raw, Source(raw.pk, 1, at_most=60), seed=2)))


def test_weeks_of_corrections_accumulate(claims: Dataset, engineer: User) -> None:
    """Each export starts from the reviewed version; the recipe has the corrections of all of them."""
    recipe = create_recipe(
        dataset=claims,
        name="Everything so far",
        settings=RecipeSettings([Source(claims.pk, 1), Source(claims.pk, ALL, from_reviews=True)]),
        by=engineer,
    )
    create_version(dataset=claims, rows=[corrected("How much?", "90%."), *CLAIMS[3:5]], by=engineer)
    first = written(recipe, engineer)
    assert (first.number, first.source) == (3, "recipe “Everything so far”")
    assert first.parent is not None and first.parent.number == 1
    create_version(dataset=claims, rows=[corrected("Is fire covered?", "Yes, but arson.")], by=engineer)
    second = written(recipe, engineer)
    assert answers(second.examples.filter(split="train")) == {
        "train: Is hail covered?": "Yes.",
        "train: Is theft covered?": "Yes.",
        "train: How much?": "90%.",
        "train: Is fire covered?": "Yes, but arson.",
    }
    keys = dict(second.examples.values_list("row_key", "messages__0__content"))
    assert keys[3] == "Is fire covered?" and keys[6] == "How much?"
    assert [each["taken"] for each in second.recipe_version.sources] == [4, 2]
    job = start_writing(recipe=recipe, by=engineer)
    write_version_by_recipe(job.pk)
    job.refresh_from_db()
    assert job.state == "failed" and "already has exactly these 6 rows" in job.error


def test_a_row_that_a_draft_dropped_does_not_come_back(claims: Dataset, engineer: User) -> None:
    with_wrong = [*CLAIMS, corrected("Is a boat covered?", "Wrong."), corrected("Is rain covered?", "No.")]
    parent = create_version(dataset=claims, rows=with_wrong, by=engineer)
    kept = [*CLAIMS, corrected("Is rain covered?", "No.")]
    create_version(dataset=claims, rows=kept, by=engineer, parent=parent, source=FROM_DRAFT)
    found = mixture(claims, Source(claims.pk, 1), Source(claims.pk, ALL, from_reviews=True))
    assert "train: Is rain covered?" in taken(found) and "train: Is a boat covered?" not in taken(found)
    create_version(dataset=claims, rows=with_wrong[1:], by=engineer)
    found = mixture(claims, Source(claims.pk, 1), Source(claims.pk, ALL, from_reviews=True))
    assert "train: Is a boat covered?" in taken(found)


def test_a_corrected_row_that_was_edited_has_one_key(claims: Dataset, engineer: User) -> None:
    first = claims.versions.get()
    key = first.examples.get(split="feedback").row_key
    edited = corrected("How much do you pay?", "90%.")
    create_version(
        dataset=claims, rows=[ExampleRow(**{**vars_of(edited), "row_key": key}), CLAIMS[0]], by=engineer
    )
    recipe = create_recipe(
        dataset=claims, name="Both", by=engineer,
        settings=RecipeSettings([Source(claims.pk, 1), Source(claims.pk, 2)]),
    )  # fmt: skip
    rows = written(recipe, engineer).examples
    assert rows.get(row_key=key).prompt_text == "How much do you pay?" and rows.count() == 6


def vars_of(given: ExampleRow) -> dict[str, Any]:
    return {name: getattr(given, name) for name in given.__dataclass_fields__}


@pytest.mark.parametrize("seed", range(12))
def test_every_row_is_accounted_for(claims: Dataset, engineer: User, seed: int) -> None:
    chance = random.Random(seed)
    first, second = (
        [(chance.randrange(9), chance.choice(["train", "test", "feedback"])) for _ in range(12)]
        for _ in range(2)
    )
    own, other = (
        made(claims.project, engineer, name, [row(f"Question {n}?", "Yes.", split) for n, split in rows])
        for name, rows in (("Own", first), ("Other", second))
    )
    most, share = chance.choice([None, 2]), chance.choice([None, 30.0])
    found = mixture(
        own,
        Source(own.pk, at_most=most, share=share),
        Source(other.pk, at_most=most, share=None if share is None else 100 - share),
    )
    base, added = found.accounts
    assert base.rows == len(first) and added.rows == sum(split == "train" for _, split in second)
    for account in found.accounts:
        assert account.rows == account.taken + sum(account.left_out.values())
        assert all(count > 0 for count in account.left_out.values())
    assert len(set(found.rows)) == len(found.rows) == base.taken + added.taken
    tested = {f"Question {n}?" for n, split in first if split == "test"}
    assert tested.isdisjoint(Example.objects.get(pk=pk).prompt_text for pk in found.rows[base.taken :])


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ([], "1 to 20 sources"),
        ([Source(1, ALL)], "Choose one version, or the newest"),
        ([Source(1, per_field="topic")], "name a field and how many"),
        ([Source(1, share=40), Source(1)], "100% together, or none"),
        ([Source(1, share=40), Source(1, share=50)], "These are 90% together"),
    ],
)
def test_what_no_version_can_be_written_from_is_refused(sources: list[Source], said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        RecipeSettings(sources).check()


def test_a_source_that_is_gone_is_named(claims: Dataset, engineer: User) -> None:
    for source, said in (
        (Source(claims.pk, 9), "has no version 9"),
        (Source(claims.pk + 99), "the dataset was deleted"),
        (Source(create_dataset(project=claims.project, name="Empty", by=engineer).pk), "no version yet"),
    ):
        with pytest.raises(InvalidError, match=said):
            mixture(claims, Source(claims.pk), source)


def test_one_version_is_written_at_a_time(claims: Dataset, engineer: User) -> None:
    recipe = create_recipe(
        dataset=claims, name="Cars", settings=RecipeSettings([Source(claims.pk, at_most=1)]), by=engineer
    )
    with pytest.raises(ConflictError, match="already has a recipe named"):
        create_recipe(dataset=claims, name="Cars", settings=RecipeSettings([Source(claims.pk)]), by=engineer)
    start_writing(recipe=recipe, by=engineer)
    with pytest.raises(ConflictError, match="is writing a version"):
        start_writing(recipe=recipe, by=engineer)
    with pytest.raises(ConflictError, match="is writing a version"):
        delete_recipe(recipe=recipe, by=engineer)


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_writes(claims: Dataset, engineer: User) -> None:
    recipe = create_recipe(
        dataset=claims, name="Cars", settings=RecipeSettings([Source(claims.pk, at_most=1)]), by=engineer
    )
    outcomes = at_once(4, lambda _: start_writing(recipe=recipe, by=engineer))
    assert sum(isinstance(each, ConflictError) for each in outcomes) == 3


def test_a_recipe_is_made_previewed_and_written_in_the_browser(claims: Dataset, engineer: User) -> None:
    made(claims.project, engineer, "Extra", [row("Is snow covered?", "Yes.")])
    address = f"/projects/{claims.project.slug}/data/{claims.pk}/"
    browser = client_of(engineer)
    page = browser.get(f"{address}recipes/new/").text
    assert "Claims: newest version (v1 now)" in page and "Extra: all versions" in page
    extra = Dataset.objects.get(name="Extra")
    form = {
        "name": "Claims and extra", "seed": "1",
        "sources-TOTAL_FORMS": "2", "sources-INITIAL_FORMS": "1",
        "sources-0-rows": f"{claims.pk}:newest", "sources-0-where": "topic = car",
        "sources-1-rows": f"{extra.pk}:newest",
    }  # fmt: skip
    added = browser.post(f"{address}recipes/new/", {**form, "action": "add"})
    assert added.status_code == 200 and "Source 3" in added.text
    shown = browser.post(f"{address}recipes/new/", {**form, "action": "preview"}).text
    assert "5 rows: 2 training, 1 validation" in shown and "2 another value of the field" in shown
    bad = browser.post(f"{address}recipes/new/", {**form, "sources-0-where": "topic", "action": "save"})
    assert bad.status_code == 400 and "“topic” is not a filter" in bad.text
    assert not claims.recipes.exists()
    done = browser.post(f"{address}recipes/new/", {**form, "action": "save"}, follow=True)
    recipe = claims.recipes.get()
    assert done.request["PATH_INFO"] == f"{address}recipes/{recipe.pk}/"
    assert "Rows it would take now" in done.text and "5 rows: 2 training" in done.text
    waits = browser.post(f"{address}recipes/{recipe.pk}/", {"action": "write"}, follow=True).text
    assert "Write Claims by “Claims and extra”" in waits
    job = Job.objects.get(task__endswith="write_by_recipe")
    write_version_by_recipe(job.pk)
    again = browser.get(f"{address}recipes/{recipe.pk}/").text
    assert "topic = car" in again and f"{address}v2/" in again
    assert "Claims and extra" in browser.get(address).text
    deleted = browser.post(f"{address}recipes/{recipe.pk}/", {"action": "delete"}, follow=True)
    assert "its versions stay" in deleted.text and claims.versions.count() == 2


def test_programs_make_and_write(claims: Dataset, engineer: User) -> None:
    program = program_of(engineer)
    path = f"projects/{claims.project.slug}/datasets/{claims.pk}/recipes/"
    problem_in(program.post(path, {"name": "x", "sources": [{"dataset": claims.pk, "version": "x"}]}), 400)
    problem_in(program.post(path, {"name": "x", "sources": [{"dataset": claims.pk + 9}]}), 400)
    source: dict[str, Any] = {"dataset": claims.pk, "where": {"topic": ["home"]}}
    body = {"name": "Home", "sources": [source]}
    recipe = program.post(path, body)
    assert recipe.status_code == 201 and recipe.json()["settings"]["sources"][0]["version"] == "newest"
    one = f"{path}{recipe.json()['id']}/"
    preview = program.get(f"{one}preview/").json()
    assert preview["counts"] == {"train": 2, "validation": 1, "test": 1, "feedback": 1}
    assert preview["sources"][0]["left_out"] == {"filter": 1}
    queued = program.post(f"{one}versions/", {})
    assert queued.status_code == 202
    write_version_by_recipe(queued.json()["job"]["id"])
    assert program.get(one).json()["versions"] == [2]
    source["version"] = "1"
    changed = program.ask("PUT", one, json.dumps(body))
    assert changed.json()["settings"]["sources"][0]["version"] == "1"
    assert [each["name"] for each in program.get(path).json()["results"]] == ["Home"]
    assert program.ask("DELETE", one).status_code == 204
