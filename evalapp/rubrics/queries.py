"""Reads of rubrics."""

from typing import NamedTuple

from django.db.models import Count, Prefetch, QuerySet

from evalapp.accounts.models import Project
from evalapp.rubrics.drafts import CriterionDraft, anchor_key
from evalapp.rubrics.models import Criterion, Rubric, RubricVersion


def rubrics_of(project: Project) -> QuerySet[Rubric]:
    """The project's rubrics with ``versions.all()`` latest first and their number of criteria."""
    versions = RubricVersion.objects.annotate(criterion_count=Count("criteria")).order_by("-number")
    return project.rubrics.order_by("name").prefetch_related(Prefetch("versions", queryset=versions))


def versions_of(rubric: Rubric) -> QuerySet[RubricVersion]:
    """Latest first, with criteria and reasons."""
    criteria = Criterion.objects.prefetch_related("reason_tags")
    return (
        rubric.versions.select_related("created_by")
        .prefetch_related(Prefetch("criteria", queryset=criteria))
        .order_by("-number")
    )


class Change(NamedTuple):
    """One difference to the version before: ``what`` it is about, and both sides as text."""

    what: str
    before: str
    after: str


def changes(before: list[CriterionDraft], after: list[CriterionDraft]) -> list[Change]:
    """What changed from one version to the next, criterion by criterion (told by key)."""
    old = {draft.key: draft for draft in before}
    new = {draft.key: draft for draft in after}
    found = [Change(draft.name, "there", "removed") for key, draft in old.items() if key not in new]
    for key, draft in new.items():
        if key not in old:
            found.append(Change(draft.name, "not there", "added"))
            continue
        earlier = _described(old[key])
        found.extend(
            Change(f"{draft.name}: {name}", earlier.get(name, "none"), text)
            for name, text in _described(draft).items()
            if earlier.get(name, "none") != text
        )
        gone = set(earlier) - set(_described(draft))
        found.extend(Change(f"{draft.name}: {name}", earlier[name], "none") for name in sorted(gone))
    if [key for key in old if key in new] != [key for key in new if key in old]:
        order = [", ".join(draft.name for draft in drafts) for drafts in (before, after)]
        found.append(Change("Order", *order))
    return found


def _described(draft: CriterionDraft) -> dict[str, str]:
    described = {
        "name": draft.name,
        "help": draft.help_text or "none",
        "kind": "yes/no" if draft.is_yes_no else f"scale {draft.minimum} to {draft.maximum}",
        "weight": f"{draft.weight.normalize():f}",
        "required": _yes(draft.is_required),
        "N/A allowed": _yes(draft.allows_not_applicable),
        "critical": _yes(draft.is_critical),
        "reasons asked at": ", ".join(
            anchor_key(level, is_yes_no=draft.is_yes_no) for level in draft.levels if draft.is_low(level)
        )
        or "never",
        "reasons": ", ".join(tag.label for tag in draft.tags) or "none",
    }
    for level in draft.levels:
        if text := draft.anchor(level):
            described[f"level {anchor_key(level, is_yes_no=draft.is_yes_no)}"] = text
    return described


def _yes(value: bool) -> str:
    return "yes" if value else "no"
