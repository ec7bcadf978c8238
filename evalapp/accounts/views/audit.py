"""The audit's pages. They are not in `evalapp.audit`, which is below accounts and does not know members."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from evalapp.accounts.access import MemberRequest, project_view, site_admin_view
from evalapp.accounts.forms import AuditFilterForm
from evalapp.accounts.models import User
from evalapp.accounts.permissions import Permission
from evalapp.audit.details import details_of, ids_in, latest_labels
from evalapp.audit.models import AuditEvent
from evalapp.audit.queries import events_of, kinds_of_action
from evalapp.core.paging import keyset_page


@project_view(Permission.VIEW_AUDIT)
def audit_list(request: MemberRequest) -> HttpResponse:
    return _audit(request, request.project.pk)


@site_admin_view
def installation_audit(request: HttpRequest) -> HttpResponse:
    """All projects' events, including deleted projects', and events of accounts, which have no project."""
    return _audit(request, None)


def _audit(request: HttpRequest, project_id: int | None) -> HttpResponse:
    form = AuditFilterForm(request.GET)
    form.is_valid()
    chosen = {
        "project": form.cleaned_data.get("project") if project_id is None else None,
        "actor": form.cleaned_data.get("actor"),
        "object_type": form.cleaned_data.get("object_type", ""),
        "object_id": form.cleaned_data.get("object_id"),
        "action": form.cleaned_data.get("action", ""),
    }
    events = events_of(
        project_id or chosen["project"],
        actor_id=chosen["actor"],
        object_type=chosen["object_type"],
        object_id=chosen["object_id"],
        action=chosen["action"],
    )
    page = keyset_page(events, request)
    labels = _labels_for(page.rows)
    context = {
        "page": page,
        "events": [(event, details_of(event, labels)) for event in page.rows],
        "kinds": kinds_of_action(project_id),
        "chosen": chosen,
        "is_whole": project_id is None,
    }
    return render(request, "audit/list.html", context)


def _labels_for(events: list[AuditEvent]) -> dict[tuple[str, int], str]:
    """Names for the ids in the events' details: current names of people, else the last labels in the audit
    log.
    """
    ids = ids_in(events)
    people = ids.pop("user", set())
    names = {("user", user.pk): str(user) for user in User.objects.filter(pk__in=people)} if people else {}
    return {**latest_labels(ids), **names}
