"""Rule checks that a project defines in the browser: brand, safety and format as passed or failed.

A rule is immutable. Its constructor rejects a definition that cannot work and says what is wrong and how to
fix it; ``check`` never raises for any text. A verdict is passed, failed, or not checked with the reason (such
as a field that the example lacks), and has the spans that it is based on.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from itertools import islice
from typing import Any, ClassVar, Literal, Self

import re2

from evalapp.metrics.automatic.numbers import numbers, unsupported_numbers
from evalapp.metrics.automatic.surface import length_characters, words
from evalapp.metrics.phrases import PhraseFinder
from evalapp.metrics.rows import Row, Span, well_formed

MOST_SPANS = 100
LONGEST_PATTERN = 2000
LONGEST_PHRASE = 2000
MOST_PHRASES = 500
MOST_PHRASE_CHARACTERS = 20_000
LONGEST_FIELD = 200
LARGEST_LENGTH = 10_000_000
LONGEST_QUOTE = 80
PATTERN_MEMORY = 8 * 1024 * 1024
MOST_STEPS = 10**9
"""Limit on the cost of a match, instructions of the pattern times characters of the text: a few seconds."""


class RuleError(ValueError):
    """A rule definition is invalid; the message says what is wrong and how to fix it.

    ``field`` names the part that is wrong; empty for the whole definition.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """Verdict of one rule on one output.

    ``passed`` is None if the rule could not be checked; ``reason`` says why not, or why it failed. ``spans``
    are the parts of the output that were found, at most 100.
    """

    passed: bool | None
    reason: str = ""
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Base of all rules, with the name that reports show."""

    kind: ClassVar[str] = ""

    name: str

    def __post_init__(self) -> None:
        _require_text(self.name, "name", "name the rule, such as “names the client's goal”")

    def check(self, row: Row) -> RuleResult:
        """Judge one output."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """The definition as plain values, ``kind`` first; :func:`rule_from_dict` reads it back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"kind": self.kind} | {
            name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
        }

    @classmethod
    def from_dict(cls, definition: Mapping[str, Any]) -> Self:
        """Read a definition without its kind. Raises RuleError with the field."""
        known = {field.name for field in fields(cls)}
        for key in definition:
            if key not in known:
                raise RuleError(
                    f'"{key}" is not part of a rule of kind {cls.kind}; known are {", ".join(sorted(known))}',
                    field=str(key),
                )
        missing = [
            field.name for field in fields(cls) if field.default is MISSING and field.name not in definition
        ]
        if missing:
            raise RuleError(f"a rule of kind {cls.kind} lacks {', '.join(missing)}", field=missing[0])
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in definition.items()
        }
        return cls(**values)


def _require_text(value: object, field: str, hint: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise RuleError(f"{field}: {hint}", field=field)


def _require_flag(value: object, field: str) -> None:
    if not isinstance(value, bool):
        raise RuleError(f"{field} is yes or no (true or false), not {value!r}", field=field)


@dataclass(frozen=True, kw_only=True)
class _Phrases(Rule):
    """A list of phrases; spaces in a phrase match any run of spaces and line breaks."""

    texts: tuple[str, ...]
    ignore_case: bool = True
    whole_words: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.texts, tuple) or not self.texts:
            raise RuleError("give at least one phrase to look for", field="texts")
        if len(self.texts) > MOST_PHRASES:
            raise RuleError(
                f"{len(self.texts)} phrases are more than {MOST_PHRASES}; split the rule", field="texts"
            )
        for text in self.texts:
            _require_text(text, "texts", "every phrase needs a letter, digit or sign")
            if len(text) > LONGEST_PHRASE:
                raise RuleError(f"a phrase is longer than {LONGEST_PHRASE} characters", field="texts")
        together = sum(map(len, self.texts))
        if together > MOST_PHRASE_CHARACTERS:
            raise RuleError(
                f"the phrases have {together:,} characters together, more than "
                f"{MOST_PHRASE_CHARACTERS:,}; split the rule",
                field="texts",
            )
        _require_flag(self.ignore_case, "ignore_case")
        _require_flag(self.whole_words, "whole_words")
        try:
            self._finder()
        except ValueError as error:
            raise RuleError(f"{error}; split the rule", field="texts") from error

    def _finder(self) -> PhraseFinder:
        return _phrase_finder(self.texts, self.ignore_case, self.whole_words)

    def _found(self, output: str) -> tuple[Span, ...]:
        return tuple(islice(self._finder().spans(output), MOST_SPANS))


@lru_cache(maxsize=256)
def _phrase_finder(texts: tuple[str, ...], ignore_case: bool, whole_words: bool) -> PhraseFinder:
    return PhraseFinder(texts, ignore_case=ignore_case, whole_words=whole_words)


