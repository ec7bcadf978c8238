"""The page of a sweep: its trainings side by side, its learning curve, and the next steps."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.sweeps.curve import learning_curve
from evalapp.analysis.sweeps.measures import measure_choices, values_of
from evalapp.analysis.sweeps.versions import over_versions
from evalapp.core.http import get_or_missing
from evalapp.registry.models import ModelKind
from evalapp.runs import queries
from evalapp.runs.models import Sweep
from evalapp.runs.sweeps.results import SweepTable, sweep_table
from evalapp.runs.training.axes import SEED, SHARE, VERSION, label_within, ordered
from evalapp.runs.training.run_comparison import FEWEST, MOST


@require_safe
@project_view(Permission.VIEW_RUNS)
def sweep_detail(request: MemberRequest, sweep_id: int) -> HttpResponse:
    """A sweep; ``by`` in the URL is the measure of the curve."""
    sweep = _sweep(request, sweep_id)
    table = sweep_table(sweep)
    choices = measure_choices(sweep, request.user)
    measure = choices.chosen(request.GET.get("by", ""))
    values = values_of(measure, sweep, table)
    has_versions = len(sweep.axes.get(VERSION, ())) > 1
    context = {
        "sweep": sweep,
        "table": table,
        "choices": choices,
        "measure": measure,
        "differs": ", ".join(label_within(name) for name in ordered(sweep.axes)),
        "has_seeds": len(sweep.axes.get(SEED, ())) > 1,
        "has_shares": len(sweep.axes.get(SHARE, ())) > 1,
        "curve": learning_curve(table, measure, values) if not has_versions else None,
        "versions": over_versions(table, measure, values) if has_versions else None,
        **_next(request, sweep, table),
    }
    return render(request, "analysis/sweep.html", context)


@require_safe
@project_view(Permission.VIEW_RUNS)
def sweep_progress(request: MemberRequest, sweep_id: int) -> HttpResponse:
    """The table as a partial that polls while trainings are running; when one ends, the page is reloaded."""
    sweep = _sweep(request, sweep_id)
    table = sweep_table(sweep)
    response = render(request, "analysis/sweep_runs.html", {"sweep": sweep, "table": table})
    if request.headers.get("HX-Request") and request.GET.get("unfinished") != str(table.unfinished):
        response["HX-Refresh"] = "true"
    return response


def _sweep(request: MemberRequest, sweep_id: int) -> Sweep:
    return get_or_missing(queries.sweeps_of(request.project), pk=sweep_id)


def _next(request: MemberRequest, sweep: Sweep, table: SweepTable) -> dict[str, Any]:
    """URLs of the next steps; empty if there are none."""
    slug = request.project.slug
    done = [row.run for row in table.rows if row.run.produced is not None]
    made = [run.produced for run in done if run.produced is not None]
    # Full fine-tunes have no common base, so they cannot answer in one run.
    together = [version for version in made if version.kind == ModelKind.LORA]
    best = table.best
    begun = [row for row in table.rows if row.run.job.started_at]
    drawn = sorted(
        begun, key=lambda row: float("inf") if row.validation_loss is None else row.validation_loss
    )[:MOST]
    first = table.rows[0].run if table.rows else None
    shares = (
        {"kind": "sweep", "of": first.pk, "shares": "25%, 50%, 100%", "name": f"{sweep.name[:40]}: shares"}
        if first
        else {}
    )
    return {
        "answer_all": _generation(slug, sweep, together) if len(together) > 1 else "",
        "answer_best": _generation(slug, sweep, [best.run.produced]) if best and best.run.produced else "",
        "together": len(together),
        "overlay": (
            f"{reverse('run_compare', args=[slug])}?{urlencode([('run', row.run.pk) for row in drawn])}"
            if len(drawn) >= FEWEST
            else ""
        ),
        "overlaid": len(drawn) if len(drawn) < len(begun) else 0,
        "shares_address": f"{reverse('run_new', args=[slug])}?{urlencode(shares)}" if shares else "",
    }


def _generation(slug: str, sweep: Sweep, versions: list[Any]) -> str:
    query = [("dataset_version", sweep.dataset_version_id), ("name", f"Answers of {sweep.name}")]
    query += [("candidates", version.pk) for version in versions]
    return f"{reverse('run_new', args=[slug])}?kind=generation&{urlencode(query)}"
