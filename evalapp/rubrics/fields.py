"""A criterion's fields in a form, from which every form is rendered."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evalapp.rubrics.drafts import CriterionDraft

NOT_APPLICABLE = "na"


class LevelField(NamedTuple):
    """One answer: ``value`` is sent by the form, ``label`` shown on the button; ``text``: its level
    description; ``example``: an example output for it.
    """

    value: str
    label: str
    text: str
    is_checked: bool
    is_low: bool
    example: str = ""


class NumberField(NamedTuple):
    """The answer to a wide scale, entered as a number; reasons are asked at and below ``low`` (empty:
    never).
    """

    value: str
    minimum: float
    maximum: float
    low: str
    step: str
    called: str


class SpanField(NamedTuple):
    """A span of the output: ``value`` is sent by the form, ``quote``: the marked words."""

    value: str
    number: int
    label: str
    quote: str
    comment: str


class QuotedField(NamedTuple):
    """Words to mark, as entered in a form that was refused."""

    words: str
    occurrence: str
    label: str
    comment: str


class LabelField(NamedTuple):
    """A label for spans; ``number``: from 1."""

    number: int
    label: str
    is_undesired: bool


class TagField(NamedTuple):
    key: str
    label: str
    is_checked: bool


class CriterionFields(NamedTuple):
    """A criterion's fieldset: radio group ``name`` with check boxes ``tag_name``, or text area ``text_name``,
    or ``spans`` with their ``labels``. A wide scale has a ``number`` instead of buttons; its ``levels`` are
    the legend.

    ``depends_on`` and ``depends_values`` (separated by spaces): asked only if that criterion has one of these
    values.
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
    control: str
    shows_keys: bool
    is_required: bool
    is_critical: bool
    depends_on: str
    depends_values: str
    errors: list[str]
    number: NumberField | None = None
    labels: Sequence[LabelField] = ()
    spans: Sequence[SpanField] = ()
    quoted: QuotedField | None = None

    @property
    def template(self) -> str:
        """The template of the answer's controls."""
        return f"rubrics/controls/{self.control}.html"

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

    ``answer``: {"value": a level, "na" or None, "tags": keys of the reasons, "text": text, "spans":
    `SpanField`s, "quoted": a `QuotedField`}. ``prefix`` precedes the names, for pages that show a criterion
    more than once.
    """
    given, rules = answer or {}, draft.rules
    value = given.get("value")
    chosen = "" if value is None else str(value)
    tags = set(given.get("tags") or ())
    levels = [
        LevelField(
            value=str(level),
            label=rules.level_label(level),
            text=draft.level_description(level),
            is_checked=str(level) == chosen,
            is_low=rules.is_low(level),
            example=draft.example(level),
        )
        for level in rules.described_levels
        if not rules.is_typed or draft.level_description(level) or draft.example(level)
    ]
    if draft.allows_not_applicable:
        label, text = rules.not_applicable
        levels.append(LevelField(NOT_APPLICABLE, label, text, chosen == NOT_APPLICABLE, is_low=False))
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
        control=rules.control,
        shows_keys=rules.shows_keys,
        is_required=draft.is_required,
        is_critical=draft.is_critical,
        depends_on=draft.visible_if.criterion if draft.visible_if else "",
        depends_values=" ".join(map(str, draft.visible_if.values)) if draft.visible_if else "",
        errors=list(errors),
        number=_number_field(draft, chosen) if rules.is_typed else None,
        labels=[
            LabelField(number, option.label, option.is_undesired)
            for number, option in enumerate(draft.options, start=1)
            if rules.answered_by == "marks"
        ],
        spans=tuple(given.get("spans") or ()),
        quoted=given.get("quoted"),
    )


def _number_field(draft: CriterionDraft, chosen: str) -> NumberField:
    rules = draft.rules
    low = "" if rules.low_threshold is None else str(rules.number(rules.low_threshold))
    return NumberField(
        value="" if chosen == NOT_APPLICABLE else chosen,
        minimum=rules.number(draft.minimum),
        maximum=rules.number(draft.maximum),
        low=low,
        step=rules.step,
        called=rules.number_called,
    )
