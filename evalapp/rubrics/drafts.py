"""A rubric's criteria before they are stored. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.text import slugify

from evalapp.rubrics import kinds
from evalapp.rubrics.kinds import rules_of
from evalapp.rubrics.kinds.base import CriterionKind, Option
from evalapp.rubrics.kinds.scale import Scale
from evalapp.rubrics.limits import LONGEST_KEY
from evalapp.rubrics.models import Criterion, RubricVersion


@dataclass(frozen=True, slots=True)
class TagDraft:
    """A reason offered at low scores; an empty key is generated from the label."""

    label: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """Ask a criterion only if an earlier one (by key) was answered with one of these values."""

    criterion: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CriterionDraft:
    """One criterion, with the fields of ``Criterion``.

    ``level_descriptions`` maps each level as text ("1" … "5"; for yes/no "yes" and "no") to its meaning,
    ``examples`` to an example output for it. A category's levels are its ``options``, counted from 1.
    ``minimum``, ``maximum`` and ``low_threshold`` are levels: with ``steps_per_point``, counted in steps. An
    empty ``key`` is generated from the name.
    """

    name: str
    kind: str = Scale.name
    key: str = ""
    help_text: str = ""
    minimum: int = 1
    maximum: int = 5
    steps_per_point: int = 1
    level_descriptions: Mapping[str, str] = field(default_factory=dict)
    weight: Decimal = Decimal(1)
    is_required: bool = True
    allows_not_applicable: bool = False
    is_critical: bool = False
    low_threshold: int | None = 2
    undesired: int | None = None
    lower_is_better: bool = False
    tags: Sequence[TagDraft] = ()
    options: Sequence[Option] = ()
    examples: Mapping[str, str] = field(default_factory=dict)
    visible_if: Condition | None = None

    @property
    def rules(self) -> CriterionKind:
        """The rules of its kind; those of a scale for an unknown kind, which is refused later."""
        known = self.kind in (kind.name for kind in kinds.KINDS)
        return rules_of(self.kind if known else Scale.name, self)

    def level_description(self, level: int) -> str:
        return self.level_descriptions.get(self.rules.level_key(level), "")

    def example(self, level: int) -> str:
        return self.examples.get(self.rules.level_key(level), "")


@dataclass(frozen=True, slots=True)
class RubricDraft:
    """A whole rubric outside a project: a template, or the content of a file."""

    name: str
    description: str
    instructions: str
    criteria: tuple[CriterionDraft, ...]


class DraftProblem(NamedTuple):
    """A problem with one field of the criterion at ``position`` (from 0)."""

    position: int
    field: str
    message: str


def draft_of(criterion: Criterion) -> CriterionDraft:
    """A stored criterion as a draft; reads its reason tags."""
    return CriterionDraft(
        name=criterion.name,
        kind=criterion.kind,
        key=criterion.key,
        help_text=criterion.help_text,
        minimum=criterion.minimum,
        maximum=criterion.maximum,
        steps_per_point=criterion.steps_per_point,
        level_descriptions=dict(criterion.level_descriptions),
        weight=criterion.weight,
        is_required=criterion.is_required,
        allows_not_applicable=criterion.allows_not_applicable,
        is_critical=criterion.is_critical,
        low_threshold=criterion.low_threshold,
        undesired=criterion.undesired,
        lower_is_better=criterion.lower_is_better,
        tags=tuple(TagDraft(tag.label, tag.key) for tag in criterion.reason_tags.all()),
        options=tuple(Option(**option) for option in criterion.options),
        examples=dict(criterion.examples),
        visible_if=_condition(criterion.visible_if),
    )


def _condition(stored: Mapping[str, Any] | None) -> Condition | None:
    return Condition(stored["criterion"], tuple(stored["values"])) if stored else None


def drafts_of(version: RubricVersion) -> list[CriterionDraft]:
    """The version's criteria in order."""
    return [draft_of(criterion) for criterion in version.criteria.prefetch_related("reason_tags")]


def with_keys(drafts: Sequence[CriterionDraft]) -> list[CriterionDraft]:
    """The drafts with keys generated for criteria and tags without one.

    A key identifies a criterion across versions: a renamed criterion keeps it, so its scores stay comparable.
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
    """An unused key. ``numbers``: the last number used for each stem, so that equal names are not searched
    from 1 again.
    """
    stem = slugify(text)[: LONGEST_KEY - 4] or otherwise
    number = numbers.get(stem, 1)
    key = stem if number == 1 else f"{stem}-{number}"
    while key in taken:
        number += 1
        key = f"{stem}-{number}"
    numbers[stem] = number
    return key
