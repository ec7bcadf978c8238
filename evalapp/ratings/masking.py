"""Staged texts of imported ratings with placeholders, where the project masks personal data: answers,
comments, corrections, written answers and what was marked in them.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import connection

from evalapp.accounts.models import Project
from evalapp.datasets.masking import Masks
from evalapp.datasets.models import Example
from evalapp.datasets.vault import Vault

_AT_ONCE = 200
_ITEMS = "SELECT item, example_id FROM ratings_example ORDER BY item"
_ANSWERS = "SELECT item, ctid::text, answer FROM ratings_answer WHERE item = ANY(%s)"
_VALUES = """
SELECT item, ctid::text, words, comment, correction FROM ratings_value
WHERE item = ANY(%s) AND coalesce(words, comment, correction) IS NOT NULL
"""
_SPANS = """
SELECT v.item, s.ctid::text, a.answer, s.start_at, s.end_at, s.words, s.comment
FROM ratings_span s
JOIN (SELECT DISTINCT record, item, candidate FROM ratings_value) v ON v.record = s.record
LEFT JOIN ratings_answer a ON a.item = v.item AND a.candidate = v.candidate
WHERE v.item = ANY(%s)
"""
_UPDATES = {
    "answers": "UPDATE ratings_answer SET answer = %s WHERE ctid = %s::tid",
    "values": "UPDATE ratings_value SET words = %s, comment = %s, correction = %s WHERE ctid = %s::tid",
    "spans": "UPDATE ratings_span SET start_at = %s, end_at = %s, words = %s, comment = %s"
    " WHERE ctid = %s::tid",
}


class _StagedRow(NamedTuple):
    """A row of a staging table: where it stands in it, and its texts; ``marked`` is the answer in which it
    marks something, and from where to where.
    """

    place: str
    texts: list[str | None]
    marked: tuple[str, int, int] | None = None


_RowsByItem = dict[int, list[_StagedRow]]


def mask_staged_texts(project: Project) -> None:
    """Mask what is staged of each item with the placeholders of its row, which must be stored already. Marks
    stay on the same words, and cover a placeholder whole.
    """
    vault = Vault(project)
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS)
        items = cursor.fetchall()
    for start in range(0, len(items), _AT_ONCE):
        _mask(vault, dict(items[start : start + _AT_ONCE]))
    vault.store()


def _mask(vault: Vault, items: dict[int, int]) -> None:
    answers, values, spans = _staged_rows(_ANSWERS, items), _staged_rows(_VALUES, items), _staged_spans(items)
    examples = Example.objects.only("provenance").in_bulk(set(items.values()))
    changed: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for item, example_id in items.items():
        of_item = [*answers[item], *values[item], *spans[item]]
        texts = [text for row in of_item for text in row.texts if text is not None]
        texts += [row.marked[0] for row in of_item if row.marked is not None]
        masks = vault.masks_of(examples[example_id], texts)
        for table, rows in (("answers", answers), ("values", values), ("spans", spans)):
            for row in rows[item]:
                masked = [text if text is None else masks.masked(text) for text in row.texts]
                moved = row.marked and _moved_span(masks, *row.marked)
                if masked != row.texts or moved != (row.marked and row.marked[1:]):
                    place = (moved or (None, None)) if table == "spans" else ()
                    changed[table].append((*place, *masked, row.place))
        vault.keep(examples[example_id], masks)
    with connection.cursor() as cursor:
        for table, parameters in changed.items():
            cursor.executemany(_UPDATES[table], parameters)


def _staged_rows(statement: str, items: Iterable[int]) -> _RowsByItem:
    found: _RowsByItem = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(items)])
        for item, place, *texts in cursor.fetchall():
            found[item].append(_StagedRow(place, texts))
    return found


def _staged_spans(items: Iterable[int]) -> _RowsByItem:
    found: _RowsByItem = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_SPANS, [list(items)])
        for item, place, answer, start, end, *texts in cursor.fetchall():
            is_located = answer is not None and start is not None
            found[item].append(_StagedRow(place, texts, (answer, start, end) if is_located else None))
    return found


def _moved_span(masks: Masks, text: str, start: int, end: int) -> tuple[int, int]:
    """Where marked words stand once the text is masked."""
    before_start = before_end = 0
    for first, last, placeholder in masks.replaced(text):
        grown = len(placeholder) - (last - first)
        if first < end:
            before_end += grown
            end = max(end, last)
        if last <= start:
            before_start += grown
        elif first < start:
            start = first
    return start + before_start, end + before_end
