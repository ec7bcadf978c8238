"""The whole loop in real browsers, as three people: data → training → answers → ratings → comparison →
corrections → the next training, on the product as `manage.py up` starts it.

Nothing is put in place of anything: PostgreSQL, Valkey, the workers, Chromium, and a model of random
weights that is really trained and really asked.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.whole_loop import beginning, deciding, rating
from tests.e2e.whole_loop.people import PATIENCE_MS, three_people
from tests.installations import Running, temporary_installation
from tests.run_directory.tiny import make_base

pytestmark = [pytest.mark.e2e, pytest.mark.verification]

PLAIN, CASH, BONDS = (
    "A plain answer. Call us on Monday.",
    "You keep cash. Call us soon.",
    "Bonds? Ask us first.",
)
MENDED = "A plain answer. Call us on Tuesday."


@pytest.fixture(autouse=True)
def _patience() -> Iterator[None]:
    """Every process of the product shares the machine with the browsers."""
    expect.set_options(timeout=PATIENCE_MS)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def running() -> Iterator[Running]:
    with temporary_installation() as installation:
        home = installation.environment
        make_base(home.model_folders[0] / "tiny")
        started = Running(installation)
        yield started
        started.stop()


def test_three_people_go_round_the_loop(running, browser, browser_context_args, tmp_path: Path):
    with three_people(browser, running.home.bind.url, browser_context_args) as (manager, engineer, reviewer):
        code, said = running.installation.run(
            *("create_owner", "--email", manager.email, "--name", manager.name, "--link"),
            *("--project", "Summaries"),
        )
        assert code == 0, said
        beginning.open_the_first_account(manager, re.search(r"http\S+", said)[0])
        beginning.invite(manager, engineer, "Engineer")
        beginning.invite(manager, reviewer, "Reviewer")
        reviewer.sees("Nothing to review yet.")

        beginning.import_data(engineer, beginning.write_file(tmp_path))
        beginning.register_base(engineer)
        beginning.add_prompt(engineer)
        engineer.new_run("Training")
        beginning.train(engineer, beginning.FIRST, rows=8, steps=4)
        beginning.generate(engineer)
        engineer.sees("transformers")

        rating.ask_in_own_words(manager)
        rating.launch(manager, (engineer, reviewer))
        tones = rating.TONES
        ratings = rating.rate_everything(
            reviewer, tones, corrections={1: PLAIN, 4: CASH}, comment="Not one concrete step."
        )
        ratings += rating.rate_everything(engineer, tones[::-1], corrections={2: BONDS}, comment="Too short.")
        rating.amend_the_first(reviewer, ratings[0], tone=3)

        manager.page.goto("/")
        engineer.page.goto("/")
        deciding.read_cases(engineer, ratings)
        deciding.compare(manager, ratings)
        deciding.close(manager)
        deciding.decide(manager)

        deciding.propose_rows(engineer, own=BONDS, others=[PLAIN, CASH])
        deciding.accept_what_others_wrote(engineer, PLAIN, fixed=MENDED)
        deciding.accept_rest(manager)
        deciding.finish_export(engineer, [MENDED, CASH, BONDS])
        deciding.choose_what_to_train_on(engineer)
        beginning.train(engineer, beginning.SECOND, rows=3, steps=2)
        deciding.walk_the_lineage(engineer, ratings[4])
        deciding.read_audit(manager)
