"""What clients were told is stored, and whether exactly that is in the tables."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import namedtuple_row

_STORED = """
SELECT r.client_id::text AS client_id, u.email AS reviewer, r.revision, r.comment,
    (SELECT c.text FROM evalapp_correction c WHERE c.review_id = r.id) AS correction,
    (SELECT jsonb_object_agg(k.key, s.value) FROM evalapp_score s
     JOIN evalapp_criterion k ON k.id = s.criterion_id WHERE s.review_id = r.id) AS scores,
    (SELECT count(*) FROM evalapp_score s WHERE s.review_id = r.id) AS scores_count,
    (SELECT jsonb_agg(k.key || '/' || t.key ORDER BY t.key) FROM evalapp_reviewtag g
     JOIN evalapp_reasontag t ON t.id = g.tag_id JOIN evalapp_criterion k ON k.id = t.criterion_id
     WHERE g.review_id = r.id) AS tags,
    '/reviews/' || p.key || '/' || (array_position(p.outputs_order, r.item_output_id) - 1) || '/' AS address
FROM evalapp_review r JOIN evalapp_user u ON u.id = r.reviewer_id JOIN evalapp_assignment p
    ON p.id = r.assignment_id
"""

# Each counts what must not be there.
_CONTRADICTIONS = {
    "outputs reviewed more or less often than the overlap": (
        """
        SELECT count(*) FROM (SELECT o.id FROM evalapp_itemoutput o
            JOIN evalapp_item i ON i.id = o.item_id JOIN evalapp_campaign c ON c.id = i.campaign_id
            LEFT JOIN evalapp_review r ON r.item_output_id = o.id
            GROUP BY o.id, i.overlap
            HAVING count(r.id) <> i.overlap OR count(DISTINCT r.reviewer_id) <> i.overlap) wrong"""
    ),
    "assignments that are not complete, or whose counts differ from their reviews": (
        """
        SELECT count(*) FROM (SELECT p.id FROM evalapp_assignment p
            LEFT JOIN evalapp_review r ON r.assignment_id = p.id
            GROUP BY p.id HAVING p.state <> 'submitted' OR count(r.id) <> p.reviews_done
                OR count(r.id) <> p.outputs_total OR bool_or(r.reviewer_id <> p.reviewer_id)) wrong"""
    ),
    "items reviewed at two assignments by one reviewer": (
        """
        SELECT count(*) FROM (SELECT 1 FROM evalapp_review r JOIN evalapp_assignment p
            ON p.id = r.assignment_id
            GROUP BY p.item_id, r.reviewer_id HAVING count(DISTINCT p.id) > 1) wrong"""
    ),
    "reviewers whose counter differs from their reviews": (
        """
        SELECT count(*) FROM (SELECT s.id FROM evalapp_campaignreviewer s
            LEFT JOIN evalapp_review r ON r.campaign_id = s.campaign_id AND r.reviewer_id = s.user_id
            GROUP BY s.id HAVING count(r.id) <> s.reviews_done) wrong"""
    ),
    "reviews without exactly one audit event of their submission": (
        """
        SELECT count(*) FROM (SELECT r.id FROM evalapp_review r
            LEFT JOIN evalapp_auditevent e ON e.object_type = 'review' AND e.object_id = r.id
                AND e.action = 'review.submitted' AND e.actor_id = r.reviewer_id
            GROUP BY r.id HAVING count(e.id) <> 1) wrong"""
    ),
    "reviews whose amendments, revisions and audit events differ in number": (
        """
        SELECT count(*) FROM (SELECT r.id FROM evalapp_review r WHERE r.revision - 1 <>
            (SELECT count(*) FROM evalapp_reviewrevision v WHERE v.review_id = r.id) OR r.revision - 1 <>
            (SELECT count(*) FROM evalapp_auditevent e WHERE e.object_type = 'review'
                AND e.object_id = r.id AND e.action = 'review.amended')) wrong"""
    ),
    "audit events of reviews that are not there": (
        """
        SELECT count(*) FROM evalapp_auditevent e LEFT JOIN evalapp_review r ON r.id = e.object_id
        WHERE e.object_type = 'review' AND r.id IS NULL"""
    ),
    "drafts of outputs that their writer has submitted": (
        """
        SELECT count(*) FROM evalapp_draft d JOIN evalapp_review r
            ON r.item_output_id = d.item_output_id AND r.reviewer_id = d.reviewer_id"""
    ),
}

_IMPORTS = """
SELECT j.id, j.state, j.attempt, j.result,
    (SELECT count(*) FROM evalapp_datasetversion v WHERE v.job_id = j.id) AS versions,
    (SELECT count(*) FROM evalapp_example e JOIN evalapp_datasetversion v ON v.id = e.version_id
     WHERE v.job_id = j.id) AS examples,
    (SELECT count(DISTINCT e.row_number) FROM evalapp_example e JOIN evalapp_datasetversion v
     ON v.id = e.version_id WHERE v.job_id = j.id AND e.row_number BETWEEN 1 AND %(rows)s) AS row_numbers
