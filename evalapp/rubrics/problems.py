"""The problems of a rubric's criteria, and hints for better ratings. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from django.utils.text import slugify

from evalapp.core.errors import InvalidError
from evalapp.core.names import checked_name
from evalapp.rubrics import kinds
from evalapp.rubrics.drafts import CriterionDraft, DraftProblem
from evalapp.rubrics.limits import (
    HIGHEST_WEIGHT,
    LONGEST_EXAMPLE,
    LONGEST_HELP,
    LONGEST_KEY,
    LONGEST_LEVEL_DESCRIPTION,
    LONGEST_NAME,
    LONGEST_TAG,
    MOST_CRITERIA,
    MOST_TAGS,
)

_UNKEPT = re.compile("[\x00\ud800-\udfff]")
_FINEST_WEIGHT = Decimal("0.001")
_TWO_QUESTIONS = re.compile(r"\s(?:and|or|und|oder)\s|\s?[&/+]\s?", re.IGNORECASE)


def draft_problems(drafts: Sequence[CriterionDraft]) -> list[DraftProblem]:
    """All problems that keep these criteria from being saved."""
    if not drafts:
        return [DraftProblem(0, "name", "A rubric needs at least one criterion. Add one.")]
    if len(drafts) > MOST_CRITERIA:
        message = f"A rubric has at most {MOST_CRITERIA} criteria; reviewers cannot rate more at once."
        return [DraftProblem(MOST_CRITERIA, "name", message)]
    problems: list[DraftProblem] = []
    names = Counter(draft.name.strip().casefold() for draft in drafts)
    keys = Counter(draft.key for draft in drafts if draft.key)
    for position, draft in enumerate(drafts):
        found = [*_own_problems(draft)]
        if draft.name.strip() and names[draft.name.strip().casefold()] > 1:
            found.append(("name", f"Two criteria are named “{draft.name.strip()}”. Rename one."))
        if keys[draft.key] > 1:
            found.append(("key", f"Two criteria have the key “{draft.key}”. Remove one and add it again."))
        found.extend(_condition_problems(draft, drafts, position))
        problems.extend(DraftProblem(position, field_name, message) for field_name, message in found)
    if not any(draft.rules.has_levels for draft in drafts):
        message = "A rubric needs at least one scale, yes/no or category criterion."
        problems.append(DraftProblem(0, "kind", message))
    elif not any(_is_weight(draft.weight) and draft.weight.quantize(_FINEST_WEIGHT) > 0 for draft in drafts):
        message = "At least one criterion needs a weight above 0 (rounded to three decimals)."
        problems.append(DraftProblem(0, "weight", message))
    return problems


def unstorable_character(text: str) -> str:
    """The first character that the database cannot store, in words; "" if none."""
    if found := _UNKEPT.search(text):
        number = ord(found.group())
        return f"half of a character (U+{number:04X})" if number else "a NUL character (U+0000)"
    return ""


def _is_key(key: str) -> bool:
    return len(key) <= LONGEST_KEY and slugify(key) == key


def _is_weight(weight: Decimal) -> bool:
    return weight.is_finite() and 0 <= weight <= HIGHEST_WEIGHT


def _own_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    try:
        checked_name(draft.name, of="the criterion", longest=LONGEST_NAME)
    except InvalidError as error:
        yield "name", error.message
    if draft.key and not _is_key(draft.key):
        yield "key", f"A key has small letters, digits and hyphens, at most {LONGEST_KEY} characters."
    if len(draft.help_text) > LONGEST_HELP:
        yield (
            "help_text",
            (
                f"The help is longer than {LONGEST_HELP:,} characters. Shorten it, or move it to the"
                " instructions."
            ),
        )
    known = [kind.name for kind in kinds.KINDS]
    if draft.kind not in known:
        yield "kind", f"The kind of a criterion is one of {', '.join(known)}."
        return
    if not _is_weight(draft.weight):
        yield "weight", f"A weight is a number from 0 to {HIGHEST_WEIGHT}."
    yield from draft.rules.problems()
    if draft.options and not draft.rules.has_options:
        yield "options", "Only a category and span labels have options. Remove them."
    if draft.steps_per_point != 1 and not draft.rules.has_mean:
        yield "steps_per_point", "Steps per point are for scales only."
    yield from _direction_problems(draft)
    yield from _level_text_problems(draft)
    yield from _tag_problems(draft)
    texts = (draft.name, draft.help_text, *draft.level_descriptions.values(), *draft.examples.values())
    unkept = map(unstorable_character, (*texts, *(option.label for option in draft.options)))
    if found := next(filter(None, unkept), ""):
        yield "name", f"A text of this criterion has {found}. Remove it."


def _level_text_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    rules = draft.rules
    known = set(map(rules.level_key, rules.levels)) if draft.minimum < draft.maximum else set()
    for name, texts, longest in (
        ("level_descriptions", draft.level_descriptions, LONGEST_LEVEL_DESCRIPTION),
        ("examples", draft.examples, LONGEST_EXAMPLE),
    ):
        if unknown := sorted(set(texts) - known):
            message = f"There is no level {unknown[0]} here: there are texts for {rules.levels_in_words}."
            yield name, f"{message} Remove its text."
        if any(len(text) > longest for text in texts.values()):
            yield name, f"A level's text has at most {longest:,} characters here."


def _direction_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if not draft.lower_is_better:
        return
    if not draft.rules.has_mean:
        yield "lower_is_better", "“Lower is better” is for scales only."
    if draft.weight:
        yield (
            "lower_is_better",
            "A criterion where lower is better is not in the total: give it the weight 0.",
        )
    if draft.low_threshold is not None:
        yield "lower_is_better", "Where lower is better, low answers need no reasons: leave that level empty."
    if draft.is_critical:
        yield (
            "lower_is_better",
            "A critical scale fails an answer at its low end, but here the low end is the better one.",
        )


def _no_such_key(wanted: str, before: Sequence[CriterionDraft]) -> str:
    """The message for an unknown key, with the key probably meant (for a criterion's name, or wrong
    capitals), else with the available ones.
    """
    message = f"There is no criterion with the key “{wanted}” to depend on."
    meant = wanted.strip().casefold()
    for each in before:
        if each.key and meant in (each.key.casefold(), each.name.strip().casefold()):
            return f"{message} The key of “{each.name}” is “{each.key}”: use that."
    keys = ", ".join(f"“{each.key}”" for each in before if each.key)
    return f"{message} The criteria before it are {keys}." if keys else message


def _condition_problems(
    draft: CriterionDraft, drafts: Sequence[CriterionDraft], position: int
) -> Iterator[tuple[str, str]]:
    """Conditions may only refer to earlier criteria, so that they form no cycle. A cycle is reported only for
    its first criterion.
    """
    condition = draft.visible_if
    if condition is None:
        return
    # If two criteria have the same key, the first is meant; the second gets the message about the repetition.
    places = {each.key: place for place, each in reversed(list(enumerate(drafts))) if each.key}
    place = places.get(condition.criterion)
    if place is None:
        yield "visible_if", _no_such_key(condition.criterion, drafts[:position])
    elif place == position:
        yield "visible_if", "A criterion cannot depend on itself."
    elif circle := _circle(drafts, places, position):
        if position == min(circle):
            way = " → ".join(f"“{drafts[each].name}”" for each in [*circle, position])
            yield (
                "visible_if",
                (
                    f"These depend on each other in a circle, so none would ever be asked: {way}. Remove the"
                    " condition of one."
                ),
            )
    elif place > position:
        yield (
            "visible_if",
            (
                f"“{drafts[place].name}” comes later, so its answer is not known yet. Depend on an earlier"
                " criterion."
            ),
        )
    elif why_not := drafts[place].rules.not_to_depend_on:
        yield "visible_if", f"“{drafts[place].name}” {why_not}; depend on a criterion with options or levels."
    elif not condition.values:
        yield "visible_if", f"Choose at least one answer to “{drafts[place].name}”."
    elif unknown := sorted(set(condition.values) - set(drafts[place].rules.levels)):
        yield "visible_if", f"“{drafts[place].name}” has no answer {unknown[0]}."


def _circle(drafts: Sequence[CriterionDraft], places: Mapping[str, int], start: int) -> list[int]:
    """The positions on the path of dependencies from a criterion back to itself; empty if it does not
    return.
    """
    way = [start]
    while (condition := drafts[way[-1]].visible_if) is not None:
        place = places.get(condition.criterion)
        if place == start:
            return way
        if place is None or place in way:
            break
        way.append(place)
    return []


def _tag_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if draft.tags and draft.rules.no_reasons:
        yield "tags", draft.rules.no_reasons
    if len(draft.tags) > MOST_TAGS:
        yield "tags", f"A criterion has at most {MOST_TAGS} reasons."
    labels = Counter(tag.label.strip().casefold() for tag in draft.tags)
    for tag in draft.tags:
        if not tag.label.strip() or len(tag.label) > LONGEST_TAG or unstorable_character(tag.label):
            yield "tags", f"Each reason has 1 to {LONGEST_TAG} characters; write one per line."
            return
    repeated = [label for label, count in labels.items() if count > 1]
    if repeated:
        yield "tags", f"The reason “{repeated[0]}” is given twice. Remove one."
    for key, count in Counter(tag.key for tag in draft.tags if tag.key).items():
        if not _is_key(key):
            yield (
                "tags",
                f"A reason's key has small letters, digits and hyphens, at most {LONGEST_KEY} characters.",
            )
            return
        if count > 1:
            yield "tags", f"Two reasons have the key “{key}”. Give one another key, or none."


def hints(drafts: Sequence[CriterionDraft]) -> list[DraftProblem]:
    """Hints about settings that can be saved but make ratings worse, each with its reason."""
    found = [
        DraftProblem(position, field_name, message)
        for position, draft in enumerate(drafts)
        for field_name, message in _own_hints(draft)
    ]
    total = sum((draft.weight for draft in drafts if draft.weight.is_finite()), Decimal(0))
    if any(draft.weight != draft.weight.to_integral_value() for draft in drafts) and total not in (1, 100):
        shown = f"{total.normalize():f}"
        message = f"The weights add up to {shown}, so each is divided by that sum."
        found.append(DraftProblem(len(drafts) - 1, "weight", message))
    return found


def _own_hints(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if joined := _TWO_QUESTIONS.search(draft.name):
        word = joined.group().strip()
        yield (
            "name",
            (
                f"“{word}” in the name asks two things at once, which a reviewer may rate differently. Use"
                " two criteria."
            ),
        )
    yield from draft.rules.hints()
    if any(map(draft.rules.is_low, draft.rules.levels)) and not draft.tags:
        yield "tags", "Without reasons a low score does not say why. Add a few to choose from."
