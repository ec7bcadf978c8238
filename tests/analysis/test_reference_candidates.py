"""The people's own texts beside the models': a metric that compares with them says nothing of them."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.analysis.agreement.measures import correlation_rows
from evalapp.analysis.metrics.metric_trust import metric_trust
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.scores.reference_candidates import compared_outputs
from evalapp.campaigns.models import Campaign
from evalapp.metrics.registry import METRICS
from tests.cast import client_of
from tests.factories import PLAIN, answers, make_campaign, review_all, run_scoring

pytestmark = pytest.mark.django_db

# What `example_row` has as the reference.
REFERENCE = "Portfolio {n} holds 60% shares and pays {n}% a year."


def reviewed(project: Project, people: list[User], texts: dict[str, str]) -> Campaign:
    campaign = make_campaign(project, people, rows=8, texts=texts)
    run_scoring(campaign)
    for turn, person in enumerate(people):
        said = {
            (label, row): answers(tone=1 + (row * 3 + position + turn) % 5)
            for position, label in enumerate(texts)
            for row in range(1, 9)
        }
        review_all(campaign, person, said)
    return campaign


def test_a_candidate_that_is_the_reference_is_in_no_correlation_of_a_metric_that_compares_with_it(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    people = [reviewer, other_reviewer]
    texts = {"experts": REFERENCE, "v1": PLAIN, "v2": f"{REFERENCE} Call us on Monday."}
    campaign = reviewed(project, people, texts)
    scores = load_scores(campaign)
    rouge = scores.metrics["rougeL"]
    words = "without “experts”, whose outputs are the reference"
    assert compared_outputs(scores, rouge).note == words
    assert len(compared_outputs(scores, rouge).outputs) == 16
    assert compared_outputs(scores, METRICS["words"]) == (scores.outputs, "")
    row = next(each for each in correlation_rows(scores, rouge) if each.criterion.key == "tone")
    assert (row.spearman.n, row.left_out) == (16, words)
    trust = next(each for each in metric_trust(scores) if each.criterion.key == "tone")
    found = next(each for each in trust.metrics if each.metric.name == "rougeL")
    assert found.correlation.n == 16 and words in found.sentence
    # Beside people it stands as it is.
    address = reverse("can_i_trust_it", args=[project.slug, campaign.pk])
    page = client_of(manager).get(address, {"metric": "rougeL"}).text
    assert f"{words[:1].upper()}{words[1:]}." in page


def candidate(label: str) -> Any:
    return SimpleNamespace(pk=hash(label), model_version=SimpleNamespace(label=label))


@pytest.mark.parametrize(
    ("equal", "words", "is_reference"),
    [
        ([1, 1, 0, 1], [12, 9, 14, 11], True),
        ([1, 0, 1, 0], [12, 9, 14, 11], True),
        ([1, 0, 0, 0], [12, 9, 14, 11], False),
        # A label or a number is right where it equals the reference.
        ([1, 1, 1, 1], [1, 2, 1, 1], False),
        ([], [12, 9], False),
    ],
)
def test_half_of_its_items_and_more_than_a_label_make_a_candidate_the_reference(
    equal: list[int], words: list[int], is_reference: bool
) -> None:
    one = candidate("experts")
    outputs: Any = [SimpleNamespace(candidate_id=one.pk, metrics={"words": float(count)}) for count in words]
    for output, is_equal in zip(outputs, equal, strict=False):
        output.metrics["exact_match"] = float(is_equal)
    scores: Any = SimpleNamespace(candidates=[one], outputs=outputs, outputs_of=lambda _: outputs)
    assert bool(compared_outputs(scores, METRICS["rougeL"]).note) is is_reference
