from django.db.models import QuerySet

from evalapp.accounts.models import Project
from evalapp.artifacts.models import DatasetPush, HubDownload, MergedExport
from evalapp.datasets.models import DatasetVersion


def merged_exports_of(project: Project) -> QuerySet[MergedExport]:
    return project.merged_exports.select_related(
        "job", "created_by", "model_version__base__model", "model_version__project"
    )


def hub_downloads_of(project: Project) -> QuerySet[HubDownload]:
    return project.hub_downloads.select_related("job", "created_by", "produced__model", "project")


def pushes_of(version: DatasetVersion) -> QuerySet[DatasetPush]:
    """The version's pushes, latest first."""
    pushes = DatasetPush.objects.filter(version=version).select_related("job__created_by", "created_by")
    return pushes.select_related("project").order_by("-pk")
