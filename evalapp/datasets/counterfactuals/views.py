from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.http import RefusalsOn, get_or_missing
from evalapp.core.word_changes import WordChanges, word_changes
from evalapp.datasets.counterfactuals import services
from evalapp.datasets.counterfactuals.forms import CounterfactualForm
from evalapp.datasets.counterfactuals.perturbation import REASONS, LeftOut
from evalapp.datasets.counterfactuals.queries import last_job_of, written_of
from evalapp.datasets.counterfactuals.services import CounterfactualPlan, Preview, label_of
from evalapp.datasets.counterfactuals.variants import Variant
from evalapp.datasets.models import DatasetVersion, VersionState
from evalapp.datasets.row_changes import field_label


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_DATA)
def dataset_counterfactuals(request: MemberRequest, dataset_id: int, number: int) -> HttpResponse:
    """The perturbations with their rules and lists, a preview on the rows, and the job."""
    versions = DatasetVersion.objects.filter(dataset__project=request.project, state=VersionState.READY)
    version = get_or_missing(versions.select_related("dataset__project"), dataset=dataset_id, number=number)
    form = CounterfactualForm(request.POST if request.method == "POST" else None, version=version)
    context: dict[str, Any] = {"version": version, "dataset": version.dataset, "form": form}
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            if request.POST.get("action") == "create":
                services.start_counterfactuals(version=version, plan=form.plan(), by=request.user)
                messages.success(request, "The job that writes the dataset was started.")
                return redirect("dataset_counterfactuals", request.project.slug, dataset_id, number)
            context |= _preview(version, form.plan())
    context |= {"job": last_job_of(version), "written": written_of(version)}
    status = 400 if form.errors else 200
    return render(request, "datasets/counterfactuals.html", context, status=status)


def _preview(version: DatasetVersion, plan: CounterfactualPlan) -> dict[str, Any]:
    found = services.preview_of(version, plan)
    return {
        "preview": found,
        "accounts": list(map(_shown_account, found.accounts)),
        "rows": _shown_rows(found),
    }


def _shown_account(account: Any) -> dict[str, Any]:
    left_out = [(REASONS[LeftOut(reason)], count) for reason, count in account.left_out.items()]
    return {"label": label_of(account.chosen), "pairs": account.pairs, "left_out": left_out}


def _shown_rows(found: Preview) -> list[dict[str, Any]]:
    return [
        {
            "number": previewed.number,
            "label": label_of(previewed.variant.chosen),
            "changes": _changes(previewed.variant),
        }
        for rows in found.shown.values()
        for previewed in rows
    ]


def _changes(variant: Variant) -> list[tuple[str, WordChanges]]:
    return [
        (field_label(variant.row, name), word_changes(before, after))
        for name, (before, after) in variant.changed.items()
    ]
