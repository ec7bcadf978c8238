import re
from collections.abc import Callable
from urllib.parse import urljoin

from django.test import Client

from evalapp.accounts.models import User


def test_an_unknown_address_answers_a_page_that_says_so(
    client_for: Callable[[User | None], Client], engineer: User
) -> None:
    response = client_for(engineer).get("/nowhere/")
    assert response.status_code == 404
    assert "There is nothing at this URL" in response.text
    assert 'style="' not in response.text
    assert "Content-Security-Policy" in response.headers


def test_an_unknown_address_answers_scripts_in_json(client: Client, db: None) -> None:
    response = client.get("/api/v1/nowhere/", headers={"Accept": "application/json"})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_pages_answer_head_and_are_kept_by_nobody_in_between(
    client_for: Callable[[User | None], Client], engineer: User
) -> None:
    for client in (client_for(None), client_for(engineer)):
        response = client.head("/", follow=True)
        assert response.status_code == 200
        assert {"private", "no-cache"} <= set(response.headers["Cache-Control"].split(", "))


def test_an_address_for_buttons_alone_answers_a_page_with_a_way_back(
    client_for: Callable[[User | None], Client], engineer: User
) -> None:
    client = client_for(engineer)
    for address, above in (
        ("/projects/any/campaigns/1/open/", "/projects/any/campaigns/1/"),
        ("/reviews/keys/", "/reviews/"),
    ):
        response = client.get(address)
        assert response.status_code == 405
        assert response["Allow"] == "POST"
        assert "This page accepts POST requests only" in response.text
        way = re.search(r'href="([^"]*)">Go back</a>', response.text)
        assert way and urljoin(address, way[1]) == above
        assert "Content-Security-Policy" in response.headers
    sent = client.post("/projects/any/campaigns/")
    assert sent.status_code == 405
    assert "This page accepts GET requests only" in sent.text
    scripted = client.get("/reviews/keys/", headers={"Accept": "application/json"})
    assert scripted.json()["error"]["code"] == "method_not_allowed"
    assert client_for(None).get("/projects/any/campaigns/1/open/").status_code == 405
