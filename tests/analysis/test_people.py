"""Simulated reviews: never read outside a demonstration, always marked inside one."""

from evalapp.accounts.models import Project, User
from evalapp.analysis.cases.case import load_case
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.reviews.models import Review
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all


def _mixed(project: Project, person: User, simulated: User) -> object:
    """One campaign with a person's 5s and a simulated reviewer's 1s."""
    project.is_demonstration = True
    project.save()
    campaign = make_campaign(project, [person, simulated], rows=2)
    review_all(campaign, person, {label: answers(tone=5) for label in ("formal", "plain")})
    review_all(
        campaign, simulated, {label: answers(tone=1) for label in ("formal", "plain")}, is_simulated=True
    )
    campaign.refresh_from_db()
    return campaign


def _tone(campaign: object, reviewer_type: str) -> float | None:
    cell = compare(load_scores(campaign, reviewer_type=reviewer_type)).rows[0].cell("tone")
    return cell.mean.value if cell else None


def test_a_demonstration_shows_both_apart_and_marks_them(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    campaign = _mixed(project, reviewer, other_reviewer)

    assert [_tone(campaign, reviewer_type) for reviewer_type in ("all", "human", "simulated")] == [
        3.0,
        5.0,
        1.0,
    ]
    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/")
    assert page.context["comparison"].design.is_mixed
    text = page.content.decode()
    assert "a program, not people, wrote the reviews" in text
    assert "human and simulated reviewers" in text


def test_elsewhere_simulated_reviews_are_never_read(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    campaign = _mixed(project, reviewer, other_reviewer)
    # As if the mark had been taken off the project afterwards.
    Project.objects.filter(pk=project.pk).update(is_demonstration=False)
    campaign.project.refresh_from_db()

    assert [_tone(campaign, reviewer_type) for reviewer_type in ("all", "human", "simulated")] == [
        5.0,
        5.0,
        5.0,
    ]
    item = campaign.items.first()
    case = load_case(campaign, item.pk, reader_id=manager.pk)
    assert [given.review.reviewer_id for output in case.outputs for given in output.reviews] == [
        reviewer.pk
    ] * 2
    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/?reviewer_type=simulated")
    assert page.context["reviewer_type"] == "all"
    assert page.context["reviewer_type_choices"] == []
    assert Review.objects.filter(is_simulated=True).count() == 4
