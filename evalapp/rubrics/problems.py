"""All that can be wrong with a rubric's criteria, and what makes ratings worse though it can be saved. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from django.utils.text import slugify

from evalapp.core.errors import InvalidError
from evalapp.core.names import checked_name
from evalapp.rubrics.drafts import (
    HIGHEST_LEVEL,
    HIGHEST_WEIGHT,
    LONGEST_EXAMPLE,
    LONGEST_HELP,
    LONGEST_KEY,
    LONGEST_LEVEL_DESCRIPTION,
    LONGEST_NAME,
    LONGEST_TAG,
    LOWEST_LEVEL,
    MOST_BUTTONS,
    MOST_CRITERIA,
    MOST_LEVELS,
    MOST_OPTIONS,
    MOST_TAGS,
    NO,
    YES,
    CriterionDraft,
    DraftProblem,
)
from evalapp.rubrics.models import CriterionKind

_UNKEPT = re.compile("[\x00\ud800-\udfff]")
_FINEST_WEIGHT = Decimal("0.001")
_TWO_QUESTIONS = re.compile(r"\s(?:and|or|und|oder)\s|\s?[&/+]\s?", re.IGNORECASE)


def draft_problems(drafts: Sequence[CriterionDraft]) -> list[DraftProblem]:
    """All that keeps these criteria from being saved; empty when there is nothing."""
    if not drafts:
        return [DraftProblem(0, "name", "A rubric needs at least one criterion. Add one.")]
    if len(drafts) > MOST_CRITERIA:
        message = f"A rubric holds at most {MOST_CRITERIA} criteria; people cannot judge more at once."
        return [DraftProblem(MOST_CRITERIA, "name", message)]
    problems: list[DraftProblem] = []
    names = Counter(draft.name.strip().casefold() for draft in drafts)
    keys = Counter(draft.key for draft in drafts if draft.key)
    for position, draft in enumerate(drafts):
        found = [*_own_problems(draft)]
        if draft.name.strip() and names[draft.name.strip().casefold()] > 1:
            found.append(("name", f"Two criteria are named “{draft.name.strip()}”. Rename one."))
        if keys[draft.key] > 1:
            found.append(("key", f"Two criteria have the key “{draft.key}”. Remove one and add it anew."))
        found.extend(_condition_problems(draft, drafts, position))
        problems.extend(DraftProblem(position, field_name, message) for field_name, message in found)
    if not any(draft.is_rated for draft in drafts):
        message = "Words alone cannot be compared, nor can marks. Add a criterion that is rated or chosen."
        problems.append(DraftProblem(0, "kind", message))
    elif not any(_is_weight(draft.weight) and draft.weight.quantize(_FINEST_WEIGHT) > 0 for draft in drafts):
        message = "At least one criterion needs a weight above 0; three decimals of it are kept."
        problems.append(DraftProblem(0, "weight", message))
    return problems


def unkept_character(text: str) -> str:
    """The first character that no database keeps, in words; empty where there is none."""
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
        yield "key", f"A key is made of small letters, digits and hyphens, at most {LONGEST_KEY}."
    if len(draft.help_text) > LONGEST_HELP:
        yield (
            "help_text",
            f"The help is longer than {LONGEST_HELP:,} characters. Put it into the instructions.",
        )
    if draft.kind not in CriterionKind.values:
        yield "kind", f"A criterion is one of {', '.join(CriterionKind.values)}."
        return
    if not _is_weight(draft.weight):
        yield "weight", f"A weight is a number from 0 to {HIGHEST_WEIGHT}."
    checks = {
        CriterionKind.YES_NO: _yes_no_problems,
        CriterionKind.CATEGORY: _category_problems,
        CriterionKind.TEXT: _text_problems,
        CriterionKind.SPANS: _spans_problems,
    }
    yield from checks.get(CriterionKind(draft.kind), _scale_problems)(draft)
    if draft.options and not (draft.is_category or draft.is_spans):
        yield "options", "Only a category and span labels have options. Remove them."
    yield from _direction_problems(draft)
    yield from _level_text_problems(draft)
    yield from _tag_problems(draft)
    texts = (draft.name, draft.help_text, *draft.level_descriptions.values(), *draft.examples.values())
    unkept = map(unkept_character, (*texts, *(option.label for option in draft.options)))
    if found := next(filter(None, unkept), ""):
        yield "name", f"A text of this criterion holds {found}. Remove it."


def _level_text_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    known = {draft.level_key(level) for level in draft.levels} if draft.minimum < draft.maximum else set()
    for name, texts, longest in (
        ("level_descriptions", draft.level_descriptions, LONGEST_LEVEL_DESCRIPTION),
        ("examples", draft.examples, LONGEST_EXAMPLE),
    ):
        if unknown := sorted(set(texts) - known):
            what = "yes and no only" if draft.is_yes_no else f"levels {', '.join(sorted(known)) or 'of none'}"
            if draft.is_wide:
                what = f"levels {draft.minimum} to {draft.maximum}"
            yield name, f"There is no level {unknown[0]} here: there are texts for {what}. Remove its text."
        if any(len(text) > longest for text in texts.values()):
            yield name, f"A level's text has at most {longest:,} characters here."


def _direction_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if not draft.lower_is_better:
        return
    if not draft.is_scale:
        yield "lower_is_better", "Only a scale has a lower end that could be better."
    if draft.weight:
        yield "lower_is_better", "Where lower is better nothing is added to the total: give it the weight 0."
    if draft.low_threshold is not None:
        yield "lower_is_better", "Where lower is better low answers need no reasons: leave that level empty."
    if draft.is_critical:
        yield (
            "lower_is_better",
            "A critical scale fails an answer at its low end, which is the better one here.",
        )


def _scale_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if not draft.minimum < draft.maximum:
        yield "maximum", "The highest level must be above the lowest."
        return
    if draft.minimum < LOWEST_LEVEL or draft.maximum > HIGHEST_LEVEL:
        yield "maximum", f"Levels lie between {LOWEST_LEVEL} and {HIGHEST_LEVEL}."
    if draft.maximum - draft.minimum + 1 > MOST_LEVELS:
        yield "maximum", f"A scale has at most {MOST_LEVELS} levels; take fewer, or wider steps."
        return
    if draft.low_threshold is not None and not draft.minimum <= draft.low_threshold < draft.maximum:
        yield (
            "low_threshold",
            f"Reasons can be asked at {draft.minimum} to {draft.maximum - 1} and under; leave it empty for never.",
        )


def _yes_no_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if (draft.minimum, draft.maximum) != (NO, YES):
        yield "maximum", "A yes/no question has the levels 0 and 1."
    if draft.undesired not in (None, YES, NO):
        yield "undesired", "The undesired answer is yes, no, or neither."
    if draft.is_critical and draft.undesired is None:
        yield "undesired", "A critical question must say which answer is the undesired one."


def _category_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if not 2 <= len(draft.options) <= MOST_OPTIONS:
        yield "options", f"A category has 2 to {MOST_OPTIONS} options; write one a line."
        return
    if (draft.minimum, draft.maximum) != (1, len(draft.options)):
        yield "maximum", f"These options are the levels 1 to {len(draft.options)}."
    yield from _label_problems(draft, "option")
    if draft.is_critical and not any(option.is_undesired for option in draft.options):
        yield "options", "A critical category must say which options are undesired (a ! before them)."
    if all(option.is_undesired for option in draft.options):
        yield "options", "Every option is undesired, so no answer could be right. Mark fewer."


def _label_problems(draft: CriterionDraft, what: str) -> Iterator[tuple[str, str]]:
    if any(not option.label.strip() or len(option.label) > LONGEST_TAG for option in draft.options):
        yield "options", f"Each {what} has 1 to {LONGEST_TAG} characters."
    labels = Counter(option.label.strip().casefold() for option in draft.options)
    if repeated := [label for label, count in labels.items() if count > 1]:
        yield "options", f"The {what} “{repeated[0]}” is there twice. Remove one."


def _spans_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if not 1 <= len(draft.options) <= MOST_OPTIONS:
        yield "options", f"Spans have 1 to {MOST_OPTIONS} labels; write one a line."
    yield from _label_problems(draft, "label")
    if draft.is_critical:
        yield "is_critical", "A mark cannot fail an answer by itself. Ask a yes/no question beside it."
    if draft.tags:
        yield "tags", "Each mark has a comment of its own, and no reasons to pick. Remove them."
    if draft.low_threshold is not None:
        yield "low_threshold", "Spans have no levels that reasons could be asked at. Leave it empty."


def _text_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if draft.is_critical:
        yield "is_critical", "A text cannot fail an answer by itself. Ask a yes/no question beside it."
    if draft.allows_not_applicable:
        yield "allows_not_applicable", "A text that need not be written is optional: leave Required off."
    if draft.tags:
        yield "tags", "A text has no low answer to give reasons for. Remove them."
    if draft.low_threshold is not None:
        yield "low_threshold", "A text has no levels that reasons could be asked at. Leave it empty."


def _no_such_key(wanted: str, before: Sequence[CriterionDraft]) -> str:
    """With the key that is meant, where a criterion's name was written, or capitals; else with those there are."""
    message = f"There is no criterion with the key “{wanted}” to depend on."
    meant = wanted.strip().casefold()
    for each in before:
        if each.key and meant in (each.key.casefold(), each.name.strip().casefold()):
            return f"{message} The key of “{each.name}” is “{each.key}”: write that."
    keys = ", ".join(f"“{each.key}”" for each in before if each.key)
    return f"{message} Before it stand {keys}." if keys else message


