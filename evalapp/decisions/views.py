from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, person_of, project_view, signed_in_view
from evalapp.accounts.forms import DeleteProjectForm, ProjectForm, ProjectSettingsForm, settings_of
from evalapp.accounts.models import Membership, Role
from evalapp.accounts.permissions import Permission
from evalapp.analysis.comparison.next_step import next_step_after
from evalapp.analysis.pairwise.pairs import load_preferences, pair_results
from evalapp.analysis.stored.comparison_result import comparison_of
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import ConflictError, InvalidError, ProblemError
from evalapp.core.http import RefusalsOn, get_or_missing, show_problem
from evalapp.decisions.cycles import (
    candidate_of_cycle,
    criteria_of_cycles,
    cycles_of,
    headline_cycles,
    progress_of,
)
from evalapp.decisions.deletion import JobsRunningError, delete_project
from evalapp.decisions.first_steps import first_steps
from evalapp.decisions.forms import DecisionForm
from evalapp.decisions.inbox import active_jobs, inbox_of
from evalapp.decisions.services import check_may_open_project, decide, open_project
from evalapp.decisions.signing import binding_gate
from evalapp.metrics.registry import HEADLINE_METRIC, METRICS


@require_safe
@signed_in_view
def home(request: HttpRequest) -> HttpResponse:
    """Redirects reviewers to their reviews, members of one project to it, others to the projects."""
    memberships = list(person_of(request).memberships.select_related("project").order_by("project__name"))
    if _has_only_reviewer_roles(memberships):
        return redirect("review_home")
    if len(memberships) == 1:
        return redirect("project_home", memberships[0].project.slug)
    return redirect("project_list")


@require_safe
@signed_in_view
def project_list(request: HttpRequest) -> HttpResponse:
    return render(request, "decisions/projects.html")


def _has_only_reviewer_roles(memberships: list[Membership]) -> bool:
    return bool(memberships) and all(membership.role == Role.REVIEWER for membership in memberships)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def project_new(request: HttpRequest) -> HttpResponse:
    check_may_open_project(person_of(request))
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            project = open_project(by=person_of(request), **form.cleaned_data)
            return redirect("project_home", project.slug)
    return render(request, "decisions/project_new.html", {"form": form}, status=400 if form.is_bound else 200)


@require_safe
@project_view(Permission.VIEW_HOME)
def project_home(request: MemberRequest) -> HttpResponse:
    cycles = cycles_of(request.project)
    headline = headline_cycles(cycles)
    story = next((cycle for cycle in headline if cycle.contradiction), None)
    steps = [] if cycles else first_steps(request.project, role=request.membership.role)
    return render(
        request,
        "decisions/home.html",
        {
            "cycles": cycles,
            "steps": steps,
            "next_step": next((step for step in steps if not step.is_done and step.href), None),
            "criteria": criteria_of_cycles(cycles),
            "headline_metric": METRICS[HEADLINE_METRIC],
            "story": story,
            "story_trains": story is not None and next_step_after(story.campaign).trains,
            "corrections": next((c.export for c in headline if c.export and c.export.dataset_version), None),
            "progress": progress_of(headline),
            "inbox": inbox_of(request.project),
            "jobs": active_jobs(request.project),
            "invitations": request.project.campaigns.filter(invites_visitors=True, state="open"),
        },
    )


@require_POST
@project_view(Permission.DELETE_PROJECT)
def project_delete(request: MemberRequest) -> HttpResponse:
    project = request.project
    form = DeleteProjectForm(request.POST)
    status, waits_for_jobs = 400, False
    if form.is_valid():
        try:
            delete_project(project=project, typed_name=form.cleaned_data["typed_name"], by=request.user)
        except (InvalidError, ConflictError) as error:
            show_problem(form, error)
            status, waits_for_jobs = error.status, isinstance(error, JobsRunningError)
        else:
            messages.success(request, f"“{project.name}” and everything in it is deleted.")
            return redirect("/")
    context = {
        "form": ProjectSettingsForm(initial=settings_of(project)),
        "delete_form": form,
        "waits_for_jobs": waits_for_jobs,
    }
    return render(request, "accounts/project_settings.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS, post=Permission.DECIDE)
def decision_new(request: MemberRequest, campaign_id: int) -> HttpResponse:
    campaign = get_or_missing(
        request.project.campaigns.select_related("project", "rubric_version"), pk=campaign_id
    )
    found = comparison_of(campaign)
    about = candidate_of_cycle(campaign, found.comparison)
    gate = binding_gate(campaign)
    form = DecisionForm(
        request.POST or None,
        campaign=campaign,
        gate=gate,
        initial={
            "candidate": about.candidate.model_version_id if about else None,
            "replaces": _newest_decision_id(campaign),
        },
    )
    status = 400 if form.is_bound else 200
    if request.method == "POST" and form.is_valid():
        try:
            decision = decide(campaign=campaign, by=request.user, **form.cleaned_data)
        except ProblemError as error:
            show_problem(form, error)
            status = error.status
            # The page now shows the current decision, so deciding again confirms that it was seen.
            form.data = {**request.POST.dict(), "replaces": _newest_decision_id(campaign) or ""}
        else:
            messages.success(
                request, f"Recorded for {decision.candidate.label}: {decision.get_verdict_display().lower()}."
            )
            return redirect("project_home", request.project.slug)
    context = {
        "campaign": campaign,
        "comparison": found.comparison,
        "freshness": found.freshness,
        "is_computed": found.is_computed,
        "results": pair_results(load_preferences(campaign)) if campaign.compares else None,
        "is_reviewing": is_reviewing_blind(campaign, request.user),
        "form": form,
        "gate": gate,
        "decisions": campaign.decisions.select_related("candidate", "decided_by").order_by("-id"),
    }
    return render(request, "decisions/decide.html", context, status=status)


def _newest_decision_id(campaign: Campaign) -> int | None:
    return campaign.decisions.order_by("-id").values_list("pk", flat=True).first()
