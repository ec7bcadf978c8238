"""Problems in the content of a rubric file, with their places. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from evalapp.core.errors import InvalidError
from evalapp.core.names import checked_name
from evalapp.rubrics.drafts import DraftProblem, RubricDraft, with_keys
from evalapp.rubrics.limits import LONGEST_DESCRIPTION, LONGEST_INSTRUCTIONS
from evalapp.rubrics.problems import draft_problems, unstorable_character

_RANGE = {"minimum", "maximum", "level_descriptions", "examples", "low_threshold"}
_FOLLOWS = {
    "minimum": _RANGE,
    "maximum": _RANGE,
    "steps_per_point": _RANGE,
    "options": _RANGE | {"options"},
    "is_critical": {"undesired", "options"},
}
"""If the field cannot be read, problems of these fields would only refer to default values."""
_CRITERION = re.compile(r"criteria\.(\d+)(?:\.(.+))?")


def problems_beyond(rubric: RubricDraft, unread: Collection[str]) -> Iterator[tuple[str, str]]:
    """Place and message of each problem that keeps ``rubric`` from being saved, as far as it was read.

    ``unread``: places that could not be read; problems that only follow from these are left out.
    """
    yield from _head_problems(rubric, unread)
    if "criteria" in unread:
        return
    if not rubric.criteria:
        yield "criteria", "A rubric needs at least one criterion. Add one."
        return
    drafts = with_keys(rubric.criteria)
    fields = _unread_fields(unread)
    places = {draft.key: number for number, draft in enumerate(drafts, start=1)}
    for problem in draft_problems(drafts):
        number = problem.position + 1
        of_another = 0
        if problem.field == "visible_if" and number <= len(drafts):
            condition = drafts[problem.position].visible_if
            of_another = places.get(condition.criterion, -1) if condition else 0
        if not _follows(problem, fields, of_another):
            yield f"criteria.{number}.{problem.field}", problem.message


def place_in_words(place: str, names: Sequence[str]) -> str:
    """A place in words: ``criteria.2.maximum`` is "Criterion 2 “Tone”: maximum"."""
    found = _CRITERION.fullmatch(place)
    if found is None:
        return place
    number = int(found[1])
    name = names[number - 1] if 0 < number <= len(names) else ""
    told = f"Criterion {number} “{name}”" if name else f"Criterion {number}"
    return f"{told}: {found[2]}" if found[2] else told


def _head_problems(rubric: RubricDraft, unread: Collection[str]) -> Iterator[tuple[str, str]]:
    if "name" not in unread:
        try:
            checked_name(rubric.name, of="the rubric")
        except InvalidError as error:
            yield "name", error.message
    if len(rubric.description) > LONGEST_DESCRIPTION or unstorable_character(rubric.description):
        yield (
            "description",
            f"A description has at most {LONGEST_DESCRIPTION:,} characters, none of them NUL.",
        )
    if len(rubric.instructions) > LONGEST_INSTRUCTIONS or unstorable_character(rubric.instructions):
        yield (
            "instructions",
            f"Instructions have at most {LONGEST_INSTRUCTIONS:,} characters, none of them NUL.",
        )


def _unread_fields(unread: Collection[str]) -> Mapping[int, set[str]]:
    """The unread fields of each criterion by its number; "" if nothing of it could be read."""
    fields: dict[int, set[str]] = {}
    for place in unread:
        if found := _CRITERION.fullmatch(place):
            fields.setdefault(int(found[1]), set()).add((found[2] or "").partition(".")[0])
    return fields


def _follows(problem: DraftProblem, fields: Mapping[int, set[str]], of_another: int) -> bool:
    """Whether the problem only follows from unread places. ``of_another``: the number of the criterion that a
    condition depends on, -1 if none has its key.
    """
    own = fields.get(problem.position + 1, set())
    if own & {"", "kind", problem.field} or any(problem.field in _FOLLOWS.get(name, ()) for name in own):
        return True
    if of_another == -1:
        return any(unread & {"", "key", "name"} for unread in fields.values())
    return bool(fields.get(of_another, set()) & {"", "kind", "minimum", "maximum", "options"})
