"""Writes of campaigns: keyword-only, atomic, audited; a change of state is one conditional UPDATE."""

import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.accounts.services import lock_members
from evalapp.audit.services import record
from evalapp.campaigns.allocation import hold_submissions, release_place
from evalapp.campaigns.models import (
    Campaign,
    CampaignCandidate,
    CampaignReviewer,
    CampaignState,
    Place,
    PlaceState,
    Skip,
)
from evalapp.campaigns.opening import coverage_of, make_places
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name
from evalapp.datasets.models import DatasetVersion, Split, VersionState
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.services import freeze

MOST_CANDIDATES = 8
MOST_OVERLAP = 50
LONGEST_INSTRUCTIONS = 20_000
LEASE_MINUTES = range(5, 7 * 24 * 60 + 1)
_SEED_BITS = 31


@transaction.atomic
def create_campaign(
    *,
    project: Project,
    name: str,
    rubric_version: RubricVersion,
    dataset_version: DatasetVersion,
    split: str,
    candidates: Sequence[ModelVersion],
    overlap: int,
    reviewers: Collection[User],
    by: User | None,
    instructions: str = "",
    lease_minutes: int = 30,
    shows_reference: bool = False,
    allows_corrections: bool = True,
    is_blind: bool = True,
    leaves_out_incomplete: bool = False,
    seed: int | None = None,
    deadline: datetime | None = None,
    invites_visitors: bool = False,
    is_recorded: bool = False,
) -> Campaign:
    """A campaign in draft; `open_campaign` launches it. ``candidates`` keep the order given.

    Raises InvalidError naming every field that cannot stay, ConflictError for a taken name.
    """
    lock_members([project.pk])
    problems = _design_problems(
        project=project,
        name=name,
        rubric_version=rubric_version,
        dataset_version=dataset_version,
        split=split,
        candidates=candidates,
        overlap=overlap,
        reviewers=reviewers,
        lease_minutes=lease_minutes,
        deadline=deadline,
        instructions=instructions,
    )
    if problems:
        raise InvalidError("The campaign cannot be made like this: see the fields.", fields=problems)
    name = checked_name(name, of="the campaign")
    try:
        with transaction.atomic():
            campaign = Campaign.objects.create(
                project=project,
                name=name,
                rubric_version=rubric_version,
                dataset_version=dataset_version,
                split=split,
                overlap=overlap,
                instructions=instructions.strip(),
                lease_minutes=lease_minutes,
                shows_reference=shows_reference,
                allows_corrections=allows_corrections,
                is_blind=is_blind,
                leaves_out_incomplete=leaves_out_incomplete,
                seed=secrets.randbits(_SEED_BITS) if seed is None else seed,
                deadline=deadline,
                invites_visitors=invites_visitors,
                is_recorded=is_recorded,
                created_by=by,
            )
    except IntegrityError as error:
        message = f"This project has a campaign named “{name}” already. Choose another name."
        raise ConflictError(message, fields={"name": [message]}) from error
    CampaignCandidate.objects.bulk_create(
        CampaignCandidate(campaign=campaign, model_version=candidate, position=position)
        for position, candidate in enumerate(candidates)
    )
    _seat(campaign, reviewers)
    record(
        "campaign.created",
        by=by,
        obj=campaign,
        project=project,
        data={
            "candidates": [candidate.pk for candidate in candidates],
            "overlap": overlap,
            "split": split,
            "reviewers": sorted(reviewer.pk for reviewer in reviewers),
            "is_blind": is_blind,
        },
    )
    return campaign


class _Problems(dict[str, list[str]]):
    """What cannot stay, by field."""

    def refuse(self, field: str, message: str) -> None:
        self.setdefault(field, []).append(message)


def _design_problems(
    *,
    project: Project,
    name: str,
    rubric_version: RubricVersion,
    dataset_version: DatasetVersion,
    split: str,
    candidates: Sequence[ModelVersion],
    overlap: int,
    reviewers: Collection[User],
    lease_minutes: int,
    deadline: datetime | None,
    instructions: str,
) -> _Problems:
    problems = _Problems()
    try:
        checked_name(name, of="the campaign")
    except InvalidError as error:
        problems.refuse("name", error.message)
    if len(instructions) > LONGEST_INSTRUCTIONS:
        problems.refuse(
            "instructions", f"The instructions are longer than {LONGEST_INSTRUCTIONS:,} characters."
        )
    if lease_minutes not in LEASE_MINUTES:
        problems.refuse("lease_minutes", "A place can be held between 5 minutes and 7 days (10,080 minutes).")
    if deadline is not None and deadline <= timezone.now():
        problems.refuse("deadline", "The deadline is in the past. Choose a later one, or none.")
    _check_material(problems, project, rubric_version, dataset_version, split)
    _check_candidates(problems, project, candidates)
    _check_people(problems, project, reviewers, overlap)
    return problems


