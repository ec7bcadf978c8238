"""The builder's form: any number of criteria in one POST, usable without scripts.

Fields are named ``criteria-<position>-<field>``; ``criteria-count`` is their number. A button named
``action`` changes the structure ("add-scale", "up-2", "remove-0"); every other POST saves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from django import forms
from django.http import QueryDict

from evalapp.core.errors import InvalidError
from evalapp.core.http import number_of
from evalapp.rubrics import kinds
from evalapp.rubrics.drafts import Condition, CriterionDraft, DraftProblem, TagDraft, with_keys
from evalapp.rubrics.kinds.base import CriterionKind, Option
from evalapp.rubrics.kinds.scale import Scale, ends_in_points
from evalapp.rubrics.limits import (
    HIGHEST_LEVEL,
    LONGEST_DESCRIPTION,
    LOWEST_LEVEL,
    MOST_CRITERIA,
    MOST_LEVELS,
    MOST_OPTIONS,
)
from evalapp.rubrics.templates import TEMPLATES


class RubricForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="For instance “Summary quality”.")
    description = forms.CharField(
        required=False, max_length=LONGEST_DESCRIPTION, widget=forms.Textarea(attrs={"rows": 2})
    )


class NewRubricForm(RubricForm):
    template = forms.ChoiceField(
        label="Start from",
        required=False,
        choices=[
            *((key, f"{template.name}: {template.description}") for key, template in TEMPLATES.items()),
            ("", "An empty rubric"),
        ],
        widget=forms.RadioSelect,
        initial="summaries",
    )


class ImportRubricForm(forms.Form):
    file = forms.FileField(
        label="Rubric file",
        help_text="YAML, as downloaded from a rubric's page.",
        widget=forms.ClearableFileInput(attrs={"accept": ".yaml,.yml"}),
    )
    name = forms.CharField(
        max_length=120, required=False, help_text="Leave empty to use the name in the file."
    )


class LevelField(NamedTuple):
    """The text and example of a level, each with its field's name."""

    name: str
    label: str
    text: str
    example_name: str
    example: str


class ConditionField(NamedTuple):
    """A criterion that another may depend on: its position and, if it is chosen, its answers."""

    position: int
    name: str
    is_chosen: bool
    answers: list[tuple[int, str, bool]]


@dataclass
class CriterionForm:
    """One criterion in the builder: its draft, with errors by field and hints."""

    position: int
    draft: CriterionDraft
    errors: dict[str, list[str]] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
    earlier: list[ConditionField] = field(default_factory=list)

    @property
    def condition_answers(self) -> list[tuple[int, str, bool]]:
        return next((each.answers for each in self.earlier if each.is_chosen), [])

    @property
    def prefix(self) -> str:
        return f"criteria-{self.position}"

    @property
    def ends(self) -> dict[str, int | None]:
        return ends_in_points(self.draft)

    @property
    def level_descriptions(self) -> list[LevelField]:
        if not 0 < len(self.draft.rules.levels) <= max(MOST_LEVELS, MOST_OPTIONS):
            return []
        return [
            LevelField(
                f"{self.prefix}-description-{level}",
                self.draft.rules.level_label(level),
                self.draft.level_description(level),
                f"{self.prefix}-example-{level}",
                self.draft.example(level),
            )
            for level in self.draft.rules.described_levels
        ]

    @property
    def has_examples(self) -> bool:
        return any(text.strip() for text in self.draft.examples.values())

    @property
    def options_text(self) -> str:
        """One option per line, undesired ones with a leading exclamation mark."""
        return "\n".join(
            f"{'! ' if option.is_undesired else ''}{option.label}" for option in self.draft.options
        )

    @property
    def tags_text(self) -> str:
        return "\n".join(tag.label for tag in self.draft.tags)

    @property
    def tag_keys(self) -> str:
        """Lines "key=label" in a hidden field, so that labels keep their keys over edits."""
        return "\n".join(f"{tag.key}={tag.label}" for tag in self.draft.tags if tag.key)

    @property
    def weight_text(self) -> str:
        return f"{self.draft.weight.normalize():f}" if self.draft.weight.is_finite() else ""


