"""Label Studio's tasks with their annotations: lists of results as values, words and spans of the answers.
Pure.

{"id": 1, "data": {…}, "annotations": [{"completed_by": 5, "lead_time": 12.5, "result": [
{"from_name": "accuracy", "to_name": "answer", "type": "rating", "value": {"rating": 4}}]}]}.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalapp.imports.problems import FieldProblem
from evalapp.imports.source_rows import Source
from evalapp.ratings.formats.tasks import Task, TaskFormat
from evalapp.ratings.records import (
    LONGEST_COMMENT,
    ParsedRow,
    Record,
    RecordProblemError,
    Refusal,
    ScaleEnds,
    SpanMark,
    Texts,
    name_of,
    refused,
    seconds_of,
    storable,
    timestamp_of,
)
from evalapp.ratings.spans import code_points, spans_of
from evalapp.rubrics.limits import HIGHEST_LEVEL, MOST_STEPS

NOT_APPLICABLE_SUFFIX = "-na"
REASONS_SUFFIX = "-reasons"
COMMENT, CORRECTION = "comment", "correction"
_COMMENTS = frozenset({COMMENT, "comments", "note", "notes", "feedback"})
_CORRECTIONS = frozenset({CORRECTION, "corrected", "rewrite"})
_LABELS = frozenset({"labels", "hypertextlabels", "paragraphlabels"})


@dataclass
class AnswerAnnotation:
    """What an annotation says of one answer."""

    values: list[tuple[str, Any]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    correction: str | None = None
    spans: list[SpanMark] = field(default_factory=list)
    scales: dict[str, ScaleEnds] = field(default_factory=dict)


@dataclass
class Annotation:
    """``by_answer``: name of the object tag → what is said of it. ``is_skipped``: its annotator gave none."""

    reviewer: str
    by_answer: dict[str, AnswerAnnotation] = field(default_factory=dict)
    remarks: list[FieldProblem] = field(default_factory=list)
    is_skipped: bool = False


def read_annotation(given: Any, place: str, answers: Mapping[str, str]) -> Annotation:
    """Read one annotation; ``answers``: object tag → text, in which spans are counted. Raises
    RecordProblemError.
    """
    if not isinstance(given, dict) or not isinstance(given.get("result"), list):
        raise RecordProblemError(
            FieldProblem(place, "This is not an annotation.", "It needs a list “result”.")
        )
    if given.get("was_cancelled"):
        remark = FieldProblem(place, "Its annotator skipped the task.", "It is left out.")
        return Annotation("", remarks=[remark], is_skipped=True)
    found = Annotation(_reviewer(given, place))
    problems: list[FieldProblem] = []
    for number, result in enumerate(given["result"], start=1):
        name = f"{place}.result[{number}]"
        try:
            _read_result(result, name, found, answers)
        except RecordProblemError as error:
            problems.extend(error.problems)
    if problems:
        raise RecordProblemError(*problems)
    return found


def _reviewer(given: Mapping[str, Any], place: str) -> str:
    """Who it is by: the pseudonym in the results' own remarks, which this product writes and which outlives
    an import into Label Studio, where ``completed_by`` becomes whoever imported; else that one's e-mail
    address where there is one, or number.
    """
    metas = (each.get("meta") for each in given["result"] if isinstance(each, dict))
    person = next(
        (meta["reviewer"] for meta in metas if isinstance(meta, dict) and meta.get("reviewer")), None
    )
    if person is None:
        person = given.get("completed_by")
    if isinstance(person, dict):
        person = person.get("email") or person.get("username") or person.get("id")
    if isinstance(person, list) and len(person) == 1:
        person = person[0]
    return name_of(person, f"{place}.completed_by", what="reviewer")


def _read_result(result: Any, name: str, found: Annotation, answers: Mapping[str, str]) -> None:
    if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
        raise RecordProblemError(FieldProblem(name, "This is not a result.", "Export the task again."))
    kind, value = result.get("type"), result["value"]
    target = str(result.get("to_name") or "")
    control = _control(result, name)
    on_answer = found.by_answer.setdefault(target, AnswerAnnotation())
    if kind in ("rating", "number") and (scale := _scale(result)) is not None:
        on_answer.scales[control] = scale
    if kind in _LABELS:
        mark = _span(value, kind, control, name, answers.get(target, ""))
        on_answer.spans.append(mark._replace(comment=_remark(result, name)))
    elif kind == "choices":
        _read_choices(value, control, name, on_answer)
    elif kind == "textarea":
        _read_text(value, control, name, on_answer)
    elif kind in ("rating", "number"):
        on_answer.values.append((control, _number(value.get(kind), name)))
    elif kind == "taxonomy" and isinstance(value.get("taxonomy"), list):
        paths = [" / ".join(map(str, path)) for path in value["taxonomy"] if isinstance(path, list)]
        on_answer.values.append((control, storable("; ".join(paths), name, LONGEST_COMMENT)))
    else:
        problem = f"Results of the type “{str(kind)[:40]}” are not read."
        found.remarks.append(
            FieldProblem(name, problem, "Only ratings, choices, texts, numbers and labels are read.")
        )
        if on_answer == AnswerAnnotation():
            del found.by_answer[target]


def _control(result: Mapping[str, Any], name: str) -> str:
    """The criterion: its name in the results' remarks, which this product writes, or that of the control."""
    control = name_of(result.get("from_name"), f"{name}.from_name", what="criterion")
    meta = result.get("meta")
    written = meta.get("criterion") if isinstance(meta, dict) else None
    if not written:
        return control
    suffix = next((end for end in (NOT_APPLICABLE_SUFFIX, REASONS_SUFFIX) if control.endswith(end)), "")
    return name_of(written, f"{name}.meta.criterion", what="criterion") + suffix


