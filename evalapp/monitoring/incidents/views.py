"""An incident's page: its steps from the first alert to recovery, and the actions that people can take."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.audit.models import AuditEvent
from evalapp.audit.queries import events_of
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.datasets.models import Split
from evalapp.monitoring.feedback import feedback_for
from evalapp.monitoring.incidents import services
from evalapp.monitoring.incidents.forms import AcceptForm, CloseForm
from evalapp.monitoring.incidents.models import Incident
from evalapp.monitoring.incidents.queries import Progress, incidents_of, progress_of
from evalapp.monitoring.incidents.recovery import recovery_of
from evalapp.monitoring.models import Stream
from evalapp.monitoring.queries import followed_criteria
from evalapp.registry.models import STANDING_KINDS, ModelAlias, ModelKind, ModelVersion
from evalapp.registry.queries import champion_of
from evalapp.runs.models import Run

CALIBRATION_ITEMS = 8
"""The proposed number of items of a calibration round."""


def _incident(request: MemberRequest, stream_id: int, incident_id: int) -> Incident:
    return get_or_missing(incidents_of(request.project).filter(stream=stream_id), pk=incident_id)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def incident_detail(request: MemberRequest, stream_id: int, incident_id: int) -> HttpResponse:
    return _render(request, _incident(request, stream_id, incident_id))


def _render(
    request: MemberRequest,
    incident: Incident,
    *,
    problem: ProblemError | None = None,
    form: CloseForm | None = None,
) -> HttpResponse:
    progress = progress_of(incident)
    context: dict[str, Any] = {
        "incident": incident,
        "stream": incident.stream,
        "progress": progress,
        "notices": list(incident.notices.order_by("pk")),
        "feedback": next(iter(feedback_for(incident)), None) if incident.is_open else None,
        "base_dataset": _base_dataset(incident.stream),
        "trained_part": _trained_part(incident),
        "accepted": _latest_audit_event(incident, "incident.training_data_accepted"),
        "prepared": _latest_audit_event(incident, "incident.second_review_prepared"),
        **_links(request, incident, progress.trained),
        # If reviewers changed, not the model, there is no reason to train or to review candidates anew.
        "asks_for_training": incident.is_open and not progress.is_of_reviewers,
        "calibration_url": _calibration_url(incident, progress),
        "recovery": recovery_of(incident, followed_criteria(incident.stream)) if incident.is_open else [],
        "problem": problem,
        "form": form or CloseForm(),
    }
    return render(request, "monitoring/incident.html", context, status=problem.status if problem else 200)


def _base_dataset(stream: Stream) -> int:
    """The dataset that the champion was trained on, else the stream's."""
    trained = Run.objects.filter(project=stream.project_id, produced__alias=ModelAlias.CHAMPION)
    found = trained.order_by("-pk").values_list("dataset_version__dataset", flat=True).first()
    return found or stream.dataset_id


def _latest_audit_event(incident: Incident, action: str) -> AuditEvent | None:
    """The latest event of the action in the audit log, with its time and person."""
    writes = events_of(object_type="incident", object_id=incident.pk, action=action)
    return writes.order_by("-pk").first()


def _trained_part(incident: Incident) -> str:
    return ", ".join(f"{each['rows']:,} of week {each['week']}" for each in incident.weeks)


def _links(request: MemberRequest, incident: Incident, trained: Sequence[ModelVersion]) -> dict[str, str]:
    """Links to the forms of the second review with values filled in: a generation with the champion and the
    trained versions, and the campaign over the outputs.
    """
    if incident.second_review_id is None:
        return {}
    champion = champion_of(request.project)
    rows: dict[str, int | str | list[int]] = {
        "dataset_version": incident.second_review_id,
        "candidates": [each.pk for each in (champion, *trained) if each is not None],
    }
    answers = urlencode(rows | {"kind": "generation", "splits": Split.TEST.value}, doseq=True)
    campaign = urlencode(
        rows | {"split": Split.TEST.value, "rubric_version": incident.stream.rubric_version_id}, doseq=True
    )
    slug = request.project.slug
    return {
        "answers_url": f"{reverse('run_new', args=[slug])}?{answers}",
        "campaign_url": f"{reverse('campaign_new', args=[slug])}?{campaign}",
    }


