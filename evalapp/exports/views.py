from typing import cast

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import MissingError
from evalapp.core.http import RefusalsOn, status_of
from evalapp.core.paging import keyset_page
from evalapp.exports.forms import FinishForm, ProposedRowsForm, RowForm
from evalapp.exports.lineage import model_lineage, review_lineage
from evalapp.exports.models import Export, ExportRow, RowDecision, RowKind
from evalapp.exports.queries import (
    decidable_rows,
    exports_of,
    is_open,
    is_trained,
    proposed_rows,
    row_counts,
)
from evalapp.exports.services import decide_all, decide_row, pairs_of, propose_rows, start_export
from evalapp.exports.writing import open_file
from training.objectives import labels_of, learning_from
from training.rows import JudgedRow


def _export_or_missing(request: MemberRequest, export_id: int) -> Export:
    export = exports_of(request.project).filter(pk=export_id).first()
    if export is None:
        raise MissingError("There is no such export in this project.")
    return export


@require_safe
@project_view(Permission.VIEW_EXPORTS)
def export_list(request: MemberRequest) -> HttpResponse:
    page = keyset_page(exports_of(request.project), request)
    return render(request, "exports/list.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_EXPORTS, post=Permission.EDIT_EXPORTS)
def export_new(request: MemberRequest) -> HttpResponse:
    form = ProposedRowsForm(
        request.POST or None, project=request.project, initial={"campaign": request.GET.get("campaign")}
    )
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            export = propose_rows(
                campaign=form.cleaned_data["campaign"],
                by=request.user,
                name=form.cleaned_data["name"],
                rules=form.rules(),
            )
            return redirect("export_detail", request.project.slug, export.pk)
    return render(request, "exports/new.html", {"form": form}, status=status_of(form))


@require_safe
@project_view(Permission.VIEW_EXPORTS)
def export_detail(request: MemberRequest, export_id: int) -> HttpResponse:
    export = _export_or_missing(request, export_id)
    kind, show = request.GET.get("kind", ""), request.GET.get("show", "")
    takes_decisions = is_open(export)
    return render(
        request,
        "exports/detail.html",
        {
            "export": export,
            "counts": row_counts(export),
            "is_trained": is_trained(export),
            "is_reviewing": is_reviewing_blind(export.campaign, request.user),
            "page": keyset_page(proposed_rows(export, kind=kind, show=show), request, order=("id",)),
            "kind": kind,
            "show": show,
            "is_open": takes_decisions,
            "decidable": decidable_rows(export, request.user).count() if takes_decisions else 0,
            "finish_form": FinishForm(),
        },
    )


@require_POST
@project_view(Permission.DECIDE_EXPORT_ROWS)
def export_accept_all(request: MemberRequest, export_id: int) -> HttpResponse:
    export = _export_or_missing(request, export_id)
    count = decide_all(export=export, decision=RowDecision.ACCEPTED, by=request.user)
    waiting = row_counts(export).pending
    own = f" {waiting} that you wrote yourself wait for somebody else." if waiting else ""
    messages.success(request, f"{count} rows accepted.{own}")
    return redirect("export_detail", request.project.slug, export.pk)


@require_POST
@project_view(Permission.EDIT_EXPORTS)
def export_finish(request: MemberRequest, export_id: int) -> HttpResponse:
    export = _export_or_missing(request, export_id)
    form = FinishForm(request.POST)
    if not form.is_valid():
        messages.error(request, "The note is too long; at most 500 characters.")
        return redirect("export_detail", request.project.slug, export.pk)
    start_export(export=export, by=request.user, **form.cleaned_data)
    return redirect("export_detail", request.project.slug, export.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_EXPORTS, post=Permission.DECIDE_EXPORT_ROWS)
def export_row(request: MemberRequest, export_id: int, row_id: int) -> HttpResponse:
    export = _export_or_missing(request, export_id)
    row = _row_or_missing(export, row_id)
    form = RowForm(request.POST or None, initial={"text": row.edited_text or row.chosen_text})
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            decide_row(
                row=row,
                decision=form.cleaned_data["decision"],
                by=request.user,
                text=form.cleaned_data["text"],
            )
            following = decidable_rows(export, request.user).filter(pk__gt=row.pk).order_by("pk").first()
            if following is not None:
                return redirect("export_row", request.project.slug, export.pk, following.pk)
            return redirect("export_detail", request.project.slug, export.pk)
    return render(
        request,
        "exports/row.html",
        {
            "export": export,
            "row": row,
            "is_reviewing": is_reviewing_blind(export.campaign, request.user),
            "form": form,
            "is_open": is_open(export),
            "pairs": pairs_of(row).count() if row.kind == RowKind.ANSWER else 0,
            "learnt_by": labels_of(learning_from(JudgedRow)),
            "is_own": row.review is not None and row.review.reviewer_id == request.user.pk,
        },
        status=400 if form.is_bound else 200,
    )


def _row_or_missing(export: Export, row_id: int) -> ExportRow:
    row = (
        export.rows.select_related(
            "export__project", "example", "review__reviewer", "rejected_output", "chosen_output", "decided_by"
        )
        .filter(pk=row_id)
        .first()
    )
    if row is None:
        raise MissingError("There is no such row in this export.")
    return row


@require_safe
@project_view(Permission.VIEW_EXPORTS)
def export_file(request: MemberRequest, export_id: int, name: str) -> HttpResponse:
    export = _export_or_missing(request, export_id)
    file = open_file(export, name)
    response = FileResponse(file, as_attachment=True, filename=f"export-{export.pk}-{name}")
    return cast(HttpResponse, response)  # a stream; the decorators require only a response


@require_safe
@project_view(Permission.VIEW_EXPORTS)
def lineage_review(request: MemberRequest, review_id: int) -> HttpResponse:
    return render(
        request,
        "exports/lineage_review.html",
        {"lineage": review_lineage(request.project, review_id)},
    )


@require_safe
@project_view(Permission.VIEW_EXPORTS)
def lineage_model(request: MemberRequest, version_id: int) -> HttpResponse:
    return render(
        request,
        "exports/lineage_model.html",
        {"lineage": model_lineage(request.project, version_id)},
    )