def _check_material(
    problems: _Problems, project: Project, rubric: RubricVersion, data: DatasetVersion, split: str
) -> None:
    if rubric.rubric.project_id != project.pk:
        problems.refuse("rubric_version", "This rubric belongs to another project.")
    elif not rubric.criteria.exists():
        problems.refuse("rubric_version", "This rubric version has no criteria. Add one first.")
    if data.dataset.project_id != project.pk:
        problems.refuse("dataset_version", "This dataset belongs to another project.")
    elif data.state != VersionState.READY:
        problems.refuse("dataset_version", "This version is not ready: its import has not ended well.")
    elif split not in Split.values:
        problems.refuse("split", f"There is no split “{split}”. Use {', '.join(Split.values)}.")
    elif not data.examples.filter(split=split).exists():
        problems.refuse("split", f"{data} has no {split} examples, so there would be nothing to review.")


def _check_candidates(problems: _Problems, project: Project, candidates: Sequence[ModelVersion]) -> None:
    if not candidates:
        problems.refuse("candidates", "Choose at least one candidate.")
    if len(candidates) > MOST_CANDIDATES:
        problems.refuse(
            "candidates", f"At most {MOST_CANDIDATES} candidates can be compared in one campaign."
        )
    if len({candidate.pk for candidate in candidates}) != len(candidates):
        problems.refuse("candidates", "A candidate is named twice.")
    if any(candidate.project_id != project.pk for candidate in candidates):
        problems.refuse("candidates", "A candidate belongs to another project.")


def _check_people(problems: _Problems, project: Project, reviewers: Collection[User], overlap: int) -> None:
    if not 1 <= overlap <= MOST_OVERLAP:
        problems.refuse("overlap", f"Each item needs between 1 and {MOST_OVERLAP} reviewers.")
    if not reviewers:
        problems.refuse("reviewers", "Choose at least one reviewer.")
    elif overlap > (people := len(set(reviewers))):
        problems.refuse(
            "overlap",
            f"{overlap} reviewers an item need at least {overlap} people; {people} chosen. "
            "Choose more people or fewer reviewers an item.",
        )
    if foreign := _not_reviewing(project, reviewers):
        problems.refuse("reviewers", f"Not a member of this project: {', '.join(map(str, foreign))}.")


def _not_reviewing(project: Project, people: Iterable[User]) -> list[User]:
    roles = [role for role, permissions in PERMISSIONS.items() if Permission.REVIEW in permissions]
    members = set(project.memberships.filter(role__in=roles).values_list("user_id", flat=True))
    return [person for person in people if person.pk not in members]


def _seat(campaign: Campaign, people: Iterable[User]) -> int:
    seats = [
        CampaignReviewer(campaign=campaign, user=person) for person in {p.pk: p for p in people}.values()
    ]
    CampaignReviewer.objects.bulk_create(seats, ignore_conflicts=True)
    return len(seats)


@transaction.atomic
def open_campaign(*, campaign: Campaign, by: User | None) -> Campaign:
    """Launch a draft: freezes the rubric, makes items, their outputs (the latest of each candidate) and
    the places. Raises InvalidError where outputs are missing, ConflictError where it is no draft.
    """
    opened = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.DRAFT)
    if not opened.update(state=CampaignState.OPEN, opened_at=Now()):
        raise ConflictError(f"“{campaign}” is not a draft any more; it can be launched once.")
    _require_outputs(campaign)
    freeze(rubric_version=campaign.rubric_version)
    items, reviews = make_places(campaign=campaign)
    Campaign.objects.filter(pk=campaign.pk).update(items_total=items, reviews_total=reviews)
    campaign.refresh_from_db()
    record(
        "campaign.opened",
        by=by,
        obj=campaign,
        project=campaign.project,
        data={"items": items, "reviews": reviews, "seed": campaign.seed},
    )
    return campaign


def _require_outputs(campaign: Campaign) -> None:
    candidates = list(campaign.candidates.select_related("model_version"))
    coverage = coverage_of(
        dataset_version_id=campaign.dataset_version_id,
        split=campaign.split,
        candidate_ids=[candidate.model_version_id for candidate in candidates],
    )
    if coverage.complete == coverage.examples:
        return
    lacking = [
        f"{candidate} has {coverage.outputs[candidate.model_version_id]:,} of {coverage.examples:,}"
        for candidate in candidates
        if coverage.outputs[candidate.model_version_id] < coverage.examples
    ]
    missing = "; ".join(lacking)
    if coverage.complete == 0:
        raise InvalidError(
            f"No example has an answer of every candidate ({missing}). Generate or import the answers first."
        )
    if not campaign.leaves_out_incomplete:
        raise InvalidError(
            f"Answers are missing: {missing}. Generate or import them, or choose to leave out the "
            f"{coverage.examples - coverage.complete:,} examples that lack one."
        )


