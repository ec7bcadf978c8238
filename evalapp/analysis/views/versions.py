from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.versions.progress import progress_of
from evalapp.analysis.versions.reasons import reason_changes
from evalapp.core.http import get_or_missing


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def dataset_progress(request: MemberRequest, dataset_id: int) -> HttpResponse:
    """What each version of a dataset did to the models trained on it, on shared items."""
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
        "reasons": reason_changes(dataset, versions, progress.seen),
    }
    return render(request, "analysis/dataset_progress.html", context)
