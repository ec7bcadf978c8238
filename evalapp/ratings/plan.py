"""The mapping of a file's names to candidates, reviewers and criteria of the project."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import MOST_IMPORTED_CANDIDATES
from evalapp.core.errors import InvalidError
from evalapp.core.names import checked_name
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.queries import version_of
from evalapp.datasets.row_ids import row_ids_of
from evalapp.ratings.census import UNNAMED_LABEL, draft_of_summary
from evalapp.ratings.models import RecordedReviewer
from evalapp.ratings.options import BY_ROW, LEFT_OUT, MAKE, RECORD, SCALE_ENDS, RatingsOptions
from evalapp.ratings.values import reader_of, with_direction
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.drafts import CriterionDraft, drafts_of, with_keys
from evalapp.rubrics.kinds import fixed_by
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.kinds.scale import ends_in_points, in_levels
from evalapp.rubrics.kinds.spans import Spans
from evalapp.rubrics.kinds.values import Level, RawValue
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.problems import draft_problems


@dataclass
class NameSlots:
    """Names of a file and the slots (from 0) that they stand for; two names may stand for one.

    ``refused``: name → why nothing stands for it.
    """

    slots: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass
class ImportPlan:
    """Where the file's names lead. ``candidates``: a model version, or the label of one to be made.
    ``reviewers``: an account, or the name of one to be recorded. ``criteria`` are those of the rubric, by
    slot, with their readers; ``criterion_slots``: criterion of the file → slot, None where it is left out.
    ``span_labels``: label in small letters → slot of its criterion, and which of its labels it is (from 1).
    """

    rubric_version: RubricVersion | None
    dataset_version: DatasetVersion | None
    candidates: list[ModelVersion | str] = field(default_factory=list)
    candidate_names: NameSlots = field(default_factory=NameSlots)
    reviewers: list[User | str] = field(default_factory=list)
    reviewer_names: NameSlots = field(default_factory=NameSlots)
    criteria: list[CriterionDraft] = field(default_factory=list)
    readers: list[Callable[[RawValue], Level]] = field(default_factory=list)
    criterion_slots: dict[str, int | None] = field(default_factory=dict)
    criterion_refused: dict[str, str] = field(default_factory=dict)
    span_labels: dict[str, tuple[int, int]] = field(default_factory=dict)


def plan_of(project: Project, options: RatingsOptions, census: Mapping[str, Any]) -> ImportPlan:
    """The plan for the file that the census counted. Raises InvalidError naming every field of the options
    that names what the project has not, or from which no rubric can be made.
    """
    problems: dict[str, list[str]] = {}
    plan = ImportPlan(*_existing_rubric_and_data(project, options, problems))
    _plan_criteria(plan, options, census, problems)
    candidates = [name for name, _ in census["candidates"]]
    if (named := options.reference_candidate) and named not in candidates:
        problems["reference_candidate"] = [f"The file has no candidate “{named[:60]}”."]
    _plan_candidates(plan, project, options, candidates, problems)
    _plan_reviewers(plan, project, options, [name for name, _ in census["reviewers"]], problems)
    if problems:
        raise InvalidError(next(iter(problems.values()))[0], fields=problems)
    return plan


def _existing_rubric_and_data(
    project: Project, options: RatingsOptions, problems: dict[str, list[str]]
) -> tuple[RubricVersion | None, DatasetVersion | None]:
    rubric = data = None
    if options.rubric_version is not None:
        versions = RubricVersion.objects.filter(rubric__project=project).select_related("rubric")
        rubric = versions.filter(pk=options.rubric_version).first()
        if rubric is None:
            problems["rubric_version"] = ["This project has no such rubric version."]
    if options.dataset_version is not None:
        data = version_of(project, pk=options.dataset_version).first()
        if data is None:
            problems["dataset_version"] = ["This project has no such dataset version that is ready."]
        elif options.items_by == BY_ROW and (ids := row_ids_of(data.examples.all())).is_unique:
            problem = (
                f"The rows of {data} have ids, in the metadata field “{ids.field}”; row numbers of a file in"
                " another order would match wrong rows. Identify items by that field, or by their prompts."
            )
            problems["items_by"] = [problem]
    return rubric, data


def suggested_drafts(options: RatingsOptions, census: Mapping[str, Any]) -> dict[str, CriterionDraft]:
    """Criterion of the file → the criterion to be made of it, as its values and the choices say."""
    drafts: dict[str, CriterionDraft] = {}
    for described in census["criteria"]:
        chosen = options.criteria.get(described["name"], {})
        if chosen.get("use") == LEFT_OUT:
            continue
        draft = draft_of_summary(described)
        kind = chosen.get("kind", draft.kind)
        if kind != draft.kind:
            fixed: dict[str, Any] = dict(fixed_by(kind, ()))
            draft = replace(draft, kind=kind, options=(), lower_is_better=False, steps_per_point=1, **fixed)
            if not draft.rules.takes_not_applicable:
                draft = replace(draft, allows_not_applicable=False, is_required=False)
        is_reversed = chosen.get("lower_is_better", draft.lower_is_better)
        if is_reversed != draft.lower_is_better:
            draft = with_direction(draft, lower_is_better=is_reversed)
        if draft.rules.has_mean:
            before = ends_in_points(draft)
            ends = before | {name: chosen[name] for name in SCALE_ENDS if name in chosen}
            if ends != before:
                draft = replace(draft, **in_levels({**ends, "low_threshold": None}))
        drafts[described["name"]] = draft
    return drafts


def _plan_criteria(
    plan: ImportPlan, options: RatingsOptions, census: Mapping[str, Any], problems: dict[str, list[str]]
) -> None:
    names = [described["name"] for described in census["criteria"]]
    if plan.rubric_version is None:
        drafts = suggested_drafts(options, census)
        plan.criteria = with_keys([*drafts.values(), *_span_draft(census, drafts.values())])
        plan.criterion_slots = dict.fromkeys(names) | {name: slot for slot, name in enumerate(drafts)}
        found = draft_problems(plan.criteria) if options.rubric_version is None else []
        problems.setdefault("criteria", []).extend(
            f"{plan.criteria[each.position].name if plan.criteria else 'The file'}: {each.message}"
            for each in found
        )
        if not problems["criteria"]:
            del problems["criteria"]
    else:
        plan.criteria = drafts_of(plan.rubric_version)
        keys = {draft.key: slot for slot, draft in enumerate(plan.criteria)}
        known = keys | {draft.name.casefold(): slot for slot, draft in enumerate(plan.criteria)}
        for name in names:
            use = options.criteria.get(name, {}).get("use", "")
            if use == LEFT_OUT:
                plan.criterion_slots[name] = None
            elif use and use not in keys:
                message = f"{plan.rubric_version} has no criterion with the key “{str(use)[:40]}”."
                problems.setdefault("criteria", []).append(message)
            elif (slot := known.get(use or name.casefold())) is not None:
                plan.criterion_slots[name] = slot
            else:
                plan.criterion_refused[name] = (
                    f"{plan.rubric_version} has no criterion “{name}”. Choose the criterion, or leave"
                    " this one out."
                )
    plan.readers = [reader_of(draft) for draft in plan.criteria]
    plan.span_labels = {
        option.label.strip().casefold(): (slot, level)
        for slot, draft in enumerate(plan.criteria)
        if draft.rules.answered_by == "marks"
        for level, option in enumerate(draft.options, start=1)
    }
    if len(plan.span_labels) == 1:
        plan.span_labels[UNNAMED_LABEL.casefold()] = next(iter(plan.span_labels.values()))


def _span_draft(census: Mapping[str, Any], drafts: Iterable[CriterionDraft]) -> list[CriterionDraft]:
    """The criterion that the file's marks answer, where it has any."""
    labels = {label.casefold(): label for label in census.get("span_labels", [])}
    if not labels or not drafts:
        return []
    taken = {draft.name.casefold() for draft in drafts}
    name = next(
        name for name in ("Marks", "Marks in the answer", "Marks of the file") if name.casefold() not in taken
    )
    options = tuple(Option(label) for label in labels.values())
    fixed: dict[str, Any] = dict(Spans.fixed(options))
    return [CriterionDraft(name, Spans.name, options=options, is_required=False, weight=Decimal(0), **fixed)]


