"""Writes to a person's own account, and its deletion."""

from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string

from evalapp.accounts.emails import FORMER_DOMAIN
from evalapp.accounts.models import Invitation, Membership, OneTimeLink, Project, Role, User
from evalapp.accounts.one_time_links import Purpose, make_link, void_links_of
from evalapp.accounts.queries import may_reset_password_of
from evalapp.accounts.services import lock_members, withdraw_invitations
from evalapp.accounts.signals import person_anonymised, reviewing_ended
from evalapp.audit.services import record, relabel_person
from evalapp.core.errors import ConflictError, NotAllowedError
from evalapp.core.names import checked_name


@transaction.atomic
def update_profile(*, user: User, by: User, name: str, review_keys: dict[str, object]) -> User:
    """``review_keys`` is ``{"enabled": bool, "map": {action: key}}``, checked by the form.

    Raises InvalidError for a name that cannot be read, ConflictError after the deletion of their data.
    """
    name = checked_name(name, of="yourself")
    lock_person(user)
    user.name, user.review_keys = name, review_keys
    user.save(update_fields=["name", "review_keys"])
    record("person.profile_changed", by=by, obj=user)
    return user


def lock_person(user: User) -> User:
    """Hold off the deletion of the person's data until the transaction ends; the person as they are now.

    Raises ConflictError after the deletion.
    """
    present = User.objects.filter(pk=user.pk, anonymised_at=None).select_for_update(no_key=True).first()
    if present is None:
        raise ConflictError("This person's data has been deleted in the meantime; nothing was changed.")
    return present


def password_path(user: User, *, by: User | None, is_mailed: bool = False) -> str:
    """The path of a new link that sets the password (see `evalapp.accounts.one_time_links.make_link`)."""
    secret = make_link(user=user, purpose=Purpose.PASSWORD, by=by, is_mailed=is_mailed)
    return reverse(
        "account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": secret}
    )


@transaction.atomic
def create_reset_link(*, membership: Membership, by: Membership) -> str:
    """The path of a link with which the member sets a new password, as long as ``by`` could still make it.

    Raises NotAllowedError where the account is out of reach of ``by``
    (see `evalapp.accounts.queries.may_reset_password_of`).
    """
    if not settings.PASSWORDS_ALLOWED:
        raise NotAllowedError("Passwords are switched off in this installation, so there is none to set.")
    if not may_reset_password_of(membership.user, viewer=by.user):
        raise NotAllowedError(
            "This person has roles that you could not have given them, here or in another project; "
            "ask an owner of each, or the site admin."
        )
    record("person.reset_link_created", by=by.user, obj=membership.user, project=membership.project)
    return password_path(membership.user, by=by.user)


@transaction.atomic
def anonymise_person(*, user: User, by: User) -> User:
    """Delete a person's data; what they rated and wrote stays, as "Former member 12"'s.

    Name, address, password, keys, tokens, sign-ins, drafts, memberships, parts in campaigns and open
    invitations (to them and by them) go, and the audit calls them by the new label. Only the person and the
    site admin may; once more changes nothing. Raises NotAllowedError for others, ConflictError where a
    project would be left without an owner.
    """
    if user.pk != by.pk and not by.is_superuser:
        raise NotAllowedError("Only the person themselves or the site admin may delete a person's data.")
    lock_members(user.memberships.values_list("project_id", flat=True))
    _require_no_sole_ownership(user)
    for membership in user.memberships.select_related("project"):
        withdraw_invitations(project=membership.project, of=user, by=by)
    reviewing_ended.send(sender=User, user=user, project=None, by=by)
    person = User.objects.select_for_update().get(pk=user.pk)
    if person.anonymised_at is not None:
        return person
    left = list(person.memberships.select_related("project").order_by("project_id"))
    label = f"Former member {person.pk}"
    # Partly by chance: nobody can take an address beforehand that they cannot know.
    former_email = f"former-member-{person.pk}-{get_random_string(12).lower()}@{FORMER_DOMAIN}"
    void_links_of(person, by=by)
    objects = {"user": [person.pk], **_delete_what_names(person, former_email)}
    person_anonymised.send(sender=User, user=person)
    person.name, person.email = label, former_email
    person.review_keys = {}
    person.is_active = person.is_superuser = False
    person.anonymised_at = timezone.now()
    person.set_unusable_password()
    person.save()
    relabel_person(user_id=person.pk, label=label, objects=objects)
    actor = person if person.pk == by.pk else by
    for each in left:
        record("member.left", by=actor, obj=person, project=each.project, data={"role": each.role})
    record("person.anonymised", by=actor, obj=person)
    return person


def _delete_what_names(person: User, former_email: str) -> dict[str, list[int]]:
    """Delete the rows that are about this person alone; those of them that the audit speaks of, by type."""
    invitations = Invitation.objects.filter(email=person.email.lower())
    invitation_ids = list(invitations.values_list("pk", flat=True))
    invitations.filter(accepted_at=None, revoked_at=None).update(revoked_at=timezone.now())
    invitations.update(email=former_email)
    token_ids = list(person.api_tokens.values_list("pk", flat=True))
    person.api_tokens.all().delete()
    person.memberships.all().delete()
    EmailAddress.objects.filter(user=person).delete()
    Authenticator.objects.filter(user=person).delete()
    SocialAccount.objects.filter(user=person).delete()
    OneTimeLink.objects.filter(user=person).delete()
    _end_sessions(person)
    return {"invitation": invitation_ids, "apitoken": token_ids}


def _end_sessions(person: User) -> None:
    """Forget every sign-in, over or not: they hold the address, in a form that only decoding shows."""
    theirs = [
        session.pk
        for session in Session.objects.iterator()
        if session.get_decoded().get(SESSION_KEY) == str(person.pk)
    ]
    Session.objects.filter(pk__in=theirs).delete()


def _require_no_sole_ownership(user: User) -> None:
    for project in Project.objects.filter(memberships__user=user, memberships__role=Role.OWNER):
        others = project.memberships.filter(role=Role.OWNER, user__is_active=True).exclude(user=user)
        if not others.exists():
            raise ConflictError(
                f"{user} is the last owner of “{project}”. Make somebody else an owner of it or delete it"
                " first."
            )
