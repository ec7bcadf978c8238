from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.paging import keyset_page
from evalapp.registry import queries


@require_safe
@project_view(Permission.VIEW_MODELS)
def model_list(request: MemberRequest) -> HttpResponse:
    page = keyset_page(queries.models_of(request.project), request)
    return render(request, "registry/model_list.html", {"page": page})
