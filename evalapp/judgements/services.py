"""Writes of judgements: exactly once, whole, audited; with the promises of a review's.

One submission is one transaction: the assignment's slot, the reviewer's count, the judgement, the audit
event, and the end of its draft. A replay finds the stored judgement.
"""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.allocation import lock_open_campaign
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import Assignment, Campaign, Comparison
from evalapp.core.errors import MissingError, StaleError
from evalapp.judgements.drafts import keep_text, save_draft
from evalapp.judgements.models import Judgement, JudgementDraft, JudgementRevision
from evalapp.judgements.queries import NOT_YOURS, comparison_id_at, verdict_of
from evalapp.judgements.verdicts import Verdict, check_verdict
from evalapp.reviews.change_requests import require_changed, resubmitted
from evalapp.reviews.drafts import SavedDraft
from evalapp.reviews.queries import Stand, TakenOffError
from evalapp.reviews.services import KeptDraft, keep_claimed, kept_of_left, latest_of, skip_item
from evalapp.reviews.submitting import (
    NOT_CHANGED,
    RUNNING,
    CampaignClosedError,
    Submission,
    require_demonstration,
    submit_once,
)


@dataclass(frozen=True)
class JudgeResult:
    """``is_replay``: the same submission had been stored before; nothing was written now."""

    judgement: Judgement
    is_replay: bool = False


@dataclass(frozen=True)
class _Asked:
    """A comparison as it stands at an assignment."""

    comparison_id: int
    outputs: list[int]


def submit_judgement(
    *,
    stand: Stand,
    client_id: UUID,
    verdict: Verdict,
    seconds_active: float = 0.0,
    is_simulated: bool = False,
) -> JudgeResult:
    """Store a judgement of one comparison of an assignment that the reviewer has claimed.

    Raises InvalidError (fields ``choice``, ``ranks``, ``comment``), ConflictError where another
    judgement of it is stored, LeaseLostError where the assignment went to somebody else,
    CampaignClosedError; in the last three cases the text is kept as a draft.
    """
    require_demonstration(stand.assignment.campaign, is_simulated=is_simulated)
    asked = _asked_at(stand)
    checked = check_verdict(verdict, outputs=len(asked.outputs))
    submission = JudgementSubmission(
        stand.campaign_reviewer,
        stand.assignment,
        stand.slot,
        client_id,
        seconds_active,
        is_simulated,
        asked,
        checked,
    )
    return JudgeResult(*submit_once(submission))


@dataclass(frozen=True)
class JudgementSubmission(Submission[Judgement]):
    another = "another verdict"
    listed = "My comparisons"
    unit = claimed = "comparison"
    model = Judgement

    asked: _Asked
    verdict: Verdict

    @property
    def shown(self) -> dict[str, int]:
        return {"comparison_id": self.asked.comparison_id}

    def fingerprint(self) -> str:
        return self.verdict.fingerprint()

    def store(self) -> Judgement:
        campaign, person, verdict = self.assignment.campaign, self.campaign_reviewer.user, self.verdict
        judgement = Judgement.objects.create(
            campaign=campaign,
            assignment=self.assignment,
            reviewer=person,
            purpose=self.assignment.purpose,
            client_id=self.client_id,
            body_hash=self.fingerprint(),
            outputs=self.asked.outputs,
            choice=verdict.choice,
            ranks=cast(list[int] | None, verdict.ranks),  # checked: none is missing
            comment=verdict.comment,
            seconds_active=self.seconds_active,
            is_simulated=self.is_simulated,
            **self.shown,
        )
        JudgementDraft.objects.filter(reviewer=person, **self.shown).delete()
        record(
            "judgement.submitted",
            by=person,
            obj=judgement,
            project=campaign.project,
            data={
                "campaign": campaign.pk,
                "assignment": self.assignment.pk,
                "comparison": self.asked.comparison_id,
            },
        )
        return judgement

    def keep(self) -> None:
        keep_text(
            reviewer=self.campaign_reviewer.user,
            comparison_id=self.asked.comparison_id,
            outputs=self.asked.outputs,
            verdict=self.verdict,
        )


