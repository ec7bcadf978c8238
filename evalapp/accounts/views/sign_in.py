"""Sign-in with lock-out, and the pages in place of sign-up and mailed resets."""

from typing import Any

from allauth.account import views as allauth
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie

from evalapp.accounts.identities import provider_name
from evalapp.core.errors import NotAllowedError
from evalapp.core.http import answers_problems, wants_json


@ensure_csrf_cookie
@answers_problems
def sign_in(request: HttpRequest) -> HttpResponse:
    """Allauth's sign-in page; if passwords are switched off, it only shows single sign-on."""
    if request.method == "POST" and not settings.PASSWORDS_ALLOWED:
        raise NotAllowedError(f"Passwords are switched off here. Sign in with {provider_name()}.")
    response: HttpResponse = allauth.login(request)
    return response


def attempted_email(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The email of a sign-in attempt, normalised, for counting failures. See AXES_USERNAME_CALLABLE."""
    given = credentials or {}
    return (
        str(given.get("email") or given.get("username") or request.POST.get("login", "")).strip().casefold()
    )


def sign_up_closed(request: HttpRequest) -> HttpResponse:
    """Explain that accounts are created by invitation."""
    return render(request, "account/signup_closed.html")


def forgotten_password(request: HttpRequest) -> HttpResponse:
    """Say whom to ask for a link. Asks for no email, so that it reveals no accounts."""
    return render(request, "account/password_reset.html")


def locked_out(
    request: HttpRequest, original_response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """The page after too many failed sign-ins: how long the lock lasts, and what to do (429). See
    AXES_LOCKOUT_CALLABLE.
    """
    minutes = round(settings.AXES_COOLOFF_TIME * 60)
    message = (
        f"Too many failed sign-ins for this email from your IP address. Wait {minutes} minutes and try"
        " again, "
        "or ask an owner or a manager of your project for a link that sets a new password."
    )
    response: HttpResponse
    if wants_json(request):
        body = {"error": {"code": "locked_out", "message": message, "fields": {}}}
        response = JsonResponse(body, status=429)
    else:
        response = render(request, "account/locked_out.html", {"message": message}, status=429)
    response["Retry-After"] = str(minutes * 60)
    return response
