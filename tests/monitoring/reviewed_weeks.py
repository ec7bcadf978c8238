"""Twelve weeks of a stream, reviewed by people whose scores follow a plan."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.monitoring.evaluation import evaluate
from evalapp.monitoring.models import WEEK, Stream
from evalapp.monitoring.weeks import open_due_weeks
from tests.factories import answers, review_all
from tests.monitoring.making import HOUR, campaign_of, carry_out, make_stream, rows_of, send

WEEKS, FROM = 12, 9

Shift = Callable[[int, int], float]
"""Points of score by week and place of the reviewer."""


def model_worse(week: int, reviewer: int) -> float:
    return -1.2 if week >= FROM else 0.0


def nobody(week: int, reviewer: int) -> float:
    return 0.0


def first_harsher(week: int, reviewer: int) -> float:
    return -1.6 if week >= FROM and reviewer == 0 else 0.0


class Watched(NamedTuple):
    """``quality``: of each output that was drawn, which it keeps."""

    stream: Stream
    people: list[User]
    quality: dict[str, float]


def watch(project: Project, people: list[User]) -> Watched:
    """Twelve weeks of 24 outputs, of which 20 are to be reviewed."""
    begin = timezone.now() - WEEKS * WEEK - HOUR
    stream = make_stream(
        project,
        people,
        outputs_per_week=20,
        overlap=len(people),
        baseline_weeks=8,
        next_sample_at=begin + WEEK,
    )
    for number in range(WEEKS):
        send(stream, rows_of(24, begin + number * WEEK + HOUR, first=1 + 100 * number))
    assert open_due_weeks() == WEEKS
    return Watched(stream, people, {})


def review_weeks(
    watched: Watched, numbers: Iterable[int], *, of_model: Shift, of_reviewers: Shift, seed: int
) -> None:
    """Each review adds chance."""
    random = np.random.default_rng(seed)
    stream = watched.stream
    for number in numbers:
        week = carry_out(stream.weekly_samples.get(number=number))
        by_row = {
            sample.output.example.row_number: watched.quality.setdefault(
                sample.key.external_id,
                4.0 + random.normal(0, 0.5) + of_model(number, 0),
            )
            for sample in week.samples.select_related("key", "output__example").order_by("pk")
        }
        for place, person in enumerate(watched.people):
            said = {
                (stream.candidate.label, row): answers(
                    tone=int(
                        np.clip(round(level + of_reviewers(number, place) + random.normal(0, 0.5)), 1, 5)
                    )
                )
                for row, level in by_row.items()
            }
            review_all(campaign_of(week), person, said)
        assert evaluate(week)
