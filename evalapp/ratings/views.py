from typing import Any

from django.contrib import messages
from django.db.models import Case, Value, When
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError, ProblemError
from evalapp.core.http import attached, download, get_or_missing, show_problem
from evalapp.core.paging import keyset_page
from evalapp.core.uploads import takes_imports
from evalapp.imports import flow
from evalapp.imports.pages import problems_file, upload_page
from evalapp.imports.problems import FieldProblem, RowProblem, fold_problems
from evalapp.ratings import formats, queries, services
from evalapp.ratings.forms import RatingsForm, RatingsUploadForm
from evalapp.ratings.importing import preview
from evalapp.ratings.label_studio_tasks import json_of_tasks, labeling_config
from evalapp.ratings.models import RatingsImport

SHOWN_PROBLEMS = 500
MOST_READ_PROBLEMS = 5_000


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def ratings_list(request: MemberRequest) -> HttpResponse:
    page = keyset_page(queries.ratings_imports_of(request.project), request)
    return render(request, "ratings/list.html", {"page": page})


@takes_imports
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def ratings_upload(request: MemberRequest) -> HttpResponse:
    return upload_page(
        request,
        RatingsUploadForm,
        "ratings/upload.html",
        {"formats": formats.FORMATS},
        receive=lambda file: services.receive_ratings(project=request.project, upload=file, by=request.user),
        then=lambda record: redirect("ratings_import", request.project.slug, record.pk),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_CAMPAIGNS, post=Permission.EDIT_CAMPAIGNS)
def ratings_import(request: MemberRequest, import_id: int) -> HttpResponse:
    record = _import(request, import_id)
    if request.method == "POST":
        return _act_on_import(request, record)
    return _page(request, record, RatingsForm(ratings_import=record) if record.is_open else None)


def _act_on_import(request: MemberRequest, record: RatingsImport) -> HttpResponse:
    action = request.POST.get("action")
    if action == "discard":
        flow.discard(record, by=request.user)
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
    kept = [
        RowProblem(each.row, FieldProblem(each.field, each.problem, each.fix), each.is_refusal)
        for each in queries.problems_of(record)[:MOST_READ_PROBLEMS]
    ]
    problems = fold_problems(kept)[:SHOWN_PROBLEMS]
    context: dict[str, Any] = {
        "record": record,
        "job": record.job,
        "form": form,
        "problems": problems,
        "permission": Permission.EDIT_CAMPAIGNS.name,
        "found": record.problems_found,
        "href": reverse("ratings_problems", args=[request.project.slug, record.pk]),
        "listed": sum(each.problems for each in problems),
        "file_format": dict(formats.choices()).get(record.file_format, ""),
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
    record = _import(request, import_id)
    left_out = Case(When(is_refusal=True, then=Value("yes")), default=Value("no"))
    columns = ("row", "field", "problem", "fix", "left_out")
    problems = queries.problems_of(record).annotate(left_out=left_out).values(*columns)
    return problems_file(problems.iterator(2_000), *columns, name=f"ratings-{record.pk}-problems.csv")


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def label_studio_tasks(request: MemberRequest, campaign_id: int) -> HttpResponseBase:
    """The campaign's reviews as tasks that Label Studio imports."""
    campaign = _campaign(request, campaign_id)
    name = f"{slugify(campaign.name) or 'campaign'}-label-studio.json"
    return download(name, "application/json; charset=utf-8", json_of_tasks(campaign))


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def label_studio_config(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """The labelling interface for these tasks."""
    campaign = _campaign(request, campaign_id)
    response = HttpResponse(labeling_config(campaign.rubric_version), content_type="application/xml")
    return attached(response, f"{slugify(campaign.name) or 'campaign'}-label-studio.xml")


def _import(request: MemberRequest, import_id: int) -> RatingsImport:
    return get_or_missing(queries.ratings_imports_of(request.project), pk=import_id)


def _campaign(request: MemberRequest, campaign_id: int) -> Campaign:
    return get_or_missing(request.project.campaigns.select_related("rubric_version"), pk=campaign_id)