@dataclass
class BuilderForm:
    """All criteria and the instructions, as posted or as stored."""

    criteria: list[CriterionForm]
    instructions: str = ""
    based_on: str = ""
    problems: list[DraftProblem] = field(default_factory=list)

    @property
    def drafts(self) -> list[CriterionDraft]:
        return [criterion.draft for criterion in self.criteria]

    @property
    def additions(self) -> list[tuple[str, str]]:
        """The kinds of criteria that can be added, with the label of the button."""
        return [(kind.name, kind.new_one) for kind in kinds.KINDS]

    def show_conditions(self) -> None:
        """Set for each criterion the earlier ones that it may depend on."""
        keyed = with_keys(self.drafts)
        for criterion, draft in zip(self.criteria, keyed, strict=True):
            condition = draft.visible_if
            criterion.earlier = [
                ConditionField(
                    position,
                    before.name,
                    condition is not None and condition.criterion == before.key,
                    [
                        (
                            level,
                            before.rules.level_label(level),
                            level in (condition.values if condition else ()),
                        )
                        for level in before.rules.offered_levels
                    ],
                )
                for position, before in enumerate(keyed[: criterion.position])
                if before.name and not before.rules.not_to_depend_on
            ]
            if condition is not None and not any(each.is_chosen for each in criterion.earlier):
                message = (
                    "The criterion that this depended on is no longer above it, so this would"
                    " always be asked."
                )
                criterion.errors.setdefault("visible_if", []).append(message)

    def show(self, problems: list[DraftProblem], hints: list[DraftProblem]) -> None:
        """Attach problems and hints to their criteria."""
        self.problems = [*self.problems, *problems]
        for problem in problems:
            if problem.position < len(self.criteria):
                errors = self.criteria[problem.position].errors
                errors.setdefault(problem.field, []).append(problem.message)
        for hint in hints:
            self.criteria[hint.position].hints.append(hint.message)

    @property
    def unplaced(self) -> list[str]:
        """Messages that belong to no existing criterion."""
        return [problem.message for problem in self.problems if problem.position >= len(self.criteria)]

    def apply(self, action: str) -> int | None:
        """Add, remove or move a criterion; returns the position to scroll to. Raises InvalidError."""
        verb, _, where = action.partition("-")
        drafts = self.drafts
        if verb == "add":
            if len(drafts) >= MOST_CRITERIA:
                raise InvalidError(f"A rubric has at most {MOST_CRITERIA} criteria.")
            drafts.append(_new_draft(where))
            position = len(drafts) - 1
        else:
            named = number_of(where)
            position = len(drafts) if named is None else named
            if position >= len(drafts):
                raise InvalidError("That criterion is not there any more. Reload the page and try again.")
            if verb == "remove":
                del drafts[position]
                position = min(position, len(drafts) - 1)
            elif verb in ("up", "down"):
                target = position + (-1 if verb == "up" else 1)
                if 0 <= target < len(drafts):
                    drafts[position], drafts[target] = drafts[target], drafts[position]
                    position = target
            else:
                raise InvalidError("This button is not in the form. Reload the page and try again.")
        # Existing errors are dropped with the old positions; saving checks everything again.
        self.criteria = [CriterionForm(number, draft) for number, draft in enumerate(drafts)]
        self.problems = []
        return position if self.criteria else None


def form_of(drafts: list[CriterionDraft], instructions: str, based_on: str) -> BuilderForm:
    return BuilderForm(
        [CriterionForm(position, draft) for position, draft in enumerate(drafts)], instructions, based_on
    )


def read_form(data: QueryDict) -> BuilderForm:
    """The form as posted; text in place of a number becomes a problem instead of an exception."""
    count = _integer(data.get("criteria-count", "0")) or 0
    form = BuilderForm([], data.get("instructions", "").replace("\r\n", "\n"), data.get("based_on", ""))
    for position in range(max(0, min(count, MOST_CRITERIA + 1))):
        draft, problems = _read_criterion(data, position)
        form.criteria.append(CriterionForm(position, draft))
        form.show(problems, [])
    _read_conditions(data, form)
    return form


