"""A reviewer who notes every answer they get: by the pages, by the pages' script, and by the API."""

import json
import re
from collections import Counter
from http import HTTPStatus
from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import uuid4

from django.db import transaction
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.accounts.tokens import SHOWN_CHARACTERS, create_api_token
from evalapp.campaigns.models import Assignment, Campaign
from evalapp.campaigns.services import close_campaign, pause_campaign, resume_campaign
from tests.access_urls import kwargs_of
from tests.cached_values import forget_cached_values
from tests.cast import client_of
from tests.factories import answers

# Of each purpose so many assignments are looked at in every way; the others are answered alone.
ASKED_OF_EACH = 4
READS, WRITES = ("GET",), ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_CHANGING = re.compile(
    r"""[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}  # keys, and ids of submissions
      | \d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) | \b\d\d:\d\d(?::\d\d)?\b
      | \d{1,2}\ \w+\ 20\d\d | \d+\ (?:seconds?|min|h)\ ago | just\ now | 'Content-Length':\ '\d+'
      | \w{3},\ \d\d\ \w{3}\ 20\d\d | /tokens/\d+/ | revoke-\d+ | \bmessages=[^\n;]+ | nonce-[\w+/=-]+
      | nonce="[^"]+" | \b[A-Za-z0-9]{64}\b | \b[A-Za-z0-9]{32}\b""",
    re.VERBOSE,
)


class Heard(NamedTuple):
    """An answer as it came over the line: status, headers and body."""

    asked: str
    status: int
    text: str

    def evened(self) -> str:
        """Without what differs from one request to the next, whoever asks."""
        return _CHANGING.sub("…", self.text)


class Spy:
    """Asks as ``person``, in the browser and with a token, and keeps what was answered."""

    def __init__(self, person: User) -> None:
        signed_in = client_of(person)
        self._cookies = signed_in.cookies.output(header="", sep=";")
        self._secret = create_api_token(user=person, name="Spy", by=person).secret
        self.heard: list[Heard] = []

    def ask(self, method: str, address: str, body: Any = None, *, as_json: bool = False) -> Any:
        # A client of its own, because a refused sign-out or a lost session must not end the walk.
        client = Client(raise_request_exception=False)
        client.cookies = SimpleCookie(self._cookies)
        headers = {"Accept": "application/json"} if as_json else {}
        if address.startswith("/api/"):
            headers["Authorization"] = f"Bearer {self._secret}"
        options: dict[str, Any] = {"headers": headers}
        if as_json or address.startswith("/api/"):
            content = json.dumps({} if body is None else body)
            is_read = method in ("GET", "HEAD", "OPTIONS")
            options |= {} if is_read else {"data": content, "content_type": "application/json"}
        elif method == "POST":
            options["data"] = body or {}
        response = getattr(client, method.lower())(address, **options)
        content = b"".join(response.streaming_content) if response.streaming else response.content
        told = f"{response.headers}\n{response.cookies}\n{content.decode(errors='replace')}"
        # Drawn for each request: in some thousands of them any five digits come up.
        drawn = response["X-Request-ID"]
        for own in (self._secret, self._secret[:SHOWN_CHARACTERS], drawn):
            told = told.replace(own, "")
        self.heard.append(Heard(f"{method} {address}", response.status_code, told))
        return response


def ask_every_address(
    spy: Spy, routes: Any, world: SimpleNamespace, methods: tuple[str, ...] = (*READS, *WRITES)
) -> None:
    """Each address by each method, pages also as JSON where there are several methods; whatever a request did
    is taken back. An address that says which methods it has is asked by no other after that.
    """
    of_pages = (False, True) if len(methods) > 1 else (False,)
    for route in routes:
        kwargs = kwargs_of(route.name, list(route.kwargs), world)
        address = reverse(route.name, kwargs=kwargs)
        # The API counts requests, and this is more than one person may send.
        forget_cached_values()
        has = set(methods)
        for method in methods:
            if method not in has:
                continue
            is_page = method in ("GET", "POST") and not address.startswith("/api/")
            for as_json in of_pages if is_page else (True,):
                with transaction.atomic():
                    answer = spy.ask(method, address, as_json=as_json)
                    transaction.set_rollback(True)
                if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                    has = {each.strip() for each in answer["Allow"].split(",")}


