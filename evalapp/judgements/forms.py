"""What comes in: a plain form, or JSON from the page's own script."""

from typing import NamedTuple
from uuid import UUID

from django.http import HttpRequest, QueryDict

from evalapp.core.errors import InvalidError
from evalapp.judgements.verdicts import Verdict, read_verdict
from evalapp.reviews.answers import read_client_id, read_seconds
from evalapp.reviews.forms import json_body, read_revision


class JudgementSubmission(NamedTuple):
    """``revision`` is the one an amendment is based on; 0 for a first submission."""

    client_id: UUID
    verdict: Verdict
    seconds_active: float
    revision: int


def read_judgement(request: HttpRequest, *, outputs: int) -> JudgementSubmission:
    """A submission from JSON or from the form; its shape is checked, not yet whether it is whole."""
    if request.content_type == "application/json":
        body = json_body(request)
        return JudgementSubmission(
            read_client_id(body.get("client_id")),
            read_verdict(body.get("answers")),
            read_seconds(body.get("seconds_active", 0)),
            read_revision(body.get("revision", 0)),
        )
    form = request.POST
    return JudgementSubmission(
        read_client_id(form.get("client_id", "")),
        verdict_from_form(form, outputs=outputs),
        _form_seconds(str(form.get("seconds_active", ""))),
        read_revision(_whole(str(form.get("revision", "0")))),
    )


def verdict_from_form(form: QueryDict, *, outputs: int) -> Verdict:
    """A radio group ``choice``, or a radio group ``rank-<position>`` for each of more than two answers."""
    ranks = [_whole(str(form.get(f"rank-{position}", ""))) for position in range(outputs)]
    return read_verdict(
        {
            "choice": form.get("choice", ""),
            "ranks": ranks if outputs > 2 else None,
            "comment": str(form.get("comment", "")).replace("\r\n", "\n"),
        }
    )


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _form_seconds(text: str) -> float:
    try:
        return read_seconds(float(text)) if text else 0.0
    except (ValueError, InvalidError):
        return 0.0
