"""Matches rows of a new version to earlier rows of its dataset, in the database.

A row's key is a number that identifies it in every version and that no other row of the dataset has. Rows of
the first version have their row numbers as keys.
"""

from typing import Any

from django.db import connection

from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.queries import versions_of
from evalapp.imports.mapping import id_columns

# Of the first rows some may have lost their names.
_SAMPLED_ROWS = 100
# Match order: rows with the same content, rows that differ only in split, rows with the same name, then rows
# with the same prompt where either has no name. Where several rows match, they are paired in order. Texts are
# read only of rows that differ.
_ASSIGN_KEYS = """
WITH earlier AS (
    SELECT DISTINCT ON (x.row_key) x.id
    FROM evalapp_example x JOIN evalapp_datasetversion v ON v.id = x.version_id
    WHERE v.dataset_id = %(dataset)s AND v.state = 'ready'
    ORDER BY x.row_key, v.number DESC
),
known AS (
    SELECT row_key FROM evalapp_example WHERE version_id = %(version)s AND row_key IS NOT NULL
),
numbered AS (
    SELECT x.id, x.version_id = %(version)s AS is_now, x.content_hash,
           row_number() OVER (PARTITION BY x.version_id = %(version)s, x.content_hash
                              ORDER BY x.version_id DESC, x.row_number) AS turn
    FROM evalapp_example x
    WHERE (x.version_id = %(version)s AND x.row_key IS NULL)
        OR (x.id IN (SELECT id FROM earlier) AND x.row_key NOT IN (SELECT row_key FROM known))
),
same AS (
    SELECT n.id AS now, b.id AS before FROM (SELECT * FROM numbered WHERE is_now) n
    FULL JOIN (SELECT * FROM numbered WHERE NOT is_now) b USING (content_hash, turn)
),
bodies AS (
    SELECT x.id, x.version_id = %(version)s AS is_now, x.row_number, x.version_id,
           coalesce(nullif(metadata ->> %(field)s, ''), prompt_hash) AS name,
           prompt_hash, coalesce(metadata ->> %(field)s, '') <> '' AS is_named,
           md5(concat_ws(' ', messages, "references", label, context, metadata, group_key, pairs, rated,
                         conversation))
               AS body
    FROM evalapp_example x
    JOIN (SELECT coalesce(now, before) AS id FROM same WHERE now IS NULL OR before IS NULL) differing
        USING (id)
),
turned AS (
    SELECT *, row_number() OVER (PARTITION BY is_now, name, body ORDER BY version_id DESC, row_number) AS turn
    FROM bodies
),
moved AS (
    SELECT n.id AS now, b.id AS before FROM (SELECT * FROM turned WHERE is_now) n
    JOIN (SELECT * FROM turned WHERE NOT is_now) b USING (name, body, turn)
),
others AS (
    SELECT *, row_number() OVER (PARTITION BY is_now, name ORDER BY version_id DESC, row_number) AS place
    FROM bodies WHERE id NOT IN (SELECT now FROM moved UNION ALL SELECT before FROM moved)
),
named AS (
    SELECT n.id AS now, b.id AS before FROM (SELECT * FROM others WHERE is_now) n
    JOIN (SELECT * FROM others WHERE NOT is_now) b USING (name, place)
),
left_over AS (
    SELECT *, row_number() OVER (PARTITION BY is_now, prompt_hash
                                 ORDER BY is_named = is_now, version_id DESC, row_number) AS turn
    FROM others WHERE id NOT IN (SELECT now FROM named UNION ALL SELECT before FROM named)
),
matched AS (
    SELECT now, before FROM same WHERE now IS NOT NULL AND before IS NOT NULL
    UNION ALL SELECT now, before FROM moved
    UNION ALL SELECT now, before FROM named
    UNION ALL
    SELECT n.id, b.id FROM (SELECT * FROM left_over WHERE is_now) n
    JOIN (SELECT * FROM left_over WHERE NOT is_now) b USING (prompt_hash, turn)
    WHERE NOT (n.is_named AND b.is_named)
),
keyed AS (
    SELECT x.id, coalesce(b.row_key, %(last)s + row_number() OVER (PARTITION BY b.row_key IS NULL
                                                                   ORDER BY x.row_number)) AS row_key
    FROM evalapp_example x
    LEFT JOIN matched ON matched.now = x.id
    LEFT JOIN evalapp_example b ON b.id = matched.before
    WHERE x.version_id = %(version)s AND x.row_key IS NULL
)
UPDATE evalapp_example x SET row_key = keyed.row_key FROM keyed WHERE x.id = keyed.id
"""
_SELECT_LAST_KEY = """
SELECT coalesce(max(latest.row_key), 0) FROM evalapp_datasetversion v, LATERAL (
    SELECT x.row_key FROM evalapp_example x
    WHERE x.version_id = v.id AND x.row_key IS NOT NULL ORDER BY x.row_key DESC LIMIT 1
) AS latest
WHERE v.dataset_id = %(dataset)s
"""


def assign_row_keys(version: DatasetVersion) -> None:
    """Give the rows of an unfinished version that have none their keys: a row is an earlier one of the
    dataset that has the same name, by a metadata field that is called like an id in both, or where either
    has none the same prompt; of several, those of the same content first. Other rows get new keys.

    Call inside the transaction that writes the version, with its dataset locked.
    """
    parameters: dict[str, Any] = {
        "version": version.pk,
        "dataset": version.dataset_id,
        "field": _naming_field(version),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SELECT_LAST_KEY, parameters)
        (last,) = cursor.fetchone() or (0,)
        # The planner has no statistics for the new rows and would join them one by one.
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(_ASSIGN_KEYS, {**parameters, "last": last})
        cursor.execute("SET LOCAL enable_nestloop = on")


def _naming_field(version: DatasetVersion) -> str:
    """The field by which rows of the version and of the one before it are named; "" without one."""
    before = versions_of(version.dataset).filter(number__lt=version.number).order_by("-number").first()
    if before is None:
        return ""
    fields, others = (
        {
            name
            for metadata in each.examples.order_by("row_number").values_list("metadata", flat=True)[
                :_SAMPLED_ROWS
            ]
            for name in metadata
        }
        for each in (version, before)
    )
    return next(iter(id_columns(fields & others)), "")
