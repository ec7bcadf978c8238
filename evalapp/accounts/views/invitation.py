from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache

from evalapp.accounts.access import opens_for, person_of
from evalapp.accounts.forms import NewPersonForm
from evalapp.accounts.identities import provider_name
from evalapp.accounts.invitations import accept_as, accept_as_new_person, claim_account, claimed_by
from evalapp.accounts.models import Invitation, User
from evalapp.accounts.queries import invitation_for
from evalapp.core.errors import NotAllowedError
from evalapp.core.http import answers_problems

BACKEND = "evalapp.accounts.backends.AccountBackend"


@never_cache
@answers_problems
def invitation_accept(request: HttpRequest, token: str) -> HttpResponse:
    """Accept an invitation by its link: signed-in people join, new people create an account, others sign in
    first.

    A mailed link also opens an account that somebody else created under the same email.
    """
    invitation = invitation_for(token)
    claimed = claimed_by(invitation)
    if request.user.is_authenticated and claimed is None:
        return _join(request, invitation)
    if claimed is None and User.objects.with_email(invitation.email).exists():
        return redirect(f"{reverse('account_login')}?{urlencode({'next': request.path})}")
    form = NewPersonForm(request.POST or None, email=invitation.email)
    if request.method == "POST" and not settings.PASSWORDS_ALLOWED:
        raise NotAllowedError(f"Passwords are switched off here. Join with {provider_name()}.")
    if request.method == "POST" and form.is_valid():
        given = {"name": form.cleaned_data["name"], "password": form.cleaned_data["password1"]}
        if claimed is None:
            user = accept_as_new_person(invitation=invitation, **given)
        else:
            user = claim_account(invitation=invitation, user=claimed, **given)
        login(request, user, backend=BACKEND)
        return redirect("/")
    status = 400 if form.errors else 200
    context = {"invitation": invitation, "form": form, "claimed": claimed}
    return render(request, "accounts/invitation.html", context, status=status)


def _join(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    if request.method == "POST":
        accept_as(invitation=invitation, user=person_of(request))
        return redirect("/")
    return render(request, "accounts/invitation.html", {"invitation": invitation, "form": None})


# The URL contains a secret, which `invitation_for` checks.
opens_for(invitation_accept, "link")
