from collections.abc import Mapping, Sequence
from typing import Any

from django import template

from evalapp.rubrics.drafts import CriterionDraft, draft_of
from evalapp.rubrics.fields import fields_of
from evalapp.rubrics.models import Criterion
from evalapp.rubrics.queries import condition_words, kind_words, low_words

register = template.Library()


@register.inclusion_tag("rubrics/criterion_fields.html")
def criterion_fields(
    criterion: Criterion | CriterionDraft,
    all_criteria: Sequence[Criterion | CriterionDraft],
    answer: Mapping[str, Any] | None = None,
    prefix: str = "",
    errors: Sequence[str] = (),
) -> dict[str, Any]:
    """A criterion's fieldset: ``{% criterion_fields criterion criteria answer=answer errors=errors %}``.

    ``all_criteria``: the rubric's, for the words of a condition. ``answer``: {"value": level, "na" or
    None, "tags": [keys]}. The radio group is named ``criterion-<key>``, the reasons ``tag-<key>``;
    ``prefix`` goes before both. Prefetch ``reason_tags``.
    """
    draft = _draft(criterion)
    return {
        "field": fields_of(draft, prefix=prefix, answer=answer, errors=errors),
        "condition": asked(draft, all_criteria) if draft.visible_if else "",
    }


@register.filter
def asked(draft: CriterionDraft, all_criteria: Sequence[Criterion | CriterionDraft]) -> str:
    """When a criterion is asked, in words: ``{{ draft|asked:criteria }}``."""
    return condition_words(draft, {each.key: _draft(each) for each in all_criteria})


@register.filter
def kind_in_words(draft: CriterionDraft) -> str:
    """The kind with its range or options: ``{{ draft|kind_in_words }}``."""
    return kind_words(draft)


@register.filter
def low_levels(draft: CriterionDraft) -> str:
    """The answers that reasons are asked at: ``{{ draft|low_levels }}``."""
    return low_words(draft)


def _draft(criterion: Criterion | CriterionDraft) -> CriterionDraft:
    return draft_of(criterion) if isinstance(criterion, Criterion) else criterion
