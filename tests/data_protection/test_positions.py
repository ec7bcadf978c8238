"""What points into a text points at the same words after an erasure."""

from types import SimpleNamespace

import pytest

from evalapp.data_protection.person import ERASED
from evalapp.datasets.row_changes import text_at
from evalapp.datasets.rows import example_row
from evalapp.reviews.models import Draft, Review, ReviewRevision, SpanAnswer
from evalapp.scoring.models import MetricResult
from tests.curation.conftest import checked
from tests.data_protection.conftest import erased

pytestmark = pytest.mark.django_db


@pytest.fixture
def review(world: SimpleNamespace) -> Review:
    """Of “Dear Annabell Wexford, Osric Plumley will pay.”."""
    return Review.objects.select_related("item_output__output", "campaign").get(
        item_output__output__text__contains="Wexford"
    )


def mark(review: Review, words: str, label: int = 1, comment: str = "") -> SpanAnswer:
    text = review.rated.output.text
    start = text.index(words)
    criterion = review.campaign.rubric_version.criteria.first()
    return SpanAnswer.objects.create(
        review=review, criterion=criterion, label=label, start=start, end=start + len(words), comment=comment
    )


def test_marks_of_reviewers_stay_on_their_words(world: SimpleNamespace, review: Review) -> None:
    spans = {words: mark(review, words) for words in ("Osric Plumley", "Dear Annabell", "will pay.")}
    first, last = mark(review, "Annabell", 2, "who?"), mark(review, "Wexford", 2, "hm")
    erased(world.project, world.owner)
    review.rated.output.refresh_from_db()
    text = review.rated.output.text
    marked = {}
    for words, span in spans.items():
        span.refresh_from_db()
        marked[words] = text[span.start : span.end]
    assert marked == {
        "Osric Plumley": "Osric Plumley",
        "Dear Annabell": f"Dear {ERASED}",
        "will pay.": "will pay.",
    }
    first.refresh_from_db()
    assert text[first.start : first.end] == ERASED and first.comment == "who? hm"
    assert not SpanAnswer.objects.filter(pk=last.pk).exists()


def test_so_do_those_of_drafts_earlier_revisions_and_rule_checks(
    world: SimpleNamespace, review: Review
) -> None:
    output = review.rated.output
    start = output.text.index("Osric")
    body = {"spans": {"errors": [{"label": 1, "start": start, "end": start + 5, "comment": ""}]}}
    draft = Draft.objects.create(
        reviewer=world.owner, campaign=review.campaign, item_output=review.rated, body=body
    )
    revision = ReviewRevision.objects.create(review=review, revision=9, body=body)
    result = MetricResult.objects.create(
        output=output,
        metric="rule:1",
        signature="x",
        value=0,
        detail={"spans": [[start, start + 5, "Osric"]]},
    )
    erased(world.project, world.owner)
    output.refresh_from_db()
    for each in (draft, revision):
        each.refresh_from_db()
        (span,) = each.body["spans"]["errors"]
        assert output.text[span["start"] : span["end"]] == "Osric"
    result.refresh_from_db()
    ((begins, ends, words),) = result.detail["spans"]
    assert output.text[begins:ends] == words == "Osric"


def test_findings_stay_on_their_words(world: SimpleNamespace) -> None:
    check = checked(world.version, world.engineer)
    found = check.findings.get(kind="personal_data", example__row_number=1)
    assert found.spans
    erased(world.project, world.owner)
    found.refresh_from_db()
    row = example_row(world.version.examples.get(row_number=1))
    words = {text_at(row, span["field"])[span["start"] : span["end"]] for span in found.spans}
    assert words and all(ERASED in each for each in words)
