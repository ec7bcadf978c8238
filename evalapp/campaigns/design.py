"""The design of a campaign, and its problems."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.campaigns.choice import MOST_STRATA, number_of_assignments
from evalapp.campaigns.comparisons import method_problem
from evalapp.campaigns.models import Campaign, Distribution, ItemChoice, Method
from evalapp.campaigns.opening import coverage_of, fields_of, strata_of
from evalapp.core.errors import InvalidError
from evalapp.core.names import checked_name
from evalapp.datasets.models import DatasetVersion, Split, VersionState
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import RubricVersion
from evalapp.runs.services import MOST_SAMPLES

MOST_CANDIDATES = 8
MOST_IMPORTED_CANDIDATES = 50
"""Limit for imported ratings, for which nobody reads so many outputs side by side."""
MOST_OVERLAP = 50
MOST_CHECK_SHARE = 50
MOST_CALIBRATION_ITEMS = 50
LONGEST_INSTRUCTIONS = 20_000
LEASE_MINUTES = range(5, 7 * 24 * 60 + 1)


@dataclass(frozen=True, kw_only=True)
class CampaignDesign:
    """The design of a campaign while it is a draft. ``candidates`` keep their order.

    ``samples``: the outputs of a candidate to each example that are reviewed, each in an item of its own.
    ``examples_wanted`` are chosen by ``item_choice`` (all: None); ``overlap_share`` percent of the items are
    rated by ``overlap_more`` reviewers, and nobody gets more than ``quota`` items.
    ``baseline``: in pairs, the candidate that every other is compared with; None compares all with all.
    """

    name: str
    rubric_version: RubricVersion
    dataset_version: DatasetVersion
    split: str
    candidates: Sequence[ModelVersion]
    overlap: int
    reviewers: Collection[User]
    instructions: str = ""
    lease_minutes: int = 30
    shows_reference: bool = False
    allows_corrections: bool = True
    is_blind: bool = True
    leaves_out_incomplete: bool = False
    seed: int | None = None
    deadline: datetime | None = None
    item_choice: str = ItemChoice.ALL
    examples_wanted: int | None = None
    samples: int = 1
    stratify_by: str = ""
    overlap_share: int = 0
    overlap_more: int | None = None
    distribution: str = Distribution.SHARED
    quota: int | None = None
    method: str = Method.POINTWISE
    baseline: ModelVersion | None = None
    gold_share: int = 0
    repeat_share: int = 0
    calibration_items: int = 0

    def columns(self) -> dict[str, Any]:
        """The values for the campaign's own fields; with a seed only if one is given."""
        own = {name: value for name, value in vars(self).items() if name not in ("candidates", "reviewers")}
        own |= {"name": checked_name(self.name, of="the campaign"), "instructions": self.instructions.strip()}
        return own if self.seed is not None else {n: v for n, v in own.items() if n != "seed"}

    def in_audit(self) -> dict[str, Any]:
        return {
            "candidates": [candidate.pk for candidate in self.candidates],
            "overlap": self.overlap,
            "split": self.split,
            "method": str(self.method),
            "reviewers": sorted(reviewer.pk for reviewer in self.reviewers),
            "is_blind": self.is_blind,
            "examples": self.examples_wanted if self.examples_wanted is not None else "all",
            "samples": self.samples,
            "by": self.stratify_by,
            "overlap_more": self.overlap_more,
            "overlap_share": self.overlap_share,
            "distribution": str(self.distribution),
            "quota": self.quota,
            "gold_share": self.gold_share,
            "repeat_share": self.repeat_share,
            "calibration_items": self.calibration_items,
        }


class _Problems(dict[str, list[str]]):
    """Problems by field; values of ``unread`` fields are unknown."""

    def __init__(self, unread: Collection[str]) -> None:
        super().__init__()
        self.unread = frozenset(unread)

    def refuse(self, field: str, message: str) -> None:
        self.setdefault(field, []).append(message)

    def has_none_of(self, *fields: str) -> bool:
        return not (self.keys() | self.unread) & set(fields)


def require_valid_design(design: CampaignDesign, project: Project, *, draft: Campaign | None = None) -> None:
    """Raise InvalidError with all invalid fields of the design in this project."""
    if problems := problems_of(design, project, draft=draft):
        raise InvalidError("The campaign was not created; see the messages of the fields.", fields=problems)