def review_everything(spy: Spy, world: SimpleNamespace, *, at_most: int = 20) -> None:
    """What a reviewer does in a campaign, from its first answer to after its end, with every refusal."""
    start = reverse("review_next", args=[world.campaign.key])
    before = ("review_home", "review_submitted", "profile", "project_list", "home")
    for name in before:
        spy.ask("GET", reverse(name))
    spy.ask("GET", start)
    urls: list[str] = []
    while "url" in (task := spy.ask("GET", start, as_json=True).json()):
        # The first half by the pages and their script, the other by the API.
        by_page = len(urls) < 4
        urls.append(task["url"])
        if len(urls) == 3:
            _skip(spy, task["url"])
        elif len(urls) == 4:
            _lose(spy, task["url"], world)
        elif by_page:
            _review_by_page(spy, start, task)
        else:
            _review_by_api(spy, world, task["url"])
        if len(urls) == at_most:
            return
    spy.ask("GET", start)
    for name in before:
        spy.ask("GET", reverse(name))
    spy.ask("POST", reverse("review_undo", args=[world.campaign.key]))
    spy.ask("POST", reverse("review_undo", args=[world.campaign.key]), {}, as_json=True)
    spy.ask("POST", reverse("review_keys"), {"enabled": False}, as_json=True)
    for name in ("api_me", "api_projects", "api_my_campaigns", "api_my_reviews", "api_schema"):
        spy.ask("GET", reverse(name))
    spy.ask("GET", reverse("api_my_campaign", args=[world.campaign.key]))
    spy.ask("POST", reverse("api_my_next", args=[world.campaign.key]))
    _see_it_end(spy, world, start, urls)


def judge_everything(spy: Spy, campaign: Campaign, *, at_most: int) -> None:
    """What a reviewer does where answers are compared, gold, repeats and calibration among it."""
    start = reverse("review_next", args=[campaign.key])
    met: Counter[str] = Counter()
    for number in range(at_most):
        # The API counts requests.
        forget_cached_values()
        task = spy.ask("GET", start, as_json=True).json()
        if "url" not in task:
            break
        url = task["url"]
        assignment, slot = url.strip("/").split("/")[1:]
        by_api = reverse("api_my_task", args=[assignment, slot])
        is_pair = len(task["sides"]) == 2
        said, otherwise = (
            ({"choice": "a"}, {"choice": "b"}) if is_pair else ({"ranks": [1, 2, 3]}, {"ranks": [3, 2, 1]})
        )
        given = {"client_id": str(uuid4()), "answers": said, "seconds_active": 12.5}
        purpose = Assignment.objects.get(key=assignment).purpose
        met[purpose] += 1
        if met[purpose] > ASKED_OF_EACH:
            spy.ask("POST", url, {**given, "revision": 0}, as_json=True)
            continue
        spy.ask("GET", url)
        spy.ask("GET", by_api)
        spy.ask("GET", f"{start}?assignment={assignment}&slot={slot}", as_json=True)
        for revision in (0, 9):
            draft = {"answers": {"comment": "Mine"}, "seconds_active": 1, "revision": revision}
            spy.ask("POST", f"{url}draft/", draft, as_json=True)
        # What peers wrote and what was decided is not there before their own preference is.
        for address in (
            f"{url}discussion/",
            reverse("api_my_discussion", args=[assignment, slot]),
        ):
            spy.ask("GET", address)
            spy.ask("POST", address, {"text": "Mine"})
        spy.ask("POST", f"{url}appeal/", {"against": "decision", "reason": "Mine"})
        if number % 2:
            spy.ask("POST", by_api, given)
            spy.ask("PUT", by_api, {"answers": otherwise, "revision": 1})
        else:
            spy.ask("POST", url, {**given, "revision": 0}, as_json=True)
            spy.ask("POST", url, {**given, "answers": otherwise, "revision": 0}, as_json=True)
        spy.ask("GET", url)
    spy.ask("GET", start)
    for name in ("review_home", "review_submitted", "api_my_reviews"):
        spy.ask("GET", reverse(name))
    for name in ("review_calibration", "review_undo"):
        for method in ("GET", "POST"):
            spy.ask(method, reverse(name, args=[campaign.key]))


def _given(**changes: Any) -> dict[str, Any]:
    return {
        "client_id": str(uuid4()),
        "answers": answers().as_dict(),
        "seconds_active": 12.5,
        "revision": 0,
        **changes,
    }


