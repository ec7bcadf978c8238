"""The diff of two versions of a dataset, matched by row key in the database."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import TextChoices

from evalapp.conversations.beside_text import beside_text
from evalapp.core.errors import InvalidError
from evalapp.core.word_changes import WordChanges, word_changes
from evalapp.datasets.models import DatasetVersion, Example, Split

# The parts of a row that can change, as pages and the API name them, with their columns; in the order of
# `_DIFF`.
FIELDS = {
    "prompt": ("messages",),
    "references": ("references",),
    "label": ("label",),
    "context": ("context",),
    "metadata": ("metadata",),
    "group": ("group_key",),
    "preferences": ("pairs", "rated"),
    "conversation": ("conversation",),
}


class Change(TextChoices):
    ADDED = "added", "Added"
    REMOVED = "removed", "Removed"
    CHANGED = "changed", "Changed"
    MOVED = "moved", "Moved"


class RowChange(NamedTuple):
    """One changed row. ``number`` is its row number in the later version, ``was`` in the earlier one; None
    where it is absent. ``fields`` are of `FIELDS`; a row that only changed its split has none and is *moved*.
    """

    change: Change
    number: int | None
    was: int | None
    split: str
    old_split: str
    fields: list[str]

    @property
    def key(self) -> str:
        return f"{self.number or 0}.{self.was or 0}"


class Statistics(NamedTuple):
    """Statistics of one version: rows by split, and the median numbers of characters of the last prompt
    message and of the first reference (None where no row has one).
    """

    counts: dict[str, int]
    prompt_length: float | None
    reference_length: float | None
    labels: int


class VersionDiff(NamedTuple):
    version: DatasetVersion
    against: DatasetVersion
    changes: list[RowChange]
    unchanged: int
    now: Statistics
    before: Statistics

    @property
    def counts(self) -> dict[str, int]:
        """How many rows of each kind of change, and ``unchanged``."""
        found = Counter(each.change for each in self.changes)
        return {**{change.value: found[change] for change in Change}, "unchanged": self.unchanged}

    @property
    def filters(self) -> list[tuple[str, str, int]]:
        """Value, label and number of rows of each kind of change that occurs."""
        counts = self.counts
        return [(each.value, str(each.label), counts[each.value]) for each in Change if counts[each.value]]

    @property
    def statistics(self) -> list[tuple[str, float | None, float | None]]:
        """Name, earlier and current value of every statistic that either version has."""
        rows: list[tuple[str, float | None, float | None]] = [
            ("Rows", sum(self.before.counts.values()), sum(self.now.counts.values()))
        ]
        rows += [(f"{each.label} rows", self.before.counts[each], self.now.counts[each]) for each in Split]
        rows += [
            ("Median characters of the prompt", self.before.prompt_length, self.now.prompt_length),
            ("Median characters of the reference", self.before.reference_length, self.now.reference_length),
            ("Labels", self.before.labels, self.now.labels),
        ]
        return [row for row in rows if row[1] or row[2]]

    def of(self, change: str) -> Sequence[RowChange]:
        """The changes of one kind; all of them for ""."""
        return [each for each in self.changes if change in ("", each.change)]


_DIFF = """
WITH now AS (SELECT * FROM evalapp_example WHERE version_id = %(version)s),
before AS (SELECT * FROM evalapp_example WHERE version_id = %(against)s)
SELECT now.row_number, before.row_number, coalesce(now.split, ''), coalesce(before.split, ''),
       now.messages IS DISTINCT FROM before.messages,
       now."references" IS DISTINCT FROM before."references",
       now.label IS DISTINCT FROM before.label,
       now.context IS DISTINCT FROM before.context,
       now.metadata IS DISTINCT FROM before.metadata,
       now.group_key IS DISTINCT FROM before.group_key,
       now.pairs IS DISTINCT FROM before.pairs OR now.rated IS DISTINCT FROM before.rated,
       now.conversation IS DISTINCT FROM before.conversation
FROM now FULL JOIN before USING (row_key)
WHERE now.content_hash IS DISTINCT FROM before.content_hash OR %(are_erased)s AND (
    now.messages, now."references", now.label, now.context, now.metadata, now.group_key, now.pairs, now.rated,
    now.conversation
) IS DISTINCT FROM (
    before.messages, before."references", before.label, before.context, before.metadata, before.group_key,
    before.pairs, before.rated, before.conversation
)
ORDER BY now.row_number NULLS LAST, before.row_number
"""
_STATISTICS = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY length(messages -> -1 ->> 'content')),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY length("references" ->> 0)),
       count(DISTINCT nullif(label, ''))
FROM evalapp_example WHERE version_id = %s
"""


