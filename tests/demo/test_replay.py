"""Past weeks of a file are played through monitoring."""

import datetime as dt
import io
import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from evalapp.accounts.models import Project, User
from evalapp.monitoring.models import Stream

pytestmark = pytest.mark.django_db

WEEKS, A_WEEK, WORSE_FROM = 12, 40, 10


@pytest.fixture
def weeks_file(tmp_path: Path) -> Path:
    """Tone falls by a point and a half with the tenth week."""
    random = np.random.default_rng(4)
    begin = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    rows = []
    for number in range(WEEKS * A_WEEK):
        week = 1 + number // A_WEEK
        level = 4.4 if week < WORSE_FROM else 2.9
        rows.append(
            {
                "id": f"e-{number}",
                "time": (begin + dt.timedelta(weeks=number / A_WEEK)).isoformat(),
                "prompt": f"May I move {number}% into bonds?",
                "output": f"Yes, {number}% is fine.",
                "scores": {
                    "Tone": int(np.clip(round(level + random.normal(0, 0.6)), 1, 5)),
                    "Wrong fact": bool(random.random() < 0.05),
                },
            }
        )
    file = tmp_path / "letters.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return file


def test_the_weeks_of_a_file_are_played_as_production_does(
    project: Project, owner: User, weeks_file: Path
) -> None:
    said = io.StringIO()
    call_command("replay", str(weeks_file), "--reviewed-a-week", "36", stdout=said)
    stream = Stream.objects.get(name="Replay")
    assert (stream.project.name, stream.project.is_demonstration) == ("Replay: letters", True)
    lines = said.getvalue().splitlines()
    weeks = [line for line in lines if line.startswith("Week ")]
    assert len(weeks) == WEEKS and "Tone" in weeks[0] and "Wrong fact" in weeks[0]
    alert = stream.alerts.order_by("pk")[0]
    assert (alert.criterion_key, alert.weekly_sample.number) == ("tone", WORSE_FROM)
    assert f"    ALERT {alert.message}" in lines
    told = next(
        line for line in lines if line.startswith(f"    CAUSE of Tone since week {WORSE_FROM}: Model. ")
    )
    assert told.endswith(stream.alerts.get(criterion_key="tone", kind=alert.kind).cause_reason)
    assert lines[-1] == f"See /projects/{stream.project.slug}/monitor/{stream.pk}/"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Row 1 cannot be read"),
        ("[]", "Row 1 has no 'time'"),
        ('{"id": "a", "time": "2024-01-01"}', "Row 1 has no 'scores'"),
        ('{"id": "a", "time": "2024-01-01", "scores": {"tone": "good"}}', "whole numbers"),
        ('{"id": "a", "time": "yesterday", "scores": {"tone": 1}}', "Row 1 cannot be read"),
        ("", "has no events"),
    ],
)
def test_a_row_that_cannot_be_played_is_named(
    project: Project, tmp_path: Path, line: str, words: str
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(CommandError, match=words):
        call_command("replay", str(file))
    assert not Project.objects.filter(name__startswith="Replay").exists()