def _asked_at(stand: Stand) -> _Asked:
    comparison = Comparison.objects.filter(pk=comparison_id_at(stand), item=stand.assignment.item_id).first()
    if comparison is None:
        raise MissingError(NOT_YOURS)
    return _Asked(comparison.pk, arranged(comparison.outputs, stand.assignment.arrangement))


@transaction.atomic
def amend_judgement(*, judgement: Judgement, by: User, verdict: Verdict, revision: int) -> Judgement:
    """Replace what a judgement says; what it said before stays as a revision.

    ``revision`` is the one that the edit is based on; an edit that changes nothing stores nothing, and
    neither does the same edit once more. It answers an open change request; InvalidError
    where it changes nothing of one. Raises StaleError where another edit has replaced the revision,
    CampaignClosedError after the end, InvalidError as `check_verdict`, MissingError for another's.
    """
    if judgement.reviewer_id != by.pk:
        raise MissingError(NOT_YOURS)
    campaign = judgement.campaign
    checked = check_verdict(verdict, outputs=len(judgement.outputs))
    lock_open_campaign(campaign.pk)
    # Locked, so that what is kept as the revision is what this edit replaces.
    stored = Judgement.objects.select_for_update().get(pk=judgement.pk)
    says_so = verdict_of(stored).fingerprint() == checked.fingerprint()
    current = Judgement.objects.filter(pk=judgement.pk, revision=revision, campaign__state__in=RUNNING)
    if says_so and current.exists():
        require_changed(stored)
        return stored
    if says_so and stored.revision == revision + 1:
        return stored
    changed = current.update(
        revision=F("revision") + 1,
        revised_at=Now(),
        choice=checked.choice,
        ranks=checked.ranks,
        comment=checked.comment,
    )
    if not changed:
        campaign.refresh_from_db(fields=["state", "closed_at"])
        if campaign.state not in RUNNING:
            raise CampaignClosedError(campaign, NOT_CHANGED)
        raise StaleError(
            "This was changed in another tab or window since you opened it. Your text is kept on this page: "
            "open it again, compare, and send it once more."
        )
    JudgementRevision.objects.create(
        judgement=judgement, revision=revision, body=verdict_of(stored).as_dict(), replaced_by=by
    )
    record(
        "judgement.amended",
        by=by,
        obj=judgement,
        project=campaign.project,
        data={"revision": revision + 1},
    )
    resubmitted(given=judgement, by=by, revision=revision + 1)
    judgement.refresh_from_db()
    return judgement


def undo_last_judgement(*, reviewer: User, campaign: Campaign) -> Judgement:
    """The latest judgement of this person here, to be opened again and changed; nothing is taken away.

    Raises MissingError before the first, CampaignClosedError after the end.
    """
    return latest_of(campaign.judgements.all(), reviewer=reviewer, campaign=campaign)


@transaction.atomic
def skip_comparisons(*, reviewer: User, assignment: Assignment, reason: str) -> None:
    """`skip_item` for an item whose outputs are compared: its drafts go, what was submitted stays."""
    skip_item(reviewer=reviewer, assignment=assignment, reason=reason)
    JudgementDraft.objects.filter(reviewer=reviewer, comparison__item=assignment.item_id).delete()


def keep_of_left(stand: Stand, verdict: Verdict) -> TakenOffError:
    """Keep as a draft what somebody submits or amends who was taken off the campaign; what to tell them."""
    asked = _asked_at(stand)
    keep_text(
        reviewer=stand.campaign_reviewer.user,
        comparison_id=asked.comparison_id,
        outputs=asked.outputs,
        verdict=verdict,
    )
    return kept_of_left(stand)


def keep_draft(*, stand: Stand, verdict: Verdict, seconds_active: float, revision: int) -> KeptDraft:
    """Keep what the reviewer works on, and the assignment theirs.

    Raises CampaignClosedError after the end, with the draft kept; ConflictError, with nothing kept, for
    one that is submitted or went to somebody else.
    """

    def save() -> SavedDraft:
        asked = _asked_at(stand)
        return save_draft(
            reviewer=stand.campaign_reviewer.user,
            comparison_id=asked.comparison_id,
            outputs=asked.outputs,
            verdict=verdict,
            seconds_active=seconds_active,
            revision=revision,
        )

    return keep_claimed(stand, save)
