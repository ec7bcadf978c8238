"""The builder's form: any number of criteria in one POST, readable and rebuildable without scripts.

Names are ``criteria-<position>-<field>``; ``criteria-count`` says how many there are. A button with the
name ``action`` changes the structure ("add-scale", "up-2", "remove-0"); every other post saves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from django import forms
from django.http import QueryDict

from evalapp.core.errors import InvalidError
from evalapp.rubrics.drafts import (
    HIGHEST_LEVEL,
    LOWEST_LEVEL,
    MOST_CRITERIA,
    MOST_LEVELS,
    NO,
    YES,
    CriterionDraft,
    DraftProblem,
    TagDraft,
    anchor_key,
)
from evalapp.rubrics.models import CriterionKind
from evalapp.rubrics.templates import TEMPLATES


class RubricForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="What it judges, for instance “Summary quality”.")
    description = forms.CharField(required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}))


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


class AnchorField(NamedTuple):
    name: str
    label: str
    text: str


@dataclass
class CriterionForm:
    """One criterion in the builder: its draft, and what is wrong or could be better by field."""

    position: int
    draft: CriterionDraft
    errors: dict[str, list[str]] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return f"criteria-{self.position}"

    @property
    def anchors(self) -> list[AnchorField]:
        levels = self.draft.levels
        if not self.draft.is_yes_no and not 0 < len(levels) <= MOST_LEVELS:
            return []
        return [
            AnchorField(
                f"{self.prefix}-anchor-{level}",
                anchor_key(level, is_yes_no=self.draft.is_yes_no).capitalize(),
                self.draft.anchor(level),
            )
            for level in levels
        ]

    @property
    def tags_text(self) -> str:
        return "\n".join(tag.label for tag in self.draft.tags)

    @property
    def tag_keys(self) -> str:
        """Labels keep their keys over edits: "key=label" lines, carried along hidden."""
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

    def show(self, problems: list[DraftProblem], hints: list[DraftProblem]) -> None:
        """Put problems and hints beside the criteria they belong to."""
        self.problems = [*self.problems, *problems]
        for problem in problems:
            if problem.position < len(self.criteria):
                errors = self.criteria[problem.position].errors
                errors.setdefault(problem.field, []).append(problem.message)
        for hint in hints:
            self.criteria[hint.position].hints.append(hint.message)

    @property
    def unplaced(self) -> list[str]:
        """Messages that belong to no criterion that is there."""
        return [problem.message for problem in self.problems if problem.position >= len(self.criteria)]

    def apply(self, action: str) -> int | None:
        """Add, remove or move a criterion; returns the position to go to. Raises InvalidError."""
        verb, _, where = action.partition("-")
        drafts = self.drafts
        if verb == "add":
            if len(drafts) >= MOST_CRITERIA:
                raise InvalidError(f"A rubric holds at most {MOST_CRITERIA} criteria.")
            drafts.append(_new_draft(where))
            position = len(drafts) - 1
        else:
            position = int(where) if where.isdecimal() else -1
            if not 0 <= position < len(drafts):
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
                raise InvalidError("The form does not know this button. Reload the page and try again.")
        # What was wrong stays with what was typed; the whole is checked again when it is saved.
        self.criteria = [CriterionForm(number, draft) for number, draft in enumerate(drafts)]
        self.problems = []
        return position if self.criteria else None


def form_of(drafts: list[CriterionDraft], instructions: str, based_on: str) -> BuilderForm:
    return BuilderForm(
        [CriterionForm(position, draft) for position, draft in enumerate(drafts)], instructions, based_on
    )


def read_form(data: QueryDict) -> BuilderForm:
    """The form as it was posted; what is no number where one belongs becomes a problem, not an error."""
    count = _integer(data.get("criteria-count", "0")) or 0
    form = BuilderForm([], data.get("instructions", "").replace("\r\n", "\n"), data.get("based_on", ""))
    for position in range(max(0, min(count, MOST_CRITERIA + 1))):
        draft, problems = _read_criterion(data, position)
        form.criteria.append(CriterionForm(position, draft))
        form.show(problems, [])
    return form


def _new_draft(kind: str) -> CriterionDraft:
    if kind == "yes-no":
        return CriterionDraft(
            name="", kind=CriterionKind.YES_NO, minimum=NO, maximum=YES, low_threshold=None, undesired=YES
        )
    return CriterionDraft(name="")


def _read_criterion(data: QueryDict, position: int) -> tuple[CriterionDraft, list[DraftProblem]]:
    prefix = f"criteria-{position}"
    problems: list[DraftProblem] = []

    def text(name: str) -> str:
        return data.get(f"{prefix}-{name}", "").replace("\r\n", "\n")

    def number(name: str, otherwise: int) -> int:
        value = _integer(text(name))
        if value is None:
            problems.append(DraftProblem(position, name, "Write a whole number."))
            return otherwise
        return value

    is_yes_no = text("kind") == CriterionKind.YES_NO
    draft = CriterionDraft(
        name=text("name").strip(),
        kind=text("kind") or CriterionKind.SCALE,
        key=text("key"),
        help_text=text("help_text").strip(),
        minimum=NO if is_yes_no else number("minimum", 1),
        maximum=YES if is_yes_no else number("maximum", 5),
        is_required=bool(text("is_required")),
        allows_not_applicable=bool(text("allows_not_applicable")),
        is_critical=bool(text("is_critical")),
        low_threshold=None if is_yes_no or not text("low_threshold").strip() else number("low_threshold", 1),
        undesired={"yes": YES, "no": NO}.get(text("undesired")) if is_yes_no else None,
        tags=_read_tags(text("tags"), text("tag_keys")),
    )
    try:
        weight = Decimal(text("weight").strip() or "1")
    except InvalidOperation:
        weight = Decimal(1)
        problems.append(DraftProblem(position, "weight", "Write a number, for instance 1 or 0.5."))
    return replace(draft, weight=weight, anchors=_read_anchors(data, prefix, draft)), problems


def _read_anchors(data: Mapping[str, Any], prefix: str, draft: CriterionDraft) -> dict[str, str]:
    """The texts of the levels that the scale has now; those of levels it lost go."""
    if not draft.is_yes_no and not 0 < draft.maximum - draft.minimum < HIGHEST_LEVEL - LOWEST_LEVEL:
        return {}
    anchors = {}
    for level in draft.levels:
        if text := str(data.get(f"{prefix}-anchor-{level}", "")).strip():
            anchors[anchor_key(level, is_yes_no=draft.is_yes_no)] = text
    return anchors


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
