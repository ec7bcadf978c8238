"""A rubric's criteria before they are stored. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.text import slugify

from evalapp.rubrics.models import NOT_LEVELS, Criterion, CriterionKind, RubricVersion

MOST_CRITERIA = 30
MOST_TAGS = 20
LOWEST_LEVEL = -10
HIGHEST_LEVEL = 100
MOST_LEVELS = 101
MOST_BUTTONS = 11
"""A scale of more levels is answered by typing the number."""
_TEXTS_OF_WIDE_SCALE = 10
MOST_OPTIONS = 20
HIGHEST_WEIGHT = Decimal(100)
LONGEST_NAME = 80
LONGEST_KEY = 40
LONGEST_TAG = 60
LONGEST_LEVEL_DESCRIPTION = 500
LONGEST_EXAMPLE = 4_000
LONGEST_HELP = 2_000
LONGEST_DESCRIPTION = 2_000
LONGEST_INSTRUCTIONS = 20_000
YES, NO = 1, 0


@dataclass(frozen=True, slots=True)
class TagDraft:
    """A reason offered at a low score; an empty key is made from the label."""

    label: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class OptionDraft:
    """One answer of a category criterion, or a label of spans. An undesired answer asks for reasons, as a
    low score does.
    """

    label: str
    is_undesired: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """Ask only where an earlier criterion (its key) was answered with one of these values."""

    criterion: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CriterionDraft:
    """One criterion; the fields are those of ``Criterion``.

    ``level_descriptions`` maps each level as text ("1" … "5"; for yes/no "yes" and "no") to what it means,
    ``examples`` to an answer that deserves it. A category's levels are its ``options``, counted from 1.
    An empty ``key`` is made from the name.
    """

    name: str
    kind: str = CriterionKind.SCALE
    key: str = ""
    help_text: str = ""
    minimum: int = 1
    maximum: int = 5
    level_descriptions: Mapping[str, str] = field(default_factory=dict)
    weight: Decimal = Decimal(1)
    is_required: bool = True
    allows_not_applicable: bool = False
    is_critical: bool = False
    low_threshold: int | None = 2
    undesired: int | None = None
    lower_is_better: bool = False
    tags: Sequence[TagDraft] = ()
    options: Sequence[OptionDraft] = ()
    examples: Mapping[str, str] = field(default_factory=dict)
    visible_if: Condition | None = None

    @property
    def is_yes_no(self) -> bool:
        return self.kind == CriterionKind.YES_NO

    @property
    def is_category(self) -> bool:
        return self.kind == CriterionKind.CATEGORY

    @property
    def is_text(self) -> bool:
        return self.kind == CriterionKind.TEXT

    @property
    def is_spans(self) -> bool:
        return self.kind == CriterionKind.SPANS

    @property
    def is_rated(self) -> bool:
        """Whether it is answered by a level; a text and spans are not."""
        return self.kind not in NOT_LEVELS

    @property
    def is_scale(self) -> bool:
        return self.kind == CriterionKind.SCALE

    @property
    def is_wide(self) -> bool:
        """A scale of so many levels that its answer is a number typed in."""
        return self.is_scale and self.maximum - self.minimum >= MOST_BUTTONS

    @property
    def levels(self) -> list[int]:
        """Values in the order they are offered: a scale from its lowest, yes before no."""
        if not self.is_rated:
            return []
        return [YES, NO] if self.is_yes_no else list(range(self.minimum, self.maximum + 1))

    @property
    def text_levels(self) -> list[int]:
        """The levels that a text can be written for: all, but of a wide scale every tenth part and those
        that have one.
        """
        if not self.is_wide:
            return self.levels
        parts = range(_TEXTS_OF_WIDE_SCALE + 1)
        width = self.maximum - self.minimum
        steps = {self.minimum + round(part * width / _TEXTS_OF_WIDE_SCALE) for part in parts}
        return [
            level
            for level in self.levels
            if level in steps or self.level_description(level) or self.example(level)
        ]

    def level_key(self, level: int) -> str:
        """The name of a level in ``level_descriptions`` and ``examples``."""
        return level_key_of(level, is_yes_no=self.is_yes_no)

    def level_label(self, level: int) -> str:
        """What stands on a level: its number, Yes or No, or the option."""
        if self.is_category:
            return self.options[level - 1].label if level <= len(self.options) else ""
        return self.level_key(level).capitalize()

    def level_description(self, level: int) -> str:
        return self.level_descriptions.get(self.level_key(level), "")

    def example(self, level: int) -> str:
        return self.examples.get(self.level_key(level), "")

    def is_low(self, level: int) -> bool:
        """Whether this value asks for reasons."""
        if self.is_yes_no:
            return level == self.undesired
        if self.is_category:
            return level <= len(self.options) and self.options[level - 1].is_undesired
        return self.low_threshold is not None and level <= self.low_threshold


@dataclass(frozen=True, slots=True)
class RubricDraft:
    """A whole rubric outside a project: a template, or what a file says."""

    name: str
    description: str
    instructions: str
    criteria: tuple[CriterionDraft, ...]


class DraftProblem(NamedTuple):
    """What is wrong with one field of the criterion at ``position`` (from 0)."""

    position: int
    field: str
    message: str


def level_key_of(level: int, *, is_yes_no: bool) -> str:
    """The name of a level in ``level_descriptions``."""
    if is_yes_no:
        return "yes" if level == YES else "no"
    return str(level)


def range_of(kind: str, options: Sequence[OptionDraft]) -> dict[str, int | None]:
    """The fields in which a kind leaves no choice; nothing for a scale."""
    if kind == CriterionKind.YES_NO:
        return {"minimum": NO, "maximum": YES, "low_threshold": None}
    if kind == CriterionKind.CATEGORY:
        return {"minimum": 1, "maximum": len(options), "low_threshold": None}
    if kind in NOT_LEVELS:
        return {"minimum": 0, "maximum": 1, "low_threshold": None}
    return {}


def draft_of(criterion: Criterion) -> CriterionDraft:
    """A stored criterion as a draft; reads its reason tags."""
    return CriterionDraft(
        name=criterion.name,
        kind=criterion.kind,
        key=criterion.key,
        help_text=criterion.help_text,
        minimum=criterion.minimum,
        maximum=criterion.maximum,
        level_descriptions=dict(criterion.level_descriptions),
        weight=criterion.weight,
        is_required=criterion.is_required,
        allows_not_applicable=criterion.allows_not_applicable,
        is_critical=criterion.is_critical,
        low_threshold=criterion.low_threshold,
        undesired=criterion.undesired,
        lower_is_better=criterion.lower_is_better,
        tags=tuple(TagDraft(tag.label, tag.key) for tag in criterion.reason_tags.all()),
        options=tuple(OptionDraft(**option) for option in criterion.options),
        examples=dict(criterion.examples),
        visible_if=_condition(criterion.visible_if),
    )


def _condition(stored: Mapping[str, Any] | None) -> Condition | None:
    return Condition(stored["criterion"], tuple(stored["values"])) if stored else None


def drafts_of(version: RubricVersion) -> list[CriterionDraft]:
    """The version's criteria in order."""
    return [draft_of(criterion) for criterion in version.criteria.prefetch_related("reason_tags")]


