import json
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.forms import model_to_dict
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import InvalidError, MissingError, ProblemError
from evalapp.core.http import RefusalsOn, download, get_or_missing, show_problem
from evalapp.core.paging import keyset_page
from evalapp.core.uploads import takes_imports
from evalapp.datasets import queries, services
from evalapp.datasets.columns import unread_reference_field
from evalapp.datasets.deletion import VersionInUseError, delete_version
from evalapp.datasets.diff import Change, diff_of, shown_changes
from evalapp.datasets.exporting import FileFormat, exported, exported_with_originals, losses_of
from evalapp.datasets.field_filter import with_fields
from evalapp.datasets.forms import DatasetForm, ImportForm, RowsForm, UploadForm
from evalapp.datasets.importing import column_samples, preview
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion, Split, VersionState
from evalapp.datasets.search import is_large, search_rows
from evalapp.datasets.vault import ENTRY, look_up
from evalapp.imports import flow
from evalapp.imports.pages import problems_file, upload_page
from evalapp.imports.problems import FieldProblem, RowProblem, fold_problems
from training.objectives import labels_of, learning_from
from training.rows import JudgedRow, PreferenceRow

CHANGES_PER_PAGE = 20
ROWS_PER_PAGE = 25


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_list(request: MemberRequest) -> HttpResponse:
    datasets = queries.datasets_of(request.project)
    return render(request, "datasets/dataset_list.html", {"datasets": datasets})


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_DATA)
def dataset_new(request: MemberRequest) -> HttpResponse:
    form = DatasetForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            dataset = services.create_dataset(project=request.project, by=request.user, **form.cleaned_data)
            return redirect("dataset_upload", request.project.slug, dataset.pk)
    status = 400 if form.is_bound else 200
    return render(request, "datasets/dataset_new.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_DATA)
def dataset_edit(request: MemberRequest, dataset_id: int) -> HttpResponse:
    dataset = _dataset(request, dataset_id)
    form = DatasetForm(request.POST or None, initial=model_to_dict(dataset))
    if request.method == "POST" and form.is_valid():
        try:
            services.change_dataset(dataset=dataset, by=request.user, **form.cleaned_data)
        except ProblemError as error:
            show_problem(form, error)
            dataset.refresh_from_db()
        else:
            messages.success(request, "Saved.")
            return redirect("dataset_detail", request.project.slug, dataset.pk)
    status = 400 if form.errors else 200
    return render(request, "datasets/dataset_edit.html", {"form": form, "dataset": dataset}, status=status)


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_detail(request: MemberRequest, dataset_id: int) -> HttpResponse:
    dataset = _dataset(request, dataset_id)
    versions = queries.versions_of(dataset).prefetch_related("drafts")
    page = keyset_page(versions, request, order=("-number",))
    context = {"dataset": dataset, "page": page, "imports": queries.open_imports(dataset)[:20]}
    context["deleted"] = dataset.versions.filter(state=VersionState.DELETED).order_by("number")
    context["recipes"] = dataset.recipes.select_related("created_by").order_by("name")
    return render(request, "datasets/dataset_detail.html", context)


@takes_imports
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_DATA)
def dataset_upload(request: MemberRequest, dataset_id: int) -> HttpResponse:
    dataset = _dataset(request, dataset_id)
    context = {
        "dataset": dataset,
        "pairs_for": labels_of(learning_from(PreferenceRow)),
        "labels_for": labels_of(learning_from(JudgedRow)),
    }
    return upload_page(
        request,
        UploadForm,
        "datasets/dataset_upload.html",
        context,
        receive=lambda file: services.receive_upload(dataset=dataset, upload=file, by=request.user),
        then=lambda record: redirect("dataset_import", request.project.slug, dataset.pk, record.pk),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_DATA, post=Permission.EDIT_DATA)
def dataset_import(request: MemberRequest, dataset_id: int, import_id: int) -> HttpResponse:
    dataset = _dataset(request, dataset_id)
    record = get_or_missing(
        dataset.imports.select_related("job__created_by", "version__dataset", "created_by"), pk=import_id
    )
    if record.version is not None:
        return redirect("dataset_version", request.project.slug, dataset.pk, record.version.number)
    if request.method == "POST":
        return _act_on_import(request, dataset, record)
    return _import_page(request, dataset, record, ImportForm(dataset_import=record))


