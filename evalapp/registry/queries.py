from django.db.models import Count, Prefetch, QuerySet

from evalapp.accounts.models import Project
from evalapp.registry.models import STANDING_KINDS, Endpoint, Model, ModelKind, ModelVersion


def models_of(project: Project) -> QuerySet[Model]:
    """The project's models with their versions, newest first."""
    versions = ModelVersion.objects.select_related("base", "parent", "created_by").order_by("-number")
    return project.models.prefetch_related(Prefetch("versions", queryset=versions))


def versions_of(project: Project) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(project=project).select_related("model", "base", "parent", "project")


def bases_of(project: Project) -> QuerySet[ModelVersion]:
    """Versions that others can be built on: registered bases, and full models trained from them."""
    return _with_weights(project).filter(kind__in=STANDING_KINDS).order_by("model__name", "number")


def adapters_of(project: Project) -> QuerySet[ModelVersion]:
    return _with_weights(project).filter(kind=ModelKind.LORA).order_by("-pk")


def candidates_of(project: Project) -> QuerySet[ModelVersion]:
    """Versions that can generate outputs: all but imported ones."""
    return _with_weights(project).exclude(kind=ModelKind.IMPORTED).order_by("model__name", "number")


def _with_weights(project: Project) -> QuerySet[ModelVersion]:
    # Recorded versions have outputs and lineage but no weights; versions that are set aside may lose theirs.
    return versions_of(project).filter(is_recorded=False, set_aside_at=None)


def endpoints_of(project: Project) -> QuerySet[Endpoint]:
    """The project's endpoints by name, annotated with the number of ``candidates``."""
    return project.endpoints.annotate(candidates=Count("versions")).order_by("name")


def champion_of(project: Project) -> ModelVersion | None:
    return versions_of(project).filter(alias="champion").first()


def ancestors_of(version: ModelVersion) -> list[ModelVersion]:
    """The adapters this one was continued from, nearest first."""
    found: list[ModelVersion] = []
    current = version.parent
    while current is not None and current not in found:
        found.append(current)
        current = current.parent
    return found
