"""Marks in the answer: checked against the exact text, stored, amended, kept as drafts, shown, exported."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.comparison.span_counts import marks_by_candidate
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.exports.files import rating_lines
from evalapp.exports.queries import ratings_of
from evalapp.reviews.answers import ReviewAnswers, check_answers, criteria_of, read_answers
from evalapp.reviews.drafts import answers_in
from evalapp.reviews.models import Draft, Review, SpanAnswer
from evalapp.reviews.queries import answers_of
from evalapp.reviews.services import amend_review
from evalapp.reviews.spans import LONGEST_SPAN_COMMENT, MOST_SPANS, Span, span_from_quote
from evalapp.rubrics.drafts import Condition, CriterionDraft
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.services import create_rubric, save_version
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign, review_all, submit_review, walk

pytestmark = pytest.mark.django_db

# Joined figures, a combining accent, right-to-left words, a line end of two characters.
TEXT = "👩‍👩‍👧‍👦 e\u0301t\u00e9 שלום\r\nDear you."
FAMILY = Span(0, 7, 1)
JSON = {"accept": "application/json"}
LABELS = (Option("invented", is_undesired=True), Option("well said"))


def spans_draft(name: str, **fields: object) -> CriterionDraft:
    given = {"options": LABELS, "allows_not_applicable": True, **fields}
    return CriterionDraft(name=name, kind="spans", minimum=0, maximum=1, low_threshold=None, **given)


@pytest.fixture
def version(project: Project, manager: User) -> RubricVersion:
    return save_version(
        rubric=create_rubric(project=project, name="Marks", by=manager),
        criteria=[
            CriterionDraft(name="Tone"),
            spans_draft("Facts"),
            spans_draft("Rude words", is_required=False, visible_if=Condition("tone", (1, 2))),
        ],
        by=manager,
    )


@pytest.fixture
def campaign(project: Project, reviewer: User, version: RubricVersion) -> Campaign:
    return make_campaign(project, [reviewer], rows=3, rubric_version=version, texts={"formal": TEXT})


def said(*spans: Span, level: int = 4, **scores: object) -> ReviewAnswers:
    return ReviewAnswers({"tone": level, **scores}, spans={"facts": spans} if spans else {})


def problems(version: RubricVersion, answers: ReviewAnswers, text: str = TEXT) -> dict[str, list[str]]:
    try:
        check_answers(answers, criteria=criteria_of(version), output_text=text)
    except InvalidError as error:
        return {key: list(texts) for key, texts in error.fields.items()}
    return {}


def submit(campaign: Campaign, reviewer: User, answers: ReviewAnswers) -> Review:
    assignment, output = next(walk(campaign, reviewer))
    return submit_review(
        reviewer=reviewer, assignment=assignment, item_output=output, client_id=uuid.uuid4(), answers=answers
    ).review


def test_what_is_required_is_marked_or_said_to_be_nothing(version: RubricVersion) -> None:
    assert set(problems(version, said())) == {"spans.facts"}
    assert problems(version, said(facts="na")) == problems(version, said(FAMILY)) == {}
    assert set(problems(version, said(FAMILY, facts="na"))) == {"spans.facts"}
    assert set(problems(version, said(facts=1))) == {"scores.facts"}


@pytest.mark.parametrize(
    "wrong",
    [
        Span(0, len(TEXT) + 1, 1),
        Span(3, 3, 1),
        Span(4, 3, 1),
        Span(0, 1, 3),
        Span(0, 1, 0),
        Span(0, 1, 1, "x" * (LONGEST_SPAN_COMMENT + 1)),
        Span(0, 1, 1, "a\x00b"),
        Span(0, 1, 1, "\ud800"),
    ],
)
def test_a_mark_that_cannot_stay_is_named(version: RubricVersion, wrong: Span) -> None:
    assert set(problems(version, said(FAMILY, wrong))) == {"spans.facts"}


def test_one_mark_twice_an_unknown_criterion_and_a_question_not_asked_are_refused(
    version: RubricVersion,
) -> None:
    assert "twice" in problems(version, said(FAMILY, FAMILY._replace(comment="again")))["spans.facts"][0]
    assert problems(version, said(FAMILY, FAMILY._replace(label=2))) == {}
    strange = ReviewAnswers({"tone": 4, "facts": "na"}, spans={"strange": [FAMILY], "tone": [FAMILY]})
    assert set(problems(version, strange)) == {"spans.strange", "spans.tone"}
    hidden = ReviewAnswers({"tone": 4, "facts": "na"}, spans={"rude-words": [FAMILY]})
    assert set(problems(version, hidden)) == {"scores.rude-words"}
    asked = ReviewAnswers({"tone": 1, "facts": "na"}, spans={"rude-words": [FAMILY]})
    assert problems(version, asked) == {}


@pytest.mark.parametrize(
    "spans",
    [
        [],
        {"facts": {}},
        {"facts": [[0, 1]]},
        {"facts": [{"label": 1, "start": 0}]},
        {"facts": [{"label": True, "start": 0, "end": 1}]},
        {"facts": [{"label": 1, "start": -1, "end": 1}]},
        {"facts": [{"label": 1, "start": 0.5, "end": 1}]},
        {"facts": [{"label": 1, "start": 0, "end": 2**31}]},
        {"facts": [{"label": 1, "start": 0, "end": 1, "comment": None}]},
        {"facts": [{"label": 1, "start": 0, "end": 1, "colour": "red"}]},
        {"facts": [{"label": 1, "start": 0, "end": n + 1} for n in range(MOST_SPANS + 1)]},
    ],
)
def test_what_is_no_mark_is_refused_by_its_shape(spans: object) -> None:
    with pytest.raises(InvalidError) as caught:
        read_answers({"scores": {}, "spans": spans})
    assert set(caught.value.fields) <= {"spans", "spans.facts"}


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 9)), max_size=9))
def test_the_same_marks_have_the_same_fingerprint_in_any_order(marks: list[tuple[int, int, int]]) -> None:
    spans = [Span(*mark, comment="so") for mark in marks]
    one, other = (ReviewAnswers(spans={"facts": order}) for order in (spans, spans[::-1]))
    assert one.fingerprint() == other.fingerprint()
    assert read_answers(one.as_dict()).fingerprint() == one.fingerprint()


def test_answers_without_marks_keep_the_fingerprint_that_is_stored() -> None:
    assert set(ReviewAnswers({"tone": 4}, spans={"facts": ()}).as_dict()) == {
        "scores",
        "tags",
        "comment",
        "correction",
    }


def test_the_database_refuses_a_stretch_that_is_none(campaign: Campaign, reviewer: User) -> None:
    review = submit(campaign, reviewer, said(FAMILY))
    criterion = review.spans.get().criterion
    for wrong in ({"start": -1, "end": 2}, {"start": 2, "end": 2}, {"start": 0, "end": 2, "label": 0}):
        with pytest.raises(IntegrityError), transaction.atomic():
            SpanAnswer.objects.create(**{"review": review, "criterion": criterion, "label": 1, **wrong})
    with pytest.raises(IntegrityError), transaction.atomic():
        SpanAnswer.objects.create(review=review, criterion=criterion, label=1, start=0, end=7)


def test_marks_are_stored_amended_and_read_as_they_stand(campaign: Campaign, reviewer: User) -> None:
    words = Span(TEXT.index("Dear"), TEXT.index("you") + 3, 2, " kind ")
    review = submit(campaign, reviewer, said(words, FAMILY))

    stored = Review.objects.get(pk=review.pk)
    kind = words._replace(comment="kind")
    assert answers_of(stored).spans == {"facts": [FAMILY, kind]}
    assert [TEXT[each.start : each.end] for each in stored.spans.order_by("start")] == [
        "👩‍👩‍👧‍👦",
        "Dear you",
    ]
    amended = amend_review(review=stored, by=reviewer, answers=said(facts="na"), revision=1)
    assert answers_of(Review.objects.get(pk=amended.pk)) == said(facts="na")
    assert stored.revisions.get().body["spans"] == {"facts": [FAMILY.as_dict(), kind.as_dict()]}
    # The same edit once more, its answer lost, is the same review.
    assert amend_review(review=stored, by=reviewer, answers=said(facts="na"), revision=1).revision == 2


def test_a_mark_beyond_the_answer_is_refused_by_the_page_and_the_api(
    campaign: Campaign, reviewer: User
) -> None:
    client = client_of(reviewer)
    url = client.get(f"/reviews/campaigns/{campaign.key}/").context["payload"]["url"]
    body = {
        "client_id": str(uuid.uuid4()),
        "answers": said(Span(0, 9_999, 1)).as_dict(),
    }
    program = program_of(reviewer)
    for answer in (
        client.post(url, body, content_type="application/json", headers=JSON),
        program.post(f"/api/v1{url}", body),
    ):
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, ["spans.facts"])
    body["answers"] = said(FAMILY).as_dict()
    answer = program.post(f"/api/v1{url}", body)
    assert answer.json()["answers"]["spans"] == {"facts": [FAMILY.as_dict()]}


def test_drafts_keep_marks_that_are_not_right_yet(campaign: Campaign, reviewer: User) -> None:
    client = client_of(reviewer)
    url = client.get(f"/reviews/campaigns/{campaign.key}/").context["payload"]["url"]
    draft = ReviewAnswers(spans={"facts": (Span(0, 9_999, 7, "half a tho"),)})
    body = {"answers": draft.as_dict(), "revision": 0}

    assert client.post(f"{url}draft/", body, content_type="application/json").status_code == 200
    assert answers_in(Draft.objects.get().body).spans == draft.spans
    # Beyond the text and without such a label, it is shown and can be taken back.
    page = client.get(url).content.decode()
    assert "half a tho" in page
    assert "label 7" in page


def post_of(client: Client, campaign: Campaign) -> Callable[..., object]:
    payload = client.get(f"/reviews/campaigns/{campaign.key}/").context["payload"]

    def post(**fields: object) -> object:
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        return client.post(payload["url"], {"client_id": payload["client_id"], "revision": "0", **names})

    return post


def test_without_scripts_words_are_quoted_and_marks_unticked(campaign: Campaign, reviewer: User) -> None:
    post = post_of(client_of(reviewer), campaign)
    kept = FAMILY._replace(comment="who?")
    added = post(
        action="mark",
        criterion_tone="4",
        **{
            "quote-facts": "you",
            "quotenth-facts": "1",
            "quotelabel-facts": "2",
            "quotecomment-facts": "nice",
            "span-facts": [json.dumps(kept.as_dict())],
        },
    )

    assert added.status_code == 200
    page = added.content.decode()
    assert '<q dir="auto">you</q>' in page
    assert "who?" in page
    assert not Review.objects.exists()
    you = Span(TEXT.index("you"), TEXT.index("you") + 3, 2, "nice")
    done = post(criterion_tone="4", **{"span-facts": [json.dumps(you.as_dict())]})
    assert done.status_code == 302
    assert answers_of(Review.objects.get()).spans == {"facts": [you]}


def test_words_that_are_not_there_are_named_and_stay_in_the_form(campaign: Campaign, reviewer: User) -> None:
    post = post_of(client_of(reviewer), campaign)
    quote = {"quotenth-facts": "2", "quotelabel-facts": "2", "quotecomment-facts": "nice"}
    refused = post(action="mark", criterion_tone="3", **{"quote-facts": "you", **quote})

    assert refused.status_code == 400
    page = refused.content.decode()
    assert "occurs in the answer only 1 time" in page
    assert 'value="you"' in page
    assert 'value="nice"' in page
    assert post(criterion_tone="3", **{"quote-facts": "<nowhere>", **quote}).status_code == 400
    assert post(criterion_tone="3", **{"span-facts": ["not json"]}).status_code == 400


def test_a_quote_is_found_by_its_number() -> None:
    found = span_from_quote("ana ana banana", words="ana", occurrence=3, label=1, comment="", field="f")
    assert (found.start, found.end) == (9, 12)
    with pytest.raises(InvalidError):
        span_from_quote("ana", words="", occurrence=1, label=1, comment="", field="f")


def test_the_case_my_submitted_and_the_files_show_what_was_marked(
    campaign: Campaign, reviewer: User, manager: User
) -> None:
    marked = said(FAMILY._replace(comment="=who <b>?"), Span(8, 10, 2))
    review_all(campaign, reviewer, {("formal", 1): marked, "formal": said(facts="na")})
    item = campaign.items.get(example__row_number=1)
    base = f"/projects/{campaign.project.slug}"

    case = client_of(manager).get(f"{base}/results/{campaign.pk}/cases/{item.pk}/").content.decode()
    assert "👩‍👩‍👧‍👦</q>" in case
    assert "=who &lt;b&gt;?" in case
    api = program_of(manager).get(f"/api/v1{base}/campaigns/{campaign.pk}/cases/{item.pk}/").json()
    assert api["outputs"][0]["reviews"][0]["marks"][0] == {
        "criterion": "facts",
        "label": "invented",
        "start": 0,
        "end": 7,
        "text": "👩‍👩‍👧‍👦",
        "comment": "=who <b>?",
    }
    mine = client_of(reviewer).get("/reviews/submitted/").content.decode()
    assert mine.count("👩‍👩‍👧‍👦</q>") == 1
    assert mine.count("nothing to mark") == 2
    scores = load_scores(campaign)
    lines = "".join(rating_lines(ratings_of(campaign), scores.names))
    assert '""label"": ""invented"", ""start"": 0, ""end"": 7' in lines
    assert [criterion.key for criterion in compare(scores).criteria] == ["tone"]
    (row,) = marks_by_candidate(scores)
    assert [(each.label, each.outputs, each.marks) for each in row.counts][:2] == [
        ("invented", 1, 1),
        ("well said", 1, 1),
    ]
    assert row.counts[0].share.n == 3
    output = item.outputs.get()
    beside = (
        client_of(manager).get(f"{base}/results/{campaign.pk}/adjudication/{output.pk}/").content.decode()
    )
    assert "invented: “👩‍👩‍👧‍👦” =who &lt;b&gt;?; well said: “" in beside
    comparison = client_of(manager).get(f"{base}/results/{campaign.pk}/what-to-fix/").content.decode()
    assert "Highlights" in comparison


def test_the_calibration_round_shows_all_that_each_gave(
    project: Project, reviewer: User, other_reviewer: User, version: RubricVersion
) -> None:
    people = [reviewer, other_reviewer]
    campaign = make_campaign(
        project, people, rows=3, rubric_version=version, texts={"formal": TEXT}, calibration_items=1
    )
    marked = replace(said(FAMILY._replace(comment="Who <b>?")), correction="Dear Ann.")
    submit(campaign, reviewer, marked)
    submit(campaign, other_reviewer, said(facts="na"))
    page = client_of(other_reviewer).get(f"/reviews/campaigns/{campaign.key}/calibration/").text
    assert "<td>invented: “👩‍👩‍👧‍👦” Who &lt;b&gt;?</td>" in page
    assert "Dear Ann." in page


def test_my_submitted_costs_the_same_for_one_and_for_three(campaign: Campaign, reviewer: User) -> None:
    counts = []
    client = client_of(reviewer)
    for _ in range(2):
        submit(campaign, reviewer, said(FAMILY))
        with CaptureQueriesContext(connection) as queries:
            client.get("/reviews/submitted/")
        counts.append(len(queries))
        if len(counts) == 1:
            submit(campaign, reviewer, said(FAMILY))
    assert counts[0] == counts[1]


def test_a_submission_with_marks_costs_one_read_more(campaign: Campaign, reviewer: User) -> None:
    assignment, output = next(walk(campaign, reviewer))
    with CaptureQueriesContext(connection) as queries:
        submit_review(
            reviewer=reviewer,
            assignment=assignment,
            item_output=output,
            client_id=uuid.uuid4(),
            answers=said(FAMILY),
        )
    statements = [each["sql"] for each in queries if not each["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert sum("evalapp_spananswer" in sql for sql in statements) == 1
