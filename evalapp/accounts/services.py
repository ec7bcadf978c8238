"""Write operations on projects and their members; people, links and tokens have their own modules.

Locks are taken in this order: projects, campaigns that somebody leaves, the person.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.text import slugify

from evalapp.accounts.models import Invitation, Membership, Project, ResultsApplyTo, Role, User
from evalapp.accounts.one_time_links import void_links_of
from evalapp.accounts.permissions import Permission, allows, may_grant
from evalapp.accounts.retention import checked_retention
from evalapp.accounts.signals import reviewing_ended
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.core.names import checked_name
from evalapp.privacy.rules import rules_problems

LONGEST_SLUG = 60
_SUFFIX = 6
# Reserved, because URLs use them or they would be ambiguous in one.
_RESERVED = {"new", "all", "none"}


@transaction.atomic
def create_project(
    *,
    name: str,
    by: User,
    description: str = "",
    population: str = ResultsApplyTo.PANEL,
    is_demonstration: bool = False,
) -> Project:
    """Create a project with ``by`` as its first owner; its slug is derived from the name and never changes.

    Raises InvalidError where the name is empty or too long, NotAllowedError as `require_own_account` does.
    """
    name = checked_name(name, of="the project")
    project = _insert_with_free_slug(
        Project(
            name=name,
            description=description,
            population=ResultsApplyTo(population),
            is_demonstration=is_demonstration,
            created_by=by,
        )
    )
    require_own_account(by, project=project, role=Role.OWNER)
    Membership.objects.create(project=project, user=by, role=Role.OWNER)
    void_links_of(by, by=by)
    record("project.created", by=by, obj=project, project=project)
    return project


def _insert_with_free_slug(project: Project) -> Project:
    stem = slugify(project.name)[: LONGEST_SLUG - _SUFFIX - 1].strip("-") or "project"
    slug = stem if stem not in _RESERVED else f"{stem}-{get_random_string(_SUFFIX).lower()}"
    while True:
        project.slug = slug
        try:
            with transaction.atomic():
                project.save(force_insert=True)
        except IntegrityError:
            slug = f"{stem}-{get_random_string(_SUFFIX).lower()}"
        else:
            return project


@transaction.atomic
def update_project(
    *,
    project: Project,
    by: User,
    name: str,
    description: str,
    population: str | None = None,
    shows_reviewer_names: bool | None = None,
    needs_second_person: bool | None = None,
    masks_personal_data: bool | None = None,
    masking_patterns: Sequence[Sequence[str]] | None = None,
    masking_allowed: Sequence[str] | None = None,
    retention: Mapping[str, int | None] | None = None,
) -> Project:
    """Change name and description, whom results apply to, whether reviewers are named, whether edited rows
    need a second person, whether and how personal data is masked, and how long what is kept
    (`evalapp.accounts.retention`; None: as before); addresses that people have kept go on working.

    Raises InvalidError with ``fields`` for what cannot be masked by (`evalapp.privacy.rules`), and for days.
    """
    before: dict[str, object] = {"name": project.name}
    if population is not None and population != project.population:
        before["population"] = project.population
        project.population = ResultsApplyTo(population)
    project.name = checked_name(name, of="the project")
    project.description = description
    rules = _checked_rules(
        patterns=project.masking_rules.get("patterns", []) if masking_patterns is None else masking_patterns,
        allowed=project.masking_rules.get("allowed", []) if masking_allowed is None else masking_allowed,
    )
    flags: dict[str, object] = {
        "shows_reviewer_names": shows_reviewer_names,
        "needs_second_person": needs_second_person,
        "masks_personal_data": masks_personal_data,
        "masking_rules": rules,
        "retention": None if retention is None else checked_retention(retention),
    }
    for name_of_flag, value in flags.items():
        if value is not None and value != getattr(project, name_of_flag):
            before[name_of_flag] = getattr(project, name_of_flag)
            setattr(project, name_of_flag, value)
    project.save(update_fields=["name", "description", "population", *flags])
    record("project.changed", by=by, obj=project, project=project, data={"before": before})
    return project


def _checked_rules(*, patterns: Sequence[Sequence[str]], allowed: Sequence[str]) -> dict[str, list[Any]]:
    problems = {
        "masking_patterns": rules_problems([(kind, pattern) for kind, pattern in patterns], []),
        "masking_allowed": rules_problems([], allowed),
    }
    if found := {name: sentences for name, sentences in problems.items() if sentences}:
        raise InvalidError(next(iter(found.values()))[0], fields=found)
    return {"patterns": [list(each) for each in patterns], "allowed": list(allowed)}


@transaction.atomic
def add_member(*, project: Project, user: User, role: str, by: User | None) -> Membership:
    """Make ``user`` a member. ``by`` None is the system (a command, an accepted invitation).

    Raises ConflictError where they are one already, NotAllowedError where ``by`` may not give the role, or as
    `require_own_account` does.
    """
    if by is not None:
        require_grant(project, by, role)
    require_own_account(user, project=project, role=role)
    membership, created = Membership.objects.get_or_create(
        project=project, user=user, defaults={"role": Role(role)}
    )
    if not created:
        raise ConflictError(f"{user} is already a member of this project, as {membership.role}.")
    void_links_of(user, by=by)
    record("member.added", by=by, obj=user, project=project, data={"role": role})
    return membership


@transaction.atomic
def change_role(*, membership: Membership, role: str, by: User) -> Membership:
    """Change a member's role, and withdraw their open invitations to roles that they may no longer give.

    Raises NotAllowedError where ``by`` may give neither the old role nor the new one, and ConflictError where
    the project would be left without an owner.
    """
    if role not in Role.values:
        raise InvalidError("Choose one of the roles: " + ", ".join(Role.values) + ".")
    current = _locked(membership)
    require_grant(current.project, by, current.role)
    require_grant(current.project, by, role)
    if current.role == role:
        return current
    _require_another_owner(current)
    before = current.role
    current.role = Role(role)
    current.save(update_fields=["role"])
    withdraw_invitations(project=current.project, of=current.user, by=by, role=role)
    void_links_of(current.user, by=by)
    if not allows(role, Permission.REVIEW):
        reviewing_ended.send(sender=Membership, user=current.user, project=current.project, by=by)
    record(
        "member.role_changed",
        by=by,
        obj=current.user,
        project=current.project,
        data={"before": before, "after": role},
    )
    return current


@transaction.atomic
def remove_member(*, membership: Membership, by: User) -> None:
    """End a membership and the person's part in campaigns: what they had in progress goes to others, what
    they wrote stays. Their open invitations are withdrawn. Anyone may leave by themselves.

    Raises ConflictError where the project would be left without an owner.
    """
    current = _locked(membership)
    if current.user_id != by.pk:
        require_grant(current.project, by, current.role)
    _require_another_owner(current)
    current.delete()
    withdraw_invitations(project=current.project, of=current.user, by=by)
    void_invitations_to(project=current.project, email=current.user.email, by=by)
    void_links_of(current.user, by=by)
    reviewing_ended.send(sender=Membership, user=current.user, project=current.project, by=by)
    record("member.removed", by=by, obj=current.user, project=current.project, data={"role": current.role})


def withdraw_invitations(*, project: Project, of: User, by: User | None, role: str = "") -> None:
    """Void a user's open invitations to roles that they may not give with ``role``, their role here now (""
    for none).

    Call it under `lock_members`, so that a former manager cannot return by an invitation of their own.
    """
    theirs = project.invitations.filter(created_by=of, accepted_at=None, revoked_at=None)
    _void_invitations([each for each in theirs if not may_grant(role, each.role)], by=by)


def void_invitations_to(*, project: Project, email: str, by: User | None) -> None:
    """Void the open invitations of this email to the project, whoever made them."""
    _void_invitations(
        project.invitations.filter(email=email.lower(), accepted_at=None, revoked_at=None), by=by
    )


def _void_invitations(invitations: Iterable[Invitation], *, by: User | None) -> None:
    for invitation in invitations:
        open_one = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
        if open_one.update(revoked_at=timezone.now()):
            record("invitation.revoked", by=by, obj=invitation, project=invitation.project)


def lock_members(project_ids: Iterable[int]) -> None:
    """Block other membership changes of these projects until the transaction ends.

    The project rows are locked: two owners who remove each other at once must not both succeed. Rows that
    refer to a project may still be added.
    """
    projects = Project.objects.filter(pk__in=list(project_ids)).order_by("pk")
    list(projects.select_for_update(no_key=True).values_list("pk", flat=True))


def _locked(membership: Membership) -> Membership:
    lock_members([membership.project_id])
    found = Membership.objects.select_related("project", "user").filter(pk=membership.pk).first()
    if found is None:
        raise ConflictError("Somebody else has removed this member in the meantime.")
    return found


def _require_another_owner(membership: Membership) -> None:
    if membership.role != Role.OWNER:
        return
    others = Membership.objects.filter(project=membership.project_id, role=Role.OWNER).exclude(
        pk=membership.pk
    )
    if not others.filter(user__is_active=True).exists():
        raise ConflictError(
            "This is the project's last owner. Make somebody else an owner first, then try again."
        )


def require_own_account(user: User, *, project: Project, role: str) -> None:
    """Raises NotAllowedError where another person may have access to the account, and would gain by this
    role.

    Whoever copied the link by which its password was set may have used it. Until the person has verified the
    email, the account can only get its first project, and projects in which whoever copied the link could
    give this role to anybody.
    """
    if user.email_verified_at is not None or user.is_simulated:
        return
    if not user.memberships.exclude(project=project).exists():
        return
    maker = user.password_link_by
    if maker is not None and maker.is_active:
        own_role = (
            Membership.objects.filter(project=project, user=maker).values_list("role", flat=True).first()
        )
        if own_role is not None and may_grant(own_role, role):
            return
    raise NotAllowedError(
        f"The email {user.email} is not verified: the password was set by a link that somebody copied, who"
        f" may know it. An account in a second project needs a verified email. {how_to_verify()}"
    )


def how_to_verify() -> str:
    """How a person can verify their email on this installation."""
    ways = []
    if settings.SIGN_ON:
        ways.append(f"sign in with {settings.SIGN_ON.name}")
    if settings.SENDS_MAIL:
        ways.append("ask for a link by mail on your profile")
    ways.append(
        "ask whoever runs this installation for a link (`manage.py create_owner --email EMAIL --link`)"
    )
    first, *others = ways
    return f"{first[0].upper()}{first[1:]}" + "".join(f", or {each}" for each in others) + "."


def require_grant(project: Project, by: User, role: str) -> None:
    """Raises NotAllowedError where ``by`` may neither give this role nor take it away."""
    own_role = Membership.objects.filter(project=project, user=by).values_list("role", flat=True).first()
    if own_role is None or not may_grant(own_role, role):
        raise NotAllowedError(
            f"Your role here may not give or take the role {role}. Ask an owner of the project."
        )
