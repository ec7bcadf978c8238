"""Questions that are asked only after some answers, and answers that are options."""

import uuid

import pytest
from django.http import QueryDict

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.reviews.answers import ReviewAnswers, check_answers, criteria_of
from evalapp.reviews.forms import answers_from_form
from evalapp.reviews.models import Review, Score
from evalapp.reviews.queries import answers_of
from evalapp.rubrics.drafts import Condition, CriterionDraft, TagDraft
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.services import create_rubric, save_version
from tests.factories import make_campaign, submit_review, walk

pytestmark = pytest.mark.django_db

OPTIONS = (Option("none"), Option("wrong figure", True), Option("invented", True))


@pytest.fixture
def version(project: Project, manager: User) -> RubricVersion:
    """Tone; at 1 and 2 what is off; where that is "invented" how bad."""
    return save_version(
        rubric=create_rubric(project=project, name="With conditions", by=manager),
        criteria=[
            CriterionDraft(name="Tone"),
            CriterionDraft(
                name="Error",
                kind="category",
                minimum=1,
                maximum=3,
                low_threshold=None,
                options=OPTIONS,
                tags=(TagDraft("amount"),),
                visible_if=Condition("tone", (1, 2)),
            ),
            CriterionDraft(name="How bad", visible_if=Condition("error", (3,))),
        ],
        by=manager,
    )


@pytest.fixture
def campaign(project: Project, reviewer: User, version: RubricVersion) -> Campaign:
    return make_campaign(project, [reviewer], rows=2, rubric_version=version)


def problems(version: RubricVersion, **scores: int | str) -> set[str]:
    given = ReviewAnswers(scores={key.replace("_", "-"): value for key, value in scores.items()})
    try:
        check_answers(given, criteria=criteria_of(version))
    except InvalidError as error:
        return set(error.fields)
    return set()


def test_what_is_asked_is_required_and_what_is_not_asked_is_no_answer(version: RubricVersion) -> None:
    assert problems(version, tone=4) == set()
    assert problems(version, tone=2) == {"scores.error"}
    assert problems(version, tone=2, error=2) == set()
    assert problems(version, tone=2, error=3) == {"scores.how-bad"}
    assert problems(version, tone=2, error=3, how_bad=1) == set()
    assert problems(version, tone=2, error=4) == {"scores.error"}
    assert problems(version, tone=4, error=2) == {"scores.error"}
    # The question before is not asked, so its answer calls for nothing.
    assert problems(version, tone=4, error=3, how_bad=1) == {"scores.error", "scores.how-bad"}
    assert problems(version, tone="na", error=2) >= {"scores.error"}


def test_a_form_without_scripts_leaves_out_what_is_not_asked_any_more(version: RubricVersion) -> None:
    form = QueryDict(
        "criterion-tone=4&criterion-error=3&tag-error=amount&criterion-how-bad=1&criterion-strange=1"
    )

    given = answers_from_form(form, criteria_of(version))

    assert given.scores == {"tone": 4, "strange": 1}
    assert given.tags == {}


def test_a_category_is_stored_and_shown_as_its_option(campaign: Campaign, reviewer: User) -> None:
    assignment, output = next(walk(campaign, reviewer))
    said = ReviewAnswers(scores={"tone": 1, "error": 3, "how-bad": 2}, tags={"error": ("amount",)})

    submit_review(
        reviewer=reviewer, assignment=assignment, item_output=output, client_id=uuid.uuid4(), answers=said
    )

    review = Review.objects.get()
    assert answers_of(review).scores == said.scores
    assert [score.words for score in Score.objects.order_by("criterion__position")] == ["1", "invented", "2"]