def _review_by_page(spy: Spy, start: str, task: dict[str, Any]) -> None:
    url = task["url"]
    assignment, slot = url.strip("/").split("/")[1:]
    spy.ask("GET", url)
    spy.ask("GET", f"{start}?assignment={assignment}&slot={slot}", as_json=True)
    draft = {"answers": {"comment": "Mine"}, "seconds_active": 1, "revision": 0}
    spy.ask("POST", f"{url}draft/", draft, as_json=True)
    spy.ask("POST", f"{url}draft/", {**draft, "answers": {"comment": "Another tab"}}, as_json=True)
    spy.ask("GET", url)
    spy.ask("POST", url, _given(answers={"scores": {"tone": 9}}), as_json=True)
    spy.ask("POST", url, {"client_id": str(uuid4()), "criterion-tone": "3", "comment": "By form"})
    body = _given()
    spy.ask("POST", f"{url}?ahead&assignment={assignment}&slot={slot}", body, as_json=True)
    spy.ask("POST", f"{url}?ahead", body, as_json=True)
    spy.ask("POST", url, _given(answers={**body["answers"], "comment": "Other words"}), as_json=True)
    spy.ask("GET", url)
    amended = {**body["answers"], "comment": "Amended"}
    spy.ask("POST", url, _given(answers=amended, revision=1), as_json=True)
    spy.ask("POST", url, _given(answers={**amended, "comment": "Late"}, revision=1), as_json=True)
    spy.ask("POST", f"{url}draft/", draft, as_json=True)


def _review_by_api(spy: Spy, world: SimpleNamespace, url: str) -> None:
    assignment, slot = url.strip("/").split("/")[1:]
    task = reverse("api_my_task", args=[assignment, slot])
    spy.ask("POST", reverse("api_my_next", args=[world.campaign.key]))
    spy.ask("GET", task)
    draft = reverse("api_my_draft", args=[assignment, slot])
    spy.ask("PUT", draft, {"answers": {"comment": "Mine"}, "revision": 0})
    spy.ask("PUT", draft, {"answers": {"comment": "Other"}, "revision": 0})
    given = {"client_id": str(uuid4()), "answers": answers().as_dict(), "seconds_active": 12.5}
    spy.ask("POST", task, {**given, "answers": {"scores": {"tone": 9}}})
    for _ in range(2):
        spy.ask("POST", task, given)
    spy.ask("POST", task, {**given, "client_id": str(uuid4()), "answers": answers(tone=1).as_dict()})
    for _ in range(2):
        spy.ask("PUT", task, {"answers": answers(tone=2).as_dict(), "revision": 1})
    spy.ask("GET", task)
    spy.ask("POST", reverse("api_my_skip", args=[assignment, slot]), {"reason": "Too late"})


def _skip(spy: Spy, url: str) -> None:
    spy.ask("POST", f"{url}skip/", {"reason": ""}, as_json=True)
    spy.ask("POST", f"{url}skip/", {"reason": "other", "other": "My own client"})
    spy.ask("POST", f"{url}skip/", {"reason": "Again"}, as_json=True)
    spy.ask("GET", url)


def _lose(spy: Spy, url: str, world: SimpleNamespace) -> None:
    """The assignment goes to somebody else while the reviewer writes."""
    key = url.strip("/").split("/")[1]
    spy.ask("POST", f"{url}draft/", {"answers": {"comment": "Mine"}, "revision": 0}, as_json=True)
    Assignment.objects.filter(key=key).update(reviewer=world.late)
    spy.ask("POST", url, _given(), as_json=True)
    spy.ask("POST", url, {"client_id": str(uuid4()), "criterion-tone": "3"})
    spy.ask("POST", f"{url}draft/", {"answers": {}, "revision": 1}, as_json=True)
    spy.ask("GET", url)
    spy.ask("GET", reverse("api_my_task", args=url.strip("/").split("/")[1:]))


def _see_it_end(spy: Spy, world: SimpleNamespace, start: str, urls: list[str]) -> None:
    for change in (pause_campaign, resume_campaign, close_campaign):
        change(campaign=world.campaign, by=None)
        spy.ask("GET", start)
        spy.ask("GET", start, as_json=True)
        spy.ask("POST", reverse("api_my_next", args=[world.campaign.key]))
    for url in urls:
        assignment, slot = url.strip("/").split("/")[1:]
        spy.ask("GET", url)
        spy.ask("POST", url, _given(), as_json=True)
        spy.ask("POST", f"{url}draft/", {"answers": {}, "revision": 0}, as_json=True)
        spy.ask("POST", f"{url}skip/", {"reason": "After the end"}, as_json=True)
        spy.ask("GET", reverse("api_my_task", args=[assignment, slot]))
    spy.ask("POST", reverse("review_undo", args=[world.campaign.key]), {}, as_json=True)
    for name in ("review_home", "review_submitted"):
        spy.ask("GET", reverse(name))
