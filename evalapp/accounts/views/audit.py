"""The audit page. The audit itself lies below accounts, so its page is here, where members are known."""

from django.http import HttpResponse
from django.shortcuts import render

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.forms import AuditFilterForm
from evalapp.accounts.permissions import Permission
from evalapp.audit.queries import events_of, kinds_of_action
from evalapp.core.paging import keyset_page


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
    context = {
        "station": "audit",
        "page": keyset_page(events, request),
        "kinds": kinds_of_action(request.project.pk),
        "chosen": chosen,
    }
    return render(request, "audit/list.html", context)
