import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.campaigns.models import CampaignReviewer
from evalapp.campaigns.services import close_campaign, pause_campaign
from evalapp.reviews.models import Draft, Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.models import Choice
from tests.campaigns.making import make_open_campaign
from tests.reviews.preferences.conftest import again, body, claim, judge, post, url_of
from tests.reviews.test_pages import own_queries

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


def next_url(campaign) -> str:
    return f"/reviews/campaigns/{campaign.key}/"


def plain_form(page):
    html = page.content.decode()
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    address = re.search(r'<form method="post" action="([^"]+)" data-form', html)[1]
    return address, {"client_id": fields["client_id"], "revision": fields["revision"]}


@pytest.mark.parametrize("path", ["next", "task"])
def test_pages_open_to_the_reviewer_alone(campaign, reviewer, stranger, manager, client_for, path):
    address = next_url(campaign) if path == "next" else url_of(claim(campaign, reviewer))
    assert client_for(reviewer).get(address).status_code == 200
    assert client_for(None).get(address).status_code == 302
    for person in (stranger, manager):
        assert client_for(person).get(address).status_code == 404


def test_the_way_to_a_campaigns_reviews_leads_to_its_comparisons(campaign, reviewer, client_for):
    client = client_for(reviewer)
    address = f"/reviews/campaigns/{campaign.key}/"
    assert address in client.get("/reviews/").text
    assert client.get(address).text.count("data-side=") == 2


def test_a_pair_shows_both_answers_and_the_four_choices_with_their_keys(campaign, reviewer, client_for):
    html = client_for(reviewer).get(next_url(campaign)).text
    for value, key in zip(Choice.values, "1234", strict=True):
        assert re.search(
            rf'value="{value}"[^>]*> <span>[^<]+</span> <span class="keys"[^>]*><kbd>{key}<', html
        )
    assert html.count("data-side=") == 2
    assert "<strong>Answer</strong> a to row" in html and "<strong>Answer</strong> b to row" in html


def test_a_preference_can_be_given_by_a_plain_form(campaign, reviewer, client_for):
    client = client_for(reviewer)
    address, fields = plain_form(client.get(next_url(campaign)))
    fields |= {"choice": "tie", "comment": "Plain."}
    answer = client.post(address, fields)
    assert (answer.status_code, answer.url) == (302, next_url(campaign))
    review = Review.objects.get()
    assert (review.preference.choice, review.comment) == ("tie", "Plain.")
    # Pressing twice sends the same id, and nothing is doubled.
    assert client.post(address, fields).status_code == 302
    assert Review.objects.count() == 1
    # And it is changed by the same form.
    address, fields = plain_form(client.get(address))
    assert fields["revision"] == "1"
    client.post(address, {**fields, "choice": "b"})
    assert Review.objects.get().preference.choice == "b"


def test_a_ranking_can_be_given_by_a_plain_form(ranking, reviewer, client_for):
    client = client_for(reviewer)
    address, fields = plain_form(client.get(next_url(ranking)))
    wrong = client.post(address, {**fields, "rank-0": "1", "rank-1": "1", "comment": "Kept words."})
    assert wrong.status_code == 400
    assert "Give each of the 3 answers a rank, 1 for the best." in wrong.text
    assert "Kept words." in wrong.text
    client.post(address, {**fields, "rank-0": "2", "rank-1": "3", "rank-2": "1"})
    assert Review.objects.get().preference.ranks == [2, 3, 1]


def test_a_wrong_form_comes_back_with_its_text_and_what_to_mend(campaign, reviewer, client_for):
    client = client_for(reviewer)
    address, fields = plain_form(client.get(next_url(campaign)))
    answer = client.post(address, {**fields, "comment": "Kept words."})
    assert answer.status_code == 400
    assert "Kept words." in answer.text
    assert "Choose the better answer" in answer.text
    assert client.post(address, {**fields, "choice": "c"}).status_code == 400
    assert client.post(address, {"choice": "a"}).status_code == 400