def problems_of(
    design: CampaignDesign,
    project: Project,
    *,
    draft: Campaign | None = None,
    unread: Collection[str] = (),
) -> dict[str, list[str]]:
    """Problems of the design in this project, by field; ``draft``: the campaign whose design it replaces.

    Fields in ``unread`` have no valid value: they and everything that depends on them are not checked.
    """
    problems = _Problems(unread)
    for fields, check in _CHECKS:
        if not problems.unread & set(fields):
            check(problems, design, project)
    if draft is not None and draft.picked_because:
        _check_picked(problems, design, draft)
    if problems.has_none_of("dataset_version", "split", "candidates", "samples"):
        _check_answers(problems, design)
    return problems


def _check_picked(problems: _Problems, design: CampaignDesign, draft: Campaign) -> None:
    """Refuse changes that would remove picked items from the campaign."""
    kept = "The picked items of this campaign cannot change. Create another campaign for other items."
    version = design.dataset_version
    changes = {
        "dataset_version": (version is not None and version.pk != draft.dataset_version_id, kept),
        "split": (design.split != draft.split, kept),
        "item_choice": (design.item_choice != ItemChoice.ALL, kept),
        "method": (
            design.method != draft.method,
            "Selected items are rated one by one, as they were when they were selected.",
        ),
    }
    for field, (is_changed, message) in changes.items():
        if is_changed and field not in problems.unread:
            problems.refuse(field, message)


