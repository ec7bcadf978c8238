"""Signing in without a password: single sign-on, and the site admin's way in when it fails."""

import logging
from collections.abc import Callable
from functools import wraps

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.contrib.auth import login
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from requests import RequestException

from evalapp.accounts.access import opens_for, person_of, signed_in_view
from evalapp.accounts.emergency import person_of_emergency_link, use_emergency_link
from evalapp.accounts.identities import PROVIDER, provider_name, unlink_identities
from evalapp.accounts.sign_on import SignOnFlow, chosen_provider, refusal
from evalapp.accounts.views.invitation import BACKEND
from evalapp.core.errors import NotAllowedError
from evalapp.core.http import answers_problems

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]


def needs_passwords(view: View) -> View:
    """A page that only makes sense where people have passwords (EVALAPP_PASSWORDS); else refused."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not settings.PASSWORDS_ALLOWED:
            raise NotAllowedError(
                f"Passwords are switched off here. Sign in with {provider_name()}, which keeps yours."
            )
        return view(request, *args, **kwargs)

    return answers_problems(wrapped)


class _Callback(OAuth2CallbackView):
    def _get_state(self, request: HttpRequest, provider: object) -> tuple[dict[str, str] | None, object]:
        state, response = super()._get_state(request, provider)
        self.adapter.nonce = (state or {}).get("nonce", "")
        return state, response


@never_cache
@answers_problems
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    """Go to the provider. Only from a page of ours, so that no other site signs somebody in."""
    chosen_provider()
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return redirect("account_login")
    return _carried_out(request, OAuth2LoginView)


@never_cache
@answers_problems
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    """Come back from the provider."""
    chosen_provider()
    return _carried_out(request, _Callback)


def _carried_out(request: HttpRequest, step: type) -> HttpResponse:
    name = provider_name()
    try:
        response: HttpResponse = step.adapter_view(SignOnFlow(request, PROVIDER))(request)  # type: ignore[attr-defined]  # allauth has no types
    except IntegrityError:
        # Two tabs came back at one moment, and the other was quicker: the account is there by now.
        logger.info("Two sign-ins of one new identity met.")
        return refusal(request, "You signed in twice at the same time. Try again.", status=409)
    except (OAuth2Error, RequestException, LookupError, TypeError, ValueError) as error:
        # Whatever the provider answers, it is no fault of the person and none of ours.
        logger.warning("Sign-on with %s failed: %s", name, error)
        message = f"{name} cannot be reached, or sent an answer that cannot be read. Try again in a minute."
        return refusal(request, message, status=502)
    return response


@never_cache
@require_POST
@signed_in_view
def identity_unlink(request: HttpRequest) -> HttpResponse:
    """Nobody comes in to one's own account by the identity that is linked to it."""
    unlink_identities(user=person_of(request), by=person_of(request))
    return redirect("profile")


@never_cache
@answers_problems
def emergency_sign_in(request: HttpRequest, token: str) -> HttpResponse:
    """The site admin, by a link that `manage.py sign_in_link` printed."""
    person = person_of_emergency_link(token)
    if request.method == "POST":
        login(request, use_emergency_link(token), backend=BACKEND)
        return redirect("/")
    return render(request, "account/emergency.html", {"person": person})


# The address holds a secret, so nobody without it gets past `person_of_emergency_link`.
opens_for(emergency_sign_in, "link")