def pause_campaign(*, campaign: Campaign, by: User | None) -> Campaign:
    """Hand out nothing more; what is on a reviewer's screen may still be submitted."""
    return _move(campaign, (CampaignState.OPEN,), CampaignState.PAUSED, "campaign.paused", by)


def resume_campaign(*, campaign: Campaign, by: User | None) -> Campaign:
    return _move(campaign, (CampaignState.PAUSED,), CampaignState.OPEN, "campaign.resumed", by)


@transaction.atomic
def close_campaign(*, campaign: Campaign, by: User | None) -> Campaign:
    """End it: nothing can be submitted or amended from here on; held places are given back."""
    hold_submissions(campaign.pk)
    running = (CampaignState.OPEN, CampaignState.PAUSED)
    closed = _move(campaign, running, CampaignState.CLOSED, "campaign.closed", by, closed_at=Now())
    Place.objects.filter(campaign=campaign, state=PlaceState.HELD).update(
        state=PlaceState.FREE, reviewer=None, lease_expires_at=None
    )
    return closed


@transaction.atomic
def _move(
    campaign: Campaign,
    origins: Sequence[str],
    target: CampaignState,
    action: str,
    by: User | None,
    **changes: object,
) -> Campaign:
    moved = Campaign.objects.filter(pk=campaign.pk, state__in=origins).update(state=target, **changes)
    campaign.refresh_from_db()
    if not moved:
        raise ConflictError(
            f"“{campaign}” is {campaign.get_state_display().lower()} now, so it cannot become "
            f"{target.label.lower()}. Reload the page."
        )
    record(action, by=by, obj=campaign, project=campaign.project)
    return campaign


@transaction.atomic
def add_reviewers(*, campaign: Campaign, reviewers: Collection[User], by: User | None) -> int:
    """Let more people review; those who had left come back. How many were added.

    The number of places stays: more people share the same work.
    """
    if campaign.state == CampaignState.CLOSED:
        raise ConflictError(f"“{campaign}” is closed; nobody can be added.")
    lock_members([campaign.project_id])
    if foreign := _not_reviewing(campaign.project, reviewers):
        message = f"Not a member of this project: {', '.join(map(str, foreign))}. Invite them first."
        raise InvalidError(message, fields={"reviewers": [message]})
    present = set(campaign.reviewers.filter(left_at=None).values_list("user_id", flat=True))
    new = [person for person in reviewers if person.pk not in present]
    _seat(campaign, new)
    campaign.reviewers.filter(user__in=new).update(left_at=None)
    record(
        "campaign.reviewers_added",
        by=by,
        obj=campaign,
        project=campaign.project,
        data={"reviewers": sorted(person.pk for person in new)},
    )
    return len(new)


@transaction.atomic
def remove_reviewer(*, seat: CampaignReviewer, by: User | None) -> None:
    """Let somebody leave: their held places go to others, what they submitted stays."""
    if not _leave(seat, by):
        raise ConflictError(f"{seat.user} has left this campaign already.")


@transaction.atomic
def leave_campaigns(*, user: User, project: Project | None, by: User | None) -> None:
    """The same for every campaign that is not over, of the project, or of all (None)."""
    seats = CampaignReviewer.objects.filter(user=user, left_at=None).exclude(
        campaign__state=CampaignState.CLOSED
    )
    if project is not None:
        seats = seats.filter(campaign__project=project)
    for seat in seats.select_related("campaign__project", "user").order_by("campaign_id"):
        _leave(seat, by)


def _leave(seat: CampaignReviewer, by: User | None) -> bool:
    """End a seat; False where somebody else just has."""
    hold_submissions(seat.campaign_id)
    if not CampaignReviewer.objects.filter(pk=seat.pk, left_at=None).update(left_at=Now()):
        return False
    held = Place.objects.filter(campaign=seat.campaign_id, reviewer=seat.user_id, state=PlaceState.HELD)
    for place in held.order_by("pk").select_for_update(no_key=True):
        give_back(place=place, reviewer=seat.user, reason="Left the campaign", is_lapse=True)
    record(
        "campaign.reviewer_removed",
        by=by,
        obj=seat.campaign,
        project=seat.campaign.project,
        data={"reviewer": seat.user_id},
    )
    return True


def give_back(*, place: Place, reviewer: User, reason: str, is_lapse: bool = False) -> bool:
    """Return a held place to the others and do not offer the item to this reviewer again.

    False if they do not hold it. Call it in a transaction.
    """
    if not release_place(place=place, reviewer=reviewer):
        return False
    if is_lapse and not place.reviews_done:
        return True
    Skip.objects.get_or_create(
        item_id=place.item_id,
        reviewer=reviewer,
        defaults={"campaign_id": place.campaign_id, "reason": reason, "is_lapse": is_lapse},
    )
    return True
