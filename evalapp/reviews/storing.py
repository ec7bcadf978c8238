"""Stores a review in one statement: with scores, tags, texts, spans and correction, or with its preference;
the same statement deletes the draft.
"""

# ruff: noqa: S608 - SQL is put together from constants of this code; every value is a parameter

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from evalapp.core.prepared import prepared_cursor
from evalapp.reviews.answers import CheckedAnswers
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.spans import CheckedSpan

_SPAN_COLUMNS = ("span_criteria", "span_labels", "span_starts", "span_ends", "span_comments")

_REVIEW = """
review AS (
    INSERT INTO evalapp_review (created_at, submitted_at, campaign_id, assignment_id, item_output_id,
                                comparison_id, reviewer_id, client_id, body_hash, revision, purpose, comment,
                                seconds_active, is_simulated)
    VALUES (%(now)s, %(now)s, %(campaign)s, %(assignment)s, %(item_output)s::bigint, %(comparison)s::bigint,
            %(reviewer)s, %(client_id)s, %(body_hash)s, 1, %(purpose)s, %(comment)s, %(seconds_active)s,
            %(is_simulated)s)
    RETURNING id
)
"""
_ANSWERS = """
scores AS (
    INSERT INTO evalapp_score (review_id, criterion_id, value, is_not_applicable, minimum, maximum)
    SELECT review.id, answer.* FROM review, unnest(%(criteria)s::bigint[], %(values)s::smallint[],
        %(not_applicable)s::boolean[], %(minima)s::smallint[], %(maxima)s::smallint[]) AS answer
), tags AS (
    INSERT INTO evalapp_reviewtag (review_id, tag_id)
    SELECT review.id, tag FROM review, unnest(%(tags)s::bigint[]) AS tag
), texts AS (
    INSERT INTO evalapp_textanswer (review_id, criterion_id, text)
    SELECT review.id, answer.* FROM review, unnest(%(text_criteria)s::bigint[], %(texts)s::text[]) AS answer
), spans AS (
    INSERT INTO evalapp_spananswer (review_id, criterion_id, label, start, "end", comment)
    SELECT review.id, answer.* FROM review, unnest(%(span_criteria)s::bigint[], %(span_labels)s::smallint[],
        %(span_starts)s::integer[], %(span_ends)s::integer[], %(span_comments)s::text[]) AS answer
), correction AS (
    INSERT INTO evalapp_correction (review_id, text, created_at)
    SELECT review.id, %(correction)s::text, now() FROM review WHERE %(correction)s::text IS NOT NULL
)
"""
_STORE_RATING = f"""
WITH {_REVIEW}, {_ANSWERS}, ended AS (
    DELETE FROM evalapp_draft WHERE reviewer_id = %(reviewer)s AND item_output_id = %(item_output)s
)
SELECT id FROM review
"""
_STORE_PREFERENCE = f"""
WITH {_REVIEW}, preference AS (
    INSERT INTO evalapp_preference (review_id, created_at, outputs, choice, ranks)
    SELECT review.id, %(now)s, %(outputs)s::bigint[], %(choice)s::text, %(ranks)s::smallint[] FROM review
), ended AS (
    DELETE FROM evalapp_draft WHERE reviewer_id = %(reviewer)s AND comparison_id = %(comparison)s
)
SELECT id FROM review
"""
_REPLACE = f"WITH review AS (SELECT %(review)s::bigint AS id), {_ANSWERS} SELECT id FROM review"


def store_rating(review: Review, checked: CheckedAnswers) -> None:
    """Store a new review of an output with its answers, and delete its draft. Raises IntegrityError like
    ``create``.
    """
    _store(_STORE_RATING, review, _answers(checked))


def store_preference(review: Review, answers: PreferenceAnswers, outputs: list[int]) -> None:
    """`store_rating` for a review of a comparison; ``outputs``: in the order on the screen."""
    preference = {"outputs": outputs, "choice": str(answers.choice), "ranks": answers.ranks}
    _store(_STORE_PREFERENCE, review, preference)


def _store(statement: str, review: Review, answers: dict[str, Any]) -> None:
    review.created_at = review.submitted_at = timezone.now()
    parameters: dict[str, Any] = {
        "now": review.submitted_at,
        "campaign": review.campaign_id,
        "assignment": review.assignment_id,
        "item_output": review.item_output_id,
        "comparison": review.comparison_id,
        "reviewer": review.reviewer_id,
        "client_id": review.client_id,
        "body_hash": review.body_hash,
        "purpose": str(review.purpose),
        "comment": review.comment,
        "seconds_active": review.seconds_active,
        "is_simulated": review.is_simulated,
    }
    with prepared_cursor() as cursor:
        cursor.execute(statement, {**parameters, **answers})
        (review.pk,) = cursor.fetchone()
    review._state.adding, review._state.db = False, "default"


def store_answers(review: Review, checked: CheckedAnswers) -> None:
    """Write the new answers of an amended review; the caller has deleted the old ones."""
    with prepared_cursor() as cursor:
        cursor.execute(_REPLACE, {"review": review.pk, **_answers(checked)})


def _answers(checked: CheckedAnswers) -> dict[str, Any]:
    return {
        "criteria": [score.criterion_id for score in checked.scores],
        "values": [score.value for score in checked.scores],
        "not_applicable": [score.is_not_applicable for score in checked.scores],
        "minima": [score.minimum for score in checked.scores],
        "maxima": [score.maximum for score in checked.scores],
        "tags": checked.tag_ids,
        "text_criteria": list(checked.texts),
        "texts": list(checked.texts.values()),
        **dict(zip(_SPAN_COLUMNS, _columns(checked.spans), strict=True)),
        "correction": checked.answers.correction,
    }


def _columns(spans: Sequence[CheckedSpan]) -> list[list[Any]]:
    return [list(column) for column in zip(*spans, strict=True)] or [[] for _ in _SPAN_COLUMNS]
