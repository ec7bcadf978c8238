"""Reviewers and an engineer at work on one installation, and the account at the end."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.client import Trouble
from tests.faults.engineer import Engineer
from tests.faults.filling import Filled
from tests.faults.kills import Killer
from tests.faults.ledger import Ledger, check_imports
from tests.faults.reviewers import Reviewer
from tests.installations import Running, eventually

REVIEWERS = 6
OVERLAP = 3
LONGEST_GAP_SECONDS, JOBS_OVER_SECONDS = 15, 120
# Far above what it takes, so that they end what hangs and judge no pace.
PATIENCE_SECONDS = 600
_UP_SECONDS = 600
_INTERNAL_ERROR = "Internal Server Error"


class Storm:
    """``think_seconds``: the mean pause of a reviewer between two reviews, until `finish`. ``over_seconds``:
    in which every job must be over; only a run that has the machine to itself can hold a short time.
    """

    def __init__(
        self,
        running: Running,
        filled: Filled,
        *,
        seed: int,
        think_seconds: float,
        import_rows: int,
        over_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.running = running
        self.filled = filled
        self.ledger = Ledger()
        self.trouble = Trouble()
        self.killer = Killer(running, random.Random(seed))
        bind = running.home.bind
        self.engineer = Engineer(bind, filled, self.trouble, rows=import_rows, over_seconds=over_seconds)
        self._reviewers = [
            Reviewer(
                bind,
                filled,
                email,
                ledger=self.ledger,
                trouble=self.trouble,
                seed=seed,
                think_seconds=think_seconds,
                uses_script=number > 0,
            )
            for number, email in enumerate(filled.people)
        ]

    @contextmanager
    def load(self) -> Iterator[None]:
        for reviewer in self._reviewers:
            reviewer.start()
        try:
            yield
        finally:
            for reviewer in self._reviewers:
                reviewer.hurry.set()
            self.engineer.close()

    def wait_for_more(self, count: int, seconds: float = PATIENCE_SECONDS) -> None:
        try:
            self.ledger.wait_for_more(count, seconds)
        finally:
            self.raise_problems()

    def raise_problems(self) -> None:
        for reviewer in self._reviewers:
            if reviewer.problem is not None:
                raise reviewer.problem

    def finish(self, seconds: float) -> None:
        """Let the reviewers do what is left, without pauses; everything runs again."""
        for reviewer in self._reviewers:
            reviewer.hurry.set()
        for reviewer in self._reviewers:
            reviewer.join(seconds)
            self.raise_problems()
            assert not reviewer.is_alive(), f"not within {seconds} s: {reviewer.email} is done"
        eventually(self.running.is_up, _UP_SECONDS, "everything runs again")

    def settle(self) -> int:
        """Compare what was acknowledged with what is there; the attempts that the imports took."""
        self.engineer.close()
        database = self.running.home.database_url
        assert len(self.ledger.entries) == self.filled.reviews_expected
        self.ledger.compare(database)
        attempts = check_imports(database, self.engineer.jobs, self.engineer.rows)
        # Also what no client got to see, because the connection was gone by then.
        for log in self.running.home.log_folder.glob("web.log*"):
            assert _INTERNAL_ERROR not in log.read_text(errors="replace"), log
        return attempts

    def account(self) -> str:
        retries = ", ".join(f"{kind} {count}" for kind, count in self.trouble.retries.most_common())
        kills = ", ".join(f"{name} {count}" for name, count in sorted(self.killer.kills.items()))
        return (
            f"{len(self.ledger.entries)} of {self.filled.reviews_expected} reviews acknowledged,"
            f" {self.ledger.amended} amended, {self.ledger.replayed} sent twice;"
            f" {self.killer.kills.total()} kills ({kills});"
            f" {self.trouble.retries.total()} retries ({retries});"
            f" {len(self.engineer.jobs)} imports, {self.engineer.tried_again} tried again by hand;"
            f" longest gap {self.ledger.longest_gap:.1f} s"
        )