def _act_on_import(request: MemberRequest, dataset: Dataset, record: DatasetImport) -> HttpResponse:
    action = request.POST.get("action")
    if action == "discard":
        flow.discard(record, by=request.user)
        messages.success(request, f"“{record.file_name}” was discarded.")
        return redirect("dataset_detail", request.project.slug, dataset.pk)
    form = ImportForm(request.POST, dataset_import=record)
    if not form.is_valid():
        return _import_page(request, dataset, record, form, status=400)
    if action == "start":
        try:
            services.start_import(dataset_import=record, options=form.options(), by=request.user)
        except InvalidError as error:
            show_problem(form, error)
            return _import_page(request, dataset, record, form, status=400)
        return redirect("dataset_import", request.project.slug, dataset.pk, record.pk)
    return _import_page(request, dataset, record, form)


def _import_page(
    request: MemberRequest, dataset: Dataset, record: DatasetImport, form: ImportForm, *, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "dataset": dataset,
        "record": record,
        "job": record.job,
        "permission": Permission.EDIT_DATA.name,
        "problems": fold_problems(_problem_of(error) for error in record.row_errors)
        if record.is_open
        else [],
        "found": record.errors_found,
        "listed": len(record.row_errors),
        "href": reverse("dataset_import_errors", args=[request.project.slug, dataset.pk, record.pk]),
        "advice": "Fix the file and upload it again, or skip these rows below.",
    }
    if record.is_open:
        context["form"] = form
        options = form.options() if form.is_valid() else form.start
        try:
            form.show_samples(column_samples(record, options))
            found = preview(record, options)
            context |= {"preview": found, "readings": found.readings}
            if found.lacks_test:
                context["newest"] = queries.versions_of(dataset).order_by("-number").first()
            context["overlooked"] = unread_reference_field([each.row for each in found.readings if each.row])
        except InvalidError as error:
            context["preview_problem"] = error.message
    return render(request, "datasets/dataset_import.html", context, status=status)


def _problem_of(error: dict[str, Any]) -> RowProblem:
    return RowProblem(error["row"], FieldProblem(error["field"], error["problem"], error["fix"]))


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_import_errors(request: MemberRequest, dataset_id: int, import_id: int) -> HttpResponseBase:
    record = get_or_missing(_dataset(request, dataset_id).imports.all(), pk=import_id)
    columns = ("row", "field", "problem", "fix")
    return problems_file(record.row_errors, *columns, name=f"import-{record.pk}-errors.csv")


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_version(request: MemberRequest, dataset_id: int, number: int) -> HttpResponse:
    version = _version(request, dataset_id, number)
    split = request.GET.get("split", "")
    if split and split not in Split.values:
        raise InvalidError(f"There is no split of that name. Use one of {', '.join(Split.values)}.")
    total = sum(version.counts.values())
    form = RowsForm(request.GET, is_large=is_large(version))
    rows = queries.examples_of(version, [split] if split else None)
    if form.is_valid():
        rows = with_fields(rows, form.cleaned_data["where"])
    search = search_rows(version, rows, request.GET.get("search", ""))
    found, order = form.sorted(search.rows)
    page = keyset_page(found, request, order=order, size=ROWS_PER_PAGE)
    kept = f"&{urlencode(form.kept)}" if form.kept else ""
    filters = [{"label": f"All {total:,}", "href": f"?split={kept}", "on": not split}] + [
        {"label": f"{label} {version.counts[value]:,}", "href": f"?split={value}{kept}", "on": split == value}
        for value, label in Split.choices
        if version.counts.get(value)
    ]
    is_narrowed = form.is_valid() and bool(
        form.cleaned_data["where"] or request.GET.get("search", "").strip()
    )
    context = {
        "version": version,
        "dataset": version.dataset,
        "page": page,
        "hits": found.count() if is_narrowed else None,
        "split": split,
        "total": total,
        "filters": filters,
        "form": form,
        "search_problem": search.problem,
    }
    return render(request, "datasets/dataset_version.html", context)


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_version_by_id(request: MemberRequest, version_id: int) -> HttpResponse:
    version = get_or_missing(queries.version_of(request.project), pk=version_id)
    return redirect("dataset_version", request.project.slug, version.dataset_id, version.number)


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_diff(request: MemberRequest, dataset_id: int, number: int) -> HttpResponse:
    """The diff from another version: the one in the URL, else the one that it was created from."""
    version = _version(request, dataset_id, number)
    others = queries.other_versions(version)
    against = queries.version_to_compare_with(version, others, request.GET.get("against", ""))
    context: dict[str, Any] = {"version": version, "dataset": version.dataset, "others": others}
    if against is not None:
        change = request.GET.get("change", "")
        if change and change not in Change.values:
            raise MissingError("There is no change of that name.")
        diff = diff_of(version, against)
        page = Paginator(diff.of(change), CHANGES_PER_PAGE).get_page(request.GET.get("page"))
        context |= {
            "diff": diff,
            "change": change,
            "page": page,
            "rows": shown_changes(diff, page.object_list),
        }
    return render(request, "datasets/diff.html", context)


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_row(request: MemberRequest, dataset_id: int, number: int, row_number: int) -> HttpResponse:
    version = _version(request, dataset_id, number)
    example = get_or_missing(version.examples.all(), row_number=row_number)
    context = {
        "version": version,
        "dataset": version.dataset,
        "example": example,
        "metadata": [(name, _shown(value)) for name, value in example.metadata.items()],
        "provenance": [(name, _shown(value)) for name, value in example.provenance.items() if name != ENTRY],
        "is_masked": ENTRY in example.provenance,
        "previous": row_number - 1 if row_number > 1 else None,
        "next": row_number + 1 if row_number < sum(version.counts.values()) else None,
    }
    return render(request, "datasets/dataset_row.html", context)


