from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import InvalidError, ProblemError, StaleError
from evalapp.core.http import RefusalsOn, attached, get_or_missing
from evalapp.rubrics import queries, services
from evalapp.rubrics.drafts import draft_of, drafts_of, with_keys
from evalapp.rubrics.forms import BuilderForm, ImportRubricForm, NewRubricForm, RubricForm, form_of, read_form
from evalapp.rubrics.interchange import LARGEST_FILE
from evalapp.rubrics.models import Rubric
from evalapp.rubrics.problems import hints


@require_safe
@project_view(Permission.VIEW_RUBRICS)
def rubric_list(request: MemberRequest) -> HttpResponse:
    rubrics = queries.rubrics_of(request.project)
    return render(request, "rubrics/rubric_list.html", {"rubrics": rubrics})


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_RUBRICS)
def rubric_new(request: MemberRequest) -> HttpResponse:
    form = NewRubricForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            rubric = services.create_rubric(
                project=request.project,
                by=request.user,
                name=form.cleaned_data["name"],
                description=form.cleaned_data["description"],
                template=form.cleaned_data["template"] or None,
            )
            return redirect("rubric_edit", request.project.slug, rubric.pk)
    status = 400 if form.is_bound else 200
    return render(request, "rubrics/rubric_new.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_RUBRICS)
def rubric_import(request: MemberRequest) -> HttpResponse:
    """Import a rubric from a YAML file, with its version 1."""
    form = ImportRubricForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            rubric = services.import_rubric(
                project=request.project,
                content=form.cleaned_data["file"].read(LARGEST_FILE + 1),
                name=form.cleaned_data["name"],
                by=request.user,
            )
        except ProblemError as error:
            for place, texts in (error.fields or {"": [error.message]}).items():
                if place == "name" and form.cleaned_data["name"]:
                    form.add_error("name", texts)
                else:
                    form.add_error("file", [f"{place}: {text}" if place else text for text in texts])
        else:
            return redirect("rubric_detail", request.project.slug, rubric.pk)
    status = 400 if form.is_bound else 200
    return render(request, "rubrics/rubric_import.html", {"form": form}, status=status)


@require_safe
@project_view(Permission.EDIT_RUBRICS)
def rubric_sample(request: MemberRequest) -> HttpResponse:
    """A sample rubric file with a criterion of every kind."""
    return _as_file(get_template("rubrics/sample.yaml").render(), "rubric-sample")


def _as_file(written: str, name: str) -> HttpResponse:
    response = HttpResponse(written, content_type="application/yaml; charset=utf-8")
    return attached(response, f"{name}.yaml")


@require_safe
@project_view(Permission.VIEW_RUBRICS)
def rubric_file(request: MemberRequest, rubric_id: int, number: int) -> HttpResponse:
    """A version as a YAML file."""
    rubric = _rubric(request, rubric_id)
    version = get_or_missing(rubric.versions.all(), number=number)
    return _as_file(queries.yaml_of(rubric, version), f"{slugify(rubric.name) or 'rubric'}-v{number}")


@require_safe
@project_view(Permission.VIEW_RUBRICS)
def rubric_detail(request: MemberRequest, rubric_id: int, number: int | None = None) -> HttpResponse:
    """A version as reviewers see it, and the changes over versions; the latest without ``number``."""
    rubric = _rubric(request, rubric_id)
    versions = list(queries.versions_of(rubric))
    shown = next((version for version in versions if number in (None, version.number)), None)
    if number is not None and shown is None:
        return redirect("rubric_detail", request.project.slug, rubric.pk)
    drafts = {version.pk: [draft_of(each) for each in version.criteria.all()] for version in versions}
    history = [
        {
            "version": version,
            "changes": queries.changes(drafts[earlier.pk], drafts[version.pk]) if earlier else None,
            "instructions_changed": earlier is not None and earlier.instructions != version.instructions,
        }
        for version, earlier in zip(versions, [*versions[1:], None], strict=False)
    ]
    context = {
        "rubric": rubric,
        "version": shown,
        "criteria": drafts[shown.pk] if shown else [],
        "history": history,
        "is_latest": shown is not None and shown == versions[0],
    }
    return render(request, "rubrics/rubric_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_RUBRICS)
def rubric_edit(request: MemberRequest, rubric_id: int) -> HttpResponse:
    rubric = _rubric(request, rubric_id)
    latest = rubric.versions.order_by("-number").first()
    if request.method != "POST":
        drafts = drafts_of(latest) if latest else []
        form = form_of(drafts, latest.instructions if latest else "", services.fingerprint(latest))
        if not drafts:
            form.apply("add-scale")
        return _builder(request, rubric, form)
    form = read_form(request.POST)
    action = request.POST.get("action", "save")
    if action in ("preview", "refresh"):
        return _builder(request, rubric, form)
    if action != "save":
        return _builder(request, rubric, form, focus=form.apply(action))
    return _save(request, rubric, form)


def _save(request: MemberRequest, rubric: Rubric, form: BuilderForm) -> HttpResponse:
    if form.problems:
        return _builder(request, rubric, form, status=400)
    try:
        version = services.save_version(
            rubric=rubric,
            criteria=form.drafts,
            instructions=form.instructions,
            by=request.user,
            based_on=form.based_on,
        )
    except services.RubricProblemError as error:
        form.show(error.problems, [])
        return _builder(request, rubric, form, status=400)
    except (InvalidError, StaleError) as error:
        return _builder(request, rubric, form, status=error.status, problem=error.message)
    messages.success(request, f"Saved as version {version.number}.")
    return redirect("rubric_detail", request.project.slug, rubric.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_RUBRICS)
def rubric_rename(request: MemberRequest, rubric_id: int) -> HttpResponse:
    rubric = _rubric(request, rubric_id)
    initial = {"name": rubric.name, "description": rubric.description}
    form = RubricForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            services.rename_rubric(rubric=rubric, by=request.user, **form.cleaned_data)
            return redirect("rubric_detail", request.project.slug, rubric.pk)
    context = {"rubric": rubric, "form": form}
    return render(request, "rubrics/rubric_rename.html", context, status=400 if form.is_bound else 200)


def _builder(
    request: MemberRequest,
    rubric: Rubric,
    form: BuilderForm,
    *,
    status: int = 200,
    problem: str = "",
    focus: int | None = None,
) -> HttpResponse:
    form.show([], hints(form.drafts))
    form.show_conditions()
    latest = rubric.versions.order_by("-number").first()
    context: dict[str, Any] = {
        "rubric": rubric,
        "form": form,
        "problem": problem,
        "focus": focus,
        "preview": [draft for draft in with_keys(form.drafts) if draft.name],
        "next_number": 1 if latest is None else latest.number + (latest.frozen_at is not None),
        "latest": latest,
    }
    return render(request, "rubrics/rubric_edit.html", context, status=status)


def _rubric(request: MemberRequest, rubric_id: int) -> Rubric:
    return get_or_missing(request.project.rubrics.select_related("project"), pk=rubric_id)