def _quoted(text: str) -> str:
    return f"“{text}”" if len(text) <= LONGEST_QUOTE else f"“{text[:LONGEST_QUOTE]}…”"


@dataclass(frozen=True, kw_only=True)
class Contains(_Phrases):
    """Passes if the output contains at least one of the phrases."""

    kind: ClassVar[str] = "contains"

    def check(self, row: Row) -> RuleResult:
        found = self._found(row.output)
        return RuleResult(
            passed=bool(found), reason="" if found else "none of the phrases occurs", spans=found
        )


@dataclass(frozen=True, kw_only=True)
class MustNotContain(_Phrases):
    """Passes if the output contains none of the phrases; matches whole words by default."""

    kind: ClassVar[str] = "must_not_contain"

    whole_words: bool = True

    def check(self, row: Row) -> RuleResult:
        found = self._found(row.output)
        reason = f"{_quoted(found[0].text)} occurs" if found else ""
        return RuleResult(passed=not found, reason=reason, spans=found)


@dataclass(frozen=True, kw_only=True)
class MatchesPattern(Rule):
    r"""Passes if a regular expression matches somewhere (``must_match``) or nowhere.

    The syntax is RE2's, without look-around and back-references. Matching takes time linear in the text, so
    no pattern can stall a worker and a verdict never depends on the machine's load. \p{L} matches letters of
    any script; \w and \b are ASCII only. Not checked if the pattern is too large for the length of the text
    (MOST_STEPS).
    """

    kind: ClassVar[str] = "pattern"

    pattern: str
    must_match: bool = True
    ignore_case: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_text(self.pattern, "pattern", "write the regular expression to look for")
        if len(self.pattern) > LONGEST_PATTERN:
            raise RuleError(f"the pattern is longer than {LONGEST_PATTERN} characters", field="pattern")
        _require_flag(self.must_match, "must_match")
        _require_flag(self.ignore_case, "ignore_case")
        compiled_pattern(self.pattern, ignore_case=self.ignore_case)

    def check(self, row: Row) -> RuleResult:
        pattern = compiled_pattern(self.pattern, ignore_case=self.ignore_case)
        output = well_formed(row.output)
        if pattern.programsize * len(output) > MOST_STEPS:
            reason = f"the pattern is too large for {len(output):,} characters; use fewer repetitions"
            return RuleResult(passed=None, reason=reason)
        if pattern.search(output) is None:
            reason = "the pattern does not match" if self.must_match else ""
            return RuleResult(passed=not self.must_match, reason=reason)
        found = _spans(pattern.finditer(output))
        reason = "" if self.must_match else f"the pattern matches {_quoted(found[0].text if found else '')}"
        return RuleResult(passed=self.must_match, reason=reason, spans=found)


def _spans(matches: Iterator[re.Match[str]]) -> tuple[Span, ...]:
    shown = (match for match in matches if match.end() > match.start())
    return tuple(Span(match.start(), match.end(), match.group()) for match in islice(shown, MOST_SPANS))


@lru_cache(maxsize=256)
def compiled_pattern(pattern: str, *, ignore_case: bool) -> Any:
    """The pattern compiled by RE2, which always matches in linear time. Raises RuleError for ``pattern``."""
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.max_mem = PATTERN_MEMORY
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise RuleError(_pattern_problem(pattern, error), field="pattern") from error


def _pattern_problem(pattern: str, error: Exception) -> str:
    text = (
        error.args[0].decode(errors="replace")
        if error.args and isinstance(error.args[0], bytes)
        else str(error)
    )
    if re.search(r"\(\?<?[=!]", pattern):
        return (
            f"look-around such as (?=…) is not supported ({text}); "
            "use two rules, one that must match and one that must not"
        )
    if re.search(r"\\[1-9]", pattern):
        return f"back-references such as \\1 are not supported ({text}); write the repeated part out"
    return f"the pattern is not a valid regular expression: {text}"


