"""A rubric's criteria before they are stored, and everything that can be wrong with them. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from django.utils.text import slugify

from evalapp.core.errors import InvalidError
from evalapp.core.names import checked_name
from evalapp.rubrics.models import Criterion, CriterionKind, RubricVersion

MOST_CRITERIA = 30
MOST_TAGS = 20
LOWEST_LEVEL = -10
HIGHEST_LEVEL = 100
MOST_LEVELS = 11
HIGHEST_WEIGHT = Decimal(100)
LONGEST_NAME = 80
LONGEST_KEY = 40
LONGEST_TAG = 60
LONGEST_ANCHOR = 500
LONGEST_HELP = 2_000
YES, NO = 1, 0


@dataclass(frozen=True, slots=True)
class TagDraft:
    """A reason offered at a low score; an empty key is made from the label."""

    label: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class CriterionDraft:
    """One criterion; the fields are those of ``Criterion``.

    ``anchors`` maps each level as text ("1" … "5"; for yes/no "yes" and "no") to what it means.
    An empty ``key`` is made from the name.
    """

    name: str
    kind: str = CriterionKind.SCALE
    key: str = ""
    help_text: str = ""
    minimum: int = 1
    maximum: int = 5
    anchors: Mapping[str, str] = field(default_factory=dict)
    weight: Decimal = Decimal(1)
    is_required: bool = True
    allows_not_applicable: bool = False
    is_critical: bool = False
    low_threshold: int | None = 2
    undesired: int | None = None
    tags: Sequence[TagDraft] = ()

    @property
    def is_yes_no(self) -> bool:
        return self.kind == CriterionKind.YES_NO

    @property
    def levels(self) -> list[int]:
        """Values in the order they are offered: a scale from its lowest, yes before no."""
        return [YES, NO] if self.is_yes_no else list(range(self.minimum, self.maximum + 1))

    def anchor(self, level: int) -> str:
        return self.anchors.get(anchor_key(level, is_yes_no=self.is_yes_no), "")

    def is_low(self, level: int) -> bool:
        """Whether this value asks for reasons."""
        if self.is_yes_no:
            return level == self.undesired
        return self.low_threshold is not None and level <= self.low_threshold


class DraftProblem(NamedTuple):
    """What is wrong with one field of the criterion at ``position`` (from 0)."""

    position: int
    field: str
    message: str


def anchor_key(level: int, *, is_yes_no: bool) -> str:
    """The name of a level in ``anchors``."""
    if is_yes_no:
        return "yes" if level == YES else "no"
    return str(level)


def draft_of(criterion: Criterion) -> CriterionDraft:
    """A stored criterion as a draft; reads its reason tags."""
    return CriterionDraft(
        name=criterion.name,
        kind=criterion.kind,
        key=criterion.key,
        help_text=criterion.help_text,
        minimum=criterion.minimum,
        maximum=criterion.maximum,
        anchors=dict(criterion.anchors),
        weight=criterion.weight,
        is_required=criterion.is_required,
        allows_not_applicable=criterion.allows_not_applicable,
        is_critical=criterion.is_critical,
        low_threshold=criterion.low_threshold,
        undesired=criterion.undesired,
        tags=tuple(TagDraft(tag.label, tag.key) for tag in criterion.reason_tags.all()),
    )


def drafts_of(version: RubricVersion) -> list[CriterionDraft]:
    """The version's criteria in order."""
    return [draft_of(criterion) for criterion in version.criteria.prefetch_related("reason_tags")]


def with_keys(drafts: Sequence[CriterionDraft]) -> list[CriterionDraft]:
    """The same drafts, each criterion and tag with a key; keys that are there stay.

    A key names a criterion over versions: a renamed criterion keeps it, so its scores stay comparable.
    """
    taken = {draft.key for draft in drafts if draft.key}
    keyed = []
    for draft in drafts:
        key = draft.key or _free_key(draft.name, "criterion", taken)
        taken.add(key)
        tag_keys = {tag.key for tag in draft.tags if tag.key}
        tags = []
        for tag in draft.tags:
            tag_key = tag.key or _free_key(tag.label, "reason", tag_keys)
            tag_keys.add(tag_key)
            tags.append(TagDraft(tag.label, tag_key))
        keyed.append(replace(draft, key=key, tags=tuple(tags)))
    return keyed


def _free_key(text: str, otherwise: str, taken: set[str]) -> str:
    stem = slugify(text)[: LONGEST_KEY - 4] or otherwise
    key, number = stem, 1
    while key in taken:
        number += 1
        key = f"{stem}-{number}"
    return key


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
        problems.extend(DraftProblem(position, field_name, message) for field_name, message in found)
    if not any(draft.weight.is_finite() and draft.weight > 0 for draft in drafts):
        problems.append(DraftProblem(0, "weight", "At least one criterion needs a weight above 0."))
    return problems