def test_submit_replay_conflict_and_stale_change_over_http(campaign, reviewer, client_for):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    sent = body()
    first, repeated = post(client, address, sent), post(client, address, sent)
    other = post(client, address, body(PreferenceAnswers("b")))
    assert (first.status_code, repeated.status_code, other.status_code) == (201, 200, 409)
    assert other.json()["error"]["code"] == "already_submitted"
    assert post(client, address, body(PreferenceAnswers("b"), revision=1)).json()["revision"] == 2
    stale = post(client, address, body(PreferenceAnswers("tie"), revision=1))
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "stale")


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b'{"client_id": "x", "answers": {"choice": "a"}}',
        b'{"client_id": "%s", "answers": []}',
        b'{"client_id": "%s", "answers": {"choice": "a"}, "seconds_active": "1"}',
        b'{"client_id": "%s", "answers": {"choice": "a"}, "revision": -1}',
        b'{"client_id": "%s", "answers": {"choice": "a", "comment": "\\u0000"}}',
    ],
)
def test_a_body_that_is_no_judgement_is_400_in_json(campaign, reviewer, client_for, raw):
    address = url_of(claim(campaign, reviewer))
    raw = raw.replace(b"%s", str(uuid4()).encode())
    answer = client_for(reviewer).post(address, raw, content_type="application/json", headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert not Review.objects.exists()


@pytest.mark.parametrize("slot", [1, 99, 2**40])
def test_a_slot_outside_the_assignment_is_nothing(campaign, reviewer, client_for, slot):
    review_context = claim(campaign, reviewer)
    assert client_for(reviewer).get(f"/reviews/{review_context.assignment.key}/{slot}/").status_code == 404


def test_a_draft_comes_back_and_two_tabs_do_not_write_over_each_other(campaign, reviewer, client_for):
    client, address = client_for(reviewer), url_of(claim(campaign, reviewer))
    draft = {"answers": {"choice": "b", "comment": "So far"}, "seconds_active": 3.0, "revision": 0}
    assert post(client, f"{address}draft/", draft).json()["draft_revision"] == 1
    shown = client.get(next_url(campaign), headers=JSON).json()
    assert (shown["draft"]["choice"], shown["draft_seconds"]) == ("b", 3.0)
    conflict = post(client, f"{address}draft/", {**draft, "answers": {"choice": "a"}})
    assert (conflict.status_code, conflict.json()["draft"]["choice"]) == (412, "b")
    html = client.get(address).text
    assert re.search(r'value="b" checked', html)


def test_after_the_end_what_was_chosen_is_shown_and_that_it_did_not_count(campaign, reviewer, client_for):
    review_context = claim(campaign, reviewer)
    client = client_for(reviewer)
    post(
        client,
        f"{url_of(review_context)}draft/",
        {"answers": {"choice": "a", "comment": "Mine"}, "revision": 0},
    )
    close_campaign(campaign=campaign, by=None)
    page = client.get(url_of(review_context))
    assert page.status_code == 409
    assert "A is better" in page.text and "Mine" in page.text
    late = post(client, url_of(review_context), body())
    assert late.json()["error"]["code"] == "campaign_closed"


def test_skip_and_undo_over_http(campaign, reviewer, client_for):
    client = client_for(reviewer)
    review_context = claim(campaign, reviewer)
    assert post(client, f"{url_of(review_context)}skip/", {"reason": " "}).status_code == 400
    assert client.post(f"{url_of(review_context)}skip/", {"reason": "I cannot judge this"}).status_code == 302
    assert post(client, f"{next_url(campaign)}undo/", {}).status_code == 404
    done = claim(campaign, reviewer)
    judge(campaign, reviewer, review_context=done)
    assert post(client, f"{next_url(campaign)}undo/", {}).json()["url"] == url_of(done)


def test_why_there_is_no_work_is_shown(campaign, reviewer, client_for):
    pause_campaign(campaign=campaign, by=None)
    answer = client_for(reviewer).get(next_url(campaign), headers=JSON).json()
    assert (answer["no_work"]["reason"], answer["progress"]["mine"]) == ("paused", 0)
    assert "Paused" in client_for(reviewer).get(next_url(campaign)).text


def test_my_comparisons_lists_mine_and_opens_them(campaign, reviewer, other_reviewer, client_for):
    judge(campaign, other_reviewer, PreferenceAnswers("b", None, "A peer's"))
    review_context = claim(campaign, reviewer)
    judge(
        campaign, reviewer, PreferenceAnswers("both_bad", None, "My own words"), review_context=review_context
    )
    client = client_for(reviewer)
    page = client.get("/reviews/submitted/").text
    assert "My own words" in page and "Both bad" in page and "A peer" not in page
    assert url_of(review_context) in page
    opened = client.get(url_of(review_context)).text
    assert "Submit the change" in opened and "My own words" in opened


def test_next_and_submit_ask_the_database_little(campaign, reviewer, client_for):
    client = client_for(reviewer)
    client.get(next_url(campaign))
    with CaptureQueriesContext(connection) as asked:
        page = client.get(next_url(campaign))
    assert len(own_queries(asked)) <= 7, [sql[:90] for sql in own_queries(asked)]
    address, _ = plain_form(page)
    with CaptureQueriesContext(connection) as asked:
        assert post(client, address, body()).status_code == 201
    assert len(own_queries(asked)) <= 11, own_queries(asked)


def test_the_list_asks_the_same_for_one_row_and_for_three(campaign, reviewer, client_for):
    client = client_for(reviewer)
    judge(campaign, reviewer)

    def count():
        with CaptureQueriesContext(connection) as asked:
            client.get("/reviews/submitted/")
        return len(asked)

    one = count()
    judge(campaign, reviewer)
    judge(campaign, reviewer)
    assert count() == one


def test_which_candidate_stands_first_changes_from_item_to_item(project, reviewer, client_for):
    campaign = make_open_campaign(project, [reviewer], rows=12, candidates=2, overlap=1, method="pairwise")
    first = set()
    client = client_for(reviewer)
    for _ in range(12):
        task = client.get(next_url(campaign), headers=JSON).json()
        first.add(task["sides"][0]["text"].split()[1])
        post(client, task["url"], body())
    assert first == {"a", "b"}


def test_candidates_are_named_only_where_the_campaign_is_not_blind(project, reviewer, client_for):
    campaign = make_open_campaign(
        project, [reviewer], rows=1, candidates=2, overlap=1, method="pairwise", is_blind=False
    )
    html = client_for(reviewer).get(next_url(campaign)).text
    assert "candidate-label-0" in html and "candidate-label-1" in html


def test_script_in_answers_and_comments_stays_text(campaign, reviewer, client_for):
    from evalapp.runs.models import Output

    Output.objects.update(text="<script>alert(1)</script> **bold**")
    review_context = claim(campaign, reviewer)
    judge(
        campaign,
        reviewer,
        PreferenceAnswers("a", None, "<img src=x onerror=alert(1)>"),
        review_context=review_context,
    )
    client = client_for(reviewer)
    for address in (url_of(review_context), "/reviews/submitted/", next_url(campaign)):
        html = client.get(address).text
        assert "<script>alert" not in html and "<img src=x" not in html


def test_somebody_who_left_is_out(campaign, reviewer, client_for):
    review_context = claim(campaign, reviewer)
    campaign.project.memberships.filter(user=reviewer).delete()
    client = client_for(reviewer)
    for address in (url_of(review_context), next_url(campaign)):
        assert client.get(address).status_code == 404
    assert post(client, url_of(review_context), body()).status_code == 404
    assert not Review.objects.exists() and not Draft.objects.exists()


def test_progress_shows_times_of_preferences(campaign, reviewer, manager, client_for):
    judge(campaign, reviewer, seconds=80.0)
    html = (
        client_for(manager).get(f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/progress/").text
    )
    assert "1 min 20 s" in html and "1 of 8 reviews" in html
    campaign_reviewer = CampaignReviewer.objects.get(campaign=campaign, user=reviewer)
    assert campaign_reviewer.reviews_done == 1
    assert again(claim(campaign, reviewer)).is_open


def test_a_comparison_is_told_by_these_fields_alone(campaign, reviewer, client_for):
    task = client_for(reviewer).get(next_url(campaign), headers=JSON).json()
    assert set(task) == {
        "url", "client_id", "revision", "source_html", "sides", "answers", "draft", "draft_seconds",
        "draft_revision", "draft_saved_at", "progress", "unsupported_numbers",
    }  # fmt: skip
    assert {frozenset(side) for side in task["sides"]} == {frozenset(("html", "text", "candidate"))}
