"""Replays weeks of events from a file through the production code: received, counted, sampled, reviewed with
the file's scores, evaluated and checked for alerts.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from django.utils import timezone

from evalapp.accounts.models import Project, Role, User
from evalapp.accounts.services import add_member
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Campaign, CampaignReviewer, ItemOutput
from evalapp.core.errors import InvalidError
from evalapp.decisions.services import set_up_project
from evalapp.demo.submitting import submit_simulated
from evalapp.monitoring.daily.counting import count_batch
from evalapp.monitoring.evaluation import evaluate
from evalapp.monitoring.events.reading import events_of_request
from evalapp.monitoring.events.storage import store_new_events
from evalapp.monitoring.models import WEEK, Stream, WeeklySample
from evalapp.monitoring.services import StreamPlan, create_stream, pause_stream
from evalapp.monitoring.weeks import replay_next_week
from evalapp.reviews.answers import ReviewAnswers
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.services import create_rubric, save_version

SCORES = "scores"
"""Field of a row with the scores that a review would give: criterion → whole number, or true for an error."""
MOST_WEEKS = 26
REVIEWER = "replayed-scores@simulated.invalid"


class ReplayedEvents(NamedTuple):
    """Events of a file: ``rows`` as they would be sent, by time; ``scores`` by event id."""

    rows: Sequence[Mapping[str, Any]]
    scores: Mapping[str, Mapping[str, int | bool]]
    begins_at: dt.datetime
    weeks: int


def read_events(path: Path) -> ReplayedEvents:
    """Read JSON Lines of events with an id, a time and `SCORES`. Times are shifted so that the last week ends
    at the beginning of today. Raises InvalidError naming the invalid row.
    """
    rows, scores = [], {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        row = _row(number, line)
        rows.append(row)
        scores[str(row["id"])] = row.pop(SCORES)
    if not rows:
        raise InvalidError(f"{path.name} has no events.")
    rows.sort(key=lambda row: row["time"])
    weeks = min(MOST_WEEKS, 1 + (rows[-1]["time"] - rows[0]["time"]) // WEEK)
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    begins_at = today - weeks * WEEK
    moved = begins_at - rows[0]["time"]
    placed = [{**row, "time": (row["time"] + moved).isoformat()} for row in rows]
    return ReplayedEvents(placed, scores, begins_at, weeks)


def _row(number: int, line: str) -> dict[str, Any]:
    try:
        row = dict(json.loads(line))
        at = dt.datetime.fromisoformat(row["time"])
        are_scores = {isinstance(each, int) for each in row[SCORES].values()} == {True}
    except KeyError as error:
        raise InvalidError(
            f"Row {number} has no {error}: an event has “id”, “time” and “{SCORES}”."
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidError(f"Row {number} cannot be read: {error}.") from error
    if not are_scores or not row.get("id"):
        raise InvalidError(
            f"Row {number} needs an id, and “{SCORES}” of whole numbers, or true or false by criterion."
        )
    return {**row, "time": at if at.tzinfo else at.replace(tzinfo=dt.UTC)}


def open_replay(name: str, events: ReplayedEvents, *, reviewed_a_week: int, by: User) -> Stream:
    """Create a demonstration project, because the reviews are simulated, with a rubric for the file's scores
    and a paused stream that has received the events.
    """
    project = set_up_project(
        name=name,
        description="Replayed from a file; its reviews are simulated.",
        by=by,
        is_demonstration=True,
    )
    reviewer, _ = User.objects.get_or_create(
        email=REVIEWER, defaults={"name": "Replayed scores", "is_simulated": True, "is_active": False}
    )
    add_member(project=project, user=reviewer, role=Role.REVIEWER, by=None)
    rubric = _rubric(project, events, by)
    errors = [each.key for each in rubric.criteria.all() if each.rules.finds_errors]
    stream = create_stream(
        project=project,
        plan=StreamPlan(
            name="Replay",
            rubric_version=rubric,
            reviewers=[reviewer],
            outputs_per_week=reviewed_a_week,
            error_criterion=errors[0] if errors else "",
            baseline_weeks=8,
            next_sample_at=events.begins_at + WEEK,
            follows_champion=False,
            seed=0,
        ),
        site="",
        by=by,
    )
    # Paused, so that the scheduler does not process it.
    pause_stream(stream=stream, by=by)
    taken = store_new_events(stream=stream, rows=events_of_request(events.rows))
    if taken.refused:
        refused = taken.refused[0]
        raise InvalidError(f"“{refused.external_id}” cannot be taken: {' '.join(map(str, refused.problems))}")
    while count_batch(stream):
        pass
    return stream


def _rubric(project: Project, events: ReplayedEvents, by: User) -> RubricVersion:
    """A yes/no criterion for each boolean score, a scale for each number."""
    values: dict[str, set[int | bool]] = {}
    for scores in events.scores.values():
        for key, value in scores.items():
            values.setdefault(key, set()).add(value)
    drafts = [
        CriterionDraft(
            key, kind="yes_no", minimum=0, maximum=1, undesired=1, is_critical=True, low_threshold=None
        )
        if all(isinstance(each, bool) for each in found)
        else CriterionDraft(key, minimum=min(1, *found), maximum=max(5, *found), is_required=False)
        for key, found in values.items()
    ]
    return save_version(rubric=create_rubric(project=project, name="Scores", by=by), criteria=drafts, by=by)


def play_weeks(stream: Stream, events: ReplayedEvents) -> Iterator[WeeklySample]:
    """Sample, review and evaluate each week, then yield it."""
    keys = {each.name: each.key for each in stream.rubric_version.criteria.all()}
    scores = {
        external_id: {keys[name]: int(value) for name, value in said.items()}
        for external_id, said in events.scores.items()
    }
    for _ in range(events.weeks):
        week = replay_next_week(stream)
        if week.campaign is not None:
            _review(week.campaign, scores)
            evaluate(week)
        yield week


def _review(campaign: Campaign, scores: Mapping[str, Mapping[str, int]]) -> None:
    reviewers = CampaignReviewer.objects.filter(campaign=campaign).select_related(
        "campaign__project", "campaign__rubric_version", "user"
    )
    for campaign_reviewer in reviewers:
        while isinstance(upcoming := next_review(campaign_reviewer=campaign_reviewer), NextReview):
            entry = ItemOutput.objects.select_related("output__example").get(pk=upcoming.subject_id)
            said = scores[entry.output.example.provenance["external_id"]]
            submit_simulated(
                upcoming, campaign_reviewer, text=entry.output.text, answers=ReviewAnswers(scores=dict(said))
            )
