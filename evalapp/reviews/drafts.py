"""Drafts: unsubmitted answers, stored on the server besides the browser's copy."""

import json
from typing import Any, NamedTuple

from django.db import connection

from evalapp.accounts.models import User
from evalapp.core.errors import InvalidError, MissingError, StaleError
from evalapp.core.strict_json import bad_character
from evalapp.reviews.answers import (
    LONGEST_COMMENT,
    LONGEST_CORRECTION,
    MOST_SECONDS,
    Answer,
    ReviewAnswers,
    read_answers,
)
from evalapp.reviews.models import Draft
from evalapp.reviews.preferences.answers import PreferenceAnswers


class SavedDraft(NamedTuple):
    revision: int
    saved_at: Any


class DraftConflictError(StaleError):
    """Another tab has saved a newer ``draft`` (412)."""

    code = "draft_conflict"

    def __init__(self, draft: Draft) -> None:
        super().__init__("A newer draft was saved in another tab. Both are kept; choose one.")
        self.draft = draft


# Stores nothing for a person whose data are deleted; waits for a deletion in progress.
_REPLACE_DRAFT = """
INSERT INTO evalapp_draft (reviewer_id, campaign_id, {subject}_id, outputs, body, revision, saved_at,
    created_at)
SELECT id, %(campaign)s::bigint, %(subject)s::bigint, %(outputs)s::bigint[], %(body)s::jsonb, 1, now(), now()
    FROM evalapp_user
WHERE id = %(reviewer)s AND anonymised_at IS NULL FOR KEY SHARE
ON CONFLICT (reviewer_id, {subject}_id) DO UPDATE
SET outputs = excluded.outputs, body = excluded.body, saved_at = now()
"""
_UNLESS_NEWER = """, revision = least(%(revision)s::bigint + 1, 2147483647)
WHERE evalapp_draft.revision = %(revision)s
   OR (evalapp_draft.revision = %(revision)s::bigint + 1 AND evalapp_draft.body = excluded.body)
RETURNING revision, saved_at
"""


class DraftPlace(NamedTuple):
    """The person, campaign and subject of a draft. ``subject``: "item_output" or "comparison"; ``outputs``: a
    comparison's outputs in the order on the screen.
    """

    reviewer: User
    campaign_id: int
    subject: str
    subject_id: int
    outputs: list[int] | None


def save_draft(of: DraftPlace, body: dict[str, Any], *, revision: int) -> SavedDraft:
    """Save a draft that is based on ``revision`` (0: none). The same draft sent again, after a lost response,
    counts as saved.

    Raises DraftConflictError if another tab has saved since.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            (_REPLACE_DRAFT + _UNLESS_NEWER).format(subject=of.subject),
            {**_row(of, body), "revision": revision},
        )
        row = cursor.fetchone()
    if row is not None:
        return SavedDraft(*row)
    newer = Draft.objects.filter(**{"reviewer": of.reviewer, of.subject: of.subject_id}).first()
    if newer is None:
        raise MissingError("Your data has been deleted, so drafts are no longer saved.")
    raise DraftConflictError(newer)


def keep_as_draft(of: DraftPlace, body: dict[str, Any]) -> None:
    """Save a refused submission as the reviewer's draft, replacing any other."""
    with connection.cursor() as cursor:
        cursor.execute(_REPLACE_DRAFT.format(subject=of.subject), _row(of, body))


def _row(of: DraftPlace, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "reviewer": of.reviewer.pk,
        "campaign": of.campaign_id,
        "subject": of.subject_id,
        "outputs": of.outputs,
        "body": json.dumps(body, ensure_ascii=False),
    }


def draft_body(answers: dict[str, Any], seconds_active: float) -> dict[str, Any]:
    return {**answers, "seconds_active": min(max(seconds_active, 0.0), MOST_SECONDS)}


def storable(text: str) -> str:
    """The text without characters that the database cannot store, so that a draft is saved rather than
    refused.
    """
    if not bad_character(text):
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def answers_in(draft: dict[str, Any] | None) -> ReviewAnswers:
    """A draft's answers; their structure was checked, but not the rubric."""
    body = {key: value for key, value in (draft or {}).items() if key != "seconds_active"}
    return read_answers(body)


def check_rating_draft(answers: ReviewAnswers) -> None:
    """Raise InvalidError for a rating that is too long to store."""
    marks = [span.comment for given in answers.spans.values() for span in given]
    longest_text = max((len(text) for text in (answers.comment, *answers.texts.values(), *marks)), default=0)
    if longest_text > LONGEST_COMMENT or len(answers.correction or "") > LONGEST_CORRECTION:
        raise _too_long(f"comment {LONGEST_COMMENT:,}, correction {LONGEST_CORRECTION:,} characters")


def check_preference_draft(answers: PreferenceAnswers) -> None:
    """Raise InvalidError for a preference that is too long to store."""
    if len(answers.comment) > LONGEST_COMMENT:
        raise _too_long(f"comment {LONGEST_COMMENT:,} characters")


def _too_long(limits: str) -> InvalidError:
    return InvalidError(
        f"This draft is too long to be kept on the server ({limits}). Your browser keeps it; shorten it"
        " before you submit."
    )


def storable_rating(answers: ReviewAnswers) -> ReviewAnswers:
    scores: dict[str, Answer] = {
        storable(key): storable(value) if isinstance(value, str) else value
        for key, value in answers.scores.items()
    }
    tags = {storable(key): [storable(tag) for tag in each] for key, each in answers.tags.items()}
    correction = None if answers.correction is None else storable(answers.correction)
    texts = {storable(key): storable(text) for key, text in answers.texts.items()}
    spans = {
        storable(key): [span._replace(comment=storable(span.comment)) for span in given]
        for key, given in answers.spans.items()
    }
    return ReviewAnswers(scores, tags, storable(answers.comment), correction, texts, spans)
