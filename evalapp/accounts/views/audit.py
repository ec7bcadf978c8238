"""The audit page. The audit itself lies below accounts, so its page is here, where members are known."""

from collections.abc import Iterable, Iterator

from django.http import HttpResponse
from django.shortcuts import render

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.forms import AuditFilterForm
from evalapp.accounts.permissions import Permission
from evalapp.accounts.queries import simulated_among
from evalapp.audit.models import AuditEvent
from evalapp.audit.queries import events_of, kinds_of_action
from evalapp.core.paging import keyset_page


def _people_in(events: Iterable[AuditEvent]) -> Iterator[int | None]:
    """Who acted, and who was acted on."""
    for event in events:
        yield event.actor_id
        if event.object_type == "user":
            yield event.object_id


@project_view(Permission.VIEW_AUDIT)
def audit_list(request: MemberRequest) -> HttpResponse:
    form = AuditFilterForm(request.GET)
    form.is_valid()
    chosen = {
        "actor": form.cleaned_data.get("actor"),
        "object_type": form.cleaned_data.get("object_type", ""),
        "object_id": form.cleaned_data.get("object_id"),
        "action": form.cleaned_data.get("action", ""),
    }
    events = events_of(
        request.project.pk,
        actor_id=chosen["actor"],
        object_type=chosen["object_type"],
        object_id=chosen["object_id"],
        action=chosen["action"],
    )
    page = keyset_page(events, request)
    context = {
        "station": "audit",
        "page": page,
        "simulated_people": simulated_among(_people_in(page.rows)),
        "kinds": kinds_of_action(request.project.pk),
        "chosen": chosen,
    }
    return render(request, "audit/list.html", context)
