"""The kinds of criteria: one module each, registered in `KINDS`."""

from collections.abc import Sequence

from evalapp.rubrics.kinds.base import CriterionDefinition, CriterionKind, Option
from evalapp.rubrics.kinds.category import Category
from evalapp.rubrics.kinds.scale import Scale
from evalapp.rubrics.kinds.spans import Spans
from evalapp.rubrics.kinds.text import Text
from evalapp.rubrics.kinds.yes_no import YesNo

KINDS: tuple[type[CriterionKind], ...] = (Scale, YesNo, Category, Text, Spans)
"""In the order in which they are offered."""


def kind_named(name: str) -> type[CriterionKind]:
    return next(kind for kind in KINDS if kind.name == name)


def rules_of(name: str, criterion: CriterionDefinition) -> CriterionKind:
    """The rules of that kind for a criterion."""
    return kind_named(name)(criterion)


def fixed_by(name: str, options: Sequence[Option]) -> dict[str, int | None]:
    """The fields that the kind of that name fixes, with values; empty for an unknown name."""
    return next((kind.fixed(options) for kind in KINDS if kind.name == name), {})


def choices() -> list[tuple[str, str]]:
    """Names and labels of all kinds."""
    return [(kind.name, kind.label) for kind in KINDS]


def answered_by(what: str) -> list[str]:
    """The names of kinds whose answers are stored as ``what``: "level", "words" or "marks"."""
    return [kind.name for kind in KINDS if kind.answered_by == what]


def with_mean() -> list[str]:
    """The names of the kinds whose number is a mean."""
    return [kind.name for kind in KINDS if kind.has_mean]
