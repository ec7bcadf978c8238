"""Read queries on rubrics."""

from collections.abc import Mapping
from typing import NamedTuple

from django.db.models import Count, Prefetch, QuerySet

from evalapp.accounts.models import Project
from evalapp.rubrics.drafts import CriterionDraft, RubricDraft, drafts_of
from evalapp.rubrics.interchange import write_yaml
from evalapp.rubrics.models import Criterion, Rubric, RubricVersion


def rubrics_of(project: Project) -> QuerySet[Rubric]:
    """The project's rubrics with ``versions.all()`` latest first and their number of criteria."""
    versions = RubricVersion.objects.annotate(criterion_count=Count("criteria")).order_by("-number")
    return project.rubrics.order_by("name").prefetch_related(Prefetch("versions", queryset=versions))


def versions_of(rubric: Rubric) -> QuerySet[RubricVersion]:
    """The rubric's versions, latest first, with criteria and reasons."""
    criteria = Criterion.objects.prefetch_related("reason_tags")
    return (
        rubric.versions.select_related("created_by")
        .prefetch_related(Prefetch("criteria", queryset=criteria))
        .order_by("-number")
    )


def yaml_of(rubric: Rubric, version: RubricVersion) -> str:
    """The version as YAML text that `rubrics.interchange` reads back."""
    return write_yaml(
        RubricDraft(rubric.name, rubric.description, version.instructions, tuple(drafts_of(version)))
    )


class Change(NamedTuple):
    """One difference from the previous version: ``what`` changed, and both sides as text."""

    what: str
    before: str
    after: str


def changes(before: list[CriterionDraft], after: list[CriterionDraft]) -> list[Change]:
    """The changes from one version to the next; criteria are matched by key."""
    old = {draft.key: draft for draft in before}
    new = {draft.key: draft for draft in after}
    found = [Change(draft.name, "there", "removed") for key, draft in old.items() if key not in new]
    for key, draft in new.items():
        if key not in old:
            found.append(Change(draft.name, "not there", "added"))
            continue
        earlier, later = _described(old[key], old), _described(draft, new)
        found.extend(
            Change(f"{draft.name}: {name}", earlier.get(name, "none"), text)
            for name, text in later.items()
            if earlier.get(name, "none") != text
        )
        gone = set(earlier) - set(later)
        found.extend(Change(f"{draft.name}: {name}", earlier[name], "none") for name in sorted(gone))
    if [key for key in old if key in new] != [key for key in new if key in old]:
        order = [", ".join(draft.name for draft in drafts) for drafts in (before, after)]
        found.append(Change("Order", *order))
    return found


def _described(draft: CriterionDraft, all_drafts: Mapping[str, CriterionDraft]) -> dict[str, str]:
    described = {
        "name": draft.name,
        "help": draft.help_text or "none",
        "kind": draft.rules.in_words,
        "weight": f"{draft.weight.normalize():f}",
        "required": _yes(draft.is_required),
        "undesired options": ", ".join(each.label for each in draft.options if each.is_undesired) or "none",
        "N/A allowed": _yes(draft.allows_not_applicable),
        "critical": _yes(draft.is_critical),
        "lower is better": _yes(draft.lower_is_better),
        "reasons asked at": draft.rules.low_in_words or "never",
        "asked": condition_words(draft, all_drafts),
        "reasons": ", ".join(tag.label for tag in draft.tags) or "none",
    }
    for level in draft.rules.described_levels:
        name = draft.rules.level_in_words(level)
        if text := draft.level_description(level):
            described[f"level {name}"] = text
        if text := draft.example(level):
            described[f"example of {name}"] = text
    return described


def condition_words(draft: CriterionDraft, all_drafts: Mapping[str, CriterionDraft]) -> str:
    """The condition of a criterion in words: "always", or "where Tone is 1 or 2"."""
    if draft.visible_if is None:
        return "always"
    of = all_drafts.get(draft.visible_if.criterion)
    values = draft.visible_if.values
    answers = " or ".join(of.rules.level_label(value).lower() if of else str(value) for value in values)
    return f"where {of.name if of else draft.visible_if.criterion} is {answers}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
