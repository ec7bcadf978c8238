"""Drafts: what is typed and not submitted, kept on the server beside the browser's own copy."""

import json
from typing import Any, NamedTuple

from django.db import connection

from evalapp.accounts.models import User
from evalapp.campaigns.models import CampaignReviewer, Place
from evalapp.core.errors import InvalidError, MissingError, StaleError
from evalapp.reviews.answers import (
    LONGEST_COMMENT,
    LONGEST_CORRECTION,
    MOST_SECONDS,
    Answer,
    ReviewAnswers,
    read_answers,
    unstorable,
)
from evalapp.reviews.models import Draft

# Nothing is kept of somebody whose data is deleted: a deletion under way is waited for.
_KEEP = """
INSERT INTO evalapp_draft (reviewer_id, item_output_id, body, revision, saved_at, created_at)
SELECT id, %(item_output)s::bigint, %(body)s::jsonb, 1, now(), now() FROM evalapp_user
WHERE id = %(reviewer)s AND anonymised_at IS NULL FOR KEY SHARE
ON CONFLICT (reviewer_id, item_output_id) DO UPDATE SET body = excluded.body, saved_at = now()
"""
_SAVE = (
    _KEEP
    + """, revision = least(%(revision)s::bigint + 1, 2147483647)
WHERE evalapp_draft.revision = %(revision)s
   OR (evalapp_draft.revision = %(revision)s::bigint + 1 AND evalapp_draft.body = excluded.body)
RETURNING revision, saved_at
"""
)


class SavedDraft(NamedTuple):
    revision: int
    saved_at: Any


class DraftConflictError(StaleError):
    """Another tab has saved a newer draft (412); ``draft`` is that one."""

    code = "draft_conflict"

    def __init__(self, draft: Draft) -> None:
        super().__init__("A newer draft of this was saved in another tab. Both are kept; choose one.")
        self.draft = draft


def draft_body(answers: ReviewAnswers, seconds_active: float) -> dict[str, Any]:
    return {**answers.as_dict(), "seconds_active": min(max(seconds_active, 0.0), MOST_SECONDS)}


def answers_in(draft: dict[str, Any] | None) -> ReviewAnswers:
    """A draft's answers; they were checked for shape alone, never against the rubric."""
    body = {key: value for key, value in (draft or {}).items() if key != "seconds_active"}
    return read_answers(body)


def save_draft(
    *, reviewer: User, item_output_id: int, answers: ReviewAnswers, seconds_active: float, revision: int
) -> SavedDraft:
    """Keep what is typed. ``revision`` is the draft it grew from (0: none); an incomplete or
    impossible answer is a fine draft. The same one again, because its answer was lost on the way, is
    saved already. Raises DraftConflictError where another tab saved since.
    """
    answers = _storable(answers)
    marks = [span.comment for given in answers.spans.values() for span in given]
    longest_text = max((len(text) for text in (answers.comment, *answers.texts.values(), *marks)), default=0)
    if longest_text > LONGEST_COMMENT or len(answers.correction or "") > LONGEST_CORRECTION:
        raise InvalidError(
            f"This draft is too long to be kept on the server (comment {LONGEST_COMMENT:,}, correction "
            f"{LONGEST_CORRECTION:,} characters). Your browser keeps it; shorten it before you submit."
        )
    parameters = _parameters(reviewer, item_output_id, draft_body(answers, seconds_active))
    with connection.cursor() as cursor:
        cursor.execute(_SAVE, {**parameters, "revision": revision})
        row = cursor.fetchone()
    if row is not None:
        return SavedDraft(*row)
    newer = Draft.objects.filter(reviewer=reviewer, item_output=item_output_id).first()
    if newer is None:
        raise MissingError("Your data has been deleted, so nothing of yours is kept any more.")
    raise DraftConflictError(newer)


def keep_text(*, seat: CampaignReviewer, place: Place, slot: int, answers: ReviewAnswers) -> None:
    """Keep a refused submission as the reviewer's draft, whatever draft there was."""
    body = draft_body(_storable(answers), 0.0)
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, _parameters(seat.user, place.outputs_order[slot], body))


def _parameters(reviewer: User, item_output_id: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "reviewer": reviewer.pk,
        "item_output": item_output_id,
        "body": json.dumps(body, ensure_ascii=False),
    }


def _storable(answers: ReviewAnswers) -> ReviewAnswers:
    """Without the characters that the database cannot hold: a draft is kept rather than refused."""

    def clean(text: str) -> str:
        if not unstorable(text):
            return text
        return text.replace("\x00", "").encode("utf-8", "replace").decode()

    scores: dict[str, Answer] = {
        clean(key): clean(value) if isinstance(value, str) else value for key, value in answers.scores.items()
    }
    tags = {clean(key): [clean(tag) for tag in each] for key, each in answers.tags.items()}
    correction = None if answers.correction is None else clean(answers.correction)
    texts = {clean(key): clean(text) for key, text in answers.texts.items()}
    spans = {
        clean(key): [span._replace(comment=clean(span.comment)) for span in given]
        for key, given in answers.spans.items()
    }
    return ReviewAnswers(scores, tags, clean(answers.comment), correction, texts, spans)