def _condition_problems(
    draft: CriterionDraft, drafts: Sequence[CriterionDraft], position: int
) -> Iterator[tuple[str, str]]:
    """Looking back only: so conditions can form no cycle. A circle is said of its first criterion alone."""
    condition = draft.visible_if
    if condition is None:
        return
    # Of two with one key the first is meant; that the second repeats it is said of the second.
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
                    f"These wait for each other in a circle, so none of them would ever be asked: {way}. "
                    "Ask one of them always."
                ),
            )
    elif place > position:
        yield (
            "visible_if",
            f"“{drafts[place].name}” comes later; its answer is not known yet. Depend on an earlier one.",
        )
    elif drafts[place].is_text:
        yield "visible_if", f"“{drafts[place].name}” is answered in words; depend on an answer to choose."
    elif drafts[place].is_spans:
        yield "visible_if", f"“{drafts[place].name}” is marked in the text; depend on an answer to choose."
    elif drafts[place].is_wide:
        yield (
            "visible_if",
            f"“{drafts[place].name}” has more than {MOST_BUTTONS} levels; depend on an answer to choose.",
        )
    elif not condition.values:
        yield "visible_if", f"Choose at least one answer to “{drafts[place].name}”."
    elif unknown := sorted(set(condition.values) - set(drafts[place].levels)):
        yield "visible_if", f"“{drafts[place].name}” has no answer {unknown[0]}."


