"""Feedback as files: each appears whole or not at all, with its row count and SHA-256."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from evalapp.adjudication.models import Adjudication
from evalapp.core.spreadsheets import csv_line
from evalapp.exports.models import ExportRow
from evalapp.reviews.models import Review, Score
from evalapp.reviews.pseudonyms import ReviewerNames
from evalapp.reviews.queries import spans_of
from evalapp.reviews.spans import shown_spans
from evalapp.rubrics.models import Criterion


class WrittenFile(NamedTuple):
    """``rows`` counts records, without a header; ``sha256`` and ``size`` (bytes) are of the whole file."""

    name: str
    rows: int
    sha256: str
    size: int


def write_lines(folder: Path, name: str, lines: Iterable[str], *, headers: int = 0) -> WrittenFile:
    """Write records to ``folder/name`` through a temporary file, fsync and rename.

    The first ``headers`` of the lines are not counted as rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    digest, rows, size = hashlib.sha256(), 0, 0
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            for line in lines:
                data = line.encode()
                digest.update(data)
                file.write(data)
                size += len(data)
                rows += 1
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(folder / name)
    except BaseException:
        Path(temporary).unlink()
        raise
    return WrittenFile(name, rows - headers, digest.hexdigest(), size)


def answer_lines(rows: Iterable[ExportRow]) -> Iterator[str]:
    """Conversational prompt and completion, the canonical training row."""
    for row in rows:
        yield _json_line(
            {
                "prompt": row.example.messages,
                "completion": [{"role": "assistant", "content": answer_text(row)}],
                "provenance": provenance(row),
            }
        )


def preference_lines(rows: Iterable[ExportRow]) -> Iterator[str]:
    for row in rows:
        if row.rejected_output is None:
            continue
        yield _json_line(
            {
                "prompt": row.example.messages,
                "chosen": [{"role": "assistant", "content": answer_text(row)}],
                "rejected": [{"role": "assistant", "content": row.rejected_output.text}],
                "provenance": provenance(row),
            }
        )


def rated_lines(rows: Iterable[ExportRow]) -> Iterator[str]:
    """Single answers with whether each is one to give."""
    for row in rows:
        yield _json_line(
            {
                "prompt": row.example.messages,
                "completion": [{"role": "assistant", "content": row.chosen_text}],
                "label": row.is_good,
                "provenance": provenance(row),
            }
        )


RATING_COLUMNS = [
    "example_row", "split", "candidate", "reviewer", "simulated", "criterion", "value", "not_applicable",
    "reason_tags", "comment", "correction", "seconds_active", "submitted_at", "spans", "adjudicated",
]  # fmt: skip


def rating_lines(
    reviews: Iterable[Review],
    names: ReviewerNames,
    decided: Mapping[tuple[int, int], Adjudication] | None = None,
) -> Iterator[str]:
    """One CSV line an answer to a criterion, with the header first. Reviewers are called as on the pages.
    ``decided``: by output and criterion, what was adjudicated; it stands beside each answer that it is about.
    ``spans`` is JSON: what was marked for a span criterion, of which ``value`` is how much; offsets count the
    code points of the output's text.
    """
    yield csv_line(RATING_COLUMNS)
    for review in reviews:
        name = names.of(review.reviewer_id)
        correction = getattr(review, "correction", None)
        example = review.rated.item.example
        tags: dict[int, list[str]] = {}
        for given in review.tags.all():
            tags.setdefault(given.tag.criterion_id, []).append(given.tag.label)
        answers = [
            *((score.criterion, _value(score), score.is_not_applicable) for score in review.scores.all()),
            *((given.criterion, given.text, False) for given in review.texts.all()),
        ]
        marks = _marks(review)
        answers += [(criterion, len(given), False) for criterion, given in marks.values()]
        for criterion, value, is_not_applicable in answers:
            yield csv_line(
                [
                    example.row_number,
                    example.split,
                    review.rated.candidate.model_version.label,
                    name,
                    int(review.is_simulated),
                    criterion.key,
                    value,
                    int(is_not_applicable),
                    "; ".join(tags.get(criterion.pk, [])),
                    review.comment,
                    correction.text if correction else "",
                    round(review.seconds_active, 1),
                    review.submitted_at.isoformat(),
                    _json(marks[criterion.pk][1]) if criterion.pk in marks else "",
                    _adjudicated((decided or {}).get((review.subject_id, criterion.pk))),
                ]
            )


def _marks(review: Review) -> dict[int, tuple[Criterion, list[dict[str, Any]]]]:
    """By span criterion: its marks in reading order, each with its label in words and what it stands on."""
    spans = spans_of(review)
    text = review.rated.output.text if spans else ""
    criteria = {each.criterion.key: each.criterion for each in review.spans.all()}
    return {
        criterion.pk: (
            criterion,
            [
                {**each.span.as_dict(), "label": each.label, "text": each.quote}
                for each in shown_spans(criterion, spans[key], text)
            ],
        )
        for key, criterion in criteria.items()
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _value(score: Score) -> float | str:
    return "" if score.value is None else score.criterion.rules.exported(score.value)


def _adjudicated(decision: Adjudication | None) -> float | str:
    if decision is None:
        return ""
    return decision.words if decision.value is None else decision.criterion.rules.exported(decision.value)


def answer_text(row: ExportRow) -> str:
    return row.edited_text or row.chosen_text


def provenance(row: ExportRow) -> dict[str, Any]:
    """Where the row came from, in ids that the product's pages can open."""
    return {
        "export": row.export_id,
        "export_row": row.pk,
        "review": row.review_id,
        "example": row.example_id,
        "rejected_output": row.rejected_output_id,
        "chosen_output": row.chosen_output_id,
        "decision": row.decision,
        "decided_by": row.decided_by_id,
        "simulated": row.review.is_simulated if row.review is not None else row.export.is_simulated,
    }


def _json_line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
