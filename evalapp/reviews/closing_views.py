"""The page of the closing question."""

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import signed_in_view
from evalapp.accounts.models import User
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.reviews.closing import (
    CLOSING_QUESTION,
    ClosingQuestion,
    answer_closing,
    closing_questions,
    decline_closing,
)
from evalapp.reviews.models import Belief
from evalapp.reviews.queries import campaign_reviewer_for

THANKS = "Thank you. Your guesses are stored."
DECLINED = "You skipped the question. It is not asked again."


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def review_closing(request: HttpRequest, key: UUID) -> HttpResponse:
    """Ask once which outputs a tuned model wrote, or store the answers; otherwise redirect to the campaign's
    end.
    """
    campaign_reviewer = campaign_reviewer_for(cast(User, request.user), key)
    problem: InvalidError | None = None
    if request.method == "POST":
        declines = request.POST.get("action") == "decline"
        try:
            if declines:
                decline_closing(campaign_reviewer=campaign_reviewer)
            else:
                answer_closing(campaign_reviewer=campaign_reviewer, beliefs=_beliefs(request.POST))
        except InvalidError as error:
            problem = error
        except ConflictError:
            # A second click or tab: the first answer stays.
            return redirect("review_next", key=key)
        else:
            messages.success(request, DECLINED if declines else THANKS)
            return redirect("review_home")
    questions = closing_questions(campaign_reviewer)
    if not questions:
        return redirect("review_next", key=key)
    context = {
        "campaign_reviewer": campaign_reviewer,
        "questions": [
            (
                question,
                f"belief-{question.output.assignment_key}-{question.output.slot}",
                _chosen_answer(request, question),
            )
            for question in questions
        ],
        "question_text": CLOSING_QUESTION,
        "choices": Belief.choices,
        "problem": problem,
    }
    return render(request, "reviews/closing.html", context, status=problem.status if problem else 200)


def _chosen_answer(request: HttpRequest, question: ClosingQuestion) -> str:
    """The chosen answer, if the form is shown again with a problem."""
    return request.POST.get(f"belief-{question.output.assignment_key}-{question.output.slot}", "")


def _beliefs(form: QueryDict) -> dict[tuple[UUID, int], int]:
    """Beliefs from radio groups ``belief-<assignment key>-<slot>``. Raises InvalidError for invalid ones."""
    beliefs: dict[tuple[UUID, int], int] = {}
    for name in form:
        if not name.startswith("belief-"):
            continue
        key, _, slot = name.removeprefix("belief-").rpartition("-")
        try:
            beliefs[UUID(key), int(slot)] = int(form.get(name, ""))
        except ValueError as error:
            raise InvalidError("This answer cannot be read. Load the question again.") from error
    return beliefs
