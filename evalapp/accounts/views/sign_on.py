"""Sign-in without a password: single sign-on, and the site admin's emergency link."""

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
    """Decorator for pages that need passwords (EVALAPP_PASSWORDS). Raises NotAllowedError if they are
    switched off.
    """

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
    """Redirect to the provider, only from pages of this site, so that no other site can sign somebody in."""
    chosen_provider()
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return redirect("account_login")
    return _carried_out(request, OAuth2LoginView)


@never_cache
@answers_problems
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    """Handle the redirect from the provider."""
    chosen_provider()
    return _carried_out(request, _Callback)


def _carried_out(request: HttpRequest, step: type) -> HttpResponse:
    name = provider_name()
    try:
        response: HttpResponse = step.adapter_view(SignOnFlow(request, PROVIDER))(request)  # type: ignore[attr-defined]  # allauth has no types
    except IntegrityError:
        # Two tabs returned at the same moment, and the other one has created the account.
        logger.info("Two sign-ins of one new identity met.")
        return refusal(request, "You signed in twice at the same time. Try again.", status=409)
    except (OAuth2Error, RequestException, LookupError, TypeError, ValueError) as error:
        # Invalid answers of the provider are neither the person's error nor ours.
        logger.warning("Sign-on with %s failed: %s", name, error)
        message = f"{name} cannot be reached, or sent an answer that cannot be read. Try again in a minute."
        return refusal(request, message, status=502)
    return response


@never_cache
@require_POST
@signed_in_view
def identity_unlink(request: HttpRequest) -> HttpResponse:
    """Unlink the identities of the person's own account, so that they no longer sign in to it."""
    unlink_identities(user=person_of(request), by=person_of(request))
    return redirect("profile")


@never_cache
@answers_problems
def emergency_sign_in(request: HttpRequest, token: str) -> HttpResponse:
    """Sign the site admin in by a link from `manage.py sign_in_link`."""
    person = person_of_emergency_link(token)
    if request.method == "POST":
        login(request, use_emergency_link(token), backend=BACKEND)
        return redirect("/")
    return render(request, "account/emergency.html", {"person": person})


# The URL contains a secret, which `person_of_emergency_link` checks.
opens_for(emergency_sign_in, "link")
