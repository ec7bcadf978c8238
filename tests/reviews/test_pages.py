import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.campaigns.models import Assignment, Campaign
from evalapp.campaigns.services import close_campaign, pause_campaign
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Draft, Review
from evalapp.reviews.queries import campaign_reviewers_of
from tests.api.conftest import FAR_ID, move_ids_far_away
from tests.campaigns.making import make_open_campaign
from tests.kept_cast import FIXTURES, Cast, again
from tests.reviews.conftest import GOOD, body, claim, post, submit, url_of

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    return make_open_campaign(cast.project, [cast.reviewer, cast.other_reviewer], rows=4, overlap=2)


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


def next_url(campaign):
    return f"/reviews/campaigns/{campaign.key}/"


def own_queries(captured):
    """Without what the session and the sign-in ask, and without the frames of transactions."""
    frames = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")
    return [
        query["sql"]
        for query in captured.captured_queries
        if "django_session" not in query["sql"]
        and not query["sql"].startswith(frames)
        and not re.match(r"SELECT person\..* FROM evalapp_user person WHERE id = \d+", query["sql"])
    ]


# Access: each view, first.


@pytest.mark.parametrize(
    "path", ["/reviews/", "/reviews/submitted/", "NEXT", "TASK"], ids=["home", "submitted", "next", "task"]
)
def test_pages_open_to_the_reviewer_alone(campaign, reviewer, stranger, manager, client_for, path):
    address = {"NEXT": next_url(campaign), "TASK": url_of(claim(campaign, reviewer))}.get(path, path)
    assert client_for(reviewer).get(address).status_code == 200
    assert client_for(None).get(address).status_code == 302
    shared = path.startswith("/reviews/")
    for other in (stranger, manager):
        answer = client_for(other).get(address)
        assert answer.status_code == (200 if shared else 404)
        assert campaign.name not in answer.content.decode()


@pytest.mark.parametrize("action", ["", "draft/", "skip/"])
def test_writes_at_a_assignment_are_the_campaign_reviewer_persons_alone(
    campaign, reviewer, stranger, manager, client_for, action
):
    address = url_of(claim(campaign, reviewer)) + action
    for other in (stranger, manager):
        assert post(client_for(other), address, body()).status_code == 404
    assert client_for(None).post(address).status_code == 302
    assert not Review.objects.exists()
    assert not Draft.objects.exists()


def test_undo_is_for_the_campaign_reviewer_alone(campaign, reviewer, stranger, client_for):
    submit(campaign, reviewer)
    assert post(client_for(stranger), next_url(campaign) + "undo/", {}).status_code == 404
    answer = post(client_for(reviewer), next_url(campaign) + "undo/", {})
    review = Review.objects.get()
    slot = review.assignment.outputs_order.index(review.item_output_id)
    assert answer.json() == {"url": f"/reviews/{review.assignment.key}/{slot}/"}


def test_progress_of_people_is_for_those_who_run_the_campaign(
    campaign, reviewer, manager, stranger, client_for
):
    address = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/progress/"
    submit(campaign, reviewer)
    page = client_for(manager).get(address)
    assert page.status_code == 200
    assert "Reviewer" in page.content.decode()
    assert client_for(reviewer).get(address).status_code == 403
    assert client_for(stranger).get(address).status_code == 404


def test_somebody_who_left_the_project_or_the_campaign_is_out(campaign, reviewer, other_reviewer, client_for):
    from evalapp.campaigns.models import CampaignReviewer
    from evalapp.campaigns.services import remove_reviewer

    address = url_of(claim(campaign, reviewer))
    remove_reviewer(
        campaign_reviewer=CampaignReviewer.objects.select_related("campaign__project", "user").get(
            user=reviewer, campaign=campaign
        ),
        by=None,
    )
    others_address = url_of(claim(campaign, other_reviewer))
    assert client_for(other_reviewer).get(others_address).status_code == 200
    campaign.project.memberships.filter(user=other_reviewer).delete()
    gone = client_for(other_reviewer)
    assert gone.get(others_address).status_code == 404
    assert gone.get(next_url(campaign)).status_code == 404
    assert post(gone, others_address, body()).status_code == 404
    # Whoever is a member still is told that their part has ended, and nothing of the campaign.
    removed = client_for(reviewer)
    kept = removed.get(address)
    assert kept.status_code == 409
    assert "You were removed from this campaign" in kept.text
    assert removed.get(next_url(campaign)).status_code == 403
    assert post(removed, address, body()).status_code in (403, 409)
    assert not Review.objects.exists()


