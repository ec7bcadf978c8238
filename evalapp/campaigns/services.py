"""Write operations on campaigns: keyword-only, atomic, audited; state changes are one conditional UPDATE."""

import secrets
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from evalapp.accounts.models import Project, User
from evalapp.accounts.services import lock_members
from evalapp.audit.services import record
from evalapp.campaigns.allocation import block_submissions, release_assignment
from evalapp.campaigns.checks import gold_examples, insert_checks
from evalapp.campaigns.choice import number_of_assignments
from evalapp.campaigns.design import CampaignDesign, require_valid_design, without_review_permission
from evalapp.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    CampaignCandidate,
    CampaignReviewer,
    CampaignState,
    Distribution,
    Purpose,
    Skip,
)
from evalapp.campaigns.opening import coverage_of, make_assignments, strata_of_campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.uniqueness import unless_taken
from evalapp.core.web_timeouts import allow_long_statements
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.services import freeze

_SEED_BITS = 31


@transaction.atomic
def create_campaign(
    *,
    project: Project,
    design: CampaignDesign,
    by: User | None,
    invites_visitors: bool = False,
    is_recorded: bool = False,
) -> Campaign:
    """Create a campaign in draft; `open_campaign` launches it.

    Raises InvalidError naming every invalid field, ConflictError for a taken name.
    """
    lock_members([project.pk])
    require_valid_design(design, project)
    seed = secrets.randbits(_SEED_BITS) if design.seed is None else design.seed
    with _name_is_free(design):
        campaign = Campaign.objects.create(
            **{**design.columns(), "seed": seed},
            project=project,
            invites_visitors=invites_visitors,
            is_recorded=is_recorded,
            created_by=by,
        )
    _add_candidates(campaign, design.candidates)
    _add_reviewers(campaign, design.reviewers)
    record("campaign.created", by=by, obj=campaign, project=project, data=design.in_audit())
    return campaign


@transaction.atomic
def edit_campaign(*, campaign: Campaign, design: CampaignDesign, by: User | None) -> Campaign:
    """Replace a draft's design; without a new seed it keeps its own.

    Raises InvalidError and ConflictError as `create_campaign`, and ConflictError if it is not a draft.
    """
    lock_members([campaign.project_id])
    require_valid_design(design, campaign.project, draft=campaign)
    draft = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.DRAFT)
    with _name_is_free(design):
        changed = draft.update(**design.columns())
    if not changed:
        raise ConflictError(
            f"“{campaign}” is not a draft any more, so its design cannot change. Reload the page."
        )
    campaign.refresh_from_db()
    campaign.reviewers.all().delete()
    _add_reviewers(campaign, design.reviewers)
    before = campaign.candidates.order_by("position").values_list("model_version", flat=True)
    if list(before) != [candidate.pk for candidate in design.candidates]:
        campaign.candidates.all().delete()
        _add_candidates(campaign, design.candidates)
    record("campaign.edited", by=by, obj=campaign, project=campaign.project, data=design.in_audit())
    return campaign


@transaction.atomic
def discard_campaign(*, campaign: Campaign, by: User | None) -> None:
    """Delete a draft. Raises ConflictError for any other campaign: reviews are never deleted."""
    lock_members([campaign.project_id])
    draft = Campaign.objects.select_for_update().filter(pk=campaign.pk, state=CampaignState.DRAFT).first()
    if draft is None:
        raise ConflictError(
            f"“{campaign}” is not a draft any more, so it cannot be discarded. Reload the page."
        )
    record("campaign.discarded", by=by, obj=draft, project=campaign.project)
    draft.delete()


def _name_is_free(design: CampaignDesign) -> AbstractContextManager[None]:
    name = " ".join(design.name.split())
    return unless_taken(
        f"This project has a campaign named “{name}” already. Choose another name.", field="name"
    )


def _add_candidates(campaign: Campaign, candidates: Sequence[ModelVersion]) -> None:
    CampaignCandidate.objects.bulk_create(
        CampaignCandidate(campaign=campaign, model_version=candidate, position=position)
        for position, candidate in enumerate(candidates)
    )


