"""Span labels of a review: their format, the checks against the rubric, and quoting. Pure.

Offsets count Unicode code points of the output's exact text, like indexes of a Python ``str``: a family emoji
of four joined emojis counts seven, a letter with a combining accent two, CR LF two. The page's script counts
UTF-16 units and converts.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from evalapp.core.errors import InvalidError
from evalapp.core.strict_json import bad_character
from evalapp.rubrics.fields import NOT_APPLICABLE, SpanField
from evalapp.rubrics.models import Criterion

MOST_SPANS = 200
LONGEST_SPAN_COMMENT = 1_000
_LARGEST_OFFSET = 2**31 - 1
_SHOWN_WORDS = 60

ReportProblem = Callable[[str, str], None]
"""Called with a field and its problem."""


class Span(NamedTuple):
    """``label``: position among the criterion's options, from 1; ``text[start:end]`` is marked."""

    start: int
    end: int
    label: int
    comment: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"label": self.label, "start": self.start, "end": self.end, "comment": self.comment}


class CheckedSpan(NamedTuple):
    criterion_id: int
    label: int
    start: int
    end: int
    comment: str


class _SubmittedAnswers(Protocol):
    """The parts of ``ReviewAnswers`` used here."""

    @property
    def scores(self) -> Mapping[str, Any]: ...
    @property
    def spans(self) -> Mapping[str, Sequence[Span]]: ...


def spans_as_json(spans: Mapping[str, Sequence[Span]]) -> dict[str, list[dict[str, Any]]]:
    """Spans as plain JSON, equal for equal spans; criteria without spans are left out."""
    return {key: [span.as_dict() for span in sorted(given)] for key, given in sorted(spans.items()) if given}


def read_spans(raw: object, report: ReportProblem) -> dict[str, tuple[Span, ...]]:
    """Spans from decoded JSON, ``{criterion: [{"label", "start", "end", "comment"}]}``. A wrong structure is
    reported and then not read; rubric and text are not checked yet.
    """
    if not isinstance(raw, dict) or not all(isinstance(given, list) for given in raw.values()):
        report("spans", "spans must be an object of criteria, each with a list of marks.")
        return {}
    if sum(map(len, raw.values())) > MOST_SPANS:
        report("spans", f"one answer has at most {MOST_SPANS} marks. Remove some.")
        return {}
    read: dict[str, tuple[Span, ...]] = {}
    for key, given in raw.items():
        spans = [_read_span(each) for each in given]
        if None in spans:
            report(
                f"spans.{_shown(key)}",
                'a mark is {"label": its number, "start": offset, "end": offset, "comment": text}, '
                "with whole numbers from 0.",
            )
        else:
            read[key] = tuple(span for span in spans if span is not None)
    return read


def _read_span(raw: object) -> Span | None:
    if not isinstance(raw, dict) or not set(raw) <= {"label", "start", "end", "comment"}:
        return None
    numbers = [raw.get(name) for name in ("start", "end", "label")]
    comment = raw.get("comment", "")
    if not isinstance(comment, str) or not all(_is_offset(number) for number in numbers):
        return None
    start, end, label = (number for number in numbers if isinstance(number, int))
    return Span(start, end, label, comment)


