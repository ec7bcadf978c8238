from collections.abc import Container, Mapping, Sequence
from typing import Any

from django.http import HttpRequest

from evalapp.accounts.review_keys import OF_RATING
from evalapp.campaigns.models import Campaign, Method
from evalapp.core.errors import ProblemError
from evalapp.reviews.answers import criteria_of
from evalapp.reviews.desks.base import Desk
from evalapp.reviews.forms import Submission, read_preference_request
from evalapp.reviews.kinds import PREFERENCE
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.models import Choice
from evalapp.reviews.preferences.tasks import ComparisonTask, preference_of, preference_words
from evalapp.reviews.queries import ReviewContext
from evalapp.templatetags.text import render_markdown

CHOICE_KEYS = dict(zip(Choice.values, "1234", strict=True))


class PreferenceDesk(Desk):
    """Outputs side by side, with a choice or ranks."""

    kind = PREFERENCE
    page = "reviews/preferences/desk.html"
    kept_page = "reviews/preferences/kept.html"
    said = "reviews/preferences/cell.html"

    def unused_keys(self, campaign: Campaign) -> Container[str]:
        return OF_RATING | {"diff"} if campaign.method == Method.RANKING else OF_RATING

    def read(self, request: HttpRequest, review_context: ReviewContext) -> Submission[PreferenceAnswers]:
        return read_preference_request(request, outputs=len(PREFERENCE.outputs_at(review_context)))

    def draft_of(self, task: ComparisonTask) -> PreferenceAnswers | None:
        return task.draft

    def answers_shown(self, task: ComparisonTask) -> list[dict[str, str]]:
        return [
            {"letter": each.letter, "answer": each.text, "candidate": each.candidate} for each in task.answers
        ]

    def shown(self, task: ComparisonTask) -> dict[str, Any]:
        return {"sides": sides_of(task)}

    def config(self, campaign: Campaign) -> dict[str, Any]:
        return {"is_ranking": campaign.method == Method.RANKING}

    def context(
        self,
        request: HttpRequest,
        *,
        campaign: Campaign,
        task: ComparisonTask,
        payload: Mapping[str, Any],
        answers: PreferenceAnswers | None,
        problem: ProblemError | None,
    ) -> dict[str, Any]:
        answers = answers or PreferenceAnswers()
        return {
            "sides": side_rows(task, payload["sides"], answers),
            "choices": choice_rows(answers),
            "criteria": [each.criterion for each in criteria_of(campaign.rubric_version)],
        }

    def kept_context(
        self, campaign: Campaign, task: ComparisonTask, answers: PreferenceAnswers | None
    ) -> dict[str, Any]:
        is_whole = answers is not None and None not in (answers.ranks or ())
        return {"preference": preference_words(answers) if answers and is_whole else ""}

    def review_text_context(self, reviews: Sequence[Review]) -> dict[int, dict[str, Any]]:
        read = PREFERENCE.with_answers(Review.objects.filter(pk__in=[review.pk for review in reviews]))
        return {review.pk: {"preference": preference_words(preference_of(review))} for review in read}


def sides_of(task: ComparisonTask) -> list[dict[str, Any]]:
    """The outputs in the order shown."""
    return [
        {
            "html": render_markdown(answer.text),
            "text": answer.text,
            "candidate": answer.candidate,
        }
        for answer in task.answers
    ]


def choice_rows(answers: PreferenceAnswers) -> list[dict[str, Any]]:
    """The possible preferences for a pair, with their keys."""
    return [
        {"value": value, "label": label, "key": CHOICE_KEYS[value], "is_chosen": answers.choice == value}
        for value, label in Choice.choices
    ]


def side_rows(
    task: ComparisonTask, sides: Sequence[Mapping[str, Any]], answers: PreferenceAnswers
) -> list[dict[str, Any]]:
    """The outputs in the order shown; in a ranking each with its possible ranks."""
    count = len(sides)
    ranks = list(answers.ranks or ()) + [None] * count
    return [
        {
            **side,
            "letter": answer.letter,
            "position": position,
            "ranks": [{"value": rank, "is_chosen": ranks[position] == rank} for rank in range(1, count + 1)]
            if count > 2
            else [],
        }
        for position, (answer, side) in enumerate(zip(task.answers, sides, strict=True))
    ]
