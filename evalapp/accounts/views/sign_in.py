"""Sign-in with its lock-out, and the pages in the place of sign-up and mailed resets."""

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
    """Allauth's own page; where passwords are switched off, it only shows single sign-on."""
    if request.method == "POST" and not settings.PASSWORDS_ALLOWED:
        raise NotAllowedError(f"Passwords are switched off here. Sign in with {provider_name()}.")
    response: HttpResponse = allauth.login(request)
    return response


def attempted_email(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """Whom a sign-in was tried as, however it was spelt: failures count by person and place. See
    AXES_USERNAME_CALLABLE.
    """
    given = credentials or {}
    return (
        str(given.get("email") or given.get("username") or request.POST.get("login", "")).strip().casefold()
    )


def sign_up_closed(request: HttpRequest) -> HttpResponse:
    """People come by invitation."""
    return render(request, "account/signup_closed.html")


def forgotten_password(request: HttpRequest) -> HttpResponse:
    """Says whom to ask for a link; asks for no address, so it tells nobody who has an account."""
    return render(request, "account/password_reset.html")


def locked_out(
    request: HttpRequest, original_response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """After too many failed sign-ins: how long it lasts, and what to do (429). See AXES_LOCKOUT_CALLABLE."""
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