def _read_conditions(data: QueryDict, form: BuilderForm) -> None:
    """Read conditions, which name an earlier criterion by position, since its key may not exist before
    saving.
    """
    keyed = with_keys(form.drafts)
    for criterion in form.criteria:
        place = _integer(data.get(f"{criterion.prefix}-depends_on", ""))
        if place is None or not 0 <= place < len(keyed):
            continue
        levels = map(_integer, data.getlist(f"{criterion.prefix}-depends_value"))
        known = set(keyed[place].rules.levels)
        values = tuple(sorted({level for level in levels if level is not None and level in known}))
        condition = Condition(keyed[place].key, values)
        criterion.draft = replace(criterion.draft, visible_if=condition)


def _kind(name: str) -> type[CriterionKind]:
    """The kind of that name; Scale for unknown names, which saving refuses."""
    return next((kind for kind in kinds.KINDS if kind.name == name), Scale)


def _new_draft(name: str) -> CriterionDraft:
    kind = _kind(name)
    fields: dict[str, Any] = {**kind.fixed(()), **kind.usual}
    return CriterionDraft(name="", kind=kind.name, **fields)


class _PostedCriterion:
    """The posted fields of one criterion; text in place of a number is recorded as a problem."""

    def __init__(self, data: QueryDict, position: int) -> None:
        self._data, self._position = data, position
        self.problems: list[DraftProblem] = []

    def text(self, name: str) -> str:
        return self._data.get(f"criteria-{self._position}-{name}", "").replace("\r\n", "\n")

    def refuse(self, name: str, message: str) -> None:
        self.problems.append(DraftProblem(self._position, name, message))

    def number(self, name: str, otherwise: int) -> int:
        value = _integer(self.text(name))
        if value is None:
            self.refuse(name, "Write a whole number.")
            return otherwise
        return value

    @property
    def options(self) -> tuple[Option, ...]:
        """One option per line, undesired ones with a leading exclamation mark."""
        lines = [line.strip() for line in self.text("options").splitlines() if line.strip()]
        return tuple(Option(line.removeprefix("!").strip(), line.startswith("!")) for line in lines)

    @property
    def weight(self) -> Decimal:
        try:
            return Decimal(self.text("weight").strip() or "1")
        except InvalidOperation:
            self.refuse("weight", "Write a number, for instance 1 or 0.5.")
            return Decimal(1)


def _read_criterion(data: QueryDict, position: int) -> tuple[CriterionDraft, list[DraftProblem]]:
    posted = _PostedCriterion(data, position)
    text = posted.text
    draft = CriterionDraft(
        name=text("name").strip(),
        kind=text("kind") or Scale.name,
        key=text("key"),
        help_text=text("help_text").strip(),
        is_required=bool(text("is_required")),
        allows_not_applicable=bool(text("allows_not_applicable")),
        is_critical=bool(text("is_critical")),
        tags=_read_tags(text("tags"), text("tag_keys")),
        **_kind(text("kind")).read_fields(posted),
        weight=posted.weight,
    )
    level_descriptions, examples = (
        _read_texts(data, f"criteria-{position}-{name}", draft) for name in ("description", "example")
    )
    return replace(draft, level_descriptions=level_descriptions, examples=examples), posted.problems


def _read_texts(data: Mapping[str, Any], prefix: str, draft: CriterionDraft) -> dict[str, str]:
    """The texts of the criterion's current levels, without those of removed levels."""
    if not 0 < draft.maximum - draft.minimum < HIGHEST_LEVEL - LOWEST_LEVEL:
        return {}
    given = {level: str(data.get(f"{prefix}-{level}", "")).strip() for level in draft.rules.levels}
    return {draft.rules.level_key(level): text.replace("\r\n", "\n") for level, text in given.items() if text}


def _read_tags(labels: str, keys: str) -> tuple[TagDraft, ...]:
    known = {}
    for line in keys.splitlines():
        key, _, label = line.partition("=")
        known[label] = key
    return tuple(
        TagDraft(label, known.get(label, "")) for line in labels.splitlines() if (label := line.strip())
    )


def _integer(text: str) -> int | None:
    text = text.strip()
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= 6 else None
