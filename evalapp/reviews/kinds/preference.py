from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from evalapp.accounts.models import User
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import Assignment, Campaign, Comparison
from evalapp.core.errors import MissingError
from evalapp.reviews.drafts import check_preference_draft, storable
from evalapp.reviews.kinds.base import ReviewKind
from evalapp.reviews.models import Draft, Review
from evalapp.reviews.preferences.answers import PreferenceAnswers, check_preference, read_preference
from evalapp.reviews.preferences.models import Preference
from evalapp.reviews.preferences.tasks import ComparisonTask, comparison_task, preference_of
from evalapp.reviews.queries import NOT_YOURS, ReviewContext
from evalapp.reviews.storing import store_preference


class CheckedPreference(NamedTuple):
    """``outputs``: in the order on the reviewer's screen."""

    answers: PreferenceAnswers
    outputs: list[int]


class PreferenceKind(ReviewKind[PreferenceAnswers, CheckedPreference, ComparisonTask]):
    """Two outputs side by side with a choice, or more of them with ranks."""

    subject = "comparison"

    def read(self, raw: object) -> PreferenceAnswers:
        return read_preference(raw)

    def check(
        self, answers: PreferenceAnswers, *, assignment: Assignment, subject_id: int
    ) -> CheckedPreference:
        outputs = _outputs_at(assignment, subject_id)
        return CheckedPreference(check_preference(answers, outputs=len(outputs)), outputs)

    def store(self, review: Review, checked: CheckedPreference) -> None:
        store_preference(review, checked.answers, checked.outputs)

    def replace(self, review: Review, checked: CheckedPreference) -> None:
        # ``outputs`` keeps the order at submission, to which the amended choice refers.
        Preference.objects.filter(review=review).update(
            choice=checked.answers.choice, ranks=checked.answers.ranks
        )

    def with_answers(self, reviews: QuerySet[Review]) -> QuerySet[Review]:
        return reviews.select_related("preference")

    def answers_of(self, review: Review) -> PreferenceAnswers:
        return preference_of(review)

    def storable(self, answers: PreferenceAnswers) -> PreferenceAnswers:
        return replace(answers, comment=storable(answers.comment))

    def check_draft(self, answers: PreferenceAnswers) -> None:
        check_preference_draft(answers)

    def outputs_at(self, review_context: ReviewContext) -> list[int]:
        return _outputs_at(review_context.assignment, review_context.subject_id)

    def draft_body(self, draft: Draft, review_context: ReviewContext) -> dict[str, Any]:
        answers = read_preference({key: draft.body.get(key) for key in ("choice", "ranks", "comment")})
        return answers.turned(draft.outputs or [], self.outputs_at(review_context)).as_dict()

    def task(
        self, *, assignment_key: UUID, subject_id: int, campaign: Campaign, reviewer: User
    ) -> ComparisonTask:
        return comparison_task(
            assignment_key=assignment_key, comparison_id=subject_id, campaign=campaign, reviewer=reviewer
        )


def _outputs_at(assignment: Assignment, comparison_id: int) -> list[int]:
    comparison = Comparison.objects.filter(pk=comparison_id, item=assignment.item_id).first()
    if comparison is None:
        raise MissingError(NOT_YOURS)
    return arranged(comparison.outputs, assignment.arrangement)