def _plan_candidates(
    plan: ImportPlan,
    project: Project,
    options: RatingsOptions,
    names: Iterable[str],
    problems: dict[str, list[str]],
) -> None:
    versions = list(ModelVersion.objects.filter(project=project))
    by_id = {version.pk: version for version in versions}
    labels = Counter(version.label.casefold() for version in versions)
    by_label = {version.label.casefold(): version for version in versions}
    slots: dict[int | str, int] = {}
    for name in names:
        chosen = options.candidates.get(name, 0)
        found: ModelVersion | str | None = None
        if chosen:
            found = by_id.get(chosen)
            if found is None:
                problems.setdefault("candidates", []).append(f"“{name}”: this project has no such candidate.")
        elif name not in options.candidates and labels[name.casefold()] == 1:
            found = by_label[name.casefold()]
        elif name in options.candidates or options.unknown_candidates == MAKE:
            found = _label_of(name, labels, problems)
        if found is None:
            plan.candidate_names.refused[name] = (
                f"This project has no candidate labelled “{name}”. Choose one, or let it be created."
            )
            continue
        key = found.casefold() if isinstance(found, str) else found.pk
        if key not in slots:
            slots[key] = len(plan.candidates)
            plan.candidates.append(found)
        plan.candidate_names.slots[name] = slots[key]
    if len(plan.candidates) > MOST_IMPORTED_CANDIDATES:
        problems.setdefault("candidates", []).append(
            f"The file has {len(plan.candidates)} candidates; a campaign compares at most"
            f" {MOST_IMPORTED_CANDIDATES}. Split the file."
        )


