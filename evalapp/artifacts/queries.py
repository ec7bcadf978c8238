from django.db.models import QuerySet

from evalapp.accounts.models import Project
from evalapp.artifacts.models import HubDownload, MergedExport


def merged_exports_of(project: Project) -> QuerySet[MergedExport]:
    return project.merged_exports.select_related(
        "job", "created_by", "model_version__base__model", "model_version__project"
    )


def hub_downloads_of(project: Project) -> QuerySet[HubDownload]:
    return project.hub_downloads.select_related("job", "created_by", "produced__model", "project")