FROM evalapp_job j WHERE j.id = ANY(%(jobs)s)
"""


class Entry(NamedTuple):
    """A submission that the server said it has stored, as it should be found."""

    client_id: str
    reviewer: str
    address: str
    revision: int
    answers: dict[str, Any]


@dataclass
class Ledger:
    """Written by many clients at once."""

    entries: dict[str, Entry] = field(default_factory=dict)
    amended: int = 0
    replayed: int = 0
    longest_gap: float = 0.0
    _latest: float | None = None
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def acknowledged(self, entry: Entry) -> None:
        with self._lock:
            now = time.monotonic()
            if self._latest is not None:
                self.longest_gap = max(self.longest_gap, now - self._latest)
            self._latest = now
            self.amended += entry.revision > 1
            self.entries[entry.client_id] = entry
            self._lock.notify_all()

    def count_replay(self) -> None:
        with self._lock:
            self.replayed += 1

    def wait_for_more(self, count: int, seconds: float) -> None:
        """Return when so many more submissions have been acknowledged."""
        with self._lock:
            wanted = len(self.entries) + count
            came = self._lock.wait_for(lambda: len(self.entries) >= wanted, seconds)
        assert came, f"not within {seconds} s: {count} more reviews; {len(self.entries)} are in"

    def compare(self, database_url: str) -> None:
        """Fail unless the tables hold exactly the acknowledged reviews, and agree with one another."""
        with psycopg.connect(database_url, row_factory=namedtuple_row) as connection:
            rows = connection.execute(_STORED).fetchall()
            contradictions = {
                what: count
                for what, query in _CONTRADICTIONS.items()
                if (count := connection.execute(query).fetchone()[0])
            }
        stored = {row.client_id: row for row in rows}
        assert len(stored) == len(rows), "a client_id is stored twice"
        lost = self.entries.keys() - stored.keys()
        unknown = stored.keys() - self.entries.keys()
        assert (lost, unknown) == (set(), set())
        for client_id, entry in self.entries.items():
            assert _as_sent(stored[client_id]) == entry
        assert contradictions == {}


def _as_sent(row: Any) -> Entry:
    assert len(row.scores) == row.scores_count
    tags: dict[str, list[str]] = {}
    for named in row.tags or ():
        criterion, _, tag = named.partition("/")
        tags.setdefault(criterion, []).append(tag)
    answers = {"scores": row.scores, "tags": tags, "comment": row.comment, "correction": row.correction}
    return Entry(row.client_id, row.reviewer, row.address, row.revision, answers)


def check_imports(database_url: str, jobs: list[int], rows: int) -> int:
    """Each import succeeded once and its version is whole; how many attempts all of them took."""
    with psycopg.connect(database_url, row_factory=namedtuple_row) as connection:
        found = connection.execute(_IMPORTS, {"jobs": jobs, "rows": rows}).fetchall()
    assert len(found) == len(jobs)
    for job in found:
        assert (job.state, job.versions, job.examples, job.row_numbers) == ("succeeded", 1, rows, rows), job
        assert job.result["rows"] == rows
    return sum(job.attempt for job in found)