@dataclass(frozen=True, kw_only=True)
class LengthRange(Rule):
    """Passes if the output's length in words or characters is within the range, ends included."""

    kind: ClassVar[str] = "length"

    minimum: int | None = None
    maximum: int | None = None
    unit: Literal["words", "characters"] = "words"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit not in ("words", "characters"):
            raise RuleError(f"length is counted in words or characters, not {self.unit!r}", field="unit")
        for field, value in (("minimum", self.minimum), ("maximum", self.maximum)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise RuleError(f"the {field} is a whole number of 0 or more, not {value!r}", field=field)
            if value is not None and value > LARGEST_LENGTH:
                raise RuleError(f"the {field} is at most {LARGEST_LENGTH:,}", field=field)
        if self.minimum is None and self.maximum is None:
            raise RuleError("give a minimum, a maximum or both", field="minimum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise RuleError(
                f"the minimum of {self.minimum} is above the maximum of {self.maximum}; swap them",
                field="minimum",
            )

    def check(self, row: Row) -> RuleResult:
        length = (
            len(words(row.output)) if self.unit == "words" else int(length_characters(row.output).value or 0)
        )
        if self.minimum is not None and length < self.minimum:
            return RuleResult(passed=False, reason=f"{length} {self.unit}, fewer than {self.minimum}")
        if self.maximum is not None and length > self.maximum:
            return RuleResult(passed=False, reason=f"{length} {self.unit}, more than {self.maximum}")
        return RuleResult(passed=True)


@dataclass(frozen=True, kw_only=True)
class MentionsField(Rule):
    """Passes if the output mentions the value of a field of the example.

    Case and spacing are ignored; a value that is a single number is found in any notation (£450,000 for
    450k). Not checked if the example lacks the field, or if its value is empty or longer than LONGEST_PHRASE.
    """

    kind: ClassVar[str] = "mentions_field"

    field: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_text(self.field, "field", "name a field of the examples, such as goal")
        if len(self.field) > LONGEST_FIELD:
            raise RuleError(
                f"field: no field's name is longer than {LONGEST_FIELD} characters", field="field"
            )

    def check(self, row: Row) -> RuleResult:
        value = row.fields.get(self.field, "")
        if not value.strip():
            return RuleResult(passed=None, reason=f"the example has no field “{self.field}”")
        if len(value) > LONGEST_PHRASE:
            reason = f"the field has {len(value):,} characters; the limit is {LONGEST_PHRASE:,}"
            return RuleResult(passed=None, reason=reason)
        # Built without the cache: the next example has another value.
        finder = PhraseFinder((value,), ignore_case=True, whole_words=_is_delimited_like_words(value))
        found = tuple(islice(finder.spans(row.output), MOST_SPANS))
        found = found or tuple(islice(_spans_of_same_number(row.output, value), MOST_SPANS))
        reason = "" if found else f"{_quoted(value)} is not mentioned"
        return RuleResult(passed=bool(found), reason=reason, spans=found)


def _is_delimited_like_words(value: str) -> bool:
    """Whether the value begins and ends with a letter or digit of a script with spaces, so that it can be
    matched as whole words.
    """
    value = value.strip()
    return all(character.isalnum() and ord(character) < 0x0E00 for character in (value[0], value[-1]))


def _spans_of_same_number(output: str, value: str) -> Iterator[Span]:
    wanted = numbers(value)
    if len(wanted) != 1 or wanted[0].span.text.strip() != value.strip():
        return
    values = {reading.value for reading in wanted[0].readings}
    for number in numbers(output):
        if any(reading.value in values for reading in number.readings):
            yield number.span


@dataclass(frozen=True, kw_only=True)
class NoUnsupportedNumbers(Rule):
    """Passes if every number and date of the output is in the context, prompt or fields.

    Not checked if the example has no context: a question has few of the numbers of its right answer.
    """

    kind: ClassVar[str] = "no_unsupported_numbers"

    def check(self, row: Row) -> RuleResult:
        if not row.context.strip():
            return RuleResult(passed=None, reason="the example has no context")
        given = [row.context, row.prompt, *row.fields.values()]
        found = tuple(unsupported_numbers(row.output, given))
        reason = ""
        if found:
            named = ", ".join(span.text[:LONGEST_QUOTE] for span in found[:5])
            reason = f"{named}{' …' if len(found) > 5 else ''} not in the context"
        return RuleResult(passed=not found, reason=reason, spans=found[:MOST_SPANS])


RULES: Mapping[str, type[Rule]] = {
    rule.kind: rule
    for rule in (Contains, MustNotContain, MatchesPattern, LengthRange, MentionsField, NoUnsupportedNumbers)
}


def rule_from_dict(definition: Mapping[str, Any]) -> Rule:
    """Read ``{"kind": …, "name": …, …}`` as stored or sent. Raises RuleError."""
    if not isinstance(definition, Mapping):
        raise RuleError("a rule is an object with a kind and a name")
    kind = definition.get("kind")
    rule = RULES.get(kind) if isinstance(kind, str) else None
    if rule is None:
        raise RuleError(f"{kind!r} is not a kind of rule; known are {', '.join(RULES)}", field="kind")
    return rule.from_dict({key: value for key, value in definition.items() if key != "kind"})


def check_rules(rules: Sequence[Rule], row: Row) -> dict[str, RuleResult]:
    """Verdict of every rule on one output, by rule name."""
    return {rule.name: rule.check(row) for rule in rules}
