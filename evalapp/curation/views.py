from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import MissingError
from evalapp.core.http import RefusalsOn, get_or_missing, number_of, show_problem
from evalapp.curation import drafts, queries, services
from evalapp.curation.bulk_edits import apply_bulk_edit, preview
from evalapp.curation.cards import card_of
from evalapp.curation.drafts import RESTORE, Edit, EditConflictError
from evalapp.curation.forms import LONGEST_NOTE, BulkEditForm, RowForm
from evalapp.curation.kinds import KIND_DESCRIPTIONS, FindingKind
from evalapp.curation.models import DatasetDraft, DraftState, HealthCheck, Operation
from evalapp.curation.publishing import start_publishing
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.datasets.queries import version_of
from evalapp.datasets.recipes.queries import shown_accounts

ROWS_PER_PAGE = 15


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_DATA, post=Permission.EDIT_DATA)
def dataset_health(request: MemberRequest, dataset_id: int, number: int) -> HttpResponse:
    """Findings of a version's health check by kind; a POST starts the check."""
    version = _version(request, dataset_id, number)
    if request.method == "POST":
        services.start_check(version=version, by=request.user)
        return redirect("dataset_health", request.project.slug, dataset_id, number)
    check = queries.check_of(version)
    kinds = queries.kinds_of(check) if check is not None and check.checked_at else []
    context = {
        "version": version,
        "dataset": version.dataset,
        "check": check,
        "job": check.job if check is not None else None,
        "permission": Permission.EDIT_DATA.name,
        "found": [kind for kind in kinds if kind.rows],
        "clean": [kind for kind in kinds if not kind.rows and not kind.unchecked],
        "unchecked": [kind for kind in kinds if kind.unchecked],
        "draft": queries.open_draft_of(version),
        "total": sum(version.counts.values()),
    }
    return render(request, "curation/health.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_DATA, post=Permission.EDIT_DATA)
def dataset_findings(request: MemberRequest, dataset_id: int, number: int, kind: str) -> HttpResponse:
    """The findings of one kind; a POST applies some findings' proposals, or keeps their rows."""
    version = _version(request, dataset_id, number)
    check = _finished_check(version)
    if kind not in FindingKind.values:
        raise MissingError("There is no kind of finding of that name.")
    show = request.GET.get("show", "open")
    if show not in queries.SHOW_FILTERS:
        raise MissingError("There is no such choice of findings.")
    if request.method == "POST":
        _act_on_findings(request, check, kind)
        return redirect(request.get_full_path())
    found = queries.findings_of(check, kind, show).order_by("-score", "example__row_number", "pk")
    page = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "version": version,
        "dataset": version.dataset,
        "kind": FindingKind(kind),
        "explained": KIND_DESCRIPTIONS[kind].explained,
        "filters": [
            {"label": label, "href": f"?show={value}", "on": value == show}
            for value, label in queries.SHOW_FILTERS.items()
        ],
        "page": page,
        "rows": queries.shown_findings(check, page.object_list),
        "draft": queries.open_draft_of(version),
        "may_drop": kind != FindingKind.COVERAGE,
    }
    return render(request, "curation/findings.html", context)


def _act_on_findings(request: MemberRequest, check: HealthCheck, kind: str) -> None:
    action, chosen = request.POST.get("action", ""), request.POST.getlist("finding")
    found = queries.findings_of(check, kind, "open")
    if action.endswith("-all"):
        action = action.removesuffix("-all")
    else:
        found = queries.findings_of(check, kind).filter(
            pk__in=[each for each in map(number_of, chosen) if each is not None]
        )
        if not found:
            messages.error(request, "Choose at least one row first.")
            return
    if action in ("keep", "reopen"):
        changed = services.keep_rows(
            check=check,
            findings=list(found.values_list("pk", flat=True)),
            is_kept=action == "keep",
            by=request.user,
        )
        messages.success(
            request, f"{_rows_in_words(changed)} {'kept' if action == 'keep' else 'open again'}."
        )
        return
    draft = drafts.open_draft(base=check.version, by=request.user)
    if action == "drop":
        edits = [
            Edit(finding.example.row_number, Operation.DROP, reason=finding.evidence, kind=kind)
            for finding in found
            if finding.example is not None
        ]
        edited = drafts.edit_rows(draft=draft, edits=edits, by=request.user)
        messages.success(request, f"{_rows_in_words(len(edits))} dropped in the draft.{edited.message}")
        return
    applied = drafts.apply_proposals(draft=draft, findings=found.order_by("pk").iterator(), by=request.user)
    needs = "needs" if applied.left == 1 else "need"
    left = (
        f" {_rows_in_words(applied.left)} {needs} your decision: edit, drop or keep." if applied.left else ""
    )
    messages.success(request, f"{_rows_in_words(applied.done)} put into the draft.{left}")


