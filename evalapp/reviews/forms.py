"""Parsing of submissions: a plain form, or JSON from the page's script."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django import forms
from django.http import HttpRequest, QueryDict

from evalapp.core.errors import InvalidError
from evalapp.core.http import wants_json
from evalapp.core.strict_json import read_json
from evalapp.reviews.answers import (
    LONGEST_SKIP_REASON,
    Answer,
    ReviewAnswers,
    RubricCriterion,
    asked_keys,
    read_answers,
    read_client_id,
    read_seconds,
)
from evalapp.reviews.preferences.answers import PreferenceAnswers, read_preference
from evalapp.reviews.spans import Span, read_spans, span_from_quote
from evalapp.rubrics.fields import QuotedField

_DEEPEST = 8
_DECIMAL = re.compile(r"-?[0-9]{1,9}\.[0-9]{1,9}")
AnswersType = TypeVar("AnswersType")


class Submission(NamedTuple, Generic[AnswersType]):
    """``revision``: the one that an amendment is based on; 0 for a first submission."""

    client_id: UUID
    answers: AnswersType
    seconds_active: float
    revision: int


def is_json(request: HttpRequest) -> bool:
    return wants_json(request) or request.content_type == "application/json"


def json_body(request: HttpRequest) -> dict[str, Any]:
    """The body as an object. Raises InvalidError for anything else, including deep nesting and invalid
    JSON.
    """
    body = read_json(request.body, any_text=True)
    if not isinstance(body, dict) or _depth(body) > _DEEPEST:
        raise InvalidError("The request must be a flat JSON object.")
    return body


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def read_submission(
    request: HttpRequest,
    *,
    from_json: Callable[[object], AnswersType],
    from_form: Callable[[QueryDict], AnswersType],
) -> Submission[AnswersType]:
    """A submission from JSON or from the form; checks its structure but not yet its answers."""
    if request.content_type == "application/json":
        body = json_body(request)
        return Submission(
            read_client_id(body.get("client_id")),
            from_json(body.get("answers")),
            read_seconds(body.get("seconds_active", 0)),
            read_revision(body.get("revision", 0)),
        )
    form = request.POST
    return Submission(
        read_client_id(form.get("client_id", "")),
        from_form(form),
        _form_seconds(form.get("seconds_active", "")),
        read_revision(_integer_or_text(str(form.get("revision", "0")))),
    )


def read_review(request: HttpRequest, criteria: list[RubricCriterion]) -> Submission[ReviewAnswers]:
    """`read_submission` of a review."""
    return read_submission(
        request, from_json=read_answers, from_form=lambda form: answers_from_form(form, criteria)
    )


def read_preference_request(request: HttpRequest, *, outputs: int) -> Submission[PreferenceAnswers]:
    """`read_submission` of a preference among ``outputs`` outputs."""
    return read_submission(
        request, from_json=read_preference, from_form=lambda form: preference_from_form(form, outputs=outputs)
    )


def preference_from_form(form: QueryDict, *, outputs: int) -> PreferenceAnswers:
    """A radio group ``choice``, or for more than two outputs a radio group ``rank-<position>`` each."""
    ranks = [_rank(str(form.get(f"rank-{position}", ""))) for position in range(outputs)]
    return read_preference(
        {
            "choice": form.get("choice", ""),
            "ranks": ranks if outputs > 2 else None,
            "comment": str(form.get("comment", "")).replace("\r\n", "\n"),
        }
    )


def _rank(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def answers_from_form(form: QueryDict, criteria: list[RubricCriterion]) -> ReviewAnswers:
    """Answers from radio groups ``criterion-<key>``, check boxes ``tag-<key>``, text areas ``text-<key>`` and
    marks ``span-<key>``, as named in the rubric's form.
    """
    scores: dict[str, Answer] = {}
    tags: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    marks: dict[str, list[Any]] = {}
    known = {each.key for each in criteria}
    for name in form:
        kind, _, key = name.partition("-")
        if kind == "criterion" and (given := str(form[name]).strip()):
            scores[key] = number_in(given)
        elif kind == "span" and key in known:
            marks[key] = [_mark_from_json(value) for value in form.getlist(name)]
        elif kind == "tag" and key in known:
            tags[key] = form.getlist(name)
        elif kind == "text" and str(form[name]).strip():
            texts[key] = str(form[name]).replace("\r\n", "\n")
    correction = form.get("correction")
    # Without scripts a radio button cannot be cleared: drop answers to criteria that are no longer asked.
    asked = asked_keys(criteria, scores)
    scores = {key: score for key, score in scores.items() if key in asked or key not in known}
    tags = {key: given for key, given in tags.items() if key in asked}
    texts = {key: text for key, text in texts.items() if key in asked or key not in known}
    spans = {key: given for key, given in _spans(marks).items() if key in asked}
    return ReviewAnswers(scores, tags, form.get("comment", ""), correction or None, texts, spans)


def _mark_from_json(value: str) -> object:
    try:
        return read_json(value.encode("utf-8", "surrogatepass"), any_text=True)
    except InvalidError:
        return None


def _spans(marks: dict[str, list[Any]]) -> dict[str, tuple[Span, ...]]:
    fields: dict[str, list[str]] = {}
    spans = read_spans(marks, lambda name, message: fields.setdefault(name, []).append(message))
    if fields:
        raise InvalidError(next(iter(fields.values()))[0], fields=fields)
    return spans


def quotes_in(form: QueryDict, criteria: list[RubricCriterion]) -> dict[str, QuotedField]:
    """By criterion: the words that the form quotes from the output, as typed."""
    names = ("quote", "quotenth", "quotelabel", "quotecomment")
    return {
        each.key: QuotedField(*(form.get(f"{name}-{each.key}", "") for name in names))
        for each in criteria
        if form.get(f"quote-{each.key}")
    }


def with_spans_of_quotes(
    answers: ReviewAnswers, quoted: Mapping[str, QuotedField], text: str
) -> ReviewAnswers:
    """The answers with span labels added for the words quoted from the output's text.

    Raises InvalidError for ``spans.<criterion>`` if the text does not contain them.
    """
    spans = {key: list(given) for key, given in answers.spans.items()}
    scores = dict(answers.scores)
    for key, given in quoted.items():
        nth, label = _integer_or_text(given.occurrence or "1"), _integer_or_text(given.label)
        field = f"spans.{key}"
        if not isinstance(nth, int) or nth < 1 or not isinstance(label, int) or label < 1:
            raise InvalidError(
                "Enter the occurrence of the words and the label as whole numbers from 1.", field=field
            )
        span = span_from_quote(
            text, words=given.words, occurrence=nth, label=label, comment=given.comment, field=field
        )
        kept = [old for old in spans.get(key, []) if old[:3] != span[:3]]
        spans[key] = [*kept, span]
        scores.pop(key, None)
    return replace(answers, scores=scores, spans=spans)


def _integer_or_text(text: str) -> Answer:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 10 else text


def number_in(text: str) -> Answer:
    """A whole or decimal number; other text unchanged, for later validation to refuse."""
    return float(text) if _DECIMAL.fullmatch(text) else _integer_or_text(text)


def _form_seconds(text: str) -> float:
    try:
        return read_seconds(float(text)) if text else 0.0
    except ValueError:
        return 0.0


def read_revision(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 <= raw < 2**31:
        raise InvalidError("revision must be a whole number, as the page sent it.", field="revision")
    return raw


class SkipForm(forms.Form):
    """Why a reviewer skips an item; different from "not applicable"."""

    REASONS = (
        ("My own client or case", "My own client or case"),
        ("I cannot judge this", "I cannot judge this"),
        ("The text is broken", "The text is broken"),
        ("other", "Another reason"),
    )
    reason = forms.ChoiceField(choices=REASONS, widget=forms.RadioSelect, initial=REASONS[0][0])
    other = forms.CharField(
        required=False, max_length=LONGEST_SKIP_REASON, label="Which?", widget=forms.TextInput
    )

    def reason_given(self) -> str:
        """The reason in words; empty if "another reason" was chosen without naming one."""
        if not self.is_valid():
            return ""
        chosen = str(self.cleaned_data["reason"])
        return str(self.cleaned_data["other"]) if chosen == "other" else chosen
