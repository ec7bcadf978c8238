"""Write operations on dataset recipes: create and change one, and write the version that it describes."""

from typing import Any

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, MissingError
from evalapp.core.names import checked_name
from evalapp.core.uniqueness import unless_taken
from evalapp.datasets.models import Dataset, DatasetRecipe, DatasetVersion, RecipeVersion
from evalapp.datasets.queries import versions_of
from evalapp.datasets.recipes.mixing import ResolvedSource, mix_rows, resolve_sources, rows_of_mixture
from evalapp.datasets.recipes.settings import RecipeSettings
from evalapp.datasets.services import create_version
from evalapp.jobs.models import FINAL_STATES, Job
from evalapp.jobs.services import create_job
from evalapp.jobs.work import Work

RECIPE_TASK = "evalapp.datasets.tasks.write_by_recipe"


def create_recipe(*, dataset: Dataset, name: str, settings: RecipeSettings, by: User | None) -> DatasetRecipe:
    """Raises InvalidError for settings that no version can be written from, ConflictError where the dataset
    has a recipe of that name.
    """
    recipe = DatasetRecipe(dataset=dataset, created_by=by)
    return _save_recipe(recipe, name, settings, by, action="dataset.recipe_created")


def change_recipe(*, recipe: DatasetRecipe, name: str, settings: RecipeSettings, by: User) -> DatasetRecipe:
    """Change a recipe; versions that it wrote keep their settings. Raises as `create_recipe`."""
    return _save_recipe(recipe, name, settings, by, action="dataset.recipe_changed")


def _save_recipe(
    recipe: DatasetRecipe, name: str, settings: RecipeSettings, by: User | None, *, action: str
) -> DatasetRecipe:
    settings.check()
    resolve_sources(recipe.dataset, settings)
    recipe.name = checked_name(name, of="the dataset recipe")
    recipe.settings = settings.as_json()
    with unless_taken(
        f"{recipe.dataset} already has a recipe named “{recipe.name}”. Choose another name.", field="name"
    ):
        recipe.save()
        record(action, by=by, obj=recipe, project=recipe.dataset.project, data=recipe.settings)
    return recipe


@transaction.atomic
def delete_recipe(*, recipe: DatasetRecipe, by: User) -> None:
    """Delete a recipe; the versions that it wrote stay. Raises ConflictError while it writes one."""
    _lock_recipe(recipe)
    record("dataset.recipe_deleted", by=by, obj=recipe, project=recipe.dataset.project)
    recipe.delete()


@transaction.atomic
def start_writing(*, recipe: DatasetRecipe, by: User | None) -> Job:
    """Queue the job that writes the dataset's next version by the recipe.

    Raises ConflictError while it writes one, InvalidError where a source is gone.
    """
    recipe = _lock_recipe(recipe)
    resolve_sources(recipe.dataset, RecipeSettings.from_json(recipe.settings))
    recipe.job = create_job(
        project=recipe.dataset.project,
        task=RECIPE_TASK,
        title=f"Write {recipe.dataset} by “{recipe}”",
        by=by,
        params={"recipe": recipe.pk},
    )
    recipe.save(update_fields=["job"])
    return recipe.job


def _lock_recipe(recipe: DatasetRecipe) -> DatasetRecipe:
    # The job is read afterwards: a joined one would date from before the wait for the lock.
    recipes = DatasetRecipe.objects.select_for_update(of=["self"]).select_related("dataset__project")
    found = recipes.filter(pk=recipe.pk).first()
    if found is None:
        raise MissingError("The dataset recipe was deleted.")
    if found.job is not None and found.job.state not in FINAL_STATES:
        raise ConflictError("The recipe is writing a version. Wait until that is over, or cancel it.")
    return found


def write_by_recipe(work: Work) -> dict[str, Any]:
    """Carry out the job of a recipe; its version appears whole or not at all. Repeating it after the version
    was written changes nothing.

    Raises SameContentError where a version has exactly these rows, and MissingError where the recipe was
    deleted meanwhile.
    """
    written = DatasetVersion.objects.filter(job=work.job).first()
    if written is not None:
        return _result(written)
    recipe = (
        DatasetRecipe.objects.select_related("dataset__project").filter(pk=work.job.params["recipe"]).first()
    )
    if recipe is None:
        raise MissingError("The dataset recipe was deleted. There is nothing to write.")
    settings = RecipeSettings.from_json(recipe.settings)
    work.progress(0, None, "Choosing rows")
    with transaction.atomic():
        sources = resolve_sources(recipe.dataset, settings)
        mixture = mix_rows(recipe.dataset, settings, sources)
        version = create_version(
            dataset=recipe.dataset,
            rows=work.following(rows_of_mixture(mixture, recipe.dataset), len(mixture.rows), "Writing rows"),
            by=work.job.created_by,
            parent=sources[0].version if sources[0].dataset == recipe.dataset else None,
            source=f"recipe “{recipe.name}”",
            is_simulated=_has_version_with(sources, "is_simulated"),
            is_recorded=_has_version_with(sources, "is_recorded"),
            job=work.job,
        )
        RecipeVersion.objects.create(
            version=version,
            recipe=recipe,
            settings=recipe.settings,
            sources=[account._asdict() for account in mixture.accounts],
        )
        work.fence()
    return _result(version)


def _has_version_with(sources: list[ResolvedSource], flag: str) -> bool:
    versions = [[each.version] if each.version is not None else versions_of(each.dataset) for each in sources]
    return any(getattr(version, flag) for found in versions for version in found)


def _result(version: DatasetVersion) -> dict[str, Any]:
    return {"dataset_version": version.pk, "rows": sum(version.counts.values())}
