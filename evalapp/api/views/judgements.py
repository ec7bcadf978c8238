"""Comparing answers by machine: the services of the page of comparisons, and what came out of them."""

from typing import Any
from uuid import UUID

from evalapp.accounts.permissions import Permission
from evalapp.analysis.api.shared import AnalysisView
from evalapp.analysis.models import ScoreSource
from evalapp.analysis.pair_lists import as_lines
from evalapp.analysis.pairs import Judged, Judgements, load_judgements, pair_results
from evalapp.analysis.verdicts_apart import verdicts_apart, with_lines
from evalapp.api.fields import Nothing
from evalapp.api.operations import Answer, ApiView, operation
from evalapp.api.serializers.judgements import (
    ComparisonTaskSerializer,
    JudgementAmendmentBody,
    JudgementBody,
    JudgementQuery,
    JudgementSerializer,
    MyJudgementSerializer,
    NextComparisonSerializer,
    PairResultsQuery,
    PairResultsSerializer,
    VerdictDraftBody,
    VerdictsApartSerializer,
)
from evalapp.api.serializers.reviews import FlagBody, SavedDraftSerializer, SkipBody
from evalapp.api.views.reviews import no_work_body
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import CampaignState
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import ConflictError, MissingError
from evalapp.judgements.apart import Apart
from evalapp.judgements.models import Judgement
from evalapp.judgements.queries import (
    NOT_YOURS,
    ComparisonTask,
    comparison_task,
    judged_by,
    judging_campaign_reviewer,
    judging_stand,
    own_judgement,
    stand_task,
    verdict_of,
)
from evalapp.judgements.services import (
    amend_judgement,
    keep_draft,
    keep_of_left,
    skip_comparisons,
    submit_judgement,
)
from evalapp.judgements.verdicts import read_verdict
from evalapp.reviews.answers import read_client_id, read_seconds
from evalapp.reviews.flags import flag_item
from evalapp.reviews.presentation import progress_payload
from evalapp.reviews.queries import Stand, TakenOffError, left_stand
from evalapp.reviews.submitting import NOT_COUNTED, CampaignClosedError


class PairsView(AnalysisView):
    def judgements(self, campaign_id: int) -> Judgements:
        campaign = self.campaign(campaign_id)
        return load_judgements(campaign, reviewer_type=self.reviewer_type())


