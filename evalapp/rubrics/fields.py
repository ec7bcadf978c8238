"""A criterion as a reviewer meets it: the one description that every form of it is rendered from."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evalapp.rubrics.drafts import CriterionDraft, anchor_key

NOT_APPLICABLE = "na"


class LevelField(NamedTuple):
    """One answer: ``value`` is what the form sends, ``label`` what stands on it, ``text`` its anchor."""

    value: str
    label: str
    text: str
    is_checked: bool
    is_low: bool


class TagField(NamedTuple):
    key: str
    label: str
    is_checked: bool


class CriterionFields(NamedTuple):
    """A fieldset: the radio group ``name`` and the check boxes ``tag_name``."""

    key: str
    title: str
    help_text: str
    name: str
    tag_name: str
    levels: list[LevelField]
    tags: list[TagField]
    is_yes_no: bool
    is_required: bool
    is_critical: bool
    errors: list[str]


def fields_of(
    draft: CriterionDraft,
    *,
    prefix: str = "",
    answer: Mapping[str, Any] | None = None,
    errors: Sequence[str] = (),
) -> CriterionFields:
    """The fieldset of a criterion.

    ``answer``: {"value": a level, "na" or None, "tags": keys of the reasons given}. ``prefix`` is put
    before the names, for pages that show a criterion more than once.
    """
    given = answer or {}
    value = given.get("value")
    chosen = "" if value is None else str(value)
    tags = set(given.get("tags") or ())
    levels = [
        LevelField(
            value=str(level),
            label=anchor_key(level, is_yes_no=draft.is_yes_no).capitalize(),
            text=draft.anchor(level),
            is_checked=str(level) == chosen,
            is_low=draft.is_low(level),
        )
        for level in draft.levels
    ]
    if draft.allows_not_applicable:
        levels.append(
            LevelField(NOT_APPLICABLE, "N/A", "Does not apply here", chosen == NOT_APPLICABLE, is_low=False)
        )
    return CriterionFields(
        key=draft.key,
        title=draft.name,
        help_text=draft.help_text,
        name=f"{prefix}criterion-{draft.key}",
        tag_name=f"{prefix}tag-{draft.key}",
        levels=levels,
        tags=[TagField(tag.key, tag.label, tag.key in tags) for tag in draft.tags],
        is_yes_no=draft.is_yes_no,
        is_required=draft.is_required,
        is_critical=draft.is_critical,
        errors=list(errors),
    )
