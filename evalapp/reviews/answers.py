"""A reviewer's answers: read from JSON or a form, and checked against the rubric.

A rubric version in use is frozen, so its criteria are read once per process.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from evalapp.core.errors import MOST_PROBLEMS, InvalidError
from evalapp.core.names import has_visible
from evalapp.core.strict_json import bad_character
from evalapp.reviews.spans import CheckedSpan, Span, checked_spans, read_spans, spans_as_json
from evalapp.rubrics.fields import NOT_APPLICABLE
from evalapp.rubrics.models import Criterion, RubricVersion

LONGEST_COMMENT = 20_000
LONGEST_CORRECTION = 200_000
LONGEST_SKIP_REASON = 200
MOST_SECONDS = 24 * 3600.0
_BEYOND_ANY_LEVEL = 2**31

Answer = float | str


@dataclass(frozen=True)
class ReviewAnswers:
    """``scores``: criterion key → level (yes/no: 1/0) or "na"; unanswered criteria are left out. ``tags``:
    criterion key → keys of its reasons. ``correction``: the whole answer as it should have been, or None.
    ``texts``: key of a text criterion → its text. ``spans``: key of a span criterion → its marks; "na" in
    ``scores``: nothing to mark. Keys are those of the rubric version.
    """

    scores: Mapping[str, Answer] = field(default_factory=dict)
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    comment: str = ""
    correction: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    spans: Mapping[str, Sequence[Span]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The answers as plain JSON, equal for equal answers."""
        body = asdict(self)
        body["scores"] = dict(sorted(body["scores"].items()))
        body["tags"] = {key: sorted(tags) for key, tags in sorted(body["tags"].items()) if tags}
        body["texts"] = {key: text for key, text in sorted(body["texts"].items()) if text}
        body["spans"] = spans_as_json(self.spans)
        for name in ("texts", "spans"):
            # Left out if empty, so that fingerprints from before rubrics had texts and spans stay valid.
            if not body[name]:
                del body[name]
        return body

    def fingerprint(self) -> str:
        """SHA-256 of the answers; distinguishes a replay from another review in the same assignment."""
        text = json.dumps(self.as_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class RubricCriterion(NamedTuple):
    criterion: Criterion
    tag_ids: dict[str, int]

    @property
    def key(self) -> str:
        return self.criterion.key


class CheckedScore(NamedTuple):
    criterion_id: int
    value: int | None
    is_not_applicable: bool
    minimum: int
    maximum: int


class CheckedAnswers(NamedTuple):
    """Answers that the rubric allows, ready to store."""

    answers: ReviewAnswers
    scores: list[CheckedScore]
    tag_ids: list[int]
    texts: dict[int, str]
    spans: list[CheckedSpan]


def criteria_of(version: RubricVersion) -> list[RubricCriterion]:
    """The criteria with their tags; cached for a frozen version."""
    if version.frozen_at is None:
        return _read_criteria(version.pk)
    return _kept_criteria(version.pk)


@lru_cache(maxsize=256)
def _kept_criteria(version_id: int) -> list[RubricCriterion]:
    return _read_criteria(version_id)


def _read_criteria(version_id: int) -> list[RubricCriterion]:
    criteria = (
        Criterion.objects.filter(version=version_id).prefetch_related("reason_tags").order_by("position")
    )
    return [
        RubricCriterion(criterion, {tag.key: tag.pk for tag in criterion.reason_tags.all()})
        for criterion in criteria
    ]


class _Problems:
    """Collects problems, so that a person can fix them together; raises after MOST_PROBLEMS."""

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        self.count = 0

    def add(self, name: str, message: str) -> None:
        self.fields.setdefault(name, []).append(message)
        self.count += 1
        if self.count == MOST_PROBLEMS:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        if self.fields:
            first = next(iter(self.fields.values()))[0]
            more = f" ({self.count - 1} more)" if self.count > 1 else ""
            raise InvalidError(f"The review was not stored: {first}{more}", fields=self.fields)


def check_answers(
    answers: ReviewAnswers,
    *,
    criteria: Sequence[RubricCriterion],
    allows_corrections: bool = True,
    output_text: str | None = None,
) -> CheckedAnswers:
    """The answers as rows. Raises InvalidError with all invalid fields.

    Fields are named ``scores.<criterion>``, ``tags.<criterion>``, ``texts.<criterion>``,
    ``spans.<criterion>``, ``comment`` and ``correction``. Spans are checked against ``output_text`` if it is
    given. A correction equal to the output counts as none.
    """
    problems = _Problems()
    known = {each.key: each for each in criteria}
    for key in answers.scores:
        if key not in known:
            problems.add(f"scores.{_shown(key)}", f"this rubric has no criterion “{_shown(key)}”.")
    asked = asked_keys(criteria, answers.scores)
    for key in (*answers.scores, *answers.tags, *answers.texts, *answers.spans):
        if key in known and key not in asked:
            problems.add(f"scores.{key}", f"{known[key].criterion.name} is not asked here. Leave it out.")
    scores = [
        score
        for each in criteria
        if each.key in asked
        and each.criterion.is_rated
        and (score := _checked_score(each.criterion, answers, problems)) is not None
    ]
    tag_ids = _checked_tags(answers, known, problems)
    texts = _checked_texts(answers, known, asked, problems)
    spans, nothing = checked_spans(
        answers,
        criteria={each.key: each.criterion for each in criteria},
        asked=asked,
        length=None if output_text is None else len(output_text),
        report=problems.add,
    )
    scores += [CheckedScore(each.pk, None, True, each.minimum, each.maximum) for each in nothing]
    _check_text("comment", answers.comment, LONGEST_COMMENT, problems)
    correction = answers.correction
    if correction is not None:
        _check_text("correction", correction, LONGEST_CORRECTION, problems)
        if not allows_corrections:
            problems.add("correction", "this campaign takes no corrections.")
        elif not has_visible(correction):
            problems.add("correction", "the correction is empty. Write the right answer, or leave it out.")
        elif output_text is not None and _plain(correction) == _plain(output_text):
            correction = None
    problems.raise_if_any()
    words = {key: text.strip() for key, text in answers.texts.items() if text.strip()}
    marks = {
        key: [s._replace(comment=s.comment.strip()) for s in given] for key, given in answers.spans.items()
    }
    kept = ReviewAnswers(answers.scores, answers.tags, answers.comment.strip(), correction, words, marks)
    return CheckedAnswers(kept, scores, tag_ids, texts, spans)


def asked_keys(criteria: Sequence[RubricCriterion], scores: Mapping[str, Answer]) -> set[str]:
    """The keys of the criteria that are asked, given these answers: those without a condition, and those
    whose condition is met.
    """
    asked: set[str] = set()
    for each in criteria:
        condition = each.criterion.visible_if
        if condition is None or (
            condition["criterion"] in asked and scores.get(condition["criterion"]) in condition["values"]
        ):
            asked.add(each.key)
    return asked


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _checked_score(criterion: Criterion, answers: ReviewAnswers, problems: _Problems) -> CheckedScore | None:
    name = f"scores.{criterion.key}"
    answer = answers.scores.get(criterion.key)
    if answer is None:
        if criterion.is_required:
            problems.add(name, f"{criterion.name} is required. Choose an answer.")
        return None
    if answer == NOT_APPLICABLE:
        if not criterion.allows_not_applicable:
            problems.add(name, f"{criterion.name} cannot be “not applicable”. Choose an answer.")
        return CheckedScore(criterion.pk, None, True, criterion.minimum, criterion.maximum)
    rules = criterion.rules
    level = rules.level_of(answer)
    if level is None:
        problems.add(name, f"{criterion.name} needs a {rules.number_called}, or “na”.")
        return None
    if not criterion.minimum <= level <= criterion.maximum:
        problems.add(name, f"{criterion.name} is {rules.allowed}; {_shown(answer)} is outside.")
        return None
    return CheckedScore(criterion.pk, level, False, criterion.minimum, criterion.maximum)


def _checked_tags(
    answers: ReviewAnswers, known: Mapping[str, RubricCriterion], problems: _Problems
) -> list[int]:
    ids = []
    for key, tags in answers.tags.items():
        each = known.get(key)
        if each is None:
            problems.add(f"tags.{_shown(key)}", f"this rubric has no criterion “{_shown(key)}”.")
            continue
        for tag in dict.fromkeys(tags):
            if tag not in each.tag_ids:
                problems.add(f"tags.{key}", f"“{_shown(tag)}” is not a reason of {each.criterion.name}.")
            else:
                ids.append(each.tag_ids[tag])
    return ids


def _checked_texts(
    answers: ReviewAnswers, known: Mapping[str, RubricCriterion], asked: set[str], problems: _Problems
) -> dict[int, str]:
    """Texts by criterion id. Only text criteria take texts, and they take nothing else."""
    for key, text in answers.texts.items():
        if key not in known or known[key].criterion.rules.answered_by != "words":
            problems.add(f"texts.{_shown(key)}", f"“{_shown(key)}” is not a text criterion of this rubric.")
        _check_text(f"texts.{_shown(key)}", text, LONGEST_COMMENT, problems)
    texts = {}
    for key, each in known.items():
        if each.criterion.rules.answered_by != "words":
            continue
        if key in answers.scores:
            problems.add(f"scores.{key}", f"{each.criterion.name} is answered in words: send it in texts.")
        text = answers.texts.get(key, "").strip()
        if has_visible(text):
            texts[each.criterion.pk] = text
        elif each.criterion.is_required and key in asked:
            problems.add(f"texts.{key}", f"{each.criterion.name} is required. Write a few words.")
    return texts


def _check_text(name: str, text: str, longest: int, problems: _Problems) -> None:
    if len(text) > longest:
        problems.add(name, f"the {name} has {len(text):,} characters; the limit is {longest:,}. Shorten it.")
    if bad := bad_character(text):
        problems.add(name, f"the {name} has {bad}. Remove it.")


def _shown(value: object) -> str:
    """An unknown value for a message: shortened, ASCII only."""
    return str(value)[:40].encode("ascii", "replace").decode()


def read_answers(raw: object) -> ReviewAnswers:
    """Answers from decoded JSON. Raises InvalidError for a wrong structure and unknown fields.

    ``{"scores": {key: level | "na"}, "tags": {key: [tag]}, "texts": {key: str}, "spans": {key: [{"label",
    "start", "end", "comment"}]}, "comment": str, "correction": str | null}``.
    """
    problems = _Problems()
    if not isinstance(raw, dict):
        raise InvalidError(
            "The review was not stored: answers must be an object.", fields={"answers": ["Not an object."]}
        )
    for name in raw:
        if name not in ("scores", "tags", "texts", "spans", "comment", "correction"):
            problems.add(f"answers.{_shown(name)}", f"unknown field “{_shown(name)}”.")
    scores = raw.get("scores", {})
    tags = raw.get("tags", {})
    comment = raw.get("comment", "")
    correction = raw.get("correction")
    if not isinstance(scores, dict):
        problems.add("scores", "scores must be an object of criterion and level.")
        scores = {}
    for key, value in scores.items():
        if not _is_level(value):
            problems.add(f"scores.{_shown(key)}", "a score must be a whole number, or “na”.")
    if not isinstance(tags, dict) or not all(_is_texts(each) for each in tags.values()):
        problems.add("tags", "tags must be an object of criterion and a list of reasons.")
        tags = {}
    texts = raw.get("texts", {})
    if not isinstance(texts, dict) or not all(isinstance(each, str) for each in texts.values()):
        problems.add("texts", "texts must be an object of criterion and text.")
        texts = {}
    spans = read_spans(raw.get("spans", {}), problems.add)
    if not isinstance(comment, str):
        problems.add("comment", "the comment must be text.")
        comment = ""
    if correction is not None and not isinstance(correction, str):
        problems.add("correction", "the correction must be text, or null.")
        correction = None
    problems.raise_if_any()
    given = {key: value for key, value in scores.items() if value is not None}
    reasons = {key: tuple(each) for key, each in tags.items()}
    return ReviewAnswers(given, reasons, comment, correction, dict(texts), spans)


def _is_level(value: object) -> bool:
    """Whether a draft can store it, not whether the rubric allows it; False for NaN and 1e999."""
    if isinstance(value, int | float):
        return abs(value) < _BEYOND_ANY_LEVEL
    return value is None or isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def read_client_id(raw: object) -> UUID:
    """The client's UUID of this submission. Raises InvalidError for anything else."""
    try:
        return UUID(str(raw)) if isinstance(raw, str | UUID) else UUID("")
    except ValueError as error:
        message = "client_id must be a UUID, the same whenever one submission is repeated."
        raise InvalidError(
            f"The review was not stored: {message}", fields={"client_id": [message]}
        ) from error


def read_seconds(raw: object) -> float:
    """Active seconds, rounded to milliseconds, at most a day. Raises InvalidError unless finite and not
    negative.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise _bad_seconds()
    try:
        seconds = float(raw)
    except OverflowError as error:
        raise _bad_seconds() from error
    if not math.isfinite(seconds) or seconds < 0:
        raise _bad_seconds()
    return round(min(seconds, MOST_SECONDS), 3)


def _bad_seconds() -> InvalidError:
    message = "seconds_active must be a number of seconds, 0 or more."
    return InvalidError(f"The review was not stored: {message}", fields={"seconds_active": [message]})
