"""Moves positions in texts whose length an erasure changes, so that they still refer to the same words."""

from collections.abc import Mapping
from typing import Any

from evalapp.data_protection.person import Person
from evalapp.datasets.models import Example
from evalapp.datasets.row_changes import text_at
from evalapp.datasets.rows import example_row
from evalapp.reviews.models import Draft, ReviewRevision, SpanAnswer
from evalapp.runs.models import Output
from evalapp.scoring.models import MetricResult


def move_span_labels(output: Output, person: Person) -> None:
    """Move the span labels of an output's reviews, drafts and earlier revisions, and the spans found by rule
    checks.

    The output must still have its old text.
    """
    text = output.text
    seen: dict[tuple[int, int, int, int, int], SpanAnswer] = {}
    spans = SpanAnswer.objects.select_for_update(of=["self"])
    for span in spans.filter(review__item_output__output=output).order_by("pk"):
        start, end = person.moved(text, span.start, span.end)
        key = (span.review_id, span.criterion_id, span.label, start, end)
        if key in seen:
            # Two parts of the person's text had the same label; both are now the same span.
            _join(seen[key], span)
            continue
        seen[key] = span
        if (start, end) != (span.start, span.end):
            SpanAnswer.objects.filter(pk=span.pk).update(start=start, end=end)
    for model in (Draft, ReviewRevision):
        path = "item_output__output" if model is Draft else "review__item_output__output"
        for each in model._default_manager.select_for_update(of=["self"]).filter(**{path: output}):
            body = _moved_body(each.body, text, person)
            if body != each.body:
                model._default_manager.filter(pk=each.pk).update(body=body)
    for result in MetricResult.objects.filter(output=output, detail__has_key="spans"):
        moved = [[*person.moved(text, start, end), *rest] for start, end, *rest in result.detail["spans"]]
        MetricResult.objects.filter(pk=result.pk).update(detail={**result.detail, "spans": moved})


def move_finding_spans(example: Example, person: Person) -> None:
    """Move the spans of a row's findings. The row must still have its old texts."""
    row = example_row(example)
    for finding in example.findings.exclude(spans=[]):
        spans = []
        for span in finding.spans:
            start, end = person.moved(text_at(row, span["field"]), span["start"], span["end"])
            spans.append({**span, "start": start, "end": end})
        if spans != finding.spans:
            type(finding)._default_manager.filter(pk=finding.pk).update(spans=spans)


def _join(kept: SpanAnswer, other: SpanAnswer) -> None:
    comments = [comment for comment in (kept.comment, other.comment) if comment]
    kept.comment = " ".join(dict.fromkeys(comments))
    SpanAnswer.objects.filter(pk=kept.pk).update(comment=kept.comment)
    other.delete()


def _moved_body(body: Mapping[str, Any], text: str, person: Person) -> dict[str, Any]:
    spans = body.get("spans")
    if not isinstance(spans, dict):
        return dict(body)
    moved = {
        criterion: [
            {
                **mark,
                **dict(zip(("start", "end"), person.moved(text, mark["start"], mark["end"]), strict=True)),
            }
            for mark in marks
        ]
        for criterion, marks in spans.items()
    }
    return {**body, "spans": moved}
