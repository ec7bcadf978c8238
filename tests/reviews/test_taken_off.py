"""Who is taken off a campaign while they write is told so, and keeps their text."""

import json

import pytest

from evalapp.campaigns.services import remove_reviewer
from evalapp.reviews.models import Draft
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.reviews import conftest as rating
from tests.reviews.preferences import conftest as comparing

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["rating", "comparing"])
def taken_off(request, project, manager, reviewer, other_reviewer):
    """The address of what the reviewer held, what they send there, and where their draft lies."""
    method = {"method": "pairwise"} if request.param == "comparing" else {}
    campaign = rating.make_open_campaign(
        project, [reviewer, other_reviewer], rows=4, candidates=2, overlap=2, **method
    )
    kind = comparing if method else rating
    held = kind.claim(campaign, reviewer)
    remove_reviewer(campaign_reviewer=rating.campaign_reviewer_of(campaign, reviewer), by=manager)
    return kind.url_of(held), kind.body(), Draft, campaign


def test_the_refusal_says_so_and_the_text_stays_with_its_author(taken_off, reviewer, other_reviewer):
    url, body, drafts, _campaign = taken_off
    client = client_of(reviewer)
    answer = rating.post(client, url, body)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "taken_off"
    assert "You were removed from this campaign" in answer.json()["error"]["message"]
    words = body["answers"]["comment"]
    assert drafts.objects.get(reviewer=reviewer).body["comment"] == words
    shown = client.get(url)
    assert shown.status_code == 409
    assert "You were removed from this campaign" in shown.content.decode() and words in shown.content.decode()
    # What was to be judged is not theirs to see any more.
    assert "row 1" not in shown.content.decode() and "Summarise portfolio" not in shown.content.decode()
    assert words not in client_of(other_reviewer).get(url).content.decode()


def test_without_scripts_the_page_shows_what_was_typed(taken_off, reviewer):
    url, body, _drafts, _campaign = taken_off
    form = {
        "client_id": body["client_id"],
        "comment": "Stiff in the greeting.",
        "revision": "0",
        "choice": "a",
    }
    page = client_of(reviewer).post(url, form).content.decode()
    assert "You were removed from this campaign" in page and "Stiff in the greeting." in page


@pytest.mark.parametrize("way", ["POST", "PUT"])
def test_programs_lose_no_text_either(taken_off, reviewer, engineer, way):
    url, body, drafts, _campaign = taken_off
    sent = {
        "answers": body["answers"],
        **({"revision": 1} if way == "PUT" else {"client_id": body["client_id"]}),
    }
    address = f"/api/v1{url}"
    refused = problem_in(program_of(reviewer).ask(way, address, json.dumps(sent)), 403)
    assert refused["code"] == "taken_off" and "kept as a draft" in refused["message"]
    words = body["answers"]["comment"]
    assert drafts.objects.get(reviewer=reviewer).body["comment"] == words
    assert words in client_of(reviewer).get(url).content.decode()
    # Nothing is kept of who never sat there, nor of what cannot be read.
    problem_in(program_of(engineer).ask(way, address, json.dumps(sent)), 404)
    unreadable = json.dumps({**sent, "answers": 7})
    problem_in(program_of(reviewer).ask(way, address, unreadable), 400)
    assert drafts.objects.count() == 1


def test_every_other_way_in_says_so_too(taken_off, reviewer):
    url, _body, _drafts, campaign = taken_off
    client = client_of(reviewer)
    for address in (f"/reviews/campaigns/{campaign.key}/", f"{url}"):
        assert "You were removed from this campaign" in client.get(address).content.decode()
    for action in ("skip", "flag", "draft"):
        assert rating.post(client, f"{url}{action}/", {}).json()["error"]["code"] == "taken_off"


def test_who_never_sat_there_learns_nothing(taken_off, engineer):
    url, body, _drafts, campaign = taken_off
    client = client_of(engineer)
    assert client.get(url).status_code == 404
    assert rating.post(client, url, body).status_code == 404
    assert client.get(f"/reviews/campaigns/{campaign.key}/").status_code == 404
