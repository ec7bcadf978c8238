from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError, ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.core.paging import keyset_page
from evalapp.core.spreadsheets import csv_line
from evalapp.core.uploads import takes_imports
from evalapp.datasets.uploads import RefusingUploadHandler
from evalapp.ratings import queries, services
from evalapp.ratings.forms import RatingsForm, RatingsUploadForm
from evalapp.ratings.importing import preview
from evalapp.ratings.label_studio import json_of_tasks, labeling_config
from evalapp.ratings.layouts import FORMATS
from evalapp.ratings.models import RatingsImport

SHOWN_PROBLEMS = 500


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def ratings_list(request: MemberRequest) -> HttpResponse:
    page = keyset_page(queries.ratings_imports_of(request.project), request)
    return render(request, "ratings/list.html", {"page": page})


# Exempt from the middleware's check only until the handlers are set: it would read the body first.
@takes_imports
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def ratings_upload(request: MemberRequest) -> HttpResponse:
    refusing = RefusingUploadHandler(request)
    request.upload_handlers.insert(0, refusing)
    return csrf_protect(_upload)(request, refusing)


def _upload(request: MemberRequest, refusing: RefusingUploadHandler) -> HttpResponse:
    form = RatingsUploadForm()
    if request.method == "POST":
        form = RatingsUploadForm(request.POST, request.FILES)
    if refusing.problem:
        form = RatingsUploadForm({})
        form.errors["file"] = form.error_class([refusing.problem])
    elif form.is_bound and form.is_valid():
        try:
            ratings_import = services.receive_ratings(
                project=request.project, upload=form.cleaned_data["file"], by=request.user
            )
        except ProblemError as error:
            show_problem(form, error)
        else:
            return redirect("ratings_import", request.project.slug, ratings_import.pk)
    status = 400 if request.method == "POST" else 200
    return render(request, "ratings/upload.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_CAMPAIGNS, post=Permission.EDIT_CAMPAIGNS)
def ratings_import(request: MemberRequest, import_id: int) -> HttpResponse:
    record = _import(request, import_id)
    if request.method == "POST":
        return _act(request, record)
    form = None
    if record.campaign is None and (record.job is None or record.job.is_over):
        form = RatingsForm(ratings_import=record)
    return _page(request, record, form)


def _act(request: MemberRequest, record: RatingsImport) -> HttpResponse:
    action = request.POST.get("action")
    if action == "discard":
        services.discard_ratings_import(ratings_import=record, by=request.user)
        messages.success(request, f"“{record.file_name}” was discarded.")
        return redirect("ratings_list", request.project.slug)
    form = RatingsForm(request.POST, ratings_import=record)
    if action not in ("check", "start") or not form.is_valid():
        return _page(request, record, form, status=400)
    try:
        services.start_ratings_import(
            ratings_import=record, options=form.options(), by=request.user, checks_only=action == "check"
        )
    except ProblemError as error:
        show_problem(form, error)
        return _page(request, record, form, status=error.status)
    return redirect("ratings_import", request.project.slug, record.pk)


def _page(
    request: MemberRequest, record: RatingsImport, form: RatingsForm | None, *, status: int = 200
) -> HttpResponse:
    problems = list(queries.problems_of(record)[:SHOWN_PROBLEMS])
    context: dict[str, Any] = {
        "record": record,
        "job": record.job,
        "form": form,
        "problems": problems,
        "file_format": FORMATS.get(record.options.get("file_format", ""), ""),
        "usable": record.records_read - record.records_refused,
    }
    if form is not None and not form.is_counted:
        try:
            context["readings"] = preview(record, form.start)
        except InvalidError as error:
            context["preview_problem"] = error.message
    return render(request, "ratings/import.html", context, status=status)


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def ratings_problems(request: MemberRequest, import_id: int) -> HttpResponseBase:
    """Every problem that is kept, as CSV, safe to open in a spreadsheet."""
    record = _import(request, import_id)
    columns = ("row", "field", "problem", "mend", "left out")

    def lines() -> Any:
        yield csv_line(columns)
        for each in queries.problems_of(record).iterator(chunk_size=2_000):
            left_out = "yes" if each.is_refusal else "no"
            yield csv_line((each.row, each.field, each.problem, each.mend, left_out))

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="ratings-{record.pk}-problems.csv"'
    return response


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def label_studio_tasks(request: MemberRequest, campaign_id: int) -> HttpResponseBase:
    """The campaign's reviews as tasks that Label Studio imports."""
    campaign = _campaign(request, campaign_id)
    response = StreamingHttpResponse(json_of_tasks(campaign), content_type="application/json; charset=utf-8")
    name = f"{slugify(campaign.name) or 'campaign'}-label-studio.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def label_studio_config(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """The labeling interface that these tasks were rated in."""
    campaign = _campaign(request, campaign_id)
    response = HttpResponse(labeling_config(campaign.rubric_version), content_type="application/xml")
    name = f"{slugify(campaign.name) or 'campaign'}-label-studio.xml"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _import(request: MemberRequest, import_id: int) -> RatingsImport:
    return get_or_missing(queries.ratings_imports_of(request.project), pk=import_id)


def _campaign(request: MemberRequest, campaign_id: int) -> Campaign:
    return get_or_missing(request.project.campaigns.select_related("rubric_version"), pk=campaign_id)
