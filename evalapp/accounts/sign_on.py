"""Single sign-on by OpenID Connect: django-allauth's flow, with the checks of ours where it is more lenient.

Ours are: one provider, from the environment; a nonce; the ID token's signature is always verified;
the provider's configuration must be its own and keep to TLS; every request goes through the guard of
`evalapp.core.outgoing`; and who may come in is decided by `evalapp.accounts.identities.admit` alone.
"""

import logging
from typing import Any
from urllib.parse import urlsplit

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from allauth.utils import build_absolute_uri
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import get_random_string
from requests import Session

from evalapp.accounts.identities import PROVIDER, Identity, SignOnRefusedError, admit, provider_name
from evalapp.accounts.identity_tokens import IdentityTokenError, verified_claims
from evalapp.core.errors import MissingError
from evalapp.core.outgoing import GuardedSession
from evalapp.env_sign_on import SignOnSettings
from run_directory.outgoing_policy import policy_of

logger = logging.getLogger(__name__)

_CONFIGURATION_SECONDS = 300
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def chosen_provider() -> SignOnSettings:
    """The provider of the environment. Raises MissingError where there is none."""
    if settings.SIGN_ON is None:
        raise MissingError("There is no single sign-on here. Sign in with your password.")
    return settings.SIGN_ON


class SignOnFlow(OpenIDConnectOAuth2Adapter):
    """One sign-in: from the provider's configuration to the claims of its ID token."""

    nonce = ""

    @property
    def openid_config(self) -> dict[str, Any]:
        issuer = chosen_provider().issuer
        # Kept for a while, so that nobody can have us ask the provider at every click.
        key = f"oidc-configuration:{issuer}"
        found: dict[str, Any] | None = cache.get(key)
        if found is None:
            found = checked_configuration(super().openid_config, issuer)
            cache.set(key, found, _CONFIGURATION_SECONDS)
        return found

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return str(build_absolute_uri(request, reverse("oidc_callback")))

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> SocialLogin:
        try:
            claims = verified_claims(
                kwargs["response"].get("id_token"),
                keys=self._get_json(self.openid_config["jwks_uri"]),
                issuer=self.openid_config["issuer"],
                client_id=app.client_id,
                nonce=self.nonce,
            )
        except IdentityTokenError as error:
            raise OAuth2Error(str(error)) from error
        if "email" not in claims and self.openid_config.get("userinfo_endpoint"):
            told = self._fetch_user_info(token.token)
            # Else one person's token could be completed by another's address.
            if not isinstance(told, dict) or told.get("sub") != claims["sub"]:
                raise OAuth2Error("the provider's userinfo is about another person")
            claims = {**told, **claims}
        return self.get_provider().sociallogin_from_response(request, {"id_token": claims})

    def _get_json(self, address: str) -> object:
        with SignOnAdapter().get_requests_session() as session:
            answer = session.get(address)
            answer.raise_for_status()
            return answer.json()


class SignOnProvider(OpenIDConnectProvider):
    oauth2_adapter_class = SignOnFlow

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        return reverse("oidc_begin")

    def get_callback_url(self) -> str:
        return reverse("oidc_callback")

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        # Nothing of the address but where to go afterwards: no scope, no purpose, no parameters.
        kwargs = super().get_redirect_from_request_kwargs(request)
        return {"process": "login", "next_url": kwargs.get("next_url")}

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponse:
        nonce = get_random_string(32)
        answer: HttpResponse = super().redirect(
            request, process, next_url, data, auth_params={"nonce": nonce}, nonce=nonce
        )
        return answer

    def extract_uid(self, data: dict[str, Any]) -> str:
        return identity_in(data).key

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}  # Nothing of it is needed later, and what is not kept cannot leak.

    def sociallogin_from_response(self, request: HttpRequest, response: dict[str, Any]) -> SocialLogin:
        login = super().sociallogin_from_response(request, response)
        login.identity = identity_in(response)
        return login


def identity_in(response: dict[str, Any]) -> Identity:
    """What the verified claims say of a person; nothing that is not text is taken for text."""
    claims = response["id_token"]

    def text(name: str) -> str:
        value = claims.get(name)
        return value.strip() if isinstance(value, str) else ""

    return Identity(
        issuer=claims["iss"],
        subject=claims["sub"],
        email=text("email"),
        # Some providers write the word.
        is_email_verified=claims.get("email_verified") in (True, "true"),
        name=text("name"),
    )


def checked_configuration(found: object, issuer: str) -> dict[str, Any]:
    """The provider's configuration. Raises OAuth2Error where it is another's, or leads out of TLS."""
    if not isinstance(found, dict) or str(found.get("issuer", "")).rstrip("/") != issuer:
        raise OAuth2Error(f"the configuration at {issuer} names another issuer, or none")
    scheme = urlsplit(issuer).scheme
    for name in _NEEDED:
        if urlsplit(str(found.get(name, ""))).scheme not in {"https", scheme}:
            raise OAuth2Error(f"{name} of {issuer} is not a {scheme} URL")
    return found


class SignOnAdapter(DefaultSocialAccountAdapter):
    def list_apps(
        self, request: HttpRequest | None, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """The provider of the environment, or none: rows of the database are no way in."""
        chosen = settings.SIGN_ON
        if chosen is None or provider not in (None, PROVIDER, OpenIDConnectProvider.id):
            return []
        app = SocialApp(
            provider=OpenIDConnectProvider.id,
            provider_id=PROVIDER,
            name=chosen.name,
            client_id=chosen.client_id,
            secret=chosen.client_secret,
            settings={"server_url": chosen.issuer, "oauth_pkce_enabled": True},
        )
        return [app]

    def get_requests_session(self) -> Session:
        """The operator chose the provider, so its public hosts need no further leave; private ones do."""
        return GuardedSession(policy_of(settings.OUTGOING_ALLOWED, any_public=True))

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Any) -> Any:
        return sociallogin.user

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        try:
            sociallogin.user = admit(sociallogin.identity)
        except SignOnRefusedError as error:
            raise ImmediateHttpResponse(refusal(request, error.message, status=error.status)) from error

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        if error == AuthError.CANCELLED:
            raise ImmediateHttpResponse(redirect("account_login"))
        logger.warning("A sign-on failed: %s", exception or error)
        message = (
            f"{provider_name()} sent an answer that does not belong to a sign-in started here, or came too"
            " late. Go back and try again; if the problem stays, tell the site admin."
        )
        raise ImmediateHttpResponse(refusal(request, message, status=401))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False  # `admit` has decided.


def refusal(request: HttpRequest, message: str, *, status: int) -> HttpResponse:
    return render(request, "account/sign_on_refused.html", {"message": message}, status=status)
