"""Published ratings are often averages over people, in a table that names nobody."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.ratings.models import RecordedReviewer
from tests.ratings.files import carried_out, imported, received, table

pytestmark = pytest.mark.django_db
COLUMNS = ("item", "candidate", "criterion", "value", "prompt", "answer")
OF_THREE = ("2.67", "3.67", "4.33", "5", "3", "3.33")


def averages(*more: tuple[object, ...]) -> bytes:
    """The mean of three people's scores for each of six answers of two candidates."""
    rows = [
        (item, candidate, "Fluency", value, f"Question {item}?", f"Answer {item} of {candidate}.")
        for candidate, values in (("base", OF_THREE), ("tuned", OF_THREE[::-1]))
        for item, value in enumerate(values, start=1)
    ]
    return table(*rows, *more, columns=COLUMNS)


def test_averages_of_three_people_are_kept_as_thirds(project: Project, manager: User) -> None:
    campaign = imported(project, manager, averages()).campaign
    assert campaign is not None
    (criterion,) = campaign.rubric_version.criteria.all()
    assert (criterion.axis_label, criterion.steps_per_point) == ("1–5", 3)
    assert list(RecordedReviewer.objects.values_list("user__name", flat=True)) == ["Unnamed reviewer"]
    rows = compare(load_scores(campaign)).rows
    means = {row.label: row.human[0].mean.value for row in rows}
    exact = (8 + 11 + 13 + 15 + 9 + 10) / 3 / 6
    assert means == {"base": pytest.approx(exact, abs=1e-12), "tuned": pytest.approx(exact, abs=1e-12)}


def test_two_ratings_of_one_answer_ask_for_the_reviewers_column(project: Project, manager: User) -> None:
    again = (1, "base", "Fluency", "4.33", "Question 1?", "Answer 1 of base.")
    ratings_import = received(project, manager, averages(again))
    carried_out(ratings_import, manager)
    (problem,) = ratings_import.problems.all()
    assert problem.fix == "Choose the column with the reviewer, or keep one of the two."
