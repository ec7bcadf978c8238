"""A project's own patterns of personal data, and texts that are never flagged. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import re2

from evalapp.privacy.spans import PersonalSpan

MOST_PATTERNS = 50
MOST_ALLOWED = 1_000
LONGEST_PATTERN = 2_000
LONGEST_ALLOWED = 500
MOST_INSTRUCTIONS = 2_000
"""Limit of the compiled size of one expression; a text of 500,000 characters then takes a few seconds at
most.
"""

_PATTERN_MEMORY = 8 * 1024 * 1024
_TYPE = re.compile(r"(?=.{1,20}\Z)[A-Z]+(?: [A-Z]+)*")
_DOMAIN = re.compile(r"@[\w-]+(?:\.[\w-]+)+")
_SHOWN = 60


@dataclass(frozen=True)
class MaskingRules:
    r"""A project's rules of masking; only rules without `rules_problems` can be used.

    ``patterns``: pairs of a type in capitals ("CLAIM NUMBER") and an RE2 expression, in which \w and \b are
    ASCII only.
    ``allowed``: e-mail addresses, domains ("@example.org", including subdomains) and exact texts, in any
    case. They are never flagged, even if one of ``patterns`` matches them.
    """

    patterns: tuple[tuple[str, str], ...] = ()
    allowed: tuple[str, ...] = ()

    def spans(self, text: str) -> Iterator[PersonalSpan]:
        """Matches of the project's own patterns, allowed or not."""
        readable = _encodable(text) if self.patterns else text
        for kind, pattern in self._compiled:
            for match in pattern.finditer(readable):
                if match.end() > match.start():
                    yield PersonalSpan(match.start(), match.end(), kind)

    def is_allowed(self, found: str) -> bool:
        """Whether a text is never flagged."""
        key = _key(found)
        if key in self._allowed:
            return True
        domain = key.rpartition("@")[2] if "@" in key else ""
        return any(f"@{each}" in self._allowed for each in _with_parents(domain))

    @cached_property
    def _compiled(self) -> tuple[tuple[str, Any], ...]:
        return tuple((kind, _compiled(pattern)) for kind, pattern in self.patterns)

    @cached_property
    def _allowed(self) -> frozenset[str]:
        return frozenset(map(_key, self.allowed))


def rules_problems(patterns: Sequence[tuple[str, str]], allowed: Sequence[str]) -> list[str]:
    """Why these cannot be the rules: one sentence per problem with its place and fix; empty if they can."""
    problems = []
    if len(patterns) > MOST_PATTERNS:
        problems.append(f"{len(patterns):,} patterns are more than {MOST_PATTERNS}; join some with |.")
    if len(allowed) > MOST_ALLOWED:
        problems.append(
            f"{len(allowed):,} allowed texts are more than {MOST_ALLOWED:,}; allow a domain instead."
        )
    for number, (kind, pattern) in enumerate(patterns[:MOST_PATTERNS], start=1):
        problems += [f"Pattern {number}: {problem}" for problem in _pattern_problems(kind, pattern)]
    for number, text in enumerate(allowed[:MOST_ALLOWED], start=1):
        if problem := _allowed_problem(text):
            problems.append(f"Allowed text {number}: {problem}")
    return problems


def _pattern_problems(kind: str, pattern: str) -> Iterator[str]:
    if not _TYPE.fullmatch(kind):
        yield (
            f"the type “{kind[:_SHOWN]}” is not one to twenty capital letters A to Z, with single spaces "
            "between words, such as CLAIM NUMBER."
        )
    if not pattern.strip():
        yield "write the regular expression to look for."
        return
    if len(pattern) > LONGEST_PATTERN:
        yield f"the expression is longer than {LONGEST_PATTERN:,} characters; make two of it."
        return
    try:
        compiled = _compiled(pattern)
    except (re2.error, UnicodeEncodeError) as error:
        yield f"the expression “{pattern[:_SHOWN]}” cannot be used: {_reason(pattern, error)}."
        return
    if compiled.programsize > MOST_INSTRUCTIONS:
        yield f"the expression “{pattern[:_SHOWN]}” is too large; use fewer or smaller repetitions."
    if compiled.fullmatch("word") is not None and compiled.fullmatch("the") is not None:
        yield f"the expression “{pattern[:_SHOWN]}” matches any word; make it more specific."
    if compiled.search("") is not None:
        yield f"the expression “{pattern[:_SHOWN]}” matches a text without any character; use + for *."


def _reason(pattern: str, error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "it holds half a character"
    if re.search(r"\(\?<?[=!]", pattern):
        return "look-around such as (?=…) is not supported; name the whole of what shall be masked"
    if re.search(r"\\[1-9]", pattern):
        return r"back-references such as \1 are not supported; write the repeated part out"
    reason = error.args[0] if error.args else error
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


def _allowed_problem(text: str) -> str:
    if not text.strip():
        return "it is empty; remove the line."
    if len(text) > LONGEST_ALLOWED:
        return f"it is longer than {LONGEST_ALLOWED} characters."
    if text.strip().startswith("@") and not _DOMAIN.fullmatch(text.strip()):
        return f"“{text.strip()[:_SHOWN]}” is not a domain; write it as @example.org."
    return ""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    """RE2 matches any expression in linear time."""
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)


def _encodable(text: str) -> str:
    """The text with lone surrogates replaced, which RE2 cannot read; its length does not change."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _key(text: str) -> str:
    """Key shared by texts that differ only in case and spaces."""
    return " ".join(text.casefold().split())


def _with_parents(domain: str) -> Iterator[str]:
    while domain:
        yield domain
        domain = domain.partition(".")[2]