def diff_of(version: DatasetVersion, against: DatasetVersion) -> VersionDiff:
    """The diff from ``against`` to ``version``, both ready, matched by row key.

    Raises InvalidError for versions of two datasets, and for a version with itself.
    """
    if version.dataset_id != against.dataset_id or version.pk == against.pk:
        raise InvalidError("Choose another version of the same dataset to compare with.", field="against")
    # A row from which a person was erased keeps its old hash although its texts have changed.
    are_erased = version.erased_rows + against.erased_rows > 0
    parameters = {"version": version.pk, "against": against.pk, "are_erased": are_erased}
    with connection.cursor() as cursor:
        cursor.execute(_DIFF, parameters)
        changes = [change for row in cursor.fetchall() if (change := _change(*row)) is not None]
    left = sum(each.number is not None for each in changes)
    return VersionDiff(
        version=version,
        against=against,
        changes=changes,
        unchanged=sum(version.counts.values()) - left,
        now=statistics_of(version),
        before=statistics_of(against),
    )


class TrainingChanges(NamedTuple):
    """Training rows of ``version`` that are unchanged, changed or missing in the other, and those only in
    ``version``.
    """

    kept: int
    changed: int
    added: int
    removed: int


_TRAINING_CHANGES = """
WITH now AS (SELECT row_key, content_hash FROM evalapp_example WHERE version_id = %s AND split = 'train'),
before AS (SELECT row_key, content_hash FROM evalapp_example WHERE version_id = %s AND split = 'train')
SELECT count(*) FILTER (WHERE now.content_hash = before.content_hash),
       count(*) FILTER (WHERE now.content_hash <> before.content_hash),
       count(*) FILTER (WHERE before.row_key IS NULL),
       count(*) FILTER (WHERE now.row_key IS NULL)
FROM now FULL JOIN before USING (row_key)
"""


def training_changes(version: DatasetVersion, against: DatasetVersion) -> TrainingChanges:
    """Changes of training rows from ``against`` to ``version`` of one dataset, matched by row key."""
    with connection.cursor() as cursor:
        cursor.execute(_TRAINING_CHANGES, [version.pk, against.pk])
        return TrainingChanges(*(cursor.fetchone() or (0, 0, 0, 0)))


def _change(
    number: int | None, was: int | None, split: str, old_split: str, *differs: bool
) -> RowChange | None:
    """The change of one row. None where only the hashes differ: one is from before a person was erased from
    the row.
    """
    if number is None or was is None:
        return RowChange(Change.ADDED if was is None else Change.REMOVED, number, was, split, old_split, [])
    fields = [name for name, is_other in zip(FIELDS, differs, strict=True) if is_other]
    if not fields and split == old_split:
        return None
    return RowChange(Change.CHANGED if fields else Change.MOVED, number, was, split, old_split, fields)


def statistics_of(version: DatasetVersion) -> Statistics:
    with connection.cursor() as cursor:
        cursor.execute(_STATISTICS, [version.pk])
        prompt, reference, labels = cursor.fetchone() or (None, None, 0)
    counts = {split: version.counts.get(split, 0) for split in Split.values}
    return Statistics(counts, prompt, reference, labels)


class ShownChange(NamedTuple):
    """A change with its row as it is now, or was. ``texts``: word-by-word diffs of the changed texts."""

    row: RowChange
    example: Example
    texts: list[tuple[str, WordChanges]]


def shown_changes(diff: VersionDiff, rows: Iterable[RowChange]) -> list[ShownChange]:
    """These changes with everything that a page shows of them, in two queries."""
    rows = list(rows)
    now = _by_number(diff.version, [each.number for each in rows])
    before = _by_number(diff.against, [each.was for each in rows])
    found = []
    for row in rows:
        new, old = now.get(row.number), before.get(row.was)
        example = new or old
        if example is not None:
            texts = [] if new is None or old is None else list(_texts(row, old, new))
            found.append(ShownChange(row, example, texts))
    return found


def _by_number(version: DatasetVersion, numbers: Iterable[int | None]) -> dict[int | None, Example]:
    examples = version.examples.filter(row_number__in=[each for each in numbers if each is not None])
    return {example.row_number: example for example in examples}


def _texts(row: RowChange, old: Example, new: Example) -> Iterator[tuple[str, WordChanges]]:
    """Word diffs of the changed fields. Metadata and preferences are compared in written form."""
    for name in row.fields:
        if name == "conversation":
            before, after = (_text_beside_turns(each) for each in (old, new))
        else:
            before, after = (
                " ".join(_text(getattr(each, column)) for column in FIELDS[name]) for each in (old, new)
            )
        yield name, word_changes(before, after)


def _text_beside_turns(example: Example) -> str:
    """The parts of a conversation outside the texts of its turns, which are compared separately."""
    if example.conversation is None:
        return ""
    return "\n".join(f"{each.label}: {each.text}" for each in beside_text(example.conversation).parts)


def _text(value: Any) -> str:
    """Messages as their texts, fields as "name: value"."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(_text(each["content"]) if _is_message(each) else _text(each) for each in value)
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_text(each)}" for name, each in sorted(value.items()))
    return json.dumps(value)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and "content" in value
