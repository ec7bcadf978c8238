"""Searches a version's rows by words. Large versions are searched by an index, which the health check builds
so that an import need not wait for it.
"""

from typing import NamedTuple

from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db import connection
from django.db.models import F, Func, QuerySet

from evalapp.datasets.models import DatasetVersion, Example

MOST_ROWS_WITHOUT_INDEX = 20_000
LONGEST_SEARCH = 200
MOST_NAMED_ROWS = 500
_FILL_INDEX = """
INSERT INTO evalapp_rowtext (example_id, words)
SELECT id, evalapp_words_of_row(messages, "references", metadata, concat_ws(' ', label, group_key, context))
FROM evalapp_example WHERE version_id = %s
ON CONFLICT (example_id) DO NOTHING
"""


class _WordsOfRow(Func):
    function = "evalapp_words_of_row"
    output_field = SearchVectorField()


class _JoinedTexts(Func):
    """Texts joined by a space."""

    function = "concat_ws"
    template = "%(function)s(' ', %(expressions)s)"


class Search(NamedTuple):
    """Rows that contain all the words, or the ``problem`` that prevents a search."""

    rows: QuerySet[Example]
    problem: str = ""


def is_large(version: DatasetVersion) -> bool:
    """Whether the version has too many rows to be read during a request."""
    rows: int = sum(version.counts.values())
    return rows > MOST_ROWS_WITHOUT_INDEX


def index_rows(version: DatasetVersion) -> None:
    """Build the version's search index, unless it exists."""
    with connection.cursor() as cursor:
        cursor.execute(_FILL_INDEX, [version.pk])
        if cursor.rowcount:
            # The planner chooses between the index and a scan by how common each word is, and by how many
            # rows the version has: just after an import it takes these for few.
            cursor.execute("ANALYZE (SKIP_LOCKED) evalapp_rowtext, evalapp_example")


def search_rows(version: DatasetVersion, rows: QuerySet[Example], text: str) -> Search:
    """Those of the version's ``rows`` that contain all words of ``text``, ignoring case; "two words" in
    quotation marks must be adjacent, and a word after a minus must be absent.
    """
    text = text.replace("\x00", "")[:LONGEST_SEARCH]
    if not text.strip():
        return Search(rows)
    words = SearchQuery(text, config="simple", search_type="websearch")
    if not is_large(version):
        others = _JoinedTexts(F("label"), F("group_key"), F("context"))
        found = rows.alias(found=_WordsOfRow(F("messages"), F("references"), F("metadata"), others))
        return Search(found.filter(found=words))
    if _is_indexed(version):
        return Search(_found(version, rows, words))
    return Search(
        rows.none(),
        f"A version of more than {MOST_ROWS_WITHOUT_INDEX:,} rows can be searched after its health check.",
    )


def _found(version: DatasetVersion, rows: QuerySet[Example], words: SearchQuery) -> QuerySet[Example]:
    """Rows that contain the words. PostgreSQL estimates any word outside its list of the most common at one
    row in 200, and scans all rows in order for it. So a small result is passed as a list of ids; for a large
    one such a scan soon fills a page.
    """
    found = version.examples.filter(text__words=words).order_by()
    few = list(found.values_list("pk", flat=True)[: MOST_NAMED_ROWS + 1])
    return rows.filter(text__words=words) if len(few) > MOST_NAMED_ROWS else rows.filter(pk__in=few)


def _is_indexed(version: DatasetVersion) -> bool:
    # The health check fills the index in one statement: one indexed row means that all are.
    return version.examples.filter(text__isnull=False)[:1].exists()