def _is_offset(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_OFFSET


def _shown(value: object) -> str:
    return str(value)[:40].encode("ascii", "replace").decode()


def checked_spans(
    answers: _SubmittedAnswers,
    *,
    criteria: Mapping[str, Criterion],
    asked: set[str],
    length: int | None,
    report: ReportProblem,
) -> tuple[list[CheckedSpan], list[Criterion]]:
    """The spans as rows, and the criteria answered with "nothing to mark".

    ``length``: of the output in code points (None: unknown, ends are not checked). Problems are reported
    under ``spans.<criterion>``.
    """
    for key in answers.spans:
        if key not in criteria or criteria[key].rules.answered_by != "marks":
            report(f"spans.{_shown(key)}", f"“{_shown(key)}” is not a span criterion of this rubric.")
    rows: list[CheckedSpan] = []
    nothing: list[Criterion] = []
    for key, criterion in criteria.items():
        if criterion.rules.answered_by != "marks" or key not in asked:
            continue
        spans = answers.spans.get(key, ())
        for problem in _problems(criterion, spans, length):
            report(f"spans.{key}", problem)
        rows += [CheckedSpan(criterion.pk, s.label, s.start, s.end, s.comment.strip()) for s in spans]
        score = answers.scores.get(key)
        if score is None:
            if criterion.is_required and not spans:
                otherwise = ", or say that there is nothing" if criterion.allows_not_applicable else ""
                report(f"spans.{key}", f"{criterion.name} is required. Mark at least one span{otherwise}.")
        elif score != NOT_APPLICABLE:
            report(f"scores.{key}", f"{criterion.name} is marked in the answer: send it in spans, or “na”.")
        elif not criterion.allows_not_applicable:
            report(f"scores.{key}", f"{criterion.name} cannot be “nothing to mark”. Mark a span.")
        elif spans:
            report(
                f"spans.{key}", f"{criterion.name} has marks and “nothing to mark”. Remove one of the two."
            )
        else:
            nothing.append(criterion)
    return rows, nothing


def _problems(criterion: Criterion, spans: Sequence[Span], length: int | None) -> Iterator[str]:
    seen: set[tuple[int, int, int]] = set()
    for span in spans:
        where = f"the mark from {span.start} to {span.end}"
        if not 1 <= span.label <= len(criterion.options):
            yield f"{where} has label {span.label}; {criterion.name} has 1 to {len(criterion.options)}."
        if span.end <= span.start:
            yield f"{where} is empty: its end must be after its start."
        elif length is not None and span.end > length:
            yield f"{where} reaches beyond the answer, which has {length:,} characters."
        if span[:3] in seen:
            yield f"{where} is given twice with one label. Remove one."
        seen.add(span[:3])
        if len(span.comment) > LONGEST_SPAN_COMMENT:
            yield f"the comment on {where} is longer than {LONGEST_SPAN_COMMENT:,} characters. Shorten it."
        if bad := bad_character(span.comment):
            yield f"the comment on {where} has {bad}. Remove it."


class ShownSpan(NamedTuple):
    """A span for display, with its label and its words."""

    criterion: Criterion
    label: str
    is_undesired: bool
    span: Span
    quote: str


def shown_spans(criterion: Criterion, spans: Iterable[Span], text: str) -> list[ShownSpan]:
    """The spans of one criterion in reading order, each with its words in the output."""
    return [
        ShownSpan(criterion, *_label(criterion, span.label), span, text[span.start : span.end])
        for span in sorted(spans)
    ]


def _label(criterion: Criterion, number: int) -> tuple[str, bool]:
    if not 1 <= number <= len(criterion.options):
        return f"label {number}", False
    option = criterion.options[number - 1]
    return str(option["label"]), bool(option["is_undesired"])


def span_fields(criterion: Criterion, spans: Iterable[Span], text: str) -> list[SpanField]:
    """The spans as fields of the review form."""
    return [
        SpanField(json.dumps(each.span.as_dict()), each.span.label, each.label, each.quote, each.span.comment)
        for each in shown_spans(criterion, spans, text)
    ]


def span_from_quote(text: str, *, words: str, occurrence: int, label: int, comment: str, field: str) -> Span:
    """A span on the ``occurrence``-th occurrence of the words in the text (from 1), counted without overlap.
    Raises InvalidError for ``field``.
    """
    start = end = 0
    shown = words if len(words) <= _SHOWN_WORDS else f"{words[:_SHOWN_WORDS]}…"
    for found in range(occurrence):
        start = text.find(words, end) if words else -1
        if start < 0:
            raise InvalidError(
                f"“{shown}” occurs in the answer only {found} time{'s' if found > 1 else ''}. Choose an"
                " earlier occurrence."
                if found
                else f"“{shown}” is not in the answer. Quote it exactly as it is written there.",
                field=field,
            )
        end = start + len(words)
    return Span(start, end, label, comment)
