"""The discussion of an output: closed until one's own review is in, and under pseudonyms."""

import uuid

import pytest

from evalapp.accounts.models import Membership, Project, User
from evalapp.adjudication.models import DiscussionMessage
from evalapp.adjudication.services import AdjudicatedScore, adjudicate
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.campaigns.services import close_campaign
from evalapp.reviews.models import Review
from evalapp.reviews.presentation import review_url, task_url
from tests.adjudication.conftest import address, name_distinctly, output_of
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all, submit_review, walk

pytestmark = pytest.mark.django_db
SECRET = "The figure in line two is wrong, so I gave a 1."


def own_page(item_output: ItemOutput, person: User) -> str:
    review = Review.objects.select_related("assignment").get(item_output=item_output, reviewer=person)
    return f"{review_url(review)}discussion/"


def test_access(
    campaign: Campaign, disputed: ItemOutput, request: pytest.FixtureRequest, reviewer: User
) -> None:
    place = address(campaign, f"adjudication/{disputed.pk}/discussion/")
    expected = {"owner": 200, "manager": 200, "engineer": 403, "reviewer": 403, "stranger": 404}
    found = {name: client_of(request.getfixturevalue(name)).get(place).status_code for name in expected}
    assert found == expected
    mine = own_page(disputed, reviewer)
    expected = {"reviewer": 200, "other_reviewer": 404, "manager": 404, "stranger": 404}
    found = {name: client_of(request.getfixturevalue(name)).get(mine).status_code for name in expected}
    assert found == expected
    assert client_of(None).get(mine).status_code == 302


def test_those_who_reviewed_and_those_who_decide_write(
    campaign: Campaign, disputed: ItemOutput, reviewer: User, other_reviewer: User, manager: User
) -> None:
    name_distinctly(reviewer, other_reviewer, manager)
    mine, theirs = own_page(disputed, reviewer), own_page(disputed, other_reviewer)
    office = address(campaign, f"adjudication/{disputed.pk}/discussion/")
    assert client_of(reviewer).post(mine, {"text": SECRET}).status_code == 302
    assert client_of(manager).post(office, {"text": "Which **line** two?"}).status_code == 302

    seen = client_of(other_reviewer).get(theirs).text
    assert SECRET in seen
    assert "Reviewer 1" in seen and "Adjudicator" in seen
    assert "<strong>line</strong>" in seen
    assert "You <span" in client_of(reviewer).get(mine).text
    at_the_office = client_of(manager).get(office).text
    assert "Reviewer 1" in at_the_office
    for person in (reviewer, manager):
        assert str(person) not in seen
        assert person.email not in seen
    assert str(reviewer) not in at_the_office

    Project.objects.update(shows_reviewer_names=True)
    for page in (client_of(other_reviewer).get(theirs).text, client_of(manager).get(office).text):
        assert str(reviewer) in page
    event = AuditEvent.objects.filter(action="discussion.message_written").first()
    assert event.data["characters"] == len(SECRET)
    assert SECRET not in str(event.data)


