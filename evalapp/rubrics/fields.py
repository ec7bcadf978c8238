"""A criterion as a reviewer meets it: the one description that every form of it is rendered from."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evalapp.rubrics.drafts import CriterionDraft

NOT_APPLICABLE = "na"


class LevelField(NamedTuple):
    """One answer: ``value`` is what the form sends, ``label`` what stands on it, ``text`` its anchor,
    ``example`` an answer that deserves it.
    """

    value: str
    label: str
    text: str
    is_checked: bool
    is_low: bool
    example: str = ""


class TagField(NamedTuple):
    key: str
    label: str
    is_checked: bool


class CriterionFields(NamedTuple):
    """A fieldset: the radio group ``name`` and the check boxes ``tag_name``, or the text area ``text_name``.

    ``depends_on`` and ``depends_values`` (spaces between): asked only where that criterion has one of
    these values.
    """

    key: str
    title: str
    help_text: str
    name: str
    tag_name: str
    text_name: str
    text: str
    levels: list[LevelField]
    tags: list[TagField]
    kind: str
    is_required: bool
    is_critical: bool
    depends_on: str
    depends_values: str
    errors: list[str]

    @property
    def has_examples(self) -> bool:
        return any(level.example for level in self.levels)


def fields_of(
    draft: CriterionDraft,
    *,
    prefix: str = "",
    answer: Mapping[str, Any] | None = None,
    errors: Sequence[str] = (),
) -> CriterionFields:
    """The fieldset of a criterion.

    ``answer``: {"value": a level, "na" or None, "tags": keys of the reasons given, "text": words}. ``prefix`` is put
    before the names, for pages that show a criterion more than once.
    """
    given = answer or {}
    value = given.get("value")
    chosen = "" if value is None else str(value)
    tags = set(given.get("tags") or ())
    levels = [
        LevelField(
            value=str(level),
            label=draft.level_label(level),
            text=draft.anchor(level),
            is_checked=str(level) == chosen,
            is_low=draft.is_low(level),
            example=draft.example(level),
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
        text_name=f"{prefix}text-{draft.key}",
        text=str(given.get("text") or ""),
        levels=levels,
        tags=[TagField(tag.key, tag.label, tag.key in tags) for tag in draft.tags],
        kind=draft.kind,
        is_required=draft.is_required,
        is_critical=draft.is_critical,
        depends_on=draft.visible_if.criterion if draft.visible_if else "",
        depends_values=" ".join(map(str, draft.visible_if.values)) if draft.visible_if else "",
        errors=list(errors),
    )
