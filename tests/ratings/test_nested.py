"""Items with their answers and reviews go in as they are, and the means that come out are the
published ones.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.simpson import check_simpson
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.core.errors import ConflictError
from evalapp.datasets.models import Example
from evalapp.ratings.models import RatingsImport
from evalapp.reviews.models import Review, SpanAnswer
from evalapp.rubrics.models import Criterion
from tests.ratings.files import carried_out, received

FILE = os.environ.get("EVALAPP_SQUALITY_FILE", "")
PUBLISHED = {
    "correctness": {"bart": 34.84, "bart-dpr": 45.40, "human": 94.11},
    "selection": {"bart": 15.62, "bart-dpr": 24.26, "human": 88.77},
    "overall": {"bart": 18.14, "bart-dpr": 27.91, "human": 91.26},
}


EXAMPLE = Path(__file__).parent / "nested_example.jsonl"


def means(ratings_import: RatingsImport) -> dict[str, dict[str, float]]:
    scores = load_scores(ratings_import.campaign)
    found: dict[str, dict[str, float]] = {}
    for criterion in scores.criteria:
        for candidate in scores.candidates:
            values = [a.value for a in scores.answers_to(criterion, candidate) if a.value is not None]
            label = candidate.model_version.label
            found.setdefault(criterion.name, {})[label] = round(sum(values) / len(values), 2)
    return found


def test_a_small_file_of_the_same_shape_gives_its_own_means(project: Project, manager: User) -> None:
    ratings_import = received(project, manager, EXAMPLE.read_bytes(), EXAMPLE.name)

    job = carried_out(ratings_import, manager)

    assert job.state == "succeeded", job.error
    assert (ratings_import.records_imported, ratings_import.records_refused) == (12, 0)
    assert means(ratings_import) == {
        "correctness": {"base": 41.67, "tuned": 90.83},
        "ranks: correctness": {"base": 2.0, "tuned": 1.0},
    }
    criteria = Criterion.objects.filter(version__campaigns=ratings_import.campaign)
    assert dict(criteria.values_list("name", "lower_is_better"))["ranks: correctness"] is True
    assert (ratings_import.census["spans"], ratings_import.spans_missing) == (5, 2)
    example = Example.objects.get(row_number=1)
    assert example.metadata == {"item": "made-up-1", "note": "synthetic"}
    assert example.references == ["A reference that nobody reviewed."]


@pytest.mark.skipif(not Path(FILE).is_file(), reason="EVALAPP_SQUALITY_FILE names no file")
def test_it_is_imported_whole_and_its_means_are_the_published_ones(
    project: Project, manager: User, client_for: Callable[[User | None], Client]
) -> None:
    ratings_import = received(project, manager, Path(FILE).read_bytes(), "squality-human-eval.jsonl")

    job = carried_out(ratings_import, manager)

    assert job.state == "succeeded", job.error
    account = (ratings_import.records_read, ratings_import.records_imported, ratings_import.records_refused)
    assert account == (900, 900, 0)
    assert ratings_import.census["spans"] == 3142
    remarks = ratings_import.problems.filter(is_refusal=False)
    assert remarks.filter(problem__startswith="The words").count() == 97
    assert remarks.filter(problem__startswith="The span is empty").count() == 5
    assert ratings_import.spans_missing == remarks.count() == 102
    marks = SpanAnswer.objects.filter(review__campaign=ratings_import.campaign)
    places = marks.values_list("start", "end", "review__item_output__output__text")
    assert 3000 < len(places) <= 3040
    assert all(text[start:end].strip() for start, end, text in places)
    campaign = ratings_import.campaign
    assert campaign is not None
    assert (campaign.items_total, campaign.reviews_total, campaign.overlap) == (100, 900, 3)
    assert Review.objects.filter(campaign=campaign).values("reviewer").distinct().count() == 4
    found = means(ratings_import)
    assert {name: found[name] for name in PUBLISHED} == PUBLISHED
    criteria = {each.name: each for each in Criterion.objects.filter(version=campaign.rubric_version)}
    assert (criteria["correctness"].minimum, criteria["correctness"].maximum) == (0, 100)
    assert (criteria["ranks: overall"].minimum, criteria["ranks: overall"].maximum) == (1, 3)
    assert criteria["ranks: overall"].weight == 0

    page = client_for(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/")
    assert page.status_code == 200
    # Its metadata has the published ranks of each system, in whose strata every difference turns round.
    told = check_simpson(load_scores(campaign))
    assert told.found == []
    assert "published_means.bart.overall-ranking" in told.of_candidates

    with pytest.raises(ConflictError, match="This file is already imported"):
        received(project, manager, Path(FILE).read_bytes(), "again.jsonl")