def _scale(result: Mapping[str, Any]) -> ScaleEnds | None:
    """The lowest and highest level, which is the best, and its steps, as this product writes them."""
    given = result.get("meta")
    meta = given if isinstance(given, dict) else {}
    bounds = meta.get("scale")
    if not (isinstance(bounds, list) and len(bounds) == 2 and all(type(each) is int for each in bounds)):
        return None
    low, high = bounds
    if not 0 <= low < high <= HIGHEST_LEVEL:
        return None
    steps = meta.get("steps_per_point")
    possible = steps if type(steps) is int and 1 <= steps <= MOST_STEPS else 1
    return ScaleEnds(low, high, meta.get("lower_is_better") is True, possible)


def _remark(result: Mapping[str, Any], name: str) -> str:
    """What somebody wrote about a region."""
    meta = result.get("meta")
    text = meta.get("text") if isinstance(meta, dict) else None
    return "\n".join(_texts(text, f"{name}.meta")) if text else ""


def _number(value: Any, name: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecordProblemError(FieldProblem(name, "The rating is not a number.", "Export the task again."))
    return value


def _texts(value: Any, name: str) -> Sequence[str]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise RecordProblemError(FieldProblem(name, "This is not a list of texts.", "Export the task again."))
    return [storable(each.strip(), name) for each in given if each.strip()]


def _read_choices(value: Mapping[str, Any], control: str, name: str, on_answer: AnswerAnnotation) -> None:
    chosen = _texts(value.get("choices"), name)
    if control.endswith(REASONS_SUFFIX):
        on_answer.comments.append(f"{control.removesuffix(REASONS_SUFFIX)}: {', '.join(chosen)}")
    elif control.endswith(NOT_APPLICABLE_SUFFIX):
        on_answer.values.append((control.removesuffix(NOT_APPLICABLE_SUFFIX), "N/A"))
    elif chosen:
        on_answer.values.append((control, "; ".join(chosen)))


def _read_text(value: Mapping[str, Any], control: str, name: str, on_answer: AnswerAnnotation) -> None:
    text = "\n".join(_texts(value.get("text"), name))
    if not text:
        return
    if control.casefold() in _COMMENTS:
        on_answer.comments.append(text)
    elif control.casefold() in _CORRECTIONS:
        on_answer.correction = text
    else:
        on_answer.values.append((control, text))


def _span(value: Mapping[str, Any], kind: str, control: str, name: str, answer: str) -> SpanMark:
    labels = _texts(value.get(kind), name)
    start, end = value.get("start"), value.get("end")
    # In hypertext these are paths into the page; only the words can be looked for there.
    places = [start, end] if kind == "labels" else [None, None]
    whole = [
        code_points(answer, place)
        if isinstance(place, int) and not isinstance(place, bool) and place >= 0
        else None
        for place in places
    ]
    given = {"text": value.get("text"), "label": "; ".join(labels) or control}
    if None not in whole:
        given |= {"start": whole[0], "end": whole[1]}
    mark = spans_of([given], name)[0]
    return mark._replace(field=name)


class LabelStudio(TaskFormat):
    name = "label_studio"
    label = "Label Studio, exported as JSON"
    advice = "In Label Studio, export the project as JSON (not JSON-MIN, which leaves out the annotators)."

    def suits(self, source: Source, first: Mapping[str, Any]) -> bool:
        return isinstance(first.get("annotations", first.get("completions")), list)

    def fields(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        data = row.get("data")
        return data if isinstance(data, dict) else {}

    def read_reviews(self, given: Mapping[str, Any], task: Task, texts: Texts) -> ParsedRow:
        annotations = given.get("annotations", given.get("completions"))
        if not isinstance(annotations, list):
            problem = "The task has no annotations."
            fix = "Export the project as JSON (not as JSON-MIN, which leaves out the annotators)."
            return refused(task.row, FieldProblem("annotations", problem, fix))
        records: list[Record] = []
        refusals: list[Refusal] = []
        remarks: list[FieldProblem] = []
        for number, each in enumerate(annotations, start=1):
            place = f"annotations[{number}]"
            try:
                annotation = read_annotation(each, place, task.answers)
                remarks.extend(annotation.remarks)
                if not annotation.is_skipped:
                    records.extend(_read_records(annotation, each, task, place))
            except RecordProblemError as error:
                refusals.append(Refusal(error.problems))
        return ParsedRow(task.row, texts, records, refusals, remarks)


def _read_records(
    annotation: Annotation, given: Mapping[str, Any], task: Task, place: str
) -> Iterator[Record]:
    """One record for each answer that the annotation speaks of; what names none goes to the only one."""
    seconds = seconds_of(given.get("lead_time"), f"{place}.lead_time")
    submitted = timestamp_of(given.get("created_at"), f"{place}.created_at")
    targets = list(annotation.by_answer)
    if not targets:
        raise RecordProblemError(
            FieldProblem(place, "The annotation has no supported result.", "Rate it, or remove it.")
        )
    for target in targets:
        on_answer = annotation.by_answer[target]
        candidate = task.candidate_for(target)
        if candidate is None:
            known = ", ".join(task.candidates)
            problem = f"“{target[:60]}” is not one of the answers ({known})."
            raise RecordProblemError(FieldProblem(f"{place}.result", problem, "Map the field that it names."))
        yield Record(
            row=task.row,
            item=task.item,
            candidate=candidate,
            reviewer=annotation.reviewer,
            values=on_answer.values,
            seconds=None if seconds is None else seconds / len(targets),
            submitted_at=submitted,
            comment="\n".join(on_answer.comments),
            correction=on_answer.correction,
            spans=on_answer.spans,
            place=f"{place}.",
            scales=on_answer.scales,
        )
