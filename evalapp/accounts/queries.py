import datetime as dt
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple, cast

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from evalapp.accounts.models import ApiToken, Invitation, Membership, Project, Role, User
from evalapp.accounts.permissions import GRANTABLE, Permission, allows
from evalapp.accounts.secrets import hash_of
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import MissingError
from evalapp.core.joins import JoinedRows

# Audit actions that begin or end a role.
_OF_ROLES = ("member.added", "member.role_changed", "member.removed", "member.left")


def may_create_project(user: User, memberships: Iterable[Membership] | None = None) -> bool:
    """Whether the user may create a project: the site admin, and owners of a project may. ``memberships``:
    the user's, if already read.

    The first owner of an installation is made by ``manage.py create_owner``.
    """
    own = user.memberships.all() if memberships is None else memberships
    return user.is_superuser or any(membership.role == Role.OWNER for membership in own)


class MemberRow(NamedTuple):
    """A member as another member may see and change them; ``may_change`` is about the viewer."""

    membership: Membership
    may_change: bool
    may_reset_password: bool


def member_rows(project: Project, *, viewer: Membership) -> list[MemberRow]:
    """The members, owners first, with what ``viewer`` may do to each."""
    memberships = list(
        project.memberships.select_related("user").order_by("user__is_simulated", "role", "user__name", "id")
    )
    memberships.sort(key=lambda each: Role.values.index(each.role))
    manageable = _people_all_of_whose_roles_are_in_reach(viewer.user, [each.user_id for each in memberships])
    grantable = GRANTABLE[viewer.role]
    return [
        MemberRow(
            membership=each,
            may_change=each.role in grantable,
            may_reset_password=settings.PASSWORDS_ALLOWED
            and each.user_id in manageable
            and each.user_id != viewer.user_id
            and not each.user.is_simulated,
        )
        for each in memberships
    ]


def may_reset_password_of(user: User, *, viewer: User) -> bool:
    """Whether ``viewer`` may copy a link that sets a new password for ``user``.

    Such a link gives full access to the account. So it is only for users whose every role, in every project,
    the viewer could have given them, and never for the site admin: a manager of one project cannot take over
    another.
    """
    if user.is_simulated or user.pk == viewer.pk:
        return False
    return user.pk in _people_all_of_whose_roles_are_in_reach(viewer, [user.pk])


def _people_all_of_whose_roles_are_in_reach(viewer: User, user_ids: list[int]) -> set[int]:
    reach = Q(pk__in=[])
    for role, project_id in viewer.memberships.values_list("role", "project_id"):
        if allows(role, Permission.MANAGE_MEMBERS):
            reach |= Q(project_id=project_id, role__in=GRANTABLE[role])
    roles = Membership.objects.filter(user__in=user_ids)
    in_reach = roles.filter(reach).values("user_id")
    unreachable_conditions = roles.exclude(reach).values("user_id")
    people = User.objects.filter(pk__in=user_ids, is_active=True, is_superuser=False)
    return set(
        people.filter(pk__in=in_reach).exclude(pk__in=unreachable_conditions).values_list("pk", flat=True)
    )


def open_invitations(project: Project) -> QuerySet[Invitation]:
    """Invitations that can still be accepted, latest first."""
    return (
        project.invitations.filter(accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())
        .select_related("created_by")
        .order_by("-id")
    )


def invitation_for(token: str) -> Invitation:
    """The open invitation that this link belongs to.

    Raises MissingError where the link was used, revoked, has expired or never existed, without telling these
    cases apart.
    """
    invitation = (
        Invitation.objects.select_related("project", "created_by")
        .filter(token_hash=hash_of(token), accepted_at=None, revoked_at=None, expires_at__gt=timezone.now())
        .first()
    )
    if invitation is None:
        raise MissingError(
            "This invitation has been used, withdrawn or has expired. Ask the sender for a new link."
        )
    return invitation


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The user's active tokens, latest first."""
    unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return user.api_tokens.filter(unexpired, revoked_at=None).order_by("-id")


_LIVE_FROM = """
FROM evalapp_apitoken token JOIN evalapp_user person ON person.id = token.user_id
WHERE token.token_hash = %(hash)s AND token.revoked_at IS NULL AND person.is_active
  AND (token.expires_at IS NULL OR token.expires_at > %(now)s::timestamptz)
"""


@cache
def _token_rows() -> JoinedRows:
    return JoinedRows(token=ApiToken, person=User)


def person_of_token(secret: str) -> ApiToken | None:
    """The active token with this secret (and its active ``user``), or None."""
    found = _token_rows().first(_LIVE_FROM, {"hash": hash_of(secret), "now": timezone.now()})
    if found is None:
        return None
    token, token.user = found
    return cast(ApiToken, token)


def role_at(project: Project, user: User, at: dt.datetime) -> str:
    """The role that somebody had in a project at that time, as words; "" if unknown.

    The audit log records the role that each change ended, so the first change since then gives it; without
    one it is the current role.
    """
    events = AuditEvent.objects.filter(
        object_type="user", object_id=user.pk, project_id=project.pk, action__in=_OF_ROLES, at__gt=at
    )
    first = events.order_by("id").first()
    if first is not None:
        role = first.data.get("before") or first.data.get("role", "")
        return "" if first.action == "member.added" else _named(role)
    return _named(project.memberships.filter(user=user).values_list("role", flat=True).first() or "")


def _named(role: str) -> str:
    return str(Role(role).label).lower() if role in Role.values else ""
