from collections.abc import Mapping, Sequence
from typing import Any

from django import template

from evalapp.rubrics.drafts import CriterionDraft, draft_of
from evalapp.rubrics.fields import fields_of
from evalapp.rubrics.models import Criterion

register = template.Library()


@register.inclusion_tag("rubrics/criterion_fields.html")
def criterion_fields(
    criterion: Criterion | CriterionDraft,
    answer: Mapping[str, Any] | None = None,
    prefix: str = "",
    errors: Sequence[str] = (),
) -> dict[str, Any]:
    """A criterion's fieldset: ``{% criterion_fields criterion answer=answer errors=errors %}``.

    ``answer``: {"value": level, "na" or None, "tags": [keys]}. The radio group is named
    ``criterion-<key>``, the reasons ``tag-<key>``; ``prefix`` goes before both. Prefetch
    ``reason_tags``.
    """
    draft = draft_of(criterion) if isinstance(criterion, Criterion) else criterion
    return {"field": fields_of(draft, prefix=prefix, answer=answer, errors=errors)}
