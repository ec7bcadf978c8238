from collections.abc import Iterable
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from evalapp.accounts.models import Membership, User
from evalapp.accounts.permissions import PERMISSIONS
from evalapp.accounts.queries import may_create_project


def navigation(request: HttpRequest) -> dict[str, Any]:
    """What every page's frame needs: the project, the role's permissions, the person's projects.

    ``may`` holds the permissions' names ("EDIT_DATA") for templates: ``{% if "EDIT_DATA" in may %}``.
    The list of projects is a lazy query, so pages that do not show it do not pay for it.
    """
    project = getattr(request, "project", None)
    membership = getattr(request, "membership", None)
    user = getattr(request, "user", None)
    names = {permission.name for permission in PERMISSIONS.get(membership.role, ())} if membership else set()
    memberships = (
        user.memberships.select_related("project").order_by("project__name")
        if user is not None and user.is_authenticated
        else ()
    )
    return {
        "project": project,
        "membership": membership,
        "may": names,
        "my_memberships": memberships,
        "may_create_project": SimpleLazyObject(partial(_may_create_project, user, memberships)),
        "passwords_allowed": settings.PASSWORDS_ALLOWED,
        "sign_on_name": settings.SIGN_ON.name if settings.SIGN_ON else "",
    }


def _may_create_project(user: User | AnonymousUser | None, memberships: Iterable[Membership]) -> bool:
    return user is not None and user.is_authenticated and may_create_project(user, memberships)
