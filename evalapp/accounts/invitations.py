"""Invitation links: copied by hand where there is no mail server, used once, then void."""

import datetime as dt
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from evalapp.accounts.email_verification import verify_email
from evalapp.accounts.emails import checked_email
from evalapp.accounts.models import Invitation, Membership, Project, Role, User
from evalapp.accounts.people import lock_person
from evalapp.accounts.permissions import may_grant
from evalapp.accounts.secrets import hash_of, new_secret
from evalapp.accounts.services import add_member, lock_members, require_grant, void_invitations_to
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError, NotAllowedError
from evalapp.core.names import checked_name
from evalapp.core.uniqueness import unless_taken

VALID_FOR = dt.timedelta(days=7)


class NewInvitation(NamedTuple):
    """``token`` is the link's secret: shown now, never again."""

    invitation: Invitation
    token: str


@transaction.atomic
def invite(*, project: Project, email: str, role: str, by: User, is_mailed: bool = False) -> NewInvitation:
    """An invitation for one email, beside those that are open for it; the first that is used voids the
    others.

    ``is_mailed``: the link goes to that email and is shown to nobody. Raises NotAllowedError where ``by`` may
    not give the role; ConflictError where the email belongs to a member, InvalidError for one that
    `checked_email` refuses.
    """
    if role not in Role.values:
        raise InvalidError("Choose one of the roles: " + ", ".join(Role.values) + ".")
    email = checked_email(email)
    # So that a link made while its maker is removed is either refused here or withdrawn there.
    lock_members([project.pk])
    membership = Membership.objects.filter(project=project, user=by).first()
    if membership is None or not may_grant(membership.role, role):
        raise NotAllowedError(f"Your role here may not invite anyone as {role}. Ask an owner of the project.")
    if Membership.objects.filter(project=project, user__in=User.objects.with_email(email)).exists():
        raise ConflictError(
            f"{email} is already a member of this project; change the role in the list instead.",
            field="email",
        )
    token = new_secret()
    invitation = Invitation.objects.create(
        project=project,
        email=email,
        role=Role(role),
        token_hash=hash_of(token),
        created_by=by,
        is_mailed=is_mailed,
        expires_at=timezone.now() + VALID_FOR,
    )
    record("invitation.created", by=by, obj=invitation, project=project, data={"role": role})
    return NewInvitation(invitation, token)


@transaction.atomic
def revoke_invitation(*, invitation: Invitation, by: User) -> None:
    """Void an open link. Raises NotAllowedError where ``by`` may not take its role, ConflictError where it
    has been used already.
    """
    lock_members([invitation.project_id])
    require_grant(invitation.project, by, invitation.role)
    revoked = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None).update(
        revoked_at=timezone.now()
    )
    if not revoked:
        raise ConflictError("This invitation has been used or withdrawn already.")
    record("invitation.revoked", by=by, obj=invitation, project=invitation.project)


@transaction.atomic
def accept_as_new_person(*, invitation: Invitation, name: str, password: str) -> User:
    """Make the account that the invitation is for, and let it in.

    ``password`` has been checked by the form. Raises ConflictError where the link was used in the
    meantime or the address has an account: that person signs in and opens the link again.
    """
    name = checked_name(name, of="yourself")
    _hold(invitation)
    known: dict[str, Any] = {"password_link_by": invitation.created_by}
    if invitation.is_mailed:
        known = {"email_verified_at": timezone.now()}
    with unless_taken("There is already an account with this email. Sign in, then open the link again."):
        user = User.objects.create_user(invitation.email, password, name=name, **known)
    _use(invitation, user)
    return user


def claimed_by(invitation: Invitation) -> User | None:
    """The account that whoever opens this link takes over: one of the same email, made by a copied link,
    where this one was mailed and thereby shows whose the email is.
    """
    if not invitation.is_mailed:
        return None
    unverified = User.objects.with_email(invitation.email).filter(email_verified_at=None)
    return unverified.filter(is_active=True, is_simulated=False).first()


@transaction.atomic
def claim_account(*, invitation: Invitation, user: User, name: str, password: str) -> User:
    """Hand the account of `claimed_by` to whoever the link was mailed to, and let it in.

    What others set up there ends: the password, every sign-in, the API tokens. ``password`` has been checked
    by the form. Raises ConflictError where the link was used in the meantime.
    """
    name = checked_name(name, of="yourself")
    person = lock_person(user)
    verify_email(person, how="mailed link")
    person.name = name
    person.set_password(password)
    person.save(update_fields=["name", "password"])
    _use(invitation, person)
    return person


@transaction.atomic
def accept_as(*, invitation: Invitation, user: User) -> Membership:
    """Let a signed-in person in; the invitation must be for their address.

    Raises NotAllowedError for another address, and for an account that somebody else may hold (see
    `require_own_account`); ConflictError where the link was used meanwhile or they are a member already.
    """
    if user.email.lower() != invitation.email.lower():
        raise NotAllowedError(
            f"This invitation is for {invitation.email}, and you are signed in as {user.email}. "
            "Sign out and open the link again."
        )
    return _use(invitation, lock_person(user))


def has_open_invitation(email: str) -> bool:
    """Whether anybody has invited this address, by a link that would still let it in."""
    return any(_stands(each) for each in _open_for(email))


def accept_open_invitations(*, user: User) -> int:
    """Let somebody whose email is verified into every project that invited it; how many.

    Of several invitations to one project the one with most rights counts. Call it in a transaction. Raises
    ConflictError where a link is used at the same moment.
    """
    found = sorted(
        (each for each in _open_for(user.email).select_related("project") if _stands(each)),
        key=lambda each: (each.project_id, Role.values.index(each.role), each.pk),
    )
    first_of_each = {each.project_id: each for each in reversed(found)}
    for _, invitation in sorted(first_of_each.items()):
        _use(invitation, user)
    return len(first_of_each)


def _open_for(email: str) -> QuerySet[Invitation]:
    return Invitation.objects.filter(
        email=email, accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()
    )


def _open(invitation: Invitation) -> QuerySet[Invitation]:
    return Invitation.objects.filter(
        pk=invitation.pk, accepted_at=None, revoked_at=None, expires_at__gt=timezone.now()
    )


def _hold(invitation: Invitation) -> None:
    """Wait for whoever is using the same link at this moment, so that the second is told of the first."""
    if _open(invitation).select_for_update().first() is None:
        raise _used_meanwhile()


def _used_meanwhile() -> ConflictError:
    return ConflictError(
        "This invitation has been used or withdrawn in the meantime. If you used it, sign in with the"
        " password you chose; otherwise ask the sender for a new link."
    )


def _stands(invitation: Invitation) -> bool:
    """Whether whoever made the invitation could make it still."""
    maker = invitation.created_by
    if maker is None or not maker.is_active:
        return False
    own_role = Membership.objects.filter(project=invitation.project_id, user=maker).first()
    return own_role is not None and may_grant(own_role.role, invitation.role)


def _use(invitation: Invitation, user: User) -> Membership:
    now = timezone.now()
    used = _open(invitation).update(accepted_at=now, accepted_by=user)
    if not used or not _stands(invitation):
        raise _used_meanwhile()
    membership = add_member(project=invitation.project, user=user, role=invitation.role, by=None)
    void_invitations_to(project=invitation.project, email=invitation.email, by=user)
    record("invitation.accepted", by=user, obj=invitation, project=invitation.project)
    return membership
