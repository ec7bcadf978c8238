"""The contamination page of a dataset version, with an owner's decision."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.datasets.queries import TRAINING_SPLITS, examples_of, version_of
from evalapp.runs.contamination.contamination_decisions import (
    LONGEST_REASON,
    allow_contamination,
    rows_hash_of,
    standing_decision,
)
from evalapp.runs.contamination.contamination_guard import Pair, known_leaks
from evalapp.runs.contamination.contamination_pairs import EvaluationRows

MOST_SHOWN = 100


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=LONGEST_REASON, label="Reason for training on these rows",
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Shown with your name on every training that this allows, on its models, and at the gate.",
    )  # fmt: skip
    rows_hash = forms.CharField(widget=forms.HiddenInput)


@dataclass(frozen=True)
class ShownPair:
    """A contamination pair with its training row (``learnt``) and evaluation row (``evaluates``); either is
    None if it no longer exists.
    """

    pair: Pair
    learnt: Example | None
    evaluates: Example | None

    @property
    def words(self) -> str:
        if self.pair["kind"] in ("exact", "near"):
            return "the same prompt" if self.pair["kind"] == "exact" else "nearly the same prompt"
        return f"{self.pair['share']:.0%} of its word sequences"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(Permission.VIEW_DATA, post=Permission.ALLOW_CONTAMINATION)
def contamination(request: MemberRequest, dataset_id: int, number: int) -> HttpResponse:
    """Training rows that are also used for evaluation, and decisions on them; a POST records one."""
    version = get_or_missing(version_of(request.project), dataset_id=dataset_id, number=number)
    found = known_leaks(version)
    pairs = found.leaks["pairs"] if found is not None else []
    initial = {"rows_hash": rows_hash_of(pairs)}
    form = ReasonForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        try:
            decision = allow_contamination(version=version, by=request.user, **form.cleaned_data)
        except ProblemError as error:
            show_problem(form, error)
            # The next submission must refer to the rows shown now.
            form.data = {**request.POST.dict(), **initial}
        else:
            rows = len(decision.training_rows)
            messages.success(
                request, f"Recorded: trainings on {version} may use {rows:,} rows of the evaluation splits."
            )
            return redirect("contamination", request.project.slug, dataset_id, number)
    context: dict[str, Any] = {
        "version": version,
        "dataset": version.dataset,
        "found": found,
        "pairs": _shown(version, pairs[:MOST_SHOWN]),
        "more": max(0, len(pairs) - MOST_SHOWN),
        "standing": standing_decision(version, found),
        "decisions": version.contamination_decisions.select_related("decided_by").order_by("-pk"),
        "form": form,
    }
    return render(request, "runs/contamination.html", context, status=400 if form.errors else 200)


def _shown(version: DatasetVersion, pairs: list[Pair]) -> list[ShownPair]:
    rows = {pair["training_row"] for pair in pairs}
    learnt = {
        each.row_number: each for each in examples_of(version, TRAINING_SPLITS).filter(row_number__in=rows)
    }
    met = EvaluationRows(version, pairs)
    return [ShownPair(pair, learnt.get(pair["training_row"]), met.of(pair)) for pair in pairs]
