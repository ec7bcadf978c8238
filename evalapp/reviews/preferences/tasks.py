"""A comparison as a reviewer sees it. Only `reviews.queries.task_for` decides what a blind reviewer may see
of an output; this module combines its tasks.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from evalapp.accounts.models import User
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import Campaign
from evalapp.conversations.text import Conversation
from evalapp.core.errors import MissingError
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers, read_preference
from evalapp.reviews.preferences.models import Choice
from evalapp.reviews.queries import NOT_YOURS, Task, task_for

LETTERS = "ABCDE"

_SELECT_TASK = """
SELECT comparison.outputs, assignment.arrangement, draft.outputs, draft.body, draft.revision, draft.saved_at
FROM evalapp_assignment assignment
JOIN evalapp_comparison comparison ON comparison.item_id = assignment.item_id
LEFT JOIN evalapp_draft draft ON draft.comparison_id = comparison.id AND draft.reviewer_id = %(user)s
WHERE assignment.key = %(assignment)s AND assignment.campaign_id = %(campaign)s
    AND comparison.id = %(comparison)s
"""


class ShownAnswer(NamedTuple):
    """One of the outputs; in blind campaigns, only ``letter`` identifies it."""

    letter: str
    text: str
    candidate: str


class ComparisonTask(NamedTuple):
    """Everything that a reviewer sees of a comparison, without ids, runs or other reviewers.

    ``outputs`` (ItemOutput ids in the order shown) is for services and never leaves the server.
    """

    messages: list[dict[str, str]]
    context: str
    reference: str
    answers: list[ShownAnswer]
    outputs: list[int]
    conversation: Conversation | None = None
    draft: PreferenceAnswers | None = None
    draft_seconds: float = 0.0
    draft_revision: int = 0
    draft_saved_at: datetime | None = None

    @property
    def is_pair(self) -> bool:
        return len(self.answers) == 2


def comparison_task(
    *, assignment_key: UUID, comparison_id: int, campaign: Campaign, reviewer: User
) -> ComparisonTask:
    """The outputs in this assignment's order, their example, and the reviewer's own draft."""
    keys: dict[str, Any] = {
        "user": reviewer.pk,
        "assignment": assignment_key,
        "campaign": campaign.pk,
        "comparison": comparison_id,
    }
    with connection.cursor() as database:
        database.execute(_SELECT_TASK, keys)
        row = database.fetchone()
    if row is None:
        raise MissingError(NOT_YOURS)
    outputs, arrangement, was, body, revision, saved_at = row
    shown = arranged(outputs, arrangement)
    draft = json.loads(body) if body is not None else None
    seconds = draft.pop("seconds_active", 0.0) if draft else 0.0
    return answers_side_by_side(shown, campaign=campaign, reader=reviewer)._replace(
        draft=read_preference(draft).turned(was, shown) if draft is not None else None,
        draft_seconds=seconds,
        draft_revision=revision or 0,
        draft_saved_at=saved_at,
    )


def answers_side_by_side(outputs: Sequence[int], *, campaign: Campaign, reader: User) -> ComparisonTask:
    """The outputs (ItemOutput ids) in this order and their example, as the reader may see them."""
    tasks = [task_for(item_output_id=pk, campaign=campaign, reviewer=reader) for pk in outputs]
    return ComparisonTask(
        messages=tasks[0].messages,
        context=tasks[0].context,
        reference=tasks[0].reference,
        answers=[_answer(*each) for each in zip(LETTERS, tasks, strict=False)],
        outputs=list(outputs),
        conversation=tasks[0].conversation,
    )


def _answer(letter: str, task: Task) -> ShownAnswer:
    return ShownAnswer(letter, task.answer, task.candidate_label)


def preference_of(review: Review) -> PreferenceAnswers:
    """The review's current preference, for its ``outputs`` in their order. Select ``preference``."""
    preference = review.preference
    return PreferenceAnswers(preference.choice, preference.ranks, review.comment)


def preference_words(answers: PreferenceAnswers, letters: Sequence[str] = LETTERS) -> str:
    """The preference in words: "A is better", or the letters from best to worst."""
    if answers.ranks is None:
        return Choice(answers.choice).label if answers.choice else ""
    ranked = sorted(zip(answers.ranks, letters, strict=False), key=lambda each: each[0] or 0)
    return " › ".join(letter for _, letter in ranked)
