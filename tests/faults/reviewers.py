"""Reviewers at work through the pages' own addresses, whatever happens to the server."""

import random
import re
import threading
from typing import Any

from evalapp.env import Bind
from tests.faults.client import FORM, JSON, PersistentClient, Trouble, UnexpectedAnswerError
from tests.faults.filling import Filled
from tests.faults.ledger import Entry, Ledger

SCALES = ("accuracy", "clarity", "tone", "personalization")
YES_NO = "material-factual-error"
_DONE = ("all_done", "nothing_left_for_you")
_DRAFTS, _REPLAYS, _AMENDMENTS = 0.2, 0.1, 0.1


class Reviewer(threading.Thread):
    """Reviews until nothing is left. ``hurry`` ends the pauses for thought; ``problem`` is what stopped it.

    Now and then it saves a draft, sends an answered submission again, amends one, and sends a stale
    amendment, and says which answer is wrong.
    """

    def __init__(
        self,
        bind: Bind,
        filled: Filled,
        email: str,
        *,
        ledger: Ledger,
        trouble: Trouble,
        seed: int,
        think_seconds: float,
        uses_script: bool,
    ) -> None:
        super().__init__(name=email, daemon=True)
        self.email = email
        self.hurry = threading.Event()
        self.problem: Exception | None = None
        self._client = PersistentClient(bind, trouble)
        self._client.sign_in(email, filled.people[email])
        self._next = f"/reviews/campaigns/{filled.campaign}/"
        self._ledger = ledger
        self._chance = random.Random(f"{seed} {email}")
        self._think_seconds = think_seconds
        self._review_one = self._by_script if uses_script else self._by_form

    def run(self) -> None:
        try:
            while self._review_one():
                self._think()
        except Exception as error:  # noqa: BLE001 - raised again by the test's own thread
            self.problem = error
        finally:
            self._client.close()

    def _think(self) -> None:
        self.hurry.wait(self._chance.expovariate(1 / self._think_seconds))

    def _by_script(self) -> bool:
        task = self._client.expect(200, "GET", self._next, **JSON).body
        if "no_work" in task:
            return self._is_more_to_come(task["no_work"]["reason"])
        address, client_id, answers = task["url"], task["client_id"], self._answers(task["client_id"])
        if self._chance.random() < _DRAFTS:
            draft = {"answers": answers, "seconds_active": 3.5, "revision": task["draft_revision"]}
            self._client.expect(200, "POST", f"{address}draft/", draft, **JSON)
        body = {"client_id": client_id, "answers": answers, "seconds_active": 20.5, "revision": 0}
        self._send(address, body, first=True)
        if self._chance.random() < _REPLAYS:
            if not self._send(address, body, first=False):
                raise UnexpectedAnswerError(f"{address}: a replay was taken for a new submission")
            self._ledger.count_replay()
        if self._chance.random() < _AMENDMENTS:
            self._amend(address, body)
        return True

    def _send(self, address: str, body: dict[str, Any], *, first: bool) -> bool:
        answer = self._client.ask("POST", address, body, **JSON)
        if answer.status not in (200, 201):
            raise UnexpectedAnswerError(f"POST {address} answered {answer.status}: {answer.text[:500]}")
        if first:
            self._acknowledge(address, body, revision=1)
        return bool(answer.body["is_replay"])

    def _amend(self, address: str, body: dict[str, Any]) -> None:
        amended = {**body, "answers": self._answers(f"{body['client_id']} amended"), "revision": 1}
        answer = self._client.expect(200, "POST", address, amended, **JSON)
        if answer.body["revision"] != 2:
            raise UnexpectedAnswerError(f"{address}: the amendment became {answer.text}")
        self._acknowledge(address, amended, revision=2)
        stale = {**amended, "answers": self._answers(f"{body['client_id']} stale")}
        self._client.expect(412, "POST", address, stale, **JSON)

    def _by_form(self) -> bool:
        """Without a script: the page, its form, and the button pressed again after an error page."""
        page = self._client.expect(200, "GET", self._next, **FORM).text
        found = re.search(r'action="([^"]+)" class="review-panes"', page)
        client_id = re.search(r'name="client_id" value="([^"]+)"', page)
        if found is None or client_id is None:
            return "Your part is done" not in page and "All done" not in page
        address, answers = found[1], self._answers(client_id[1])
        form = {
            "client_id": client_id[1],
            "revision": "0",
            "comment": answers["comment"],
            "correction": answers["correction"] or "",
            **{f"criterion-{key}": value for key, value in answers["scores"].items()},
            **{f"tag-{key}": tags for key, tags in answers["tags"].items()},
        }
        self._client.expect(302, "POST", address, form, **FORM)
        self._acknowledge(address, {"client_id": client_id[1], "answers": answers}, revision=1)
        return True

    def _is_more_to_come(self, reason: str) -> bool:
        # The rest may be in the hands of others, who are about to finish it.
        if reason not in (*_DONE, "all_taken"):
            raise UnexpectedAnswerError(f"{self.email} was told: {reason}")
        return reason not in _DONE

    def _acknowledge(self, address: str, body: dict[str, Any], *, revision: int) -> None:
        self._ledger.acknowledged(Entry(body["client_id"], self.email, address, revision, body["answers"]))

    def _answers(self, mark: str) -> dict[str, Any]:
        scores = {key: self._chance.randint(1, 5) for key in SCALES}
        tags = {"tone": ["cold", "too-formal"]} if scores["tone"] <= 2 else {}
        correction = f"Better said: {mark}." if self._chance.random() < 0.3 else None
        return {
            "scores": {**scores, YES_NO: self._chance.randint(0, 1)},
            "tags": tags,
            "comment": f"Comment of {mark}",
            "correction": correction,
        }
