"""A person's own pages: profile, API tokens, deletion of their data."""

import datetime as dt

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from evalapp.accounts.access import person_of, signed_in_view
from evalapp.accounts.forms import DeletePersonForm, ProfileForm, TokenForm
from evalapp.accounts.identities import has_identity
from evalapp.accounts.mailing import LinkMail, send_links
from evalapp.accounts.models import User
from evalapp.accounts.one_time_links import PASSWORD_DAYS
from evalapp.accounts.people import anonymise_person, password_path, update_profile
from evalapp.accounts.queries import tokens_of
from evalapp.accounts.services import how_to_verify
from evalapp.accounts.tokens import create_api_token, revoke_api_token
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.http import ServiceUnavailableError, get_or_missing

_MAIL_AGAIN_SECONDS = 300


@signed_in_view
def profile(request: HttpRequest) -> HttpResponse:
    user = person_of(request)
    form = ProfileForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        update_profile(user=user, by=user, name=form.cleaned_data["name"], review_keys=form.review_keys())
        messages.success(request, "Saved.")
        return redirect("profile")
    context = {
        "form": form,
        "delete_form": DeletePersonForm(),
        "has_identity": has_identity(user),
        "how_to_verify": "" if user.email_verified_at else how_to_verify(),
        "sends_verification": _sends_verification(user),
    }
    return render(request, "accounts/profile.html", context, status=400 if form.errors else 200)


def _sends_verification(user: User) -> bool:
    return settings.SENDS_MAIL and settings.PASSWORDS_ALLOWED and user.email_verified_at is None


@require_POST
@signed_in_view
def email_verify(request: HttpRequest) -> HttpResponse:
    """Mail a link that sets a password; opening it proves that the person has the mailbox, and so verifies
    the email.
    """
    user = person_of(request)
    if not _sends_verification(user):
        raise ConflictError(
            f"No link is sent: {'the email is verified.' if user.email_verified_at else how_to_verify()}"
        )
    if not cache.add(f"verification-mail:{user.pk}", 1, _MAIL_AGAIN_SECONDS):
        raise ConflictError("A link was just sent to you. Check your inbox and your spam folder.")
    link = request.build_absolute_uri(password_path(user, by=user, is_mailed=True))
    words = (
        "Somebody, probably you, asked to verify this email. The link lets you choose a new password, once"
        f" and within {PASSWORD_DAYS} days. It ends every earlier sign-in and API token of the account."
    )
    (problem,) = send_links([LinkMail(user.email, "Verify your email", words, link)])
    if problem:
        cache.delete(f"verification-mail:{user.pk}")
        raise ServiceUnavailableError(f"The mail was not sent: {problem}. Try again in a minute.")
    messages.success(request, f"A link is on its way to {user.email}.")
    return redirect("profile")


@never_cache
@signed_in_view
def token_list(request: HttpRequest) -> HttpResponse:
    """The person's tokens; a POST creates one and shows its secret once."""
    user = person_of(request)
    form = TokenForm(request.POST or None)
    secret = ""
    if request.method == "POST" and form.is_valid():
        days = form.cleaned_data["days"]
        expires_at = timezone.now() + dt.timedelta(days=days) if days else None
        made = create_api_token(user=user, name=form.cleaned_data["name"], by=user, expires_at=expires_at)
        secret = made.secret
        form = TokenForm()
    status = 400 if form.errors else 201 if secret else 200
    context = {"form": form, "tokens": tokens_of(user), "secret": secret}
    return render(request, "accounts/tokens.html", context, status=status)


@require_POST
@signed_in_view
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    user = person_of(request)
    token = get_or_missing(user.api_tokens.all(), pk=pk)
    revoke_api_token(token=token, by=user)
    messages.success(request, f"“{token.name}” no longer works.")
    return redirect("token_list")


@require_POST
@signed_in_view
def person_delete(request: HttpRequest) -> HttpResponse:
    """Delete the person's own data; ratings stay without the name."""
    user = person_of(request)
    form = DeletePersonForm(request.POST)
    if not form.is_valid() or form.cleaned_data["typed_email"].strip().lower() != user.email.lower():
        raise InvalidError(f"Type your email, {user.email}, to delete your data.")
    anonymise_person(user=user, by=user)
    logout(request)
    return render(request, "accounts/person_deleted.html")
