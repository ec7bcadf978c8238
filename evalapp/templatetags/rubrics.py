from collections.abc import Mapping, Sequence
from typing import Any

from django import template

from evalapp.rubrics.drafts import CriterionDraft, draft_of, drafts_of
from evalapp.rubrics.fields import fields_of
from evalapp.rubrics.models import Criterion, RubricVersion
from evalapp.rubrics.problems import hints
from evalapp.rubrics.queries import condition_words

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

    ``all_criteria``: the rubric's, for the words of a condition. ``answer``: {"value": level, "na" or None,
    "tags": [keys]}. The radio group is named ``criterion-<key>``, the reasons ``tag-<key>``; ``prefix``
    precedes both. Prefetch ``reason_tags``.
    """
    draft = _draft(criterion)
    return {
        "field": fields_of(draft, prefix=prefix, answer=answer, errors=errors),
        # A preview is the same form, as scripts copy it, but without controls.
        "is_preview": prefix.startswith("preview"),
        "condition": asked(draft, all_criteria) if draft.visible_if else "",
    }


@register.inclusion_tag("rubrics/hints.html")
def rubric_hints(
    criteria: Sequence[CriterionDraft] | RubricVersion, edit: str = "", of: str = ""
) -> dict[str, Any]:
    """Warnings about criteria that are usable but make ratings worse: ``{% rubric_hints criteria edit %}``.

    ``edit``: the URL where they can be fixed, if the person may. ``of``: the rubric's name, on pages about
    something else.
    """
    drafts = drafts_of(criteria) if isinstance(criteria, RubricVersion) else criteria
    found = [(drafts[hint.position].name, hint.message) for hint in hints(drafts)]
    return {"hints": found, "edit": edit, "of": of}


@register.filter
def asked(draft: CriterionDraft, all_criteria: Sequence[Criterion | CriterionDraft]) -> str:
    """The condition under which a criterion is asked, in words: ``{{ draft|asked:criteria }}``."""
    return condition_words(draft, {each.key: _draft(each) for each in all_criteria})


@register.filter
def kind_in_words(draft: CriterionDraft) -> str:
    """The kind with its range or options: ``{{ draft|kind_in_words }}``."""
    return draft.rules.in_words


@register.filter
def low_levels(draft: CriterionDraft) -> str:
    """The low levels, at which reasons are asked: ``{{ draft|low_levels }}``."""
    return draft.rules.low_in_words


def _draft(criterion: Criterion | CriterionDraft) -> CriterionDraft:
    return draft_of(criterion) if isinstance(criterion, Criterion) else criterion
