"""Drafts of judgements: what is chosen or typed and not submitted, kept as a review's draft is."""

import json
from typing import Any

from django.db import connection

from evalapp.accounts.models import User
from evalapp.core.errors import InvalidError, MissingError, StaleError
from evalapp.judgements.models import JudgementDraft
from evalapp.judgements.queries import draft_body
from evalapp.judgements.verdicts import Verdict
from evalapp.reviews.answers import LONGEST_COMMENT, MOST_SECONDS, unstorable
from evalapp.reviews.drafts import SavedDraft

# Nothing is kept of somebody whose data is deleted: a deletion under way is waited for.
_KEEP = """
INSERT INTO evalapp_judgementdraft (reviewer_id, comparison_id, outputs, body, revision, saved_at, created_at)
SELECT id, %(comparison)s::bigint, %(outputs)s::bigint[], %(body)s::jsonb, 1, now(), now()
FROM evalapp_user WHERE id = %(reviewer)s AND anonymised_at IS NULL FOR KEY SHARE
ON CONFLICT (reviewer_id, comparison_id)
DO UPDATE SET body = excluded.body, outputs = excluded.outputs, saved_at = now()
"""
_SAVE = (
    _KEEP
    + """, revision = least(%(revision)s::bigint + 1, 2147483647)
WHERE evalapp_judgementdraft.revision = %(revision)s
   OR (evalapp_judgementdraft.revision = %(revision)s::bigint + 1
       AND evalapp_judgementdraft.body = excluded.body)
RETURNING revision, saved_at
"""
)


class JudgementDraftConflictError(StaleError):
    """Another tab has saved a newer draft (412); ``draft`` is that one."""

    code = "draft_conflict"

    def __init__(self, draft: JudgementDraft) -> None:
        super().__init__("A newer draft of this was saved in another tab. Both are kept; choose one.")
        self.draft = draft


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

    Raises InvalidError for a comment that is too long, JudgementDraftConflictError where another tab
    saved since.
    """
    if len(verdict.comment) > LONGEST_COMMENT:
        raise InvalidError(
            f"This draft is too long to be kept on the server (comment {LONGEST_COMMENT:,} characters). Your "
            "browser keeps it; shorten it before you submit."
        )
    parameters = _parameters(reviewer, comparison_id, outputs, verdict, seconds_active)
    with connection.cursor() as cursor:
        cursor.execute(_SAVE, {**parameters, "revision": revision})
        row = cursor.fetchone()
    if row is not None:
        return SavedDraft(*row)
    newer = JudgementDraft.objects.filter(reviewer=reviewer, comparison=comparison_id).first()
    if newer is None:
        raise MissingError("Your data has been deleted, so nothing of yours is kept any more.")
    raise JudgementDraftConflictError(newer)


def keep_text(*, reviewer: User, comparison_id: int, outputs: list[int], verdict: Verdict) -> None:
    """Keep a refused submission as the reviewer's draft, whatever draft there was."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, _parameters(reviewer, comparison_id, outputs, verdict, 0.0))


def _parameters(
    reviewer: User, comparison_id: int, outputs: list[int], verdict: Verdict, seconds: float
) -> dict[str, Any]:
    comment = verdict.comment
    if unstorable(comment):
        comment = comment.replace("\x00", "").encode("utf-8", "replace").decode()
    kept = Verdict(verdict.choice, verdict.ranks, comment)
    return {
        "reviewer": reviewer.pk,
        "comparison": comparison_id,
        "outputs": outputs,
        "body": json.dumps(draft_body(kept, min(max(seconds, 0.0), MOST_SECONDS)), ensure_ascii=False),
    }