def _circle(drafts: Sequence[CriterionDraft], places: Mapping[str, int], start: int) -> list[int]:
    """The way from a criterion by what each depends on, where it leads back to it; else nothing."""
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
    if len(draft.tags) > MOST_TAGS:
        yield "tags", f"A criterion has at most {MOST_TAGS} reasons."
    labels = Counter(tag.label.strip().casefold() for tag in draft.tags)
    for tag in draft.tags:
        if not tag.label.strip() or len(tag.label) > LONGEST_TAG or unkept_character(tag.label):
            yield "tags", f"Each reason has 1 to {LONGEST_TAG} characters; write one a line."
            return
    repeated = [label for label, count in labels.items() if count > 1]
    if repeated:
        yield "tags", f"The reason “{repeated[0]}” is there twice. Remove one."
    for key, count in Counter(tag.key for tag in draft.tags if tag.key).items():
        if not _is_key(key):
            yield (
                "tags",
                f"A reason's key is made of small letters, digits and hyphens, at most {LONGEST_KEY}.",
            )
            return
        if count > 1:
            yield "tags", f"Two reasons have the key “{key}”. Give one another key, or none."


def hints(drafts: Sequence[CriterionDraft]) -> list[DraftProblem]:
    """What can be saved and yet makes ratings worse; each with its reason."""
    found = [
        DraftProblem(position, field_name, message)
        for position, draft in enumerate(drafts)
        for field_name, message in _own_hints(draft)
    ]
    total = sum((draft.weight for draft in drafts if draft.weight.is_finite()), Decimal(0))
    if any(draft.weight != draft.weight.to_integral_value() for draft in drafts) and total not in (1, 100):
        shown = f"{total.normalize():f}"
        message = (
            f"The weights are shares and add up to {shown}: they are taken by proportion, not as written."
        )
        found.append(DraftProblem(len(drafts) - 1, "weight", message))
    return found


def _own_hints(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if joined := _TWO_QUESTIONS.search(draft.name):
        word = joined.group().strip()
        yield (
            "name",
            f"“{word}” in the name asks two things at once: who finds them unequal cannot answer. Make two.",
        )
    named = (draft.minimum, draft.maximum) if draft.is_wide else draft.levels
    missing = [level for level in named if not draft.level_description(level).strip()]
    if missing and draft.is_scale:
        shown = ", ".join(str(level) for level in missing)
        lacks = "Level {} has no text" if len(missing) == 1 else "Levels {} have no text"
        yield (
            "level_descriptions",
            f"{lacks.format(shown)}: reviewers agree more when each level says what it means.",
        )
    if draft.is_wide:
        yield (
            "maximum",
            f"{len(draft.levels)} levels are typed as a number; few people tell so many apart. 5 to 7 agree best.",
        )
    elif draft.is_scale and len(draft.levels) % 2 == 0 and not draft.help_text.strip():
        yield (
            "maximum",
            "An even number of levels has no middle: reviewers must take a side. Say in the help why.",
        )
    if draft.is_spans and draft.is_required and not draft.allows_not_applicable:
        yield (
            "allows_not_applicable",
            "Whoever finds nothing to mark cannot submit. Allow “nothing to mark”, or make it optional.",
        )
    if any(draft.is_low(level) for level in draft.levels) and not draft.tags:
        yield "tags", "Without reasons a low score says that, not why. Add a few to pick from."