def _check_name(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    try:
        checked_name(design.name, of="the campaign")
    except InvalidError as error:
        problems.refuse("name", error.message)


def _check_instructions(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    if len(design.instructions) > LONGEST_INSTRUCTIONS:
        problems.refuse(
            "instructions", f"The instructions are longer than {LONGEST_INSTRUCTIONS:,} characters."
        )


def _check_lease(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    if design.lease_minutes not in LEASE_MINUTES:
        problems.refuse(
            "lease_minutes",
            "The lease of an assignment can last between 5 minutes and 7 days (10,080 minutes).",
        )


def _check_deadline(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    if design.deadline is not None and design.deadline <= timezone.now():
        problems.refuse("deadline", "The deadline is in the past. Choose a later one, or none.")


def _check_rubric(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    if design.rubric_version.rubric.project_id != project.pk:
        problems.refuse("rubric_version", "This rubric belongs to another project.")
    elif not design.rubric_version.criteria.exists():
        problems.refuse("rubric_version", "This rubric version has no criteria. Add one first.")


def _check_data(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    data, split = design.dataset_version, design.split
    if data.dataset.project_id != project.pk:
        problems.refuse("dataset_version", "This dataset belongs to another project.")
    elif data.state != VersionState.READY:
        problems.refuse(
            "dataset_version", "This version is not ready: its import has not finished or has failed."
        )
    elif split not in Split.values:
        problems.refuse("split", f"There is no split “{split}”. Use {', '.join(Split.values)}.")
    elif not data.examples.filter(split=split).exists():
        problems.refuse("split", f"{data} has no {split} examples, so there would be nothing to review.")


def _check_candidates(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    candidates = design.candidates
    if not candidates:
        problems.refuse("candidates", "Choose at least one candidate.")
    if len(candidates) > MOST_CANDIDATES:
        problems.refuse(
            "candidates", f"At most {MOST_CANDIDATES} candidates can be compared in one campaign."
        )
    if len({candidate.pk for candidate in candidates}) != len(candidates):
        problems.refuse("candidates", "A candidate is given twice.")
    if any(candidate.project_id != project.pk for candidate in candidates):
        problems.refuse("candidates", "A candidate belongs to another project.")


def _check_method(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    if design.method not in Method.values:
        problems.refuse("method", f"There is no method “{design.method}”. Use {', '.join(Method.values)}.")
    baseline = design.baseline.pk if design.baseline else None
    if problem := method_problem(design.method, [each.pk for each in design.candidates], baseline):
        problems.refuse(*problem)


def _check_answers(problems: _Problems, design: CampaignDesign) -> None:
    coverage = coverage_of(
        dataset_version_id=design.dataset_version.pk,
        split=design.split,
        candidate_ids=[candidate.pk for candidate in design.candidates],
        samples=design.samples,
    )
    if not coverage.complete:
        what = "an answer" if design.samples == 1 else f"{design.samples} answers"
        problems.refuse(
            "candidates",
            f"No {design.split} example of {design.dataset_version} has {what} of every chosen candidate, so"
            " there would be nothing to review. Generate or import the answers first, or choose another"
            " split.",
        )
    elif problems.has_none_of("item_choice", "examples_wanted", "stratify_by", "calibration_items"):
        _check_size(problems, design, coverage.complete)


def _check_choice(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    """Check the number of items and how they are chosen; `_check_size` compares it with the data."""
    if design.item_choice not in ItemChoice.values:
        problems.refuse("item_choice", f"Choose one of {', '.join(ItemChoice.values)}.")
    elif design.item_choice == ItemChoice.ALL:
        if design.examples_wanted is not None:
            problems.refuse(
                "examples_wanted",
                "Choose a random or stratified sample of examples, or leave this empty.",
            )
    elif design.examples_wanted is None or design.examples_wanted < 1:
        problems.refuse("examples_wanted", "Give the number of examples to choose.")


def _check_samples(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    if not 1 <= design.samples <= MOST_SAMPLES:
        problems.refuse("samples", f"Between 1 and {MOST_SAMPLES} outputs of each example can be reviewed.")


def _check_field(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    choice, field = design.item_choice, design.stratify_by
    if choice == ItemChoice.ALL and field:
        problems.refuse("stratify_by", "This field is for a stratified choice of some items. Leave it empty.")
    if choice == ItemChoice.RANDOM and field:
        problems.refuse(
            "stratify_by", "This field is for a stratified choice. Leave it empty, or choose that."
        )
    if choice == ItemChoice.STRATIFIED and not field:
        problems.refuse("stratify_by", "Name the metadata field to stratify by.")


def _check_distribution(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    if design.distribution not in Distribution.values:
        problems.refuse("distribution", f"Choose one of {', '.join(Distribution.values)}.")


def _check_gold(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    _check_share(problems, "gold_share", design.gold_share)


def _check_repeats(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    _check_share(problems, "repeat_share", design.repeat_share)


def _check_share(problems: _Problems, field: str, share: int) -> None:
    if not 0 <= share <= MOST_CHECK_SHARE:
        problems.refuse(field, f"The share must be between 0 and {MOST_CHECK_SHARE} percent.")


def _check_calibration(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    if not 0 <= design.calibration_items <= MOST_CALIBRATION_ITEMS:
        problems.refuse(
            "calibration_items", f"A round of calibration has at most {MOST_CALIBRATION_ITEMS} items."
        )


def _check_size(problems: _Problems, design: CampaignDesign, complete: int) -> None:
    """Check that there are enough items, and enough people for them within their quota."""
    complete -= design.calibration_items
    if complete < 1:
        problems.refuse(
            "calibration_items", "With that many calibration items nothing is left to review. Choose fewer."
        )
        return
    wanted = complete if design.examples_wanted is None else design.examples_wanted
    if wanted > complete:
        problems.refuse(
            "examples_wanted",
            f"{wanted:,} examples are wanted, but {complete:,} have an answer of every candidate. "
            f"Choose at most {complete:,}.",
        )
        return
    if design.item_choice == ItemChoice.STRATIFIED:
        _check_strata(problems, design, wanted)
    if design.quota is None or not problems.has_none_of(
        "quota", "overlap", "overlap_more", "overlap_share", "reviewers"
    ):
        return
    people = len(set(design.reviewers))
    if design.quota < 1:
        problems.refuse("quota", "A quota is at least 1 item. Leave it empty for no limit.")
        return
    items = wanted * design.samples
    assignments = number_of_assignments(
        items, overlap=design.overlap, share=design.overlap_share, more=design.overlap_more
    )
    if assignments > people * min(design.quota, items):
        problems.refuse(
            "quota",
            f"{people} people with at most {design.quota:,} items each do"
            f" {people * min(design.quota, items):,} assignments; the design needs {assignments:,}. Raise"
            " the quota, choose more people, or fewer items.",
        )


def _check_strata(problems: _Problems, design: CampaignDesign, wanted: int) -> None:
    strata = strata_of(
        dataset_version_id=design.dataset_version.pk,
        split=design.split,
        candidate_ids=[candidate.pk for candidate in design.candidates],
        field=design.stratify_by,
        samples=design.samples,
    )
    if set(strata) == {""}:
        found = fields_of(design.dataset_version.pk, design.split)
        there = f"Its fields: {', '.join(found[:20])}." if found else "Its examples have no fields."
        problems.refuse("stratify_by", f"No example has a field “{design.stratify_by}”. {there}")
    elif len(strata) > MOST_STRATA:
        problems.refuse(
            "stratify_by",
            f"“{design.stratify_by}” has more than {MOST_STRATA} different values. Choose a field with"
            " fewer.",
        )
    elif len(strata) > wanted:
        problems.refuse(
            "examples_wanted",
            f"“{design.stratify_by}” has {len(strata)} different values, and each gives at least one"
            f" example. Choose at least {len(strata)} examples, or another field.",
        )


def _check_overlap_share(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    share, more = design.overlap_share, design.overlap_more
    if not 0 <= share <= 99:
        problems.refuse(
            "overlap_share", "The share of items with more reviewers must be between 1 and 99 percent."
        )
    elif share and more is None:
        problems.refuse("overlap_more", "Give the number of reviewers for each item of that share.")
    elif more is not None and not share:
        problems.refuse("overlap_share", "Give the percentage of items.")


def _check_more_overlap(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    more = design.overlap_more
    if more is None:
        return
    if not design.overlap < more <= MOST_OVERLAP:
        problems.refuse(
            "overlap_more",
            f"It must be more than the {design.overlap} of every item, and at most {MOST_OVERLAP}.",
        )
    elif more > (people := len(set(design.reviewers))) > 0:
        problems.refuse(
            "overlap_more", f"{more} reviewers per item need at least {more} people; {people} chosen."
        )


def _check_people(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    if not design.reviewers:
        problems.refuse("reviewers", "Choose at least one reviewer.")
    if foreign := without_review_permission(project, design.reviewers):
        problems.refuse("reviewers", f"Not a member of this project: {', '.join(map(str, foreign))}.")


def _check_overlap(problems: _Problems, design: CampaignDesign, project: Project) -> None:
    overlap, people = design.overlap, len(set(design.reviewers))
    if not 1 <= overlap <= MOST_OVERLAP:
        problems.refuse("overlap", f"Each item needs between 1 and {MOST_OVERLAP} reviewers.")
    if overlap > people > 0:
        problems.refuse(
            "overlap",
            f"{overlap} reviewers per item need at least {overlap} people; {people} chosen. "
            "Choose more people or fewer reviewers per item.",
        )


_CHECKS: tuple[tuple[tuple[str, ...], Callable[[_Problems, CampaignDesign, Project], None]], ...] = (
    (("name",), _check_name),
    (("instructions",), _check_instructions),
    (("lease_minutes",), _check_lease),
    (("deadline",), _check_deadline),
    (("rubric_version",), _check_rubric),
    (("dataset_version", "split"), _check_data),
    (("candidates",), _check_candidates),
    (("method", "candidates", "baseline"), _check_method),
    (("overlap", "reviewers"), _check_overlap),
    (("reviewers",), _check_people),
    (("overlap_share", "overlap_more"), _check_overlap_share),
    (("overlap", "overlap_more", "reviewers"), _check_more_overlap),
    (("item_choice", "examples_wanted"), _check_choice),
    (("item_choice", "stratify_by"), _check_field),
    (("samples",), _check_samples),
    (("distribution",), _check_distribution),
    (("gold_share",), _check_gold),
    (("repeat_share",), _check_repeats),
    (("calibration_items",), _check_calibration),
)
"""Each check with the fields that it reads."""


def without_review_permission(project: Project, people: Iterable[User]) -> list[User]:
    """The people whose role in the project does not permit reviewing."""
    roles = [role for role, permissions in PERMISSIONS.items() if Permission.REVIEW in permissions]
    members = set(project.memberships.filter(role__in=roles).values_list("user_id", flat=True))
    return [person for person in people if person.pk not in members]