def _add_reviewers(campaign: Campaign, people: Iterable[User]) -> int:
    campaign_reviewers = [
        CampaignReviewer(campaign=campaign, user=person) for person in {p.pk: p for p in people}.values()
    ]
    CampaignReviewer.objects.bulk_create(campaign_reviewers, ignore_conflicts=True)
    return len(campaign_reviewers)


@transaction.atomic
def open_campaign(*, campaign: Campaign, by: User | None) -> Campaign:
    """Launch a draft: freeze the rubric, and create items, their outputs (the latest of each candidate) and
    assignments.

    Raises InvalidError if outputs are missing or reviewers cannot take all assignments, ConflictError if it
    is not a draft.
    """
    allow_long_statements()
    opened = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.DRAFT)
    if not opened.update(state=CampaignState.OPEN, opened_at=Now()):
        raise ConflictError(f"“{campaign}” is not a draft any more; it can be launched once.")
    # The caller's copy may be older than a concurrent edit.
    campaign.refresh_from_db()
    _require_outputs(campaign)
    _require_people(campaign)
    freeze(rubric_version=campaign.rubric_version)
    items, reviews = make_assignments(campaign=campaign)
    if not items:
        raise InvalidError(
            "No item is left to review: the split's examples are all gold or for calibration. Use fewer of"
            " those, or choose data with more examples."
        )
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
        samples=campaign.samples,
        picked=campaign.picked_examples,
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


def _require_people(campaign: Campaign) -> None:
    """Check the reviewers again: the design may predate changes of its data and of its reviewers' quotas."""
    campaign_reviewers = list(campaign.reviewers.filter(left_at=None))
    quotas = [
        campaign.quota if campaign_reviewer.quota is None else campaign_reviewer.quota
        for campaign_reviewer in campaign_reviewers
    ]
    strata = strata_of_campaign(campaign)
    examples = campaign.examples_wanted
    if examples is None:
        examples = sum(strata.values()) - gold_examples(campaign) - campaign.calibration_items
    items = examples * campaign.samples
    if campaign.distribution == Distribution.SHARED and not any(quotas):
        return
    room = sum(items if quota is None else min(items, quota) for quota in quotas)
    assignments = number_of_assignments(
        items, overlap=campaign.overlap, share=campaign.overlap_share, more=campaign.overlap_more
    )
    if room < assignments:
        raise InvalidError(
            f"The {len(campaign_reviewers)} reviewers can take {room:,} assignments; the design needs"
            f" {assignments:,}. Raise a quota, add people, or choose fewer items."
        )


def pause_campaign(*, campaign: Campaign, by: User | None) -> Campaign:
    """Stop giving out assignments; work already on a reviewer's screen may still be submitted."""
    return _change_state(campaign, (CampaignState.OPEN,), CampaignState.PAUSED, "campaign.paused", by)


def resume_campaign(*, campaign: Campaign, by: User | None) -> Campaign:
    return _change_state(campaign, (CampaignState.PAUSED,), CampaignState.OPEN, "campaign.resumed", by)


@transaction.atomic
def close_campaign(*, campaign: Campaign, by: User | None) -> Campaign:
    """Close the campaign: nothing can be submitted or amended afterwards; assignments in progress are given
    back.
    """
    block_submissions(campaign.pk)
    running = (CampaignState.OPEN, CampaignState.PAUSED)
    closed = _change_state(campaign, running, CampaignState.CLOSED, "campaign.closed", by, closed_at=Now())
    Assignment.objects.filter(campaign=campaign, state=AssignmentState.IN_PROGRESS).update(
        state=AssignmentState.AVAILABLE, reviewer=None, lease_expires_at=None, last_reviewer=F("reviewer")
    )
    return closed


