from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.versions.progress import progress_of
from evalapp.analysis.versions.reasons import reason_changes
from evalapp.core.http import get_or_missing
from evalapp.datasets.models import Dataset
from evalapp.datasets.queries import versions_of
from evalapp.runs.training.axes import VERSION

VERSIONS_OF_SWEEP = 3


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def dataset_progress(request: MemberRequest, dataset_id: int) -> HttpResponse:
    """Effect of each version of a dataset on the models trained on it, over shared items."""
    dataset = get_or_missing(request.project.datasets.select_related("project"), pk=dataset_id)
    progress = progress_of(dataset, request.user)
    versions = [each.version for each in progress.trained]
    context = {
        "dataset": dataset,
        "progress": progress,
        "rows": [
            {
                "row": row,
                "cells": [
                    {
                        "step": step,
                        "improved": row.improved(step) if step else None,
                        "change": step.words(is_share=row.is_share) if step else "",
                    }
                    for step in map(row.step_of, versions)
                ],
            }
            for row in progress.rows
        ],
        "sweep": _sweep_address(request, dataset),
        "reasons": reason_changes(dataset, versions, progress.seen),
    }
    return render(request, "analysis/dataset_progress.html", context)


def _sweep_address(request: MemberRequest, dataset: Dataset) -> str:
    """URL of the form for a sweep over the latest versions with training rows; empty with fewer than two."""
    latest = versions_of(dataset).filter(counts__train__gt=0).order_by("-number")[:VERSIONS_OF_SWEEP]
    if len(latest) < 2:
        return ""
    numbers = sorted(version.number for version in latest)
    query = {
        "kind": "sweep",
        "dataset_version": latest[0].pk,
        "name": f"Versions of {dataset}"[:60],
        "seeds": "1, 2, 3",
        "grid_1": VERSION,
        "grid_1_values": ", ".join(f"v{number}" for number in numbers),
    }
    return f"{reverse('run_new', args=[request.project.slug])}?{urlencode(query)}"