def _label_of(name: str, labels: Counter[str], problems: dict[str, list[str]]) -> str | None:
    """A label for a candidate that is to be made: its name, or with what tells it from one that is there."""
    try:
        label = checked_name(name, of="the candidate", longest=80)
    except InvalidError as error:
        problems.setdefault("candidates", []).append(f"“{name}”: {error.message}")
        return None
    free, number = label, 1
    while labels[free.casefold()]:
        number += 1
        free = f"{label[:70]} ({number})"
    return free


def _plan_reviewers(
    plan: ImportPlan,
    project: Project,
    options: RatingsOptions,
    names: Iterable[str],
    problems: dict[str, list[str]],
) -> None:
    members = list(User.objects.filter(memberships__project=project))
    by_id = {member.pk: member for member in members}
    named = Counter(member.name.casefold() for member in members)
    by_word = {member.name.casefold(): member for member in members if named[member.name.casefold()] == 1}
    by_word |= {member.email.casefold(): member for member in members}
    by_word.pop("", None)
    recorded = {
        each.user.name.casefold(): each.user
        for each in RecordedReviewer.objects.filter(project=project).select_related("user")
    }
    slots: dict[int | str, int] = {}
    for name in names:
        chosen = options.reviewers.get(name)
        found: User | str | None = None
        if chosen:
            found = by_id.get(chosen)
            if found is None:
                problems.setdefault("reviewers", []).append(f"“{name}”: this project has no such member.")
        elif chosen is None and name.casefold() in by_word:
            found = by_word[name.casefold()]
        elif chosen == 0 or options.unknown_reviewers == RECORD:
            found = recorded.get(name.casefold()) or name
        if found is None:
            plan.reviewer_names.refused[name] = (
                f"“{name}” is not a member of this project. Choose a member, or let the name be recorded."
            )
            continue
        key = found.casefold() if isinstance(found, str) else found.pk
        if key not in slots:
            slots[key] = len(plan.reviewers)
            plan.reviewers.append(found)
        plan.reviewer_names.slots[name] = slots[key]