def test_a_draft_campaign_has_no_campaign_reviewers_yet(campaign, reviewer, client_for):
    assignment = Assignment.objects.filter(campaign=campaign).first()
    Campaign.objects.filter(pk=campaign.pk).update(state="draft")
    for address in (next_url(campaign), f"/reviews/{assignment.key}/0/"):
        assert client_for(reviewer).get(address).status_code == 404
    assert not campaign_reviewers_of(reviewer).exists()


# Reviewing without a script


def plain_form(page):
    html = page.content.decode()
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    return re.search(r'<form method="post" action="([^"]+)" class="review-panes"', html)[1], {
        "client_id": fields["client_id"],
        "revision": fields["revision"],
    }


def test_a_review_can_be_given_by_a_plain_form(campaign, reviewer, client_for):
    client = client_for(reviewer)
    address, fields = plain_form(client.get(next_url(campaign)))
    fields |= {f"criterion-{key}": value for key, value in GOOD.scores.items()}
    fields |= {"tag-tone": ["too-formal", "cold"], "comment": "Plain."}
    answer = client.post(address, fields)
    assert (answer.status_code, answer.url) == (302, next_url(campaign))
    review = Review.objects.get()
    assert review.comment == "Plain."
    assert sorted(review.tags.values_list("tag__key", flat=True)) == ["cold", "too-formal"]
    # Pressing twice sends the same id, and nothing is doubled.
    assert client.post(address, fields).status_code == 302
    assert Review.objects.count() == 1


def test_a_wrong_form_comes_back_with_its_text_and_what_to_mend(campaign, reviewer, client_for):
    client = client_for(reviewer)
    address, fields = plain_form(client.get(next_url(campaign)))
    answer = client.post(address, {**fields, "criterion-tone": "9", "comment": "Kept words."})
    html = answer.content.decode()
    assert answer.status_code == 400
    assert "Kept words." in html
    assert "Tone is 1 to 5; 9 is outside." in html
    assert "Accuracy is required. Choose an answer." in html


# The script's requests


def test_submit_replay_and_conflict_over_http(campaign, reviewer, client_for):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    sent = body()
    first = post(client, address, sent)
    again = post(client, address, sent)
    other = post(client, address, body(ReviewAnswers({**GOOD.scores, "tone": 5})))
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert (first.json()["is_replay"], again.json()["is_replay"]) == (False, True)
    assert first.json()["saved_at"] == again.json()["saved_at"]
    assert other.json()["error"]["code"] == "already_submitted"


