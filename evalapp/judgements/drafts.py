"""Drafts of judgements: what is chosen or typed and not submitted, kept on the server as of reviews."""

from dataclasses import replace

from evalapp.accounts.models import User
from evalapp.core.errors import InvalidError
from evalapp.judgements.models import JudgementDraft
from evalapp.judgements.queries import draft_body
from evalapp.judgements.verdicts import Verdict
from evalapp.reviews.answers import LONGEST_COMMENT, MOST_SECONDS
from evalapp.reviews.drafts import DraftTable, SavedDraft, storable

_DRAFTS = DraftTable(JudgementDraft, "comparison", outputs="bigint[]")


def save_draft(
    *,
    reviewer: User,
    comparison_id: int,
    outputs: list[int],
    verdict: Verdict,
    seconds_active: float,
    revision: int,
) -> SavedDraft:
    """Keep what is chosen and typed; ``revision`` is the draft it grew from (0: none).

    Raises InvalidError for a comment that is too long, DraftConflictError where another tab saved since.
    """
    if len(verdict.comment) > LONGEST_COMMENT:
        raise InvalidError(
            f"This draft is too long to be kept on the server (comment {LONGEST_COMMENT:,} characters). Your "
            "browser keeps it; shorten it before you submit."
        )
    kept = replace(verdict, comment=storable(verdict.comment))
    body = draft_body(kept, min(max(seconds_active, 0.0), MOST_SECONDS))
    return _DRAFTS.save(reviewer=reviewer, shown=comparison_id, body=body, revision=revision, outputs=outputs)


def keep_text(*, reviewer: User, comparison_id: int, outputs: list[int], verdict: Verdict) -> None:
    """Keep a refused submission as the reviewer's draft, whatever draft there was."""
    body = draft_body(replace(verdict, comment=storable(verdict.comment)), 0.0)
    _DRAFTS.keep(reviewer=reviewer, shown=comparison_id, body=body, outputs=outputs)