@require_POST
@project_view(Permission.UNMASK)
def dataset_row_originals(
    request: MemberRequest, dataset_id: int, number: int, row_number: int
) -> HttpResponse:
    version = _version(request, dataset_id, number)
    example = get_or_missing(version.examples.all(), row_number=row_number)
    context = {
        "version": version,
        "dataset": version.dataset,
        "example": example,
        "originals": look_up(example=example, by=request.user).items(),
        "is_masked": ENTRY in example.provenance,
    }
    response = render(request, "datasets/dataset_row_originals.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_files(request: MemberRequest, dataset_id: int, number: int) -> HttpResponse:
    """A version's downloads, and the losses of the message format in the URL (``?format=``)."""
    version = _version(request, dataset_id, number)
    file_format = request.GET.get("format", "")
    context = {
        "version": version,
        "dataset": version.dataset,
        "formats": list(FileFormat),
        "splits": [split for split in queries.DOWNLOADABLE_SPLITS if version.counts.get(split)],
        "left_out_by": FileFormat(file_format) if file_format in FileFormat.values else None,
        "left_out": losses_of(version, file_format).items() if file_format else None,
        "has_masked_rows": request.project.vault_entries.exists(),
    }
    return render(request, "datasets/dataset_files.html", context)


@require_POST
@project_view(Permission.UNMASK)
def dataset_export_originals(request: MemberRequest, dataset_id: int, number: int) -> HttpResponseBase:
    """The rows as JSON Lines, with the originals in place of their placeholders."""
    return download(*exported_with_originals(_version(request, dataset_id, number), by=request.user))


@require_safe
@project_view(Permission.VIEW_DATA)
def dataset_export(request: MemberRequest, dataset_id: int, number: int) -> HttpResponseBase:
    """The version's rows as a file (``?format=``), of one split or of all but the held-out test split."""
    version = _version(request, dataset_id, number)
    return download(*exported(version, request.GET.get("format", ""), request.GET.get("split", "")))


@require_POST
@project_view(Permission.EDIT_DATA)
def dataset_version_delete(request: MemberRequest, dataset_id: int, number: int) -> HttpResponse:
    version = _version(request, dataset_id, number)
    try:
        delete_version(version=version, by=request.user)
    except VersionInUseError as error:
        messages.error(request, str(error))
        return redirect("dataset_version", request.project.slug, dataset_id, number)
    messages.success(request, f"{version} was deleted.")
    return redirect("dataset_detail", request.project.slug, dataset_id)


def _dataset(request: MemberRequest, dataset_id: int) -> Dataset:
    return get_or_missing(request.project.datasets.select_related("project", "created_by"), pk=dataset_id)


def _version(request: MemberRequest, dataset_id: int, number: int) -> DatasetVersion:
    return get_or_missing(queries.version_of(request.project), dataset_id=dataset_id, number=number)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
