"""Drafts: what is typed and not submitted, kept on the server beside the browser's own copy."""

import json
from typing import Any, NamedTuple, Protocol, cast

from django.db import connection
from django.db.models import Model

from evalapp.accounts.models import User
from evalapp.campaigns.models import Assignment, CampaignReviewer
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


class SavedDraft(NamedTuple):
    revision: int
    saved_at: Any


class KeptText(Protocol):
    """A draft as it lies in its table."""

    body: Any
    revision: Any


class DraftConflictError(StaleError):
    """Another tab has saved a newer draft (412); ``draft`` is that one."""

    code = "draft_conflict"

    def __init__(self, draft: KeptText) -> None:
        super().__init__("A newer draft of this was saved in another tab. Both are kept; choose one.")
        self.draft = draft


# Nothing is kept of somebody whose data is deleted: a deletion under way is waited for.
_KEEP = """
INSERT INTO {table} (reviewer_id, {shown}_id, {columns}, revision, saved_at, created_at)
SELECT id, %({shown})s::bigint, {values}, 1, now(), now() FROM evalapp_user
WHERE id = %(reviewer)s AND anonymised_at IS NULL FOR KEY SHARE
ON CONFLICT (reviewer_id, {shown}_id) DO UPDATE SET {changes}, saved_at = now()
"""
_SAVE = """, revision = least(%(revision)s::bigint + 1, 2147483647)
WHERE {table}.revision = %(revision)s
   OR ({table}.revision = %(revision)s::bigint + 1 AND {table}.body = excluded.body)
RETURNING revision, saved_at
"""


class DraftTable:
    """The drafts of one kind: one a person and of what is ``shown``, an id by the name of its column.

    ``columns`` name with their types what else a draft holds beside its body.
    """

    def __init__(self, model: type[Model], shown: str, **columns: str) -> None:
        self.model, self.shown = model, shown
        types = {"body": "jsonb", **columns}
        names = {
            "table": model._meta.db_table,
            "shown": shown,
            "columns": ", ".join(types),
            "values": ", ".join(f"%({name})s::{kind}" for name, kind in types.items()),
            "changes": ", ".join(f"{name} = excluded.{name}" for name in types),
        }
        self._keep = _KEEP.format(**names)
        self._save = (_KEEP + _SAVE).format(**names)

    def save(
        self, *, reviewer: User, shown: int, body: dict[str, Any], revision: int, **columns: Any
    ) -> SavedDraft:
        """Keep what grew from ``revision`` (0: none). The same one again, because its answer was lost on the
        way, is saved already. Raises DraftConflictError where another tab saved since.
        """
        parameters = {**self._parameters(reviewer, shown, body, columns), "revision": revision}
        with connection.cursor() as cursor:
            cursor.execute(self._save, parameters)
            row = cursor.fetchone()
        if row is not None:
            return SavedDraft(*row)
        newer = self.model._default_manager.filter(**{"reviewer": reviewer, self.shown: shown}).first()
        if newer is None:
            raise MissingError("Your data has been deleted, so nothing of yours is kept any more.")
        raise DraftConflictError(cast(KeptText, newer))

    def keep(self, *, reviewer: User, shown: int, body: dict[str, Any], **columns: Any) -> None:
        """Keep a refused submission as the reviewer's draft, whatever draft there was."""
        with connection.cursor() as cursor:
            cursor.execute(self._keep, self._parameters(reviewer, shown, body, columns))

    def _parameters(
        self, reviewer: User, shown: int, body: dict[str, Any], columns: dict[str, Any]
    ) -> dict[str, Any]:
        written = json.dumps(body, ensure_ascii=False)
        return {"reviewer": reviewer.pk, self.shown: shown, "body": written, **columns}


_DRAFTS = DraftTable(Draft, "item_output")


def storable(text: str) -> str:
    """Without the characters that the database cannot hold: a draft is kept rather than refused."""
    if not bad_character(text):
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


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
    impossible answer is a fine draft. Raises DraftConflictError where another tab saved since.
    """
    answers = _storable(answers)
    marks = [span.comment for given in answers.spans.values() for span in given]
    longest_text = max((len(text) for text in (answers.comment, *answers.texts.values(), *marks)), default=0)
    if longest_text > LONGEST_COMMENT or len(answers.correction or "") > LONGEST_CORRECTION:
        raise InvalidError(
            f"This draft is too long to be kept on the server (comment {LONGEST_COMMENT:,}, correction "
            f"{LONGEST_CORRECTION:,} characters). Your browser keeps it; shorten it before you submit."
        )
    body = draft_body(answers, seconds_active)
    return _DRAFTS.save(reviewer=reviewer, shown=item_output_id, body=body, revision=revision)


def keep_text(
    *, campaign_reviewer: CampaignReviewer, assignment: Assignment, slot: int, answers: ReviewAnswers
) -> None:
    """Keep a refused submission as the reviewer's draft, whatever draft there was."""
    body = draft_body(_storable(answers), 0.0)
    _DRAFTS.keep(reviewer=campaign_reviewer.user, shown=assignment.outputs_order[slot], body=body)


def _storable(answers: ReviewAnswers) -> ReviewAnswers:
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
