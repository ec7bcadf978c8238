"""The prompt of an LLM judge, and the format of its answer. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from evalapp.rubrics.models import Criterion

PLACES = ("prompt", "context", "reference", "answer")
"""What a prompt may name in braces; ``answer`` must be there."""
LONGEST_PROMPT = 20_000
_PLACE = re.compile(r"\{(" + "|".join(PLACES) + r")\}")
_NOT_APPLICABLE = frozenset({"n/a", "na", "not applicable"})
_LONGEST_ANSWER = 10_000


class ParsedAnswer(NamedTuple):
    """``value`` is a level; None where it is N/A."""

    value: int | None


def default_prompt(criterion: Criterion) -> str:
    """The criterion's own words as a question. The reference is left out: reviewers do not see it either."""
    lines = [
        "You judge one answer by one criterion, as an expert would.",
        "",
        f"Criterion: {criterion.name}",
    ]
    if criterion.help_text:
        lines.append(criterion.help_text)
    lines += ["", "Levels:"]
    for level in criterion.levels:
        words = criterion.level_words(level)
        meaning = criterion.level_descriptions.get(str(level)) or criterion.level_descriptions.get(words, "")
        name = words if criterion.rules.has_mean else f"{level} ({words})"
        lines.append(f"- {name}: {meaning}" if meaning else f"- {name}")
    if criterion.allows_not_applicable:
        lines.append("- n/a: the criterion does not apply to this answer")
    lines += [
        "",
        "Question:",
        "{prompt}",
        "",
        "What the answer may rest on:",
        "{context}",
        "",
        "Answer to be judged:",
        "{answer}",
        "",
        (
            'Reply with one JSON object and nothing else: {"score": LEVEL}, where LEVEL is one of the levels'
            " above."
        ),
    ]
    return "\n".join(lines)


def prompt_problem(prompt: str) -> str:
    """Why this prompt cannot be used, or ""."""
    if not prompt.strip():
        return "Write the prompt."
    if len(prompt) > LONGEST_PROMPT or "\x00" in prompt:
        return f"The prompt has at most {LONGEST_PROMPT:,} characters, none of them NUL."
    if "{answer}" not in prompt:
        return "The prompt must have {answer} in the place of the answer to be scored."
    return ""


def filled(prompt: str, texts: Mapping[str, str]) -> str:
    """The prompt with its places filled; what a text itself has in braces is left alone."""
    return _PLACE.sub(lambda match: texts.get(match.group(1), ""), prompt)


def parsed(answer: str, criterion: Criterion) -> ParsedAnswer | None:
    """The level that an answer gives, or None where it is not exactly a level, or a JSON object whose
    ``score`` is one.

    Yes/no and options may be given by their words. A level that stands in a sentence is not looked for.
    """
    text = answer.strip()
    if len(text) > _LONGEST_ANSWER:
        return None
    given: Any = text
    if text.startswith("{"):
        try:
            found = json.loads(text, object_pairs_hook=_unique)
        except (ValueError, RecursionError):
            return None
        given = found.get("score")
    return _level(given, criterion)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _level(given: Any, criterion: Criterion) -> ParsedAnswer | None:
    is_word = isinstance(given, str) and given.strip().casefold() in _NOT_APPLICABLE
    if criterion.allows_not_applicable and is_word:
        return ParsedAnswer(None)
    level = criterion.rules.level_said(given)
    return None if level is None else ParsedAnswer(level)