def with_keys(drafts: Sequence[CriterionDraft]) -> list[CriterionDraft]:
    """The same drafts, each criterion and tag with a key; keys that are there stay.

    A key names a criterion over versions: a renamed criterion keeps it, so its scores stay comparable.
    """
    taken = {draft.key for draft in drafts if draft.key}
    numbers: dict[str, int] = {}
    keyed = []
    for draft in drafts:
        key = draft.key or _free_key(draft.name, "criterion", taken, numbers)
        taken.add(key)
        tag_keys = {tag.key for tag in draft.tags if tag.key}
        tag_numbers: dict[str, int] = {}
        tags = []
        for tag in draft.tags:
            tag_key = tag.key or _free_key(tag.label, "reason", tag_keys, tag_numbers)
            tag_keys.add(tag_key)
            tags.append(TagDraft(tag.label, tag_key))
        keyed.append(replace(draft, key=key, tags=tuple(tags)))
    return keyed


def _free_key(text: str, otherwise: str, taken: set[str], numbers: dict[str, int]) -> str:
    """``numbers``: the last number given to each stem, so that many of one name are not counted anew."""
    stem = slugify(text)[: LONGEST_KEY - 4] or otherwise
    number = numbers.get(stem, 1)
    key = stem if number == 1 else f"{stem}-{number}"
    while key in taken:
        number += 1
        key = f"{stem}-{number}"
    numbers[stem] = number
    return key