def _own_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    try:
        checked_name(draft.name, of="the criterion", longest=LONGEST_NAME)
    except InvalidError as error:
        yield "name", error.message
    if draft.key and (len(draft.key) > LONGEST_KEY or slugify(draft.key) != draft.key):
        yield "key", f"A key is made of small letters, digits and hyphens, at most {LONGEST_KEY}."
    if len(draft.help_text) > LONGEST_HELP:
        yield (
            "help_text",
            f"The help is longer than {LONGEST_HELP:,} characters. Put it into the instructions.",
        )
    if draft.kind not in CriterionKind.values:
        yield "kind", "A criterion is a scale or a yes/no question."
        return
    if not draft.weight.is_finite() or not 0 <= draft.weight <= HIGHEST_WEIGHT:
        yield "weight", f"A weight is a number from 0 to {HIGHEST_WEIGHT}."
    yield from _yes_no_problems(draft) if draft.is_yes_no else _scale_problems(draft)
    if any(len(text) > LONGEST_ANCHOR for text in draft.anchors.values()):
        yield "anchors", f"A level's text has at most {LONGEST_ANCHOR} characters."
    yield from _tag_problems(draft)
    if any("\x00" in text for text in (draft.name, draft.help_text, *draft.anchors.values())):
        yield "name", "A text of this criterion holds a NUL character (U+0000). Remove it."


def _scale_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if not draft.minimum < draft.maximum:
        yield "maximum", "The highest level must be above the lowest."
        return
    if draft.minimum < LOWEST_LEVEL or draft.maximum > HIGHEST_LEVEL:
        yield "maximum", f"Levels lie between {LOWEST_LEVEL} and {HIGHEST_LEVEL}."
    if draft.maximum - draft.minimum + 1 > MOST_LEVELS:
        yield "maximum", f"A scale has at most {MOST_LEVELS} levels; people cannot tell more apart."
        return
    if draft.low_threshold is not None and not draft.minimum <= draft.low_threshold < draft.maximum:
        yield (
            "low_threshold",
            f"Reasons can be asked at {draft.minimum} to {draft.maximum - 1} and under; leave it empty for never.",
        )
    unknown = sorted(set(draft.anchors) - {str(level) for level in draft.levels})
    if unknown:
        yield "anchors", f"There is no level {unknown[0]} on this scale. Remove its text."


def _yes_no_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if (draft.minimum, draft.maximum) != (NO, YES):
        yield "maximum", "A yes/no question has the levels 0 and 1."
    if draft.undesired not in (None, YES, NO):
        yield "undesired", "The undesired answer is yes, no, or neither."
    if draft.is_critical and draft.undesired is None:
        yield "undesired", "A critical question must say which answer is the undesired one."
    if set(draft.anchors) - {"yes", "no"}:
        yield "anchors", "A yes/no question has texts for yes and no only."


def _tag_problems(draft: CriterionDraft) -> Iterator[tuple[str, str]]:
    if len(draft.tags) > MOST_TAGS:
        yield "tags", f"A criterion has at most {MOST_TAGS} reasons."
    labels = Counter(tag.label.strip().casefold() for tag in draft.tags)
    for tag in draft.tags:
        if not tag.label.strip() or len(tag.label) > LONGEST_TAG or "\x00" in tag.label:
            yield "tags", f"Each reason has 1 to {LONGEST_TAG} characters; write one a line."
            return
    repeated = [label for label, count in labels.items() if count > 1]
    if repeated:
        yield "tags", f"The reason “{repeated[0]}” is there twice. Remove one."


def hints(drafts: Sequence[CriterionDraft]) -> list[DraftProblem]:
    """What can be saved and yet makes ratings worse; each with its reason."""
    found = []
    for position, draft in enumerate(drafts):
        missing = [level for level in draft.levels if not draft.anchor(level).strip()]
        if missing and not draft.is_yes_no:
            shown = ", ".join(str(level) for level in missing)
            found.append(
                DraftProblem(
                    position,
                    "anchors",
                    f"Level {shown} has no text: reviewers agree more when each level says what it means.",
                )
            )
        if not draft.is_yes_no and len(draft.levels) % 2 == 0:
            found.append(
                DraftProblem(
                    position, "maximum", "An even number of levels has no middle: reviewers must take a side."
                )
            )
        asks_reasons = draft.undesired is not None if draft.is_yes_no else draft.low_threshold is not None
        if asks_reasons and not draft.tags:
            found.append(
                DraftProblem(
                    position,
                    "tags",
                    "Without reasons a low score says that, not why. Add a few to pick from.",
                )
            )
    return found
