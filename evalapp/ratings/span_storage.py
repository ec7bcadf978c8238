"""Stores staged spans (``ratings_span``) with reviews, and those without a position as text. In a
transaction.
"""

from django.db import connection

from evalapp.ratings.inserting import insert_from
from evalapp.reviews.models import SpanAnswer

_SPANS_AS_WORDS = """
UPDATE ratings_review r SET comment = left(concat_ws(E'\\n', nullif(r.comment, ''), marks.words), 100000)
FROM (SELECT v.item, v.candidate, v.reviewer, string_agg(
        '“' || s.words || '”' || CASE WHEN s.label <> '' THEN ' (' || s.label || ')' ELSE '' END
        || CASE WHEN s.comment <> '' THEN ': ' || s.comment ELSE '' END, E'\\n' ORDER BY s.ctid) AS words
      FROM (SELECT ctid, * FROM ratings_span
            WHERE level IS NULL AND (words <> '' OR comment <> '')) AS s
      JOIN (SELECT DISTINCT record, item, candidate, reviewer FROM ratings_value) AS v ON v.record = s.record
      GROUP BY v.item, v.candidate, v.reviewer) AS marks
WHERE (r.item, r.candidate, r.reviewer) = (marks.item, marks.candidate, marks.reviewer)
"""
# The same stretch may be marked twice with one label; its comments come together then.
_MARKED_SPANS = """
(SELECT r.review_id, c.id AS criterion_id, s.level, s.start_at, s.end_at,
    coalesce(string_agg(DISTINCT nullif(s.comment, ''), E'\\n'), '') AS comment
 FROM ratings_span s
 JOIN (SELECT DISTINCT record, item, candidate, reviewer FROM ratings_value) AS v ON v.record = s.record
 JOIN ratings_review r ON r.item = v.item AND r.candidate = v.candidate AND r.reviewer = v.reviewer
 JOIN ratings_criterion c ON c.criterion = s.criterion
 WHERE s.level IS NOT NULL
 GROUP BY r.review_id, c.id, s.level, s.start_at, s.end_at) AS marks
"""


def keep_missing_spans_as_words() -> None:
    """Put what stands nowhere, or has no label in the rubric, into the comments of the staged reviews."""
    with connection.cursor() as cursor:
        cursor.execute(_SPANS_AS_WORDS)


def store_spans() -> None:
    """Store the staged spans whose place and label are known; the others are words of the comment."""
    insert_from(
        SpanAnswer,
        {
            "review_id": "marks.review_id",
            "criterion_id": "marks.criterion_id",
            "label": "marks.level",
            "start": "marks.start_at",
            "end": "marks.end_at",
            "comment": "marks.comment",
        },
        _MARKED_SPANS,
    )
