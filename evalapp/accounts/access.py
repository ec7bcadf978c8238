"""How a view is opened: signed in, member of the project, and with the permission it names."""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from evalapp.accounts.models import Membership, Project, Role, User
from evalapp.accounts.permissions import Permission, allows
from evalapp.core.errors import MissingError, NotAllowedError
from evalapp.core.http import answers_problems
from evalapp.core.joins import JoinedRows

P = ParamSpec("P")
View = TypeVar("View", bound=Callable[..., HttpResponseBase])
_AN = frozenset({Role.OWNER, Role.ENGINEER})


class MemberRequest(HttpRequest):
    """The request a project view gets: ``user``, ``project`` and ``membership`` are there."""

    user: User
    project: Project
    membership: Membership


_MEMBERSHIP_FROM = """
FROM evalapp_membership membership JOIN evalapp_project project ON project.id = membership.project_id
WHERE membership.user_id = %(user)s AND project.slug = %(slug)s
"""


@cache
def _membership_rows() -> JoinedRows:
    return JoinedRows(membership=Membership, project=Project)


def membership_for(user: Any, slug: str, permission: Permission) -> Membership:
    """The person's membership, or MissingError (not a member: existence is not confirmed), or
    NotAllowedError (a member without the permission).
    """
    found = _membership_rows().first(_MEMBERSHIP_FROM, {"user": user.pk, "slug": slug})
    if found is None:
        raise MissingError("There is no such project, or you are not a member of it.")
    membership: Membership = found[0]
    membership.project, membership.user = found[1], user
    if not allows(membership.role, permission):
        raise NotAllowedError(
            f"Your role here is {membership.get_role_display().lower()}; it may not {permission.value}. "
            f"Ask {_who_may(permission)} of the project."
        )
    return membership


def _who_may(permission: Permission) -> str:
    """“an owner”, “an owner or a manager”: the roles that have the permission."""
    names = [
        f"{'an' if role in _AN else 'a'} {role.label.lower()}" for role in Role if allows(role, permission)
    ]
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def opens_for(view: View, whom: Permission | str | None) -> View:
    """Note on a view whom it opens for, as the table of all views in the tests reads it; None: who is signed
    in.
    """
    view.required_permission = whom  # type: ignore[attr-defined]  # a function may bear any attribute
    return view


def project_view(
    permission: Permission, *, post: Permission | None = None
) -> Callable[
    [Callable[Concatenate[MemberRequest, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponse],
]:
    """Decorate a view whose route has ``slug``. ``post`` is the permission that a write needs.

    The view gets a MemberRequest and no ``slug``. Foreign projects are 404, a lacking role is 403.
    """

    def decorate(
        view: Callable[Concatenate[MemberRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @wraps(view)
        def wrapped(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponse:
            needed = permission if request.method in ("GET", "HEAD") else (post or permission)
            membership = membership_for(request.user, slug, needed)
            member_request = cast(MemberRequest, request)
            member_request.membership = membership
            member_request.project = membership.project
            return cast(Callable[..., HttpResponse], view)(member_request, *args, **kwargs)

        opened = opens_for(login_required(answers_problems(wrapped)), permission)
        opened.post_permission = post or permission  # type: ignore[attr-defined]  # as in `opens_for`
        return cast(Callable[Concatenate[HttpRequest, P], HttpResponse], opened)

    return decorate


def signed_in_view(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorate a view that any signed-in person may open; it shows only what is theirs."""
    return opens_for(login_required(answers_problems(view)), None)


def site_admin_view(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorate a view of the whole installation, which the site admin alone may open; others get 403."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not person_of(request).is_superuser:
            raise NotAllowedError("This page is about the whole installation; only the site admin sees it.")
        return view(request, *args, **kwargs)

    return opens_for(login_required(answers_problems(wrapped)), "site admin")


def person_of(request: HttpRequest) -> User:
    """The signed-in person of a `signed_in_view`, typed."""
    return cast(User, request.user)
