"""What comes in: a plain form, or JSON from the page's own script."""

from django.http import HttpRequest, QueryDict

from evalapp.judgements.verdicts import Verdict, read_verdict
from evalapp.reviews.forms import Submission, read_submission


def read_judgement(request: HttpRequest, *, outputs: int) -> Submission[Verdict]:
    """`read_submission` of a judgement."""
    return read_submission(
        request, from_json=read_verdict, from_form=lambda form: verdict_from_form(form, outputs=outputs)
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