def test_nothing_of_it_before_ones_own_review(
    empty_project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    """What peers said and what was decided is in no answer that a reviewer gets before they submit."""
    campaign = make_campaign(
        empty_project, [reviewer, other_reviewer, empty_project.created_by], rows=1, texts={"one": "A {n}."}
    )
    review_all(campaign, other_reviewer, {"one": answers(tone=1)})
    review_all(campaign, empty_project.created_by, {"one": answers(tone=5)})
    output = output_of(campaign, "one")
    client_of(other_reviewer).post(own_page(output, other_reviewer), {"text": SECRET})
    reason = "Decided for a reason that nobody else would write."
    adjudicate(
        campaign=campaign, item_output=output, scores={"tone": AdjudicatedScore(3, reason)}, by=manager
    )
    client = client_of(reviewer)
    assignment, entry = next(walk(campaign, reviewer))
    task = task_url(assignment.key, 0)
    asked = [
        "/reviews/",
        "/reviews/submitted/",
        f"/reviews/campaigns/{campaign.key}/",
        task,
        f"{task}discussion/",
    ]
    for page in asked:
        for headers in ({}, {"Accept": "application/json"}):
            answer = client.get(page, headers=headers)
            assert answer.status_code == (404 if "discussion" in page else 200)
            assert SECRET not in answer.text and reason not in answer.text
    for page in ("discussion/", "appeal/"):
        sent = client.post(f"{task}{page}", {"text": "x", "against": "decision:tone", "reason": "x"})
        assert sent.status_code == 404
        assert SECRET not in sent.text and reason not in sent.text
    assert "discussion/" not in client.get(task).text

    submit_review(
        reviewer=reviewer,
        assignment=assignment,
        item_output=entry,
        client_id=uuid.uuid4(),
        answers=answers(tone=2),
    )

    after = client.get(f"{task}discussion/").text
    assert SECRET in after and reason in after
    assert "discussion/" in client.get(task).text


def test_an_adjudicator_who_reviews_waits_for_their_own(
    empty_project: Project, manager: User, reviewer: User
) -> None:
    campaign = make_campaign(empty_project, [reviewer, manager], rows=1, texts={"one": "A {n}."})
    review_all(campaign, reviewer, {})
    place = address(campaign, f"adjudication/{output_of(campaign, 'one').pk}/discussion/")
    assert client_of(manager).get(place).status_code == 403
    assert client_of(manager).post(place, {"text": "x"}).status_code == 403
    review_all(campaign, manager, {})
    assert client_of(manager).get(place).status_code == 200


@pytest.mark.parametrize("text", ["", "  ", "x" * 5001, "a\x00b"])
def test_a_bad_message_is_refused(disputed: ItemOutput, reviewer: User, manager: User, text: str) -> None:
    office = address(disputed.item.campaign, f"adjudication/{disputed.pk}/discussion/")
    for person, place in ((reviewer, own_page(disputed, reviewer)), (manager, office)):
        answer = client_of(person).post(place, {"text": text})
        assert answer.status_code == 400
        assert "field-error" in answer.text
    assert not DiscussionMessage.objects.exists()


def test_markup_in_a_message_is_inert(disputed: ItemOutput, reviewer: User) -> None:
    place = own_page(disputed, reviewer)
    bad = "<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) ![](https://e.test/i.png)"
    client_of(reviewer).post(place, {"text": bad})
    text = client_of(reviewer).get(place).text
    for each in ("<script>alert", "<img src=x", 'href="javascript:', '<img src="https://e.test'):
        assert each not in text


def test_a_doubled_click_is_one_message(disputed: ItemOutput, reviewer: User) -> None:
    for text in ("Once.", "Once.", "Again.", "Once."):
        client_of(reviewer).post(own_page(disputed, reviewer), {"text": text})
    assert list(DiscussionMessage.objects.order_by("pk").values_list("text", flat=True)) == [
        "Once.",
        "Again.",
        "Once.",
    ]


def test_it_goes_on_after_the_end_and_stops_with_the_membership(
    campaign: Campaign, disputed: ItemOutput, reviewer: User, manager: User
) -> None:
    place = own_page(disputed, reviewer)
    close_campaign(campaign=campaign, by=manager)
    assert client_of(reviewer).post(place, {"text": "Thank you."}).status_code == 302
    Membership.objects.filter(user=reviewer).delete()
    assert client_of(reviewer).get(place).status_code == 404


def test_the_setting_is_changed_in_the_project_settings(project: Project, manager: User) -> None:
    place = f"/projects/{project.slug}/settings/"
    assert "Show reviewers by name" in client_of(manager).get(place).text
    given = {"name": project.name, "population": project.population}
    client_of(manager).post(place, {**given, "shows_reviewer_names": "on"})
    project.refresh_from_db()
    assert project.shows_reviewer_names
    assert AuditEvent.objects.get(action="project.changed").data["before"]["shows_reviewer_names"] is False
    client_of(manager).post(place, given)
    project.refresh_from_db()
    assert not project.shows_reviewer_names
