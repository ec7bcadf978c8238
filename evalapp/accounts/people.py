"""Writes to a person's own account, and its end."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from evalapp.accounts.models import Invitation, Membership, Project, Role, User
from evalapp.accounts.queries import may_reset_password_of
from evalapp.audit.services import record, relabel_person
from evalapp.core.errors import ConflictError, NotAllowedError
from evalapp.core.names import checked_name


@transaction.atomic
def update_profile(*, user: User, by: User, name: str, review_keys: dict[str, object]) -> User:
    """``review_keys`` is ``{"enabled": bool, "map": {action: key}}``, checked by the form.

    Raises InvalidError for a name that cannot be read.
    """
    user.name = checked_name(name, of="yourself")
    user.review_keys = review_keys
    user.save(update_fields=["name", "review_keys"])
    record("person.profile_changed", by=by, obj=user)
    return user


def password_path(user: User) -> str:
    """The address that sets a new password: valid for three days, void once used or signed in."""
    return reverse(
        "account_reset_password_from_key",
        kwargs={"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)},
    )


@transaction.atomic
def create_reset_link(*, membership: Membership, by: Membership) -> str:
    """The path of a link with which the member sets a new password.

    Raises NotAllowedError where the account is out of reach of ``by``
    (see `evalapp.accounts.queries.may_reset_password_of`).
    """
    if not may_reset_password_of(membership.user, viewer=by):
        raise NotAllowedError(
            "This person has roles that you could not have given them, here or in another project; "
            "ask an owner of each, or the site admin."
        )
    record("person.reset_link_created", by=by.user, obj=membership.user, project=membership.project)
    return password_path(membership.user)


@transaction.atomic
def anonymise_person(*, user: User, by: User) -> User:
    """Delete a person's data; what they rated and wrote stays, as "Former member 12"'s.

    Name, address, password, keys, tokens, memberships and open invitations go, and the audit calls
    them by the new label. Only the person and the site admin may. Raises NotAllowedError for others,
    ConflictError where a project would be left without an owner.
    """
    if user.pk != by.pk and not by.is_superuser:
        raise NotAllowedError("Only the person themselves or the site admin may delete a person's data.")
    _require_no_sole_ownership(user)
    label = f"Former member {user.pk}"
    invitations = Invitation.objects.filter(email__iexact=user.email)
    invitation_ids = list(invitations.values_list("pk", flat=True))
    former_address = f"former-member-{user.pk}@deleted.invalid"
    invitations.filter(accepted_at=None, revoked_at=None).update(revoked_at=timezone.now())
    invitations.update(email=former_address)
    token_ids = list(user.api_tokens.values_list("pk", flat=True))
    user.api_tokens.all().delete()
    user.memberships.all().delete()
    user.name, user.email = label, former_address
    user.review_keys = {}
    user.is_active = user.is_superuser = False
    user.anonymised_at = timezone.now()
    user.set_unusable_password()
    user.save()
    relabel_person(
        user_id=user.pk,
        label=label,
        objects={"user": [user.pk], "invitation": invitation_ids, "apitoken": token_ids},
    )
    record("person.anonymised", by=user if user.pk == by.pk else by, obj=user)
    return user


def _require_no_sole_ownership(user: User) -> None:
    owned = Project.objects.filter(memberships__user=user, memberships__role=Role.OWNER)
    # The rows are the lock: a co-owner may be leaving at the same moment.
    for project in owned.select_for_update(of=("self",)):
        others = project.memberships.filter(role=Role.OWNER, user__is_active=True).exclude(user=user)
        if not others.exists():
            raise ConflictError(
                f"{user} is the last owner of “{project}”. Make somebody else an owner of it or delete it first."
            )
