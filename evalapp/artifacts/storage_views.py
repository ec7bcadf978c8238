"""Storage pages: a project's for its engineers, the installation's for the site admin."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, person_of, project_view, site_admin_view
from evalapp.accounts.models import Project, User
from evalapp.accounts.permissions import Permission
from evalapp.artifacts.actions import ACTS, act_on_artifact
from evalapp.artifacts.inventory import artifacts
from evalapp.core.errors import InvalidError, ProblemError


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_MODELS, post=Permission.EDIT_MODELS)
def project_storage(request: MemberRequest) -> HttpResponse:
    """The project's weights, run directories and merged exports; a POST sets aside, keeps or removes."""
    if request.method == "POST":
        _act(request, request.user, request.project)
        return redirect("project_storage", request.project.slug)
    return _page(request, request.project)


@require_http_methods(["GET", "HEAD", "POST"])
@site_admin_view
def installation_storage(request: HttpRequest) -> HttpResponse:
    """The same for all projects, including orphans."""
    if request.method == "POST":
        _act(request, person_of(request), None)
        return redirect("installation_storage")
    return _page(request, None)


def _page(request: HttpRequest, project: Project | None) -> HttpResponse:
    found = artifacts(project=project)
    free = [each for each in found if not each.needs and each.set_aside is None]
    aside = [each for each in found if each.set_aside is not None]
    context = {
        "found": found,
        "unneeded": free,
        "aside": aside,
        "needed": [each for each in found if each.needs and each.set_aside is None],
        "total_bytes": sum(each.size_bytes for each in found),
        "free_bytes": sum(each.freed_bytes for each in free),
        "now": timezone.now(),
        "is_installation": project is None,
    }
    return render(request, "artifacts/storage.html", context)


def _act(request: HttpRequest, by: User, project: Project | None) -> None:
    """Apply the chosen action to each selected artifact and report the outcome."""
    act, chosen = request.POST.get("act", ""), set(request.POST.getlist("artifact"))
    if act not in ACTS:
        raise InvalidError("Choose what to do: set aside, keep or remove.")
    done, problems = 0, []
    for artifact in artifacts(project=project):
        if f"{artifact.kind}:{artifact.path}" not in chosen:
            continue
        try:
            act_on_artifact(act, artifact, by=by)
        except ProblemError as error:
            problems.append(f"{artifact.title}: {error.message}")
        else:
            done += 1
    if done:
        messages.success(request, f"{done} {ACTS[act]}.")
    for problem in problems[:5]:
        messages.error(request, problem)
    if not done and not problems:
        messages.info(request, "Nothing was chosen.")
