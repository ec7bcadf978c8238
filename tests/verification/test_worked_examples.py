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
from tests.faults.filling import Filled
from tests.installations import Running, temporary_installation

pytestmark = pytest.mark.verification


@pytest.fixture
def running(small_model: Path) -> Iterator[Running]:
    with temporary_installation() as installation:
        shutil.copytree(small_model, installation.environment.bundled_model_folder, dirs_exist_ok=True)
        started = Running(installation)
        yield started
        started.stop()


def test_cleaner_labels_of_support_messages_help(running: Running) -> None:
    filled = Filled(**json.loads(running.installation.run_module("tests.faults.filling", "1", "1", "1")))
    script = REPOSITORY / "docs/examples/support_sentiment.py"
    done = subprocess.run(
        [sys.executable, script, running.home.bind.url, filled.project, filled.token, "--seed", "3"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    found = {kind: int(rows) for rows, kind in re.findall(r"^ +(\d+) (\w+)$", done.stdout, re.MULTILINE)}
    assert found == {"exact_duplicate": 13, "broken_answer": 12, "label_issue": 36}
    scores = re.findall(r"v(\d), seed \d: macro F1 ([\d.]+), (\d+) of 36", done.stdout)
    raw, cleaned = ([float(score) for version, score, _ in scores if version == number] for number in "12")
    assert len(raw) == len(cleaned) == 2 and min(cleaned) >= 0.9 and max(raw) <= max(cleaned)
    assert all(unparsed == "0" for version, _, unparsed in scores if version == "2")
