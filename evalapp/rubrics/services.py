"""Write operations on rubrics: keyword-only, atomic, audited."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict

from django.db import transaction
from django.db.models.functions import Now

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError, StaleError
from evalapp.core.names import checked_name
from evalapp.core.uniqueness import unless_taken
from evalapp.rubrics.drafts import CriterionDraft, DraftProblem, drafts_of, with_keys
from evalapp.rubrics.interchange import read_yaml
from evalapp.rubrics.limits import LONGEST_INSTRUCTIONS
from evalapp.rubrics.models import Criterion, ReasonTag, Rubric, RubricVersion
from evalapp.rubrics.problems import draft_problems
from evalapp.rubrics.templates import TEMPLATES


class RubricProblemError(InvalidError):
    """Some criteria cannot be saved; ``problems`` lists their invalid fields (400)."""

    def __init__(self, problems: Sequence[DraftProblem]) -> None:
        fields: defaultdict[str, list[str]] = defaultdict(list)
        for problem in problems:
            fields[f"criteria.{problem.position}.{problem.field}"].append(problem.message)
        first = problems[0]
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"Criterion {first.position + 1}: {first.message}{more}", fields=fields)
        self.problems = list(problems)


@transaction.atomic
def create_rubric(
    *, project: Project, name: str, by: User | None, template: str | None = None, description: str = ""
) -> Rubric:
    """Create a rubric, with version 1 from the named template (``rubrics.templates``), or without a version.

    Raises InvalidError for an empty name or an unknown template, ConflictError for a taken name.
    """
    name = checked_name(name, of="the rubric")
    if template is not None and template not in TEMPLATES:
        raise InvalidError(f"There is no rubric template “{template}”. Use {', '.join(TEMPLATES)}, or none.")
    with _name_is_free(name):
        rubric = Rubric.objects.create(
            project=project, name=name, description=description.strip(), created_by=by
        )
    record("rubric.created", by=by, obj=rubric, project=project, data={"template": template})
    if template is not None:
        chosen = TEMPLATES[template]
        save_version(rubric=rubric, criteria=chosen.criteria, instructions=chosen.instructions, by=by)
    return rubric


@transaction.atomic
def import_rubric(*, project: Project, content: bytes, by: User | None, name: str = "") -> Rubric:
    """Create a rubric with version 1 from a YAML file (``rubrics.interchange``); ``name`` overrides the
    file's.

    Raises InvalidError naming every invalid place in the file, ConflictError for a taken name.
    """
    imported = read_yaml(content, name=name)
    rubric = create_rubric(project=project, name=imported.name, description=imported.description, by=by)
    save_version(rubric=rubric, criteria=imported.criteria, instructions=imported.instructions, by=by)
    return rubric


def add_default_rubric(*, project: Project, by: User | None) -> Rubric:
    """Create the rubric that every new project starts with: accuracy, clarity, tone, personalization."""
    template = TEMPLATES["summaries"]
    return create_rubric(
        project=project, name=template.name, description=template.description, template="summaries", by=by
    )


@transaction.atomic
def rename_rubric(*, rubric: Rubric, name: str, description: str, by: User | None) -> None:
    """Rename a rubric. Raises InvalidError for an empty name, ConflictError for a taken one."""
    rubric.name = checked_name(name, of="the rubric")
    rubric.description = description.strip()
    with _name_is_free(rubric.name):
        rubric.save(update_fields=["name", "description"])
    record("rubric.renamed", by=by, obj=rubric, project=rubric.project, data={"name": rubric.name})


@transaction.atomic
def save_version(
    *,
    rubric: Rubric,
    criteria: Sequence[CriterionDraft],
    by: User | None,
    instructions: str = "",
    based_on: str | None = None,
) -> RubricVersion:
    """Store the criteria, in order: in the latest version while it is not in use, else as the next version.

    Nothing changes if the latest version is equal. ``based_on``: the ``fingerprint`` of the version that the
    edit started from; StaleError if it has changed since. Raises RubricProblemError with all invalid fields.
    """
    keyed = with_keys(criteria)
    if problems := draft_problems(keyed):
        raise RubricProblemError(problems)
    if len(instructions) > LONGEST_INSTRUCTIONS or "\x00" in instructions:
        raise InvalidError(
            f"Instructions have at most {LONGEST_INSTRUCTIONS:,} characters, none of them NUL.",
            field="instructions",
        )
    instructions = instructions.strip()
    Rubric.objects.select_for_update(no_key=True).get(pk=rubric.pk)
    # Not through ``rubric.versions``, which may be prefetched by an aggregating query that cannot lock.
    latest = RubricVersion.objects.filter(rubric=rubric).select_for_update().order_by("-number").first()
    if based_on is not None and based_on != fingerprint(latest):
        raise StaleError(
            "Somebody saved this rubric while you edited it. Open it in another tab, compare, and save again"
            " there; your text is still in this form."
        )
    if latest is not None and fingerprint_of(keyed, instructions) == fingerprint(latest):
        return latest
    if latest is None or latest.frozen_at is not None:
        number = 1 if latest is None else latest.number + 1
        version = RubricVersion.objects.create(
            rubric=rubric, number=number, instructions=instructions, created_by=by
        )
    else:
        version = latest
        version.criteria.all().delete()
        version.instructions = instructions
        version.save(update_fields=["instructions"])
    _store(version, keyed)
    record(
        "rubric.version_saved",
        by=by,
        obj=version,
        project=rubric.project,
        data={"criteria": [draft.key for draft in keyed]},
    )
    return version


@transaction.atomic
def freeze(*, rubric_version: RubricVersion, by: User | None = None) -> None:
    """Freeze the version from now on; repeating it changes nothing.

    The version's row stays locked until the transaction ends, so a concurrent edit becomes the next version.
    Raises InvalidError for a version without criteria.
    """
    if not rubric_version.criteria.exists():
        raise InvalidError(f"{rubric_version} has no criteria yet. Add one first.")
    if RubricVersion.objects.filter(pk=rubric_version.pk, frozen_at=None).update(frozen_at=Now()):
        record("rubric.version_frozen", by=by, obj=rubric_version, project=rubric_version.rubric.project)
    rubric_version.refresh_from_db(fields=["frozen_at"])


def fingerprint(version: RubricVersion | None) -> str:
    """A short fingerprint of a version: equal if criteria and instructions are equal."""
    return fingerprint_of(drafts_of(version), version.instructions) if version is not None else ""


def fingerprint_of(drafts: Sequence[CriterionDraft], instructions: str) -> str:
    described = []
    for draft in drafts:
        fields = asdict(draft)
        fields["weight"] = f"{draft.weight:.3f}"
        for name in ("level_descriptions", "examples"):
            fields[name] = {level: text for level, text in fields[name].items() if text.strip()}
        described.append(fields)
    text = json.dumps([described, instructions], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _store(version: RubricVersion, drafts: Sequence[CriterionDraft]) -> None:
    criteria = Criterion.objects.bulk_create(
        Criterion(
            version=version,
            position=position,
            key=draft.key,
            name=draft.name.strip(),
            help_text=draft.help_text.strip(),
            kind=draft.kind,
            minimum=draft.minimum,
            maximum=draft.maximum,
            steps_per_point=draft.steps_per_point,
            level_descriptions={
                level: text.strip() for level, text in draft.level_descriptions.items() if text.strip()
            },
            weight=draft.weight,
            is_required=draft.is_required,
            allows_not_applicable=draft.allows_not_applicable,
            is_critical=draft.is_critical,
            low_threshold=draft.low_threshold,
            undesired=draft.undesired,
            lower_is_better=draft.lower_is_better,
            options=[{"label": o.label.strip(), "is_undesired": o.is_undesired} for o in draft.options],
            examples={level: text.strip() for level, text in draft.examples.items() if text.strip()},
            visible_if=asdict(draft.visible_if) if draft.visible_if else None,
        )
        for position, draft in enumerate(drafts)
    )
    ReasonTag.objects.bulk_create(
        ReasonTag(criterion=criterion, position=position, key=tag.key, label=tag.label.strip())
        for criterion, draft in zip(criteria, drafts, strict=True)
        for position, tag in enumerate(draft.tags)
    )


def _name_is_free(name: str) -> AbstractContextManager[None]:
    return unless_taken(
        f"This project already has a rubric named “{name}”. Choose another name.", field="name"
    )
