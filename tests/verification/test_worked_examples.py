"""The worked examples run, with real trainings of the small model, and find what the document tells."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalapp.env import REPOSITORY
from tests.installations import Running, temporary_installation

pytestmark = pytest.mark.verification


@pytest.fixture(scope="module")
def running(small_model: Path) -> Iterator[Running]:
    with temporary_installation() as installation:
        shutil.copytree(small_model, installation.environment.bundled_model_folder, dirs_exist_ok=True)
        started = Running(installation)
        yield started
        started.stop()


def shown_by(running: Running, name: str, *, role: str, seed: int) -> str:
    """What an example prints for a member of that role in a project of its own."""
    printed = running.installation.run_module("tests.verification.example_project", name, role)
    project, token = json.loads(printed).values()
    script = REPOSITORY / f"docs/examples/{name}.py"
    done = subprocess.run(
        [sys.executable, script, running.home.bind.url, project, token, "--seed", str(seed)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return done.stdout


def steps_of(measure: str, shown: str) -> list[float]:
    """The means of a measure by version."""
    found = re.search(rf"^{re.escape(measure)} \(.*?\): (.*)$", shown, re.MULTILINE)
    assert found, f"{measure} is not shown:\n{shown}"
    return [float(mean) for mean in found[1].split(" → ")]


def test_growing_vetted_questions_overtake_a_prompt(running: Running) -> None:
    shown = shown_by(running, "insurance_questions", role="manager", seed=1)
    rows = [int(count) for count in re.findall(r"^Version \d: .*'train': (\d+)", shown, re.MULTILINE)]
    assert rows == [36, 72, 108]
    first, second, third = steps_of("Label accuracy", shown)
    assert first < second < third and third >= 0.9
    scores = dict(re.findall(r"^(.*): macro F1 ([\d.]+)", shown, re.MULTILINE))
    prompt = next(float(score) for label, score in scores.items() if label.startswith("Rules in the prompt"))
    tuned = [float(score) for label, score in scores.items() if "v3" in label]
    assert len(tuned) == 1 and tuned[0] > prompt


def test_standardised_corrected_and_enriched_summaries_are_truer_and_shorter(running: Running) -> None:
    shown = shown_by(running, "discharge_summaries", role="manager", seed=1)
    assert "Findings of version 1: {'exact_duplicate': 9, 'personal_data': 22}" in shown
    assert "Findings of version 3: {}" in shown
    raw, corrected, enriched = steps_of("Facts told right", shown)
    assert raw < corrected < enriched
    words = steps_of("Words", shown)
    assert max(words[1:]) < words[0] * 0.7


def test_cleaner_labels_of_support_messages_help(running: Running) -> None:
    shown = shown_by(running, "support_sentiment", role="engineer", seed=3)
    found = {kind: int(rows) for rows, kind in re.findall(r"^ +(\d+) (\w+)$", shown, re.MULTILINE)}
    assert found == {"exact_duplicate": 13, "broken_answer": 12, "label_issue": 36}
    scores = re.findall(r"v(\d), seed \d: macro F1 ([\d.]+), (\d+) of 36", shown)
    raw, cleaned = ([float(score) for version, score, _ in scores if version == number] for number in "12")
    assert len(raw) == len(cleaned) == 2 and min(cleaned) >= 0.9 and max(raw) <= max(cleaned)
    assert all(unparsed == "0" for version, _, unparsed in scores if version == "2")
