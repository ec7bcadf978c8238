"""Criteria that are answered in words: stored, amended, shown, exported, never counted."""

import uuid

import pytest
from django.http import QueryDict

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.exports.files import rating_lines
from evalapp.exports.queries import ratings_of
from evalapp.reviews.answers import LONGEST_COMMENT, ReviewAnswers, check_answers, criteria_of, read_answers
from evalapp.reviews.forms import answers_from_form
from evalapp.reviews.models import Review, TextAnswer
from evalapp.reviews.queries import answers_of
from evalapp.reviews.services import amend_review
from evalapp.rubrics.drafts import Condition, CriterionDraft
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.services import create_rubric, save_version
from tests.cast import client_of
from tests.factories import make_campaign, submit_review, walk

pytestmark = pytest.mark.django_db


def a_text(name: str, **fields: object) -> CriterionDraft:
    return CriterionDraft(name=name, kind="text", minimum=0, maximum=1, low_threshold=None, **fields)


@pytest.fixture
def version(project: Project, manager: User) -> RubricVersion:
    return save_version(
        rubric=create_rubric(project=project, name="In words", by=manager),
        criteria=[
            CriterionDraft(name="Tone"),
            a_text("Why", visible_if=Condition("tone", (1, 2))),
            a_text("Anything else", is_required=False),
        ],
        by=manager,
    )


@pytest.fixture
def campaign(project: Project, reviewer: User, version: RubricVersion) -> Campaign:
    return make_campaign(project, [reviewer], rows=2, rubric_version=version, texts={"formal": "Dear you."})


def problems(version: RubricVersion, level: int, **texts: str) -> set[str]:
    given = ReviewAnswers({"tone": level}, texts={key.replace("_", "-"): text for key, text in texts.items()})
    try:
        check_answers(given, criteria=criteria_of(version))
    except InvalidError as error:
        return set(error.fields)
    return set()


def test_a_required_text_is_asked_for_and_every_text_is_checked(version: RubricVersion) -> None:
    assert problems(version, 4) == set()
    assert problems(version, 2) == problems(version, 2, why=" \u200b ") == {"texts.why"}
    assert problems(version, 2, why="Stiff.") == set()
    assert problems(version, 4, why="Stiff.") == {"scores.why"}
    assert problems(version, 4, anything_else="x" * (LONGEST_COMMENT + 1)) == {"texts.anything-else"}
    assert problems(version, 4, anything_else="a\x00b") == {"texts.anything-else"}
    assert problems(version, 4, tone="words") == {"texts.tone"}
    assert problems(version, 4, strange="words") == {"texts.strange"}
    with pytest.raises(InvalidError) as caught:
        check_answers(ReviewAnswers({"tone": 4, "why": 1}), criteria=criteria_of(version))
    assert set(caught.value.fields) == {"scores.why"}


def test_what_is_no_text_is_refused_by_its_shape() -> None:
    for wrong in ({"why": 1}, ["why"], "why"):
        with pytest.raises(InvalidError) as caught:
            read_answers({"scores": {}, "texts": wrong})
        assert set(caught.value.fields) == {"texts"}


def test_answers_without_texts_keep_the_fingerprint_that_is_stored() -> None:
    old = ReviewAnswers({"tone": 4}, {"tone": ("cold",)}, "Hm.", None)

    assert "texts" not in old.as_dict()
    assert (
        ReviewAnswers({"tone": 4}, {"tone": ("cold",)}, "Hm.", None, {"why": ""}).as_dict() == old.as_dict()
    )


def test_a_form_gives_the_texts_that_are_asked(version: RubricVersion) -> None:
    criteria = criteria_of(version)
    low = answers_from_form(
        QueryDict("criterion-tone=2&text-why=Stiff.%0D%0AVery.&text-anything-else="), criteria
    )
    high = answers_from_form(QueryDict("criterion-tone=4&text-why=Stiff."), criteria)

    assert (low.texts, high.texts) == ({"why": "Stiff.\nVery."}, {})


def test_words_are_stored_amended_shown_and_exported_but_not_counted(
    campaign: Campaign, reviewer: User, manager: User
) -> None:
    assignment, output = next(walk(campaign, reviewer))
    said = ReviewAnswers({"tone": 1}, texts={"why": " =Too stiff. ", "anything-else": "No."})
    result = submit_review(
        reviewer=reviewer, assignment=assignment, item_output=output, client_id=uuid.uuid4(), answers=said
    )
    amended = ReviewAnswers({"tone": 2}, texts={"why": "=Too formal <b>"})
    review = amend_review(review=result.review, by=reviewer, answers=amended, revision=1)

    stored = Review.objects.get(pk=review.pk)
    assert answers_of(stored) == ReviewAnswers({"tone": 2}, {}, "", None, {"why": "=Too formal <b>"})
    assert stored.revisions.get().body["texts"] == {"why": "=Too stiff.", "anything-else": "No."}
    scores = load_scores(campaign)
    assert [criterion.key for criterion in compare(scores).criteria] == ["tone"]
    lines = "".join(rating_lines(ratings_of(campaign), scores.names))
    assert "why,'=Too formal <b>," in lines
    page = client_of(manager).get(
        f"/projects/{campaign.project.slug}/results/{campaign.pk}/cases/{output.item_id}/"
    )
    assert "=Too formal &lt;b&gt;" in page.content.decode()


def test_what_was_written_is_in_the_form_again(campaign: Campaign, reviewer: User) -> None:
    client = client_of(reviewer)
    page = client.get(f"/reviews/campaigns/{campaign.key}/", follow=True)
    address = page.redirect_chain[-1][0] if page.redirect_chain else page.request["PATH_INFO"]
    payload = page.context["payload"]

    refused = client.post(
        payload["url"] or address,
        {
            "client_id": payload["client_id"],
            "revision": "0",
            "criterion-tone": "2",
            "text-why": " ",
            "text-anything-else": "Kept words",
        },
    )

    assert refused.status_code == 400
    assert "Why is required. Write a few words." in refused.content.decode()
    assert ">Kept words</textarea>" in refused.content.decode()
    assert not TextAnswer.objects.exists()
