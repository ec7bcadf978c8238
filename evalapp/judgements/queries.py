"""Reads of judgements, for those who give them. What a blind reviewer may see of an output is decided by
`reviews.queries.task_for` alone; here its tasks are only put side by side.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Prefetch, QuerySet

from evalapp.accounts.models import User
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.core.errors import MissingError
from evalapp.core.simulated_mark import marked
from evalapp.judgements.models import Judgement, JudgementRevision
from evalapp.judgements.verdicts import Verdict, read_verdict
from evalapp.reviews.queries import (
    Stand,
    Task,
    campaign_reviewer_for,
    campaign_reviewers_of,
    stand_at,
    task_for,
)

NOT_YOURS = "There is no such comparison to judge, or it is not yours."
LETTERS = "ABCDE"

_SHOWN = """
SELECT comparison.outputs, assignment.arrangement, draft.outputs, draft.body, draft.revision, draft.saved_at
FROM evalapp_assignment assignment
JOIN evalapp_comparison comparison ON comparison.item_id = assignment.item_id
LEFT JOIN evalapp_judgementdraft draft
  ON draft.comparison_id = comparison.id AND draft.reviewer_id = %(user)s
WHERE assignment.key = %(assignment)s AND assignment.campaign_id = %(campaign)s AND comparison.id = %(comparison)s
"""


def judging_campaign_reviewer(user: User, campaign_key: UUID) -> CampaignReviewer:
    """The person as campaign reviewer of a campaign that compares, with progress; MissingError where they are none."""
    campaign_reviewer = campaign_reviewer_for(user, campaign_key)
    if not campaign_reviewer.campaign.compares:
        raise MissingError(NOT_YOURS)
    return campaign_reviewer


def judging_stand(user: User, assignment_key: UUID, slot: int) -> Stand:
    """Where the person stands: `stand_at` for a campaign that compares."""
    return stand_at(user, assignment_key, slot, compares=True)


def comparison_id_at(stand: Stand) -> int:
    return stand.assignment.outputs_order[stand.slot]


class ShownAnswer(NamedTuple):
    """One of the answers; ``letter`` is all that a blind reviewer learns of whose it is."""

    letter: str
    text: str
    candidate_label: str
    is_simulated: bool

    @property
    def candidate(self) -> str:
        return marked(self.candidate_label, self)


class ComparisonTask(NamedTuple):
    """All that a reviewer sees of a comparison; no id, run or peer has a field.

    ``outputs`` (ItemOutput ids as shown) is for the services and never leaves the server.
    """

    messages: list[dict[str, str]]
    context: str
    reference: str
    answers: list[ShownAnswer]
    outputs: list[int]
    draft: Verdict | None = None
    draft_seconds: float = 0.0
    draft_revision: int = 0
    draft_saved_at: datetime | None = None

    @property
    def is_pair(self) -> bool:
        return len(self.answers) == 2


def comparison_task(
    *, assignment_key: UUID, comparison_id: int, campaign: Campaign, reviewer: User
) -> ComparisonTask:
    """The outputs as they stand at this assignment, their example, and the reviewer's own draft."""
    keys: dict[str, Any] = {
        "user": reviewer.pk,
        "assignment": assignment_key,
        "campaign": campaign.pk,
        "comparison": comparison_id,
    }
    with connection.cursor() as database:
        database.execute(_SHOWN, keys)
        row = database.fetchone()
    if row is None:
        raise MissingError(NOT_YOURS)
    outputs, arrangement, was, body, revision, saved_at = row
    shown = arranged(outputs, arrangement)
    draft = json.loads(body) if body is not None else None
    seconds = draft.pop("seconds_active", 0.0) if draft else 0.0
    return answers_side_by_side(shown, campaign=campaign, reader=reviewer)._replace(
        draft=read_verdict(draft).turned(was, shown) if draft is not None else None,
        draft_seconds=seconds,
        draft_revision=revision or 0,
        draft_saved_at=saved_at,
    )


def answers_side_by_side(outputs: Sequence[int], *, campaign: Campaign, reader: User) -> ComparisonTask:
    """The outputs (ids of ItemOutput) in this order, and their example, as the reader may see them."""
    tasks = [task_for(item_output_id=pk, campaign=campaign, reviewer=reader) for pk in outputs]
    return ComparisonTask(
        messages=tasks[0].messages,
        context=tasks[0].context,
        reference=tasks[0].reference,
        answers=[_answer(*each) for each in zip(LETTERS, tasks, strict=False)],
        outputs=list(outputs),
    )


def _answer(letter: str, task: Task) -> ShownAnswer:
    return ShownAnswer(letter, task.answer, task.candidate_label, task.is_simulated)


def stand_task(stand: Stand) -> ComparisonTask:
    return comparison_task(
        assignment_key=stand.assignment.key,
        comparison_id=comparison_id_at(stand),
        campaign=stand.assignment.campaign,
        reviewer=stand.campaign_reviewer.user,
    )


def own_judgement(stand: Stand) -> Judgement | None:
    """What this person submitted here."""
    mine = Judgement.objects.filter(
        assignment=stand.assignment,
        comparison=comparison_id_at(stand),
        reviewer=stand.campaign_reviewer.user_id,
    )
    return mine.first()


def verdict_of(judgement: Judgement) -> Verdict:
    """What the judgement says now, of its ``outputs`` in their order."""
    return Verdict(judgement.choice, judgement.ranks, judgement.comment)


def judged_by(user: User) -> QuerySet[Judgement]:
    """The person's judgements with what the list of them shows; page it by ``-id``."""
    return (
        Judgement.objects.filter(
            reviewer=user, campaign__reviewers__in=campaign_reviewers_of(user).values("pk")
        )
        .select_related("campaign__project", "assignment", "comparison__item__example")
        .order_by("-id")
    )


def order_words(verdict: Verdict, letters: Sequence[str] = LETTERS) -> str:
    """The verdict in a few words: "A is better", or the letters from best to last."""
    if verdict.ranks is None:
        return Judgement(choice=verdict.choice).get_choice_display() if verdict.choice else ""
    ranked = sorted(zip(verdict.ranks, letters, strict=False), key=lambda each: each[0] or 0)
    return " › ".join(letter for _, letter in ranked)


def judgements_of(campaign: Campaign) -> QuerySet[Judgement]:
    """Everybody's judgements, for those who may see them; page it by ``-id``."""
    revisions = Prefetch("revisions", queryset=JudgementRevision.objects.order_by("revision"))
    return campaign.judgements.select_related("comparison", "reviewer").prefetch_related(revisions)


def draft_body(verdict: Verdict, seconds_active: float) -> dict[str, Any]:
    return {**verdict.as_dict(), "seconds_active": seconds_active}
