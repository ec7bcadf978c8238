"""Read queries on counterfactual datasets."""

from evalapp.datasets.counterfactuals.services import COUNTERFACTUALS_TASK, source_of
from evalapp.datasets.models import DatasetVersion
from evalapp.jobs.models import Job

_SHOWN = 10


def last_job_of(version: DatasetVersion) -> Job | None:
    """The job that last wrote counterfactual variants of the version, or tried to."""
    jobs = version.dataset.project.jobs.filter(task=COUNTERFACTUALS_TASK, params__version=version.pk)
    return jobs.select_related("created_by").order_by("-pk").first()


def written_of(version: DatasetVersion) -> list[DatasetVersion]:
    """The newest versions that hold counterfactual variants of this one."""
    found = DatasetVersion.objects.filter(
        dataset__project=version.dataset.project, source=source_of(version)
    ).select_related("dataset")
    return list(found.order_by("-pk")[:_SHOWN])
