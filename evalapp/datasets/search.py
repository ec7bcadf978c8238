"""Rows of a version by the words in them. A version of many rows is searched by an index, which its health
check builds, so that an import does not wait for it.
"""

from typing import NamedTuple

from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db import connection
from django.db.models import F, Func, QuerySet

from evalapp.datasets.models import DatasetVersion, Example

MOST_ROWS_WITHOUT_INDEX = 20_000
LONGEST_SEARCH = 200
MOST_NAMED_ROWS = 2_000
_FILL = """
INSERT INTO evalapp_rowtext (example_id, words)
SELECT id, evalapp_words_of_row(messages, "references", metadata, concat_ws(' ', label, group_key, context))
FROM evalapp_example WHERE version_id = %s
ON CONFLICT (example_id) DO NOTHING
"""


class _WordsOfRow(Func):
    function = "evalapp_words_of_row"
    output_field = SearchVectorField()


class _Joined(Func):
    """Texts with a space between them."""

    function = "concat_ws"
    template = "%(function)s(' ', %(expressions)s)"


class Search(NamedTuple):
    """``rows`` that hold all the words; ``problem`` says why there is no search, where there is none."""

    rows: QuerySet[Example]
    problem: str = ""


def is_large(version: DatasetVersion) -> bool:
    """Whether its rows are too many to be read while somebody waits."""
    rows: int = sum(version.counts.values())
    return rows > MOST_ROWS_WITHOUT_INDEX


def index_rows(version: DatasetVersion) -> None:
    """Make the version's rows quick to search; nothing more where they are."""
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [version.pk])
        if cursor.rowcount:
            # How common each word is decides whether rows are found by the index or by walking through them.
            cursor.execute("ANALYZE (SKIP_LOCKED) evalapp_rowtext")


def searched(version: DatasetVersion, rows: QuerySet[Example], text: str) -> Search:
    """Those of the version's ``rows`` that hold all words of ``text``, capitals aside; "two words" in
    quotation marks stand side by side, and one after a minus is not there.
    """
    text = text.replace("\x00", "")[:LONGEST_SEARCH]
    if not text.strip():
        return Search(rows)
    words = SearchQuery(text, config="simple", search_type="websearch")
    if not is_large(version):
        others = _Joined(F("label"), F("group_key"), F("context"))
        found = rows.alias(found=_WordsOfRow(F("messages"), F("references"), F("metadata"), others))
        return Search(found.filter(found=words))
    if _is_indexed(version):
        return Search(_found(version, rows, words))
    return Search(
        rows.none(),
        f"A version of more than {MOST_ROWS_WITHOUT_INDEX:,} rows can be searched after its health check.",
    )


def _found(version: DatasetVersion, rows: QuerySet[Example], words: SearchQuery) -> QuerySet[Example]:
    """The database takes any word that is not among the commonest for one in 200 rows, and walks through all
    rows in their order for it. So few rows are named; of many, such a walk soon finds a page of them.
    """
    found = version.examples.filter(text__words=words).order_by()
    few = list(found.values_list("pk", flat=True)[: MOST_NAMED_ROWS + 1])
    return rows.filter(text__words=words) if len(few) > MOST_NAMED_ROWS else rows.filter(pk__in=few)


def _is_indexed(version: DatasetVersion) -> bool:
    # The check fills it in one statement: whoever has one row has all.
    return version.examples.filter(text__isnull=False)[:1].exists()