def test_a_stale_change_is_412_over_http(campaign, reviewer, client_for):
    client, upcoming = client_for(reviewer), claim(campaign, reviewer)
    submit(campaign, reviewer, upcoming)
    changed = body(ReviewAnswers({**GOOD.scores, "tone": 5}), revision=1)
    assert post(client, url_of(upcoming), changed).json()["revision"] == 2
    again = post(client, url_of(upcoming), changed)
    assert (again.status_code, again.json()["revision"]) == (200, 2)
    stale = post(client, url_of(upcoming), body(GOOD, revision=1))
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "stale")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b'{"client_id": "x"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": ' * 50_000,
        b'{"client_id": 1, "client_id": 2}',
        b'{"client_id": "8f14e45f-ceea-4e7a-9b3a-000000000000", "answers": {"scores": NaN}}',
        b'{"client_id": "8f14e45f-ceea-4e7a-9b3a-000000000000", "answers": []}',
        b'{"client_id": "8f14e45f-ceea-4e7a-9b3a-000000000000", "answers": {"scores": [1]}}',
        b'{"client_id": "8f14e45f-ceea-4e7a-9b3a-000000000000", "answers": {"is_staff": true}}',
        b'{"client_id": "8f14e45f-ceea-4e7a-9b3a-000000000000", "answers": {}, "seconds_active": -1}',
        b'{"client_id": "8f14e45f-ceea-4e7a-9b3a-000000000000", "answers": {}, "seconds_active": 1e999}',
        b'{"client_id": "8f14e45f-ceea-4e7a-9b3a-000000000000", "answers": {}, "revision": -1}',
        (
            b'{"client_id": "8f14e45f-ceea-4e7a-9b3a-000000000000", "answers": {"scores": {"\\u0000\\ud800":'
            b" 1}}}"
        ),
    ],
)
def test_a_body_that_is_no_review_is_400_in_json(campaign, reviewer, client_for, raw):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    answer = client.post(address, raw, content_type="application/json", headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert not Review.objects.exists()


@pytest.mark.parametrize(("said", "kept"), [(1e-310, 0.0), (12.34567, 12.346), (90_000, 86_400.0)])
def test_active_seconds_are_kept_within_what_a_person_can_take(campaign, reviewer, client_for, said, kept):
    address = url_of(claim(campaign, reviewer))
    post(client_for(reviewer), address, body(seconds_active=said))
    assert Review.objects.get().seconds_active == kept


@pytest.mark.parametrize("slot", ["2", "99", "-1", "99999999999999999999"])
def test_a_slot_outside_the_assignment_is_nothing(campaign, reviewer, client_for, slot):
    upcoming = claim(campaign, reviewer)
    assert client_for(reviewer).get(f"/reviews/{upcoming.assignment.key}/{slot}/").status_code == 404


def test_a_draft_comes_back_and_two_tabs_do_not_write_over_each_other(campaign, reviewer, client_for):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    mine = {"answers": {"scores": {"tone": 2}, "comment": "First tab"}, "seconds_active": 3, "revision": 0}
    saved = post(client, address + "draft/", mine)
    assert (saved.status_code, saved.json()["draft_revision"], saved.json()["is_claimed"]) == (200, 1, True)
    theirs = post(client, address + "draft/", {**mine, "answers": {"comment": "Second tab"}})
    assert theirs.status_code == 412
    assert theirs.json()["draft"]["comment"] == "First tab"
    assert post(client, address + "draft/", {**mine, "revision": 1}).json()["draft_revision"] == 2
    assert "First tab" in client.get(address).content.decode()


def test_a_draft_whose_answer_was_lost_is_sent_again_without_a_conflict(campaign, reviewer, client_for):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    first = {"answers": {"comment": "Once"}, "seconds_active": 4.5, "revision": 0}
    then = {**first, "answers": {"comment": "Once more"}, "revision": 1}
    for draft, revision in ((first, 1), (first, 1), (then, 2), (then, 2)):
        saved = post(client, address + "draft/", draft)
        assert (saved.status_code, saved.json()["draft_revision"]) == (200, revision)
    assert post(client, address + "draft/", first).status_code == 412


def test_a_draft_is_the_reviewers_own(campaign, reviewer, other_reviewer, client_for):
    address = url_of(claim(campaign, reviewer))
    post(client_for(reviewer), address + "draft/", {"answers": {"comment": "Private words"}, "revision": 0})
    for _ in range(4):
        claim(campaign, other_reviewer)
    for assignment in Assignment.objects.filter(reviewer=other_reviewer):
        for slot in range(2):
            page = client_for(other_reviewer).get(f"/reviews/{assignment.key}/{slot}/")
            assert "Private words" not in page.content.decode()
    assert client_for(other_reviewer).get(address).status_code == 404


def test_a_draft_holds_what_the_database_could_not(campaign, reviewer, client_for):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    odd = '{"answers": {"comment": "a\\u0000b\\ud800c", "scores": {"\\u0000": 1}}, "revision": 0}'
    answer = client.post(address + "draft/", odd, content_type="application/json", headers=JSON)
    assert answer.status_code == 200
    assert Draft.objects.get().body["comment"] == "ab?c"


@pytest.mark.parametrize(
    ("level", "named"),
    [
        ("1e999", "The number 1e999 is too large"),
        ("-1e999", "The number -1e999 is too large"),
        ('["\\u0000"]', "scores.tone"),
        ('{"a": "\\ud800"}', "scores.tone"),
        ("9" * 4000, "has 4,000 digits"),
    ],
)
def test_a_level_that_cannot_be_kept_is_told(campaign, reviewer, client_for, level, named):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    odd = '{"revision": 0, "answers": {"scores": {"tone": ' + level + "}}}"
    answer = client.post(address + "draft/", odd, content_type="application/json", headers=JSON)
    assert answer.status_code == 400
    assert named in answer.text
    assert not Draft.objects.exists()


def test_a_draft_of_the_greatest_revision_is_a_conflict(campaign, reviewer, client_for):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    for revision, status in ((0, 200), (2**31 - 1, 412)):
        draft = {"answers": {"comment": "Mine"}, "revision": revision}
        assert post(client, address + "draft/", draft).status_code == status


def test_submitting_ends_the_draft_and_late_autosaves_cannot_revive_it(campaign, reviewer, client_for):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    draft = {"answers": {"comment": "x"}, "revision": 0}
    post(client, address + "draft/", draft)
    post(client, address, body())
    assert not Draft.objects.exists()
    assert post(client, address + "draft/", draft).status_code == 409
    assert not Draft.objects.exists()


def test_after_the_end_an_open_page_is_told_that_the_campaign_is_closed_and_when(
    campaign, reviewer, client_for, owner
):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    close_campaign(campaign=campaign, by=owner)
    Campaign.objects.update(closed_at=datetime(2026, 3, 5, 14, 7, tzinfo=UTC))
    when = "closed on 5 March 2026 at 14:07 UTC"

    nothing_typed = client.get(address)
    assert nothing_typed.status_code == 409
    assert "This campaign is closed" in nothing_typed.text and when in nothing_typed.text
    assert "somebody else" not in nothing_typed.text and "is kept" not in nothing_typed.text

    saved = post(client, address + "draft/", {"answers": {"comment": "Half a thought"}, "revision": 0})
    problem = saved.json()["error"]
    assert (saved.status_code, problem["code"]) == (409, "campaign_closed")
    assert when in problem["message"] and "Your text is kept" in problem["message"]
    assert Draft.objects.get().body["comment"] == "Half a thought"

    typed = client.get(address)
    assert when in typed.text and "Half a thought" in typed.text
    refused = [post(client, address, body()), post(client, address + "skip/", {"reason": "Not for me"})]
    assert [(each.status_code, each.json()["error"]["code"]) for each in refused] == [
        (409, "campaign_closed")
    ] * 2
    assert all(when in each.json()["error"]["message"] for each in refused)


def test_my_submitted_lists_mine_and_opens_them(campaign, reviewer, other_reviewer, client_for, owner):
    submit(campaign, reviewer)
    submit(campaign, other_reviewer, answers=ReviewAnswers(GOOD.scores, comment="Not yours."))
    html = client_for(reviewer).get("/reviews/submitted/").content.decode()
    assert "Reads well." in html
    assert "Not yours." not in html
    address = re.search(r'data-href="(/reviews/[^"]+)"', html)[1]
    page = client_for(reviewer).get(address).content.decode()
    assert "Submit the change" in page
    close_campaign(campaign=campaign, by=owner)
    closed = client_for(reviewer).get(address).content.decode()
    assert "data-submit" not in closed
    assert "data-submit" in page


def test_keys_are_switched_off_by_the_person(reviewer, client_for, campaign):
    client = client_for(reviewer)
    assert post(client, "/reviews/keys/", {"enabled": False}).json() == {"enabled": False}
    page = client.get(next_url(campaign)).content.decode()
    assert '"keys": {}' in page
    assert post(client, "/reviews/keys/", {"enabled": "no"}).status_code == 400


def test_why_there_is_no_work_is_shown(campaign, reviewer, owner, client_for):
    pause_campaign(campaign=campaign, by=owner)
    assert "Paused" in client_for(reviewer).get(next_url(campaign)).content.decode()
    answer = client_for(reviewer).get(next_url(campaign), headers=JSON).json()
    assert (answer["no_work"]["reason"], answer["progress"]["mine"]) == ("paused", 0)


# Figures


def test_next_and_submit_ask_the_database_little(campaign, reviewer, client_for):
    client = client_for(reviewer)
    client.get(next_url(campaign))
    with CaptureQueriesContext(connection) as asked:
        page = client.get(next_url(campaign))
    assert len(own_queries(asked)) <= 5, own_queries(asked)
    address, _ = plain_form(page)
    with CaptureQueriesContext(connection) as asked:
        assert post(client, address, body()).status_code == 201
    assert len(own_queries(asked)) <= 6, own_queries(asked)


def test_lists_ask_the_same_for_one_row_and_for_three(campaign, project, reviewer, client_for):
    client = client_for(reviewer)
    submit(campaign, reviewer)

    def count(address):
        with CaptureQueriesContext(connection) as asked:
            client.get(address)
        return len(asked)

    one = count("/reviews/"), count("/reviews/submitted/")
    submit(campaign, reviewer)
    submit(campaign, reviewer)
    for name in ("Second", "Third"):
        make_open_campaign(project, [reviewer], name=name, dataset=name, rubric=name)
    assert (count("/reviews/"), count("/reviews/submitted/")) == one


# Blindness


def test_addresses_and_payload_hold_no_id_of_output_item_or_review(campaign, reviewer, client_for):
    from evalapp.campaigns.models import ItemOutput

    move_ids_far_away("review")
    task = client_for(reviewer).get(next_url(campaign), headers=JSON).json()
    assert set(task) == {
        "url", "client_id", "revision", "source_html", "answer_html", "answer_text", "candidate", "answers",
        "draft", "draft_seconds", "draft_revision", "draft_saved_at", "progress",
        "unsupported_numbers",
    }  # fmt: skip
    assert re.fullmatch(r"/reviews/[0-9a-f-]{36}/[01]/", task["url"])
    answer = post(client_for(reviewer), task["url"], body())
    assert not FAR_ID.search(answer.text)
    assert set(answer.json()) == {"saved_at", "revision", "is_replay"}
    assert ItemOutput.objects.exists()


def test_the_reference_is_sent_only_where_the_campaign_shows_it(empty_project, reviewer, client_for):
    for shown in (False, True):
        name = f"shown {shown}"
        campaign = make_open_campaign(
            empty_project, [reviewer], name=name, dataset=name, rubric=name, shows_reference=shown
        )
        html = client_for(reviewer).get(next_url(campaign)).content.decode()
        assert ("The reference of portfolio" in html) is shown


def test_script_in_prompt_answer_and_names_stays_text(campaign, reviewer, client_for):
    from evalapp.runs.models import Output

    evil = "<script>alert(1)</script><img src=x onerror=alert(2)> [x](javascript:alert(3)) </script>"
    Output.objects.update(text=evil)
    Campaign.objects.update(name=evil[:100], instructions=evil)
    page = client_for(reviewer).get(next_url(campaign))
    html = page.content.decode()
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert 'href="javascript:' not in html
    assert "script-src" in page.headers["Content-Security-Policy"]
    assert str(uuid4()) not in html