class PairResultsDetail(PairsView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Read who is preferred to whom", query=PairResultsQuery, result=PairResultsSerializer)
    def get(self, campaign_id: int) -> object:
        """Of a campaign that compares answers: shares of wins, strengths, the effect of standing first. Empty
        for one that rates them one by one.
        """
        judgements = self.judgements(campaign_id)
        results = pair_results(judgements, score_source=ScoreSource(self.query["score_source"]))
        return {
            "campaign": campaign_id,
            "reviewer_type": self.reviewer_type(),
            "score_source": results.score_source,
            "is_reviewing": is_reviewing_blind(judgements.campaign, self.person),
            "method": judgements.campaign.method,
            "judgements": len(judgements.rows),
            "items": results.items,
            "reviewers": results.reviewers,
            "pairs": results.pairs,
            "strengths": results.strengths,
            "first_side": results.first_side,
            "alpha": results.alpha,
            "agreement": results.exact,
            "adjudicated": results.adjudicated,
        }


class JudgementList(PairsView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("List a campaign's judgements", query=JudgementQuery, result=JudgementSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """In the order in which they were given; reviewers are pseudonyms."""
        judgements = self.judgements(campaign_id)
        return self.page(judgements.rows, dress=lambda rows: as_lines(judgements, rows))

    def key_of(self, row: Judged) -> str:
        return str(row.pk)


class VerdictsApartList(PairsView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("List where verdicts differ", query=JudgementQuery, result=VerdictsApartSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Comparisons with different verdicts, the most different first. Empty for a campaign that rates answers."""
        judgements = self.judgements(campaign_id)
        return self.page(verdicts_apart(judgements), dress=lambda rows: with_lines(judgements, list(rows)))

    def key_of(self, row: Apart[Judged]) -> str:
        return str(row.comparison_id)


class NextComparison(ApiView):
    @operation("Get the next comparison to judge", body=Nothing, result=NextComparisonSerializer)
    def post(self, key: UUID) -> object:
        """Claims an assignment where that is needed. The answer is the same until something is submitted."""
        campaign_reviewer = judging_campaign_reviewer(self.person, key)
        self.body()
        found = next_review(campaign_reviewer=campaign_reviewer)
        progress = progress_payload(campaign_reviewer, None if isinstance(found, NextReview) else found)
        if not isinstance(found, NextReview):
            return {"task": None, "no_work": no_work_body(found, campaign_reviewer), "progress": progress}
        task = comparison_task(
            assignment_key=found.assignment.key,
            comparison_id=found.item_output_id,
            campaign=campaign_reviewer.campaign,
            reviewer=campaign_reviewer.user,
        )
        return {"task": _task(found.assignment.key, found.slot, task), "no_work": None, "progress": progress}


def _task(
    assignment: UUID, slot: int, task: ComparisonTask, judgement: Judgement | None = None
) -> dict[str, Any]:
    draft = None
    if task.draft is not None:
        draft = {
            "revision": task.draft_revision,
            "saved_at": task.draft_saved_at,
            "answers": task.draft.as_dict(),
        }
    return {
        "assignment": assignment,
        "slot": slot,
        "messages": task.messages,
        "context": task.context,
        "reference": task.reference,
        "shown": task.answers,
        "draft": draft,
        "revision": judgement.revision if judgement else 0,
        "answers": verdict_of(judgement).as_dict() if judgement else None,
    }


class ComparisonDetail(ApiView):
    def stand_to_submit(self, key: UUID, slot: int) -> Stand:
        """Raises TakenOffError where the person was taken off, with what they sent kept as their draft."""
        try:
            return judging_stand(self.person, key, slot)
        except TakenOffError as taken_off:
            left = left_stand(taken_off, self.person, key, slot, compares=True)
            raise keep_of_left(left, read_verdict(self.body()["answers"])) from None

    @operation("Read a comparison that I judge", result=ComparisonTaskSerializer)
    def get(self, key: UUID, slot: int) -> object:
        """One that I hold, or have judged. 409 where the campaign is closed (``campaign_closed``), and for
        one that went to somebody else, while my draft is kept (``lease_lost``).
        """
        stand = judging_stand(self.person, key, slot)
        judgement = None if stand.is_open else own_judgement(stand)
        task = stand_task(stand)
        if judgement is None and not stand.is_open:
            raise _not_claimed(stand, has_draft=task.draft is not None)
        return _task(stand.assignment.key, stand.slot, task, judgement)

    @operation(
        "Submit a judgement",
        body=JudgementBody,
        result=MyJudgementSerializer,
        status=201,
        also={200: "A replay: this submission was stored before."},
    )
    def post(self, key: UUID, slot: int) -> object:
        """Exactly once: repeat it with the same ``client_id`` as often as you like. 409 where another verdict
        was stored first, or the assignment went to somebody else, 403 where you were taken off the campaign; your
        text is then kept as a draft.
        """
        stand = self.stand_to_submit(key, slot)
        values = self.body()
        result = submit_judgement(
            stand=stand,
            client_id=read_client_id(values["client_id"]),
            verdict=read_verdict(values["answers"]),
            seconds_active=read_seconds(values["seconds_active"]),
            is_simulated=self.person.is_simulated,
        )
        shown = _shown(stand.assignment.campaign.key, stand.assignment.key, stand.slot, result.judgement)
        shown["is_replay"] = result.is_replay
        return Answer(shown, 200 if result.is_replay else 201)

    @operation("Amend my judgement", body=JudgementAmendmentBody, result=MyJudgementSerializer)
    def put(self, key: UUID, slot: int) -> object:
        """Until the campaign closes; what it said before is kept. 412 where ``revision`` is not the latest."""
        stand = self.stand_to_submit(key, slot)
        judgement = own_judgement(stand)
        if judgement is None:
            raise MissingError(NOT_YOURS)
        values = self.body()
        amended = amend_judgement(
            judgement=judgement,
            by=self.person,
            verdict=read_verdict(values["answers"]),
            revision=values["revision"],
        )
        return _shown(stand.assignment.campaign.key, stand.assignment.key, stand.slot, amended)


def _not_claimed(stand: Stand, *, has_draft: bool) -> Exception:
    campaign = stand.assignment.campaign
    if campaign.state == CampaignState.CLOSED:
        return CampaignClosedError(campaign, NOT_COUNTED if has_draft else ".")
    if not has_draft:
        return MissingError(NOT_YOURS)
    return ConflictError(
        "Somebody else has taken this one since; what you chose is kept as your draft.", code="lease_lost"
    )


def _shown(campaign: UUID, assignment: UUID, slot: int, judgement: Judgement) -> dict[str, Any]:
    return {
        "campaign": campaign,
        "assignment": assignment,
        "slot": slot,
        "client_id": judgement.client_id,
        "revision": judgement.revision,
        "submitted_at": judgement.submitted_at,
        "revised_at": judgement.revised_at,
        "answers": verdict_of(judgement).as_dict(),
        "is_replay": False,
    }


class MyJudgementList(ApiView):
    @operation("List what I judged", result=MyJudgementSerializer, paged=True)
    def get(self) -> object:
        """Latest first."""
        return self.page(judged_by(self.person), dress=_shown_rows)


def _shown_rows(judgements: list[Judgement]) -> list[dict[str, Any]]:
    return [shown_judgement(each) for each in judgements]


def shown_judgement(judgement: Judgement) -> dict[str, Any]:
    """A judgement of the person's own; select ``campaign`` and ``assignment``."""
    return _shown(judgement.campaign.key, judgement.assignment.key, judgement.slot, judgement)


class VerdictDraftDetail(ApiView):
    @operation("Save a draft of a judgement", body=VerdictDraftBody, result=SavedDraftSerializer)
    def put(self, key: UUID, slot: int) -> object:
        """What is chosen so far, however incomplete; it keeps the assignment as well. 409 where it is not mine any
        more, or the campaign is closed (it is saved then), 412 where another client saved a newer one.
        """
        stand = judging_stand(self.person, key, slot)
        values = self.body()
        return keep_draft(
            stand=stand,
            verdict=read_verdict(values["answers"]),
            seconds_active=read_seconds(values["seconds_active"]),
            revision=values["revision"],
        )


class SkipComparison(ApiView):
    @operation("Skip an item whose answers are compared", body=SkipBody, status=204)
    def post(self, key: UUID, slot: int) -> object:
        """Somebody else gets it, and it is not offered to you again. Say why."""
        stand = judging_stand(self.person, key, slot)
        skip_comparisons(reviewer=self.person, assignment=stand.assignment, reason=self.body()["reason"])
        return None


class FlagComparison(ApiView):
    @operation("Flag an item whose answers are compared", body=FlagBody, status=204)
    def post(self, key: UUID, slot: int) -> object:
        """Tells the manager that something is wrong with it; the item stays yours. Once more: another note."""
        flag_item(stand=judging_stand(self.person, key, slot), by=self.person, note=self.body()["note"])
        return None
