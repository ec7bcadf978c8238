"""Functions that write criteria of templates."""

from decimal import Decimal

from evalapp.rubrics.drafts import CriterionDraft, TagDraft
from evalapp.rubrics.kinds.yes_no import NO, YES, YesNo


def scale(
    name: str,
    help_text: str,
    level_descriptions: tuple[str, ...],
    tags: tuple[str, ...],
    *,
    weight: int = 1,
    allows_not_applicable: bool = False,
) -> CriterionDraft:
    """A scale from 1, with a description of each level; reasons are asked at 1 and 2."""
    return CriterionDraft(
        name=name,
        help_text=help_text,
        maximum=len(level_descriptions),
        level_descriptions={str(level): text for level, text in enumerate(level_descriptions, start=1)},
        tags=tuple(TagDraft(tag) for tag in tags),
        weight=Decimal(weight),
        allows_not_applicable=allows_not_applicable,
    )


def fault(name: str, help_text: str, *, yes: str, no: str, tags: tuple[str, ...]) -> CriterionDraft:
    """A critical question: the answer yes fails the whole output."""
    return CriterionDraft(
        name=name,
        kind=YesNo.name,
        minimum=NO,
        maximum=YES,
        help_text=help_text,
        level_descriptions={"yes": yes, "no": no},
        is_critical=True,
        low_threshold=None,
        undesired=YES,
        tags=tuple(TagDraft(tag) for tag in tags),
    )