@transaction.atomic
def _change_state(
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
    """Add reviewers, and readmit those who had left; returns how many were added.

    The number of assignments stays: more people share the same work.
    """
    if campaign.state == CampaignState.CLOSED:
        raise ConflictError(f"“{campaign}” is closed; nobody can be added.")
    lock_members([campaign.project_id])
    if foreign := without_review_permission(campaign.project, reviewers):
        raise InvalidError(
            f"Not a member of this project: {', '.join(map(str, foreign))}. Invite them first.",
            field="reviewers",
        )
    present = set(campaign.reviewers.filter(left_at=None).values_list("user_id", flat=True))
    new = [person for person in reviewers if person.pk not in present]
    _add_reviewers(campaign, new)
    campaign.reviewers.filter(user__in=new).update(left_at=None)
    if campaign.state != CampaignState.DRAFT:
        insert_checks(campaign=campaign)
    record(
        "campaign.reviewers_added",
        by=by,
        obj=campaign,
        project=campaign.project,
        data={"reviewers": sorted(person.pk for person in new)},
    )
    return len(new)


@transaction.atomic
def remove_reviewer(*, campaign_reviewer: CampaignReviewer, by: User | None) -> None:
    """Remove a reviewer: their assignments in progress go to others, their reviews stay."""
    if not _leave(campaign_reviewer, by):
        raise ConflictError(f"{campaign_reviewer.user} has left this campaign already.")


@transaction.atomic
def leave_campaigns(*, user: User, project: Project | None, by: User | None) -> None:
    """Remove the user from every campaign that is not closed, of the project, or of all projects (None)."""
    campaign_reviewers = CampaignReviewer.objects.filter(user=user, left_at=None).exclude(
        campaign__state=CampaignState.CLOSED
    )
    if project is not None:
        campaign_reviewers = campaign_reviewers.filter(campaign__project=project)
    for campaign_reviewer in campaign_reviewers.select_related("campaign__project", "user").order_by(
        "campaign_id"
    ):
        _leave(campaign_reviewer, by)


def _leave(campaign_reviewer: CampaignReviewer, by: User | None) -> bool:
    """End a person's part in a campaign; False if a concurrent request already did."""
    block_submissions(campaign_reviewer.campaign_id)
    if not CampaignReviewer.objects.filter(pk=campaign_reviewer.pk, left_at=None).update(left_at=Now()):
        return False
    # Assignments reserved for them go to the shared queue; those in progress are given back one by one.
    Assignment.objects.filter(
        campaign=campaign_reviewer.campaign_id,
        assigned_to=campaign_reviewer.user_id,
        state=AssignmentState.AVAILABLE,
        purpose=Purpose.REVIEW,
    ).update(assigned_to=None)
    claimed = Assignment.objects.filter(
        campaign=campaign_reviewer.campaign_id,
        reviewer=campaign_reviewer.user_id,
        state=AssignmentState.IN_PROGRESS,
    )
    for assignment in claimed.order_by("pk").select_for_update(no_key=True):
        give_back(
            assignment=assignment, reviewer=campaign_reviewer.user, reason="Left the campaign", is_lapse=True
        )
    record(
        "campaign.reviewer_removed",
        by=by,
        obj=campaign_reviewer.campaign,
        project=campaign_reviewer.campaign.project,
        data={"reviewer": campaign_reviewer.user_id},
    )
    return True


def give_back(*, assignment: Assignment, reviewer: User, reason: str, is_lapse: bool = False) -> bool:
    """Return a claimed assignment to the others, and do not offer the item to this reviewer again; with
    ``is_lapse`` only if they have reviewed a part of it. False if they have not claimed it. Call it in a
    transaction.
    """
    if not release_assignment(assignment=assignment, reviewer=reviewer):
        return False
    if assignment.purpose == Purpose.REVIEW:
        # If it was assigned to this reviewer by name, open it to everybody.
        given_back = Assignment.objects.filter(pk=assignment.pk, state=AssignmentState.AVAILABLE)
        given_back.exclude(assigned_to=None).update(assigned_to=None)
    if is_lapse and (not assignment.reviews_done or assignment.purpose != Purpose.REVIEW):
        return True
    Skip.objects.get_or_create(
        item_id=assignment.item_id,
        reviewer=reviewer,
        defaults={"campaign_id": assignment.campaign_id, "reason": reason, "is_lapse": is_lapse},
    )
    return True
