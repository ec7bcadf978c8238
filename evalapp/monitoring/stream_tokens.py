"""Tokens that can only send events to one stream, for the monitored application."""

from django.db.models import QuerySet

from evalapp.accounts.models import ApiToken, User
from evalapp.accounts.tokens import NewToken, create_api_token
from evalapp.monitoring.models import Stream

_SCOPE = "stream/"


def scope_of(stream_id: int | None) -> str:
    """The scope of a stream's tokens; "" for no stream."""
    return f"{_SCOPE}{stream_id}" if stream_id is not None else ""


def stream_of(token: ApiToken) -> int | None:
    """The id of the token's stream; None for any other token."""
    return int(token.scope.removeprefix(_SCOPE)) if token.scope.startswith(_SCOPE) else None


def create_stream_token(*, stream: Stream, name: str, by: User) -> NewToken:
    """Create a token for the stream. Raises InvalidError as `create_api_token` does."""
    return create_api_token(user=by, name=name, by=by, scope=scope_of(stream.pk))


def tokens_of_stream(stream: Stream) -> QuerySet[ApiToken]:
    """Tokens that are not revoked, latest first, with their people."""
    return (
        ApiToken.objects.filter(scope=scope_of(stream.pk), revoked_at=None)
        .select_related("user")
        .order_by("-pk")
    )
