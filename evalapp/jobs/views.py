from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.core.paging import keyset_page
from evalapp.jobs import queries, services
from evalapp.jobs.models import Job, JobState, Priority

FILTERS = (("", "All"), ("active", "Running · Queued"), ("failed", "Failed"), ("done", "Done"))


@require_safe
@project_view(Permission.VIEW_RUNS)
def job_list(request: MemberRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    page = keyset_page(queries.jobs_of(request.project, state=state), request)
    filters = [
        {"label": label, "href": f"?state={key}" if key else "?", "on": key == state}
        for key, label in FILTERS
    ]
    context = {"page": page, "filters": filters, "state": state}
    return render(request, "jobs/job_list.html", context)


@require_safe
@project_view(Permission.VIEW_RUNS)
def job_detail(request: MemberRequest, job_id: int) -> HttpResponse:
    job = _job(request, job_id)
    context = {"job": job, "events": queries.latest_events(job)}
    return render(request, "jobs/job_detail.html", context)


@require_safe
@project_view(Permission.VIEW_RUNS)
def job_progress(request: MemberRequest, job_id: int) -> HttpResponse:
    """The partial that progress bars poll while a job runs; when it ends, the whole page reloads."""
    job = _job(request, job_id)
    response = render(request, "jobs/progress.html", {"job": job})
    if job.is_over and request.headers.get("HX-Request"):
        response["HX-Refresh"] = "true"
    return response


@require_POST
@project_view(Permission.START_RUNS)
def job_cancel(request: MemberRequest, job_id: int) -> HttpResponse:
    job = _job(request, job_id)
    services.request_cancel(job=job, by=request.user)
    messages.success(request, "Cancelled." if job.is_over else "Asked to stop; it saves its work first.")
    return _back(request, job)


@require_POST
@project_view(Permission.START_RUNS)
def job_retry(request: MemberRequest, job_id: int) -> HttpResponse:
    job = _job(request, job_id)
    services.retry_job(job=job, by=request.user)
    messages.success(request, "Queued again; it continues from its last checkpoint, if there is one.")
    return _back(request, job)


@require_POST
@project_view(Permission.START_RUNS)
def job_pause(request: MemberRequest, job_id: int) -> HttpResponse:
    job = _job(request, job_id)
    services.request_pause(job=job, by=request.user)
    waits = job.state == JobState.PAUSED
    at_once = "Paused." if job.attempt else "Paused before it started."
    messages.success(request, at_once if waits else "Asked to pause; it saves its work first.")
    return _back(request, job)


@require_POST
@project_view(Permission.START_RUNS)
def job_resume(request: MemberRequest, job_id: int) -> HttpResponse:
    job = _job(request, job_id)
    services.resume_job(job=job, by=request.user)
    begun = "It continues from its saved work when its turn comes."
    messages.success(request, begun if job.attempt else "It starts when its turn comes.")
    return _back(request, job)


@require_POST
@project_view(Permission.START_RUNS)
def job_priority(request: MemberRequest, job_id: int) -> HttpResponse:
    job = _job(request, job_id)
    services.set_priority(job=job, priority=_priority(request.POST.get("priority", "")), by=request.user)
    messages.success(request, f"“{job.title}” now has the priority {job.get_priority_display().lower()}.")
    return _back(request, job)


def _priority(text: str) -> Priority:
    for priority in Priority:
        if text == str(priority.value):
            return priority
    raise InvalidError("Choose a priority from the list.")


def _job(request: MemberRequest, job_id: int) -> Job:
    return get_or_missing(queries.jobs_of(request.project), pk=job_id)


def _back(request: MemberRequest, job: Job) -> HttpResponse:
    """Redirect to the page whose button was pressed, which may be a run's or an import's own page."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        return redirect(target)
    return redirect("job_detail", slug=request.project.slug, job_id=job.pk)
