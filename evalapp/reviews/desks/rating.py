from collections.abc import Container, Mapping, Sequence
from typing import Any

from django.http import HttpRequest

from evalapp.accounts.review_keys import OF_COMPARING
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ProblemError
from evalapp.reviews.answers import ReviewAnswers, criteria_of
from evalapp.reviews.desks.base import Desk
from evalapp.reviews.drafts import answers_in
from evalapp.reviews.forms import Submission, quotes_in, read_review, with_spans_of_quotes
from evalapp.reviews.kinds import RATING
from evalapp.reviews.models import Review
from evalapp.reviews.presentation import given_rows, has_spans, marks_of, rubric_html
from evalapp.reviews.queries import ReviewContext, Task, spans_of
from evalapp.templatetags.text import render_markdown


class RatingDesk(Desk):
    """One output with its rubric."""

    kind = RATING
    page = "reviews/rating.html"
    kept_page = "reviews/kept.html"
    said = "reviews/rating_cell.html"

    def unused_keys(self, campaign: Campaign) -> Container[str]:
        return OF_COMPARING

    def read(self, request: HttpRequest, review_context: ReviewContext) -> Submission[ReviewAnswers]:
        return read_review(request, criteria_of(review_context.assignment.campaign.rubric_version))

    def completed(
        self, submission: Submission[ReviewAnswers], request: HttpRequest, review_context: ReviewContext
    ) -> Submission[ReviewAnswers]:
        """The submission with spans for quoted words added."""
        quoted = quotes_in(request.POST, criteria_of(review_context.assignment.campaign.rubric_version))
        if not quoted:
            return submission
        text = RATING.task_at(review_context).answer
        return submission._replace(answers=with_spans_of_quotes(submission.answers, quoted, text))

    def draft_of(self, task: Task) -> ReviewAnswers | None:
        return answers_in(task.draft) if task.draft is not None else None

    def answers_shown(self, task: Task) -> list[dict[str, str]]:
        return [{"letter": "A", "answer": task.answer, "candidate": task.candidate_label}]

    def shown(self, task: Task) -> dict[str, Any]:
        return {
            "answer_html": render_markdown(task.answer),
            "answer_text": task.answer,
            "candidate": task.candidate_label,
        }

    def config(self, campaign: Campaign) -> dict[str, Any]:
        return {"allows_corrections": campaign.allows_corrections}

    def context(
        self,
        request: HttpRequest,
        *,
        campaign: Campaign,
        task: Task,
        payload: Mapping[str, Any],
        answers: ReviewAnswers | None,
        problem: ProblemError | None,
    ) -> dict[str, Any]:
        version = campaign.rubric_version
        return {
            "rubric": rubric_html(
                version,
                answers=answers,
                errors=problem.fields if problem else {},
                output_text=task.answer,
                quoted=quotes_in(request.POST, criteria_of(version)) if problem else None,
            ),
            "has_spans": has_spans(version),
        }

    def kept_context(self, campaign: Campaign, task: Task, answers: ReviewAnswers | None) -> dict[str, Any]:
        version = campaign.rubric_version
        return {
            "given": given_rows(version, answers) if answers else [],
            "marks": marks_of(version, answers.spans, task.answer) if answers else [],
        }

    def review_text_context(self, reviews: Sequence[Review]) -> dict[int, dict[str, Any]]:
        given = Review.objects.filter(pk__in=[review.pk for review in reviews])
        read = RATING.with_answers(given).select_related("campaign__rubric_version", "item_output__output")
        return {
            review.pk: {
                "scored": review,
                "marks": marks_of(review.campaign.rubric_version, spans_of(review), review.rated.output.text),
            }
            for review in read
        }
