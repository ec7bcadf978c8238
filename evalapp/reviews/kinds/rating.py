from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from evalapp.accounts.models import User
from evalapp.campaigns.models import Assignment, Campaign, ItemOutput
from evalapp.reviews.answers import CheckedAnswers, ReviewAnswers, check_answers, criteria_of, read_answers
from evalapp.reviews.drafts import check_rating_draft, storable_rating
from evalapp.reviews.kinds.base import ReviewKind
from evalapp.reviews.models import Correction, Draft, Review, ReviewTag, Score, SpanAnswer, TextAnswer
from evalapp.reviews.queries import ANSWERS, ReviewContext, Task, answers_of, task_for
from evalapp.reviews.storing import store_answers, store_rating


class RatingKind(ReviewKind[ReviewAnswers, CheckedAnswers, Task]):
    """One output rated by a rubric: scores, reasons, texts, spans and a correction."""

    subject = "item_output"

    def read(self, raw: object) -> ReviewAnswers:
        return read_answers(raw)

    def check(self, answers: ReviewAnswers, *, assignment: Assignment, subject_id: int) -> CheckedAnswers:
        campaign = assignment.campaign
        output_text = None
        if answers.correction is not None or answers.spans:
            output_text = ItemOutput.objects.values_list("output__text", flat=True).get(pk=subject_id)
        return check_answers(
            answers,
            criteria=criteria_of(campaign.rubric_version),
            allows_corrections=campaign.allows_corrections,
            output_text=output_text,
        )

    def store(self, review: Review, checked: CheckedAnswers) -> None:
        store_rating(review, checked)

    def replace(self, review: Review, checked: CheckedAnswers) -> None:
        for answers in (Score, ReviewTag, TextAnswer, SpanAnswer, Correction):
            answers._default_manager.filter(review=review).delete()
        store_answers(review, checked)

    def with_answers(self, reviews: QuerySet[Review]) -> QuerySet[Review]:
        return reviews.select_related("correction").prefetch_related(*ANSWERS)

    def answers_of(self, review: Review) -> ReviewAnswers:
        return answers_of(review)

    def storable(self, answers: ReviewAnswers) -> ReviewAnswers:
        return storable_rating(answers)

    def check_draft(self, answers: ReviewAnswers) -> None:
        check_rating_draft(answers)

    def draft_body(self, draft: Draft, review_context: ReviewContext) -> dict[str, Any]:
        return dict(draft.body)

    def task(self, *, assignment_key: UUID, subject_id: int, campaign: Campaign, reviewer: User) -> Task:
        return task_for(item_output_id=subject_id, campaign=campaign, reviewer=reviewer)