def _rows_in_words(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_DATA, post=Permission.EDIT_DATA)
def dataset_draft(request: MemberRequest, dataset_id: int, draft_id: int) -> HttpResponse:
    """The changes of a draft, before it becomes a version."""
    draft = _draft(request, dataset_id, draft_id)
    form = PublishForm(request.POST if request.method == "POST" else None, initial={"note": draft.note})
    if form.is_valid():
        with RefusalsOn(form):
            if response := _act_on_draft(request, draft, form):
                return response
    operation = request.GET.get("operation", "")
    page = Paginator(queries.edits_of(draft, operation), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    counts = drafts.counts_of(draft)
    context = {
        "draft": draft,
        "version": draft.base,
        "dataset": draft.base.dataset,
        "counts": counts,
        "operation": operation,
        "operations": Operation.choices,
        "page": page,
        "rows": queries.shown_edits(page.object_list),
        "form": form,
        "job": draft.job if draft.state == DraftState.OPEN else None,
        "is_open": draft.state == DraftState.OPEN and not draft.is_being_published,
        "newest": queries.newer_version(draft.base),
    }
    return render(request, "curation/draft.html", context, status=400 if form.errors else 200)


class PublishForm(forms.Form):
    note = forms.CharField(
        max_length=LONGEST_NOTE, required=False, label="Note",
        widget=forms.Textarea(attrs={"rows": 3}), help_text="Shown on the new version's page.",
    )  # fmt: skip


def _act_on_draft(request: MemberRequest, draft: DatasetDraft, form: PublishForm) -> HttpResponse | None:
    action = request.POST.get("action")
    slug, dataset_id = request.project.slug, draft.base.dataset_id
    if action == "publish":
        start_publishing(draft=draft, note=form.cleaned_data["note"], by=request.user)
        return redirect("dataset_draft", slug, dataset_id, draft.pk)
    if action == "discard":
        drafts.discard_draft(draft=draft, by=request.user)
        messages.success(request, "The draft was discarded.")
        return redirect("dataset_version", slug, dataset_id, draft.base.number)
    if (row := number_of(request.POST.get("restore", ""))) is not None:
        drafts.edit_rows(draft=draft, edits=[Edit(row, RESTORE)], by=request.user)
        return redirect(request.get_full_path())
    return None


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_DATA)
def dataset_bulk_edit(request: MemberRequest, dataset_id: int, draft_id: int) -> HttpResponse:
    """One edit of many rows: previewed first, then added to the draft."""
    draft = _draft(request, dataset_id, draft_id)
    form = BulkEditForm(request.POST if request.method == "POST" else None)
    shown = None
    if form.is_valid():
        with RefusalsOn(form):
            if request.POST.get("step") == "apply":
                count = apply_bulk_edit(draft=draft, bulk=form.bulk_edit(), by=request.user)
                messages.success(request, f"{_rows_in_words(count)} put into the draft.")
                return redirect("dataset_draft", request.project.slug, dataset_id, draft_id)
            shown = preview(draft, form.bulk_edit())
    context = {
        "draft": draft,
        "version": draft.base,
        "dataset": draft.base.dataset,
        "form": form,
        "preview": shown,
        "rows": queries.shown_edits(planned.edit for planned in shown.first) if shown else [],
    }
    return render(request, "curation/bulk_edit.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_DATA)
def dataset_row_edit(request: MemberRequest, dataset_id: int, number: int, row_number: int) -> HttpResponse:
    """Edit or drop one row in the version's draft."""
    version = _version(request, dataset_id, number)
    example = get_or_missing(version.examples.all(), row_number=row_number)
    draft = queries.open_draft_of(version)
    edit = draft.edits.filter(example=example).first() if draft is not None else None
    form = RowForm(request.POST if request.method == "POST" else None, example=example, edit=edit)
    conflict = None
    if form.is_valid():
        with RefusalsOn(form):
            try:
                _save_row(request, version, example, form)
            except EditConflictError as error:
                edit, form = error.edit, form.beside(error.edit)
                show_problem(form, error)
                conflict = form.differences()
            else:
                return redirect(request.path)
    context = {
        "conflict": conflict,
        "version": version,
        "dataset": version.dataset,
        "example": example,
        "form": form,
        "edit": edit,
        "draft": draft,
        "newest": queries.newer_version(version),
    }
    return render(request, "curation/row_edit.html", context, status=400 if form.errors else 200)


def _save_row(request: MemberRequest, version: DatasetVersion, example: Example, form: RowForm) -> None:
    action, reason = request.POST.get("action"), form.cleaned_data["reason"]
    changes: dict[str, Any] = form.changes() if action == "save" else {}
    if action == "save" and not changes:
        messages.info(request, "Nothing was changed.")
        return
    operation = {"drop": Operation.DROP, "restore": RESTORE}.get(action or "", Operation.CHANGE)
    edit = Edit(example.row_number, operation, changes, reason=reason, revision=form.cleaned_data["revision"])
    draft = drafts.open_draft(base=version, by=request.user)
    edited = drafts.edit_rows(draft=draft, edits=[edit], by=request.user)
    words = {"drop": "The draft drops the row.", "restore": "The draft leaves the row as it is."}
    messages.success(request, words.get(action or "", "Saved in the draft.") + edited.message)


@require_POST
@project_view(Permission.EDIT_DATA)
def dataset_draft_new(request: MemberRequest, dataset_id: int, number: int) -> HttpResponse:
    """Open the version's draft, created if missing."""
    draft = drafts.open_draft(base=_version(request, dataset_id, number), by=request.user)
    return redirect("dataset_draft", request.project.slug, dataset_id, draft.pk)


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_row_history(
    request: MemberRequest, dataset_id: int, number: int, row_number: int
) -> HttpResponse:
    version = _version(request, dataset_id, number)
    example = get_or_missing(version.examples.select_related("version"), row_number=row_number)
    edits = queries.shown_edits(queries.history_of(example)[:100])
    context = {
        "version": version,
        "dataset": version.dataset,
        "example": example,
        "rows": edits,
        "corrections": queries.corrections_of(example),
    }
    return render(request, "curation/row_history.html", context)


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_card(request: MemberRequest, dataset_id: int, number: int) -> HttpResponse:
    version = _version(request, dataset_id, number)
    card = card_of(version)
    context = {
        "version": version,
        "dataset": version.dataset,
        "card": card,
        "accounts": shown_accounts(card.recipe.sources) if card.recipe else [],
        "conversations": version.examples.filter(conversation__isnull=False).count(),
    }
    return render(request, "curation/card.html", context)


def _version(request: MemberRequest, dataset_id: int, number: int) -> DatasetVersion:
    return get_or_missing(version_of(request.project), dataset_id=dataset_id, number=number)


def _draft(request: MemberRequest, dataset_id: int, draft_id: int) -> DatasetDraft:
    return get_or_missing(queries.drafts_of(request.project), base__dataset=dataset_id, pk=draft_id)


def _finished_check(version: DatasetVersion) -> HealthCheck:
    check = queries.check_of(version)
    if check is None or check.checked_at is None:
        raise MissingError(f"The health of {version} has not been checked yet. Check it on its Health page.")
    return check
