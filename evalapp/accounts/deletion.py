"""Deletion of a project with everything in it, set by set.

The rows protect each other against deletion one by one (a run protects the dataset version it used),
and there may be millions; so whole tables go by one statement each, those that refer before those
referred to. Foreign keys are checked at the end of the transaction: were anything outside the
project to refer into it, nothing at all would be deleted.
"""

from django.apps import apps
from django.db import models, transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError

PathsToProject = dict[type[models.Model], str]


@transaction.atomic
def delete_project(*, project: Project, typed_name: str, by: User) -> None:
    """Delete the project and all its rows; the audit stays. Permission is the view's to check.

    Raises InvalidError where ``typed_name`` is not the project's name.
    """
    if typed_name.strip() != project.name:
        message = f"Type the project's name, {project.name}, to delete it."
        raise InvalidError(message, fields={"typed_name": [message]})
    record("project.deleted", by=by, obj=project, project=project)
    paths = paths_to_project()
    for model in _referring_first(paths):
        rows = model._base_manager.filter(**{paths[model]: project.pk})
        rows._raw_delete(rows.db)
    Project.objects.filter(pk=project.pk)._raw_delete("default")


def paths_to_project() -> PathsToProject:
    """Every model whose rows belong to a project, with the lookup that leads there.

    A row belongs where a required foreign key says so, by the shortest way.
    """
    paths: PathsToProject = {}
    frontier: dict[type[models.Model], str] = {Project: ""}
    while frontier:
        found: PathsToProject = {}
        for model in apps.get_models(include_auto_created=True):
            if model in paths or model is Project or model in found:
                continue
            for key in _required_keys(model):
                target = key.related_model
                if target in frontier:
                    rest = frontier[target]
                    found[model] = f"{key.name}__{rest}" if rest else key.name
                    break
        paths.update(found)
        frontier = dict(found)
    return paths


def _required_keys(model: type[models.Model]) -> list[models.ForeignKey[models.Model, models.Model]]:
    return [
        field
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and not field.null and field.related_model is not model
    ]


def _referring_first(paths: PathsToProject) -> list[type[models.Model]]:
    """Models in an order in which each comes before those its path leads through."""
    return sorted(paths, key=lambda model: paths[model].count("__"), reverse=True)