def _calibration_url(incident: Incident, progress: Progress) -> str:
    """The URL of the form for a campaign with a calibration round, over the outputs of the first week that
    alerted; empty if reviewers are not the cause.
    """
    campaign = progress.alerts[0].weekly_sample.campaign if progress.alerts else None
    if campaign is None or not (progress.is_of_reviewers or progress.is_perhaps_of_reviewers):
        return ""
    people = list(incident.stream.reviewers.order_by("pk").values_list("pk", flat=True))
    proposed: dict[str, int | str | list[int]] = {
        "dataset_version": campaign.dataset_version_id,
        "split": campaign.split,
        "candidates": incident.stream.candidate_id,
        "rubric_version": campaign.rubric_version_id,
        "reviewers": people,
        "overlap": len(people),
        "calibration_items": CALIBRATION_ITEMS,
    }
    return f"{reverse('campaign_new', args=[incident.stream.project.slug])}?{urlencode(proposed, doseq=True)}"


def _redirect_with_message(request: MemberRequest, incident: Incident, words: str) -> HttpResponse:
    messages.success(request, words)
    return redirect("incident_detail", request.project.slug, incident.stream_id, incident.pk)


def _action_view(
    permission: Permission, service: Callable[..., object], words: str
) -> Callable[..., HttpResponse]:
    @require_POST
    @project_view(permission)
    def view(request: MemberRequest, stream_id: int, incident_id: int) -> HttpResponse:
        incident = _incident(request, stream_id, incident_id)
        try:
            service(incident=incident, by=request.user)
        except ProblemError as error:
            return _render(request, incident, problem=error)
        return _redirect_with_message(request, incident, words)

    view.__name__ = service.__name__
    return view


incident_acknowledge = _action_view(
    Permission.EDIT_CAMPAIGNS, services.acknowledge, "Acknowledged: no reminders are sent any more."
)
incident_second_review = _action_view(
    Permission.EDIT_CAMPAIGNS,
    services.prepare_second_review,
    "The rows are written. Let the candidates answer them, or import their answers.",
)


@require_POST
@project_view(Permission.DECIDE)
def incident_accept(request: MemberRequest, stream_id: int, incident_id: int) -> HttpResponse:
    """Accept the feedback that the page showed, and continue to the training form filled in with it."""
    incident = _incident(request, stream_id, incident_id)
    form = AcceptForm(request.POST)
    # Invalid text: 0 matches no version.
    shown = form.cleaned_data["dataset_version"] if form.is_valid() else 0
    try:
        version = services.accept_training_data(incident=incident, by=request.user, dataset_version=shown)
    except ProblemError as error:
        return _render(request, incident, problem=error)
    messages.success(request, "Accepted. Check the settings, then start the training.")
    fields: dict[str, str | int] = {
        "dataset_version": version.pk,
        "name": f"{incident.stream}, retrained",
        **_continued_from(request),
    }
    return redirect(f"{reverse('run_new', args=[request.project.slug])}?kind=training&{urlencode(fields)}")


def _continued_from(request: MemberRequest) -> dict[str, int]:
    """The form's values that make a new adapter continue from the champion."""
    champion = champion_of(request.project)
    if champion is None:
        return {}
    if champion.kind == ModelKind.LORA and champion.base_id is not None:
        return {"base": champion.base_id, "continued_from": champion.pk}
    return {"base": champion.pk} if champion.kind in STANDING_KINDS else {}


@require_POST
@project_view(Permission.DECIDE)
def incident_close(request: MemberRequest, stream_id: int, incident_id: int) -> HttpResponse:
    incident = _incident(request, stream_id, incident_id)
    reason = request.POST.get("reason", "")
    try:
        services.close_incident(incident=incident, reason=reason, by=request.user)
    except ProblemError as error:
        form = CloseForm(request.POST)
        if form.is_valid():
            show_problem(form, error)
        return _render(request, incident, problem=error, form=form)
    return _redirect_with_message(request, incident, "Closed, with your reason.")
