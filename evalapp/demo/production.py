"""Thirteen simulated weeks in production, run by the production code: in one stream the model gets worse and
recovers, in the other a reviewer becomes harsher.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Campaign, CampaignReviewer, ItemOutput
from evalapp.core.errors import MissingError
from evalapp.demo.generator import DemoExample, generate_examples
from evalapp.demo.simulated_reviewers import REVIEWERS, SimulatedReviewer, review
from evalapp.demo.simulation import answers_of
from evalapp.demo.stage_set import email_of, rubric_version, simulated_users
from evalapp.demo.submitting import submit_simulated
from evalapp.jobs.work import Work
from evalapp.monitoring.daily.counting import count_batch
from evalapp.monitoring.deployments.services import record_deployment
from evalapp.monitoring.evaluation import evaluate
from evalapp.monitoring.events.reading import events_of_request
from evalapp.monitoring.events.storage import store_new_events
from evalapp.monitoring.models import WEEK, Stream, WeeklySampleState
from evalapp.monitoring.services import StreamPlan, create_stream, pause_stream, resume_stream
from evalapp.monitoring.weeks import replay_next_week
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import Criterion

WEEKS, CHANGE, BACK = 13, 9, 11
"""The change comes in week 9; the model is rolled back in week 11."""
EVENTS_A_WEEK, REVIEWED_A_WEEK = 44, 40
SEED = 7
_HARSHER = 1.6


class Story(NamedTuple):
    """With ``model_changes``, the model gets worse and recovers; otherwise one reviewer becomes harsher."""

    name: str
    description: str
    model_changes: bool


STORIES = (
    Story(
        "Summaries in production",
        "Simulated: a changed system prompt makes the texts formal from week 9 on; it is rolled back with"
        " week 11.",
        model_changes=True,
    ),
    Story(
        "Letters in production",
        "Simulated: the texts stay as they are; one reviewer becomes harsher from week 9 on.",
        model_changes=False,
    ),
)


def replay_weeks(work: Work) -> dict[str, Any]:
    """Create both streams with their thirteen weeks; existing parts are kept."""
    project = Project.objects.get(pk=work.job.params["project"])
    serving = [
        ModelVersion.objects.filter(project=project, pk=pk).first() for pk in work.job.params["versions"]
    ]
    good, formal = serving
    if good is None or formal is None:
        raise MissingError("The demonstration's models are gone. Start it over.")
    examples = generate_examples(SEED, training=WEEKS * EVENTS_A_WEEK, feedback=0, test=0)
    done = 0
    for story in STORIES:
        stream = _stream(project, story)
        if not stream.event_keys.exists():
            _send(stream, story, examples)
        while count_batch(stream):
            pass
        for number in range(1, WEEKS + 1):
            work.progress(done, len(STORIES) * WEEKS, f"Week {number} of {stream}")
            _deploy(stream, story, number, good, formal)
            _play(stream, story, number, {each.key: each for each in examples})
            done += 1
        stream.refresh_from_db()
        if stream.paused_at is not None:
            resume_stream(stream=stream, by=None)
    return {"weeks": done}


def _stream(project: Project, story: Story) -> Stream:
    stream = Stream.objects.filter(project=project, name=story.name).first()
    if stream is not None:
        return stream
    rubric = rubric_version(project)
    manager = User.objects.get(email=email_of("manager"))
    error = next((each.key for each in rubric.criteria.all() if each.is_critical), "")
    stream = create_stream(
        project=project,
        plan=StreamPlan(
            name=story.name,
            description=story.description,
            rubric_version=rubric,
            reviewers=list(simulated_users().values()),
            outputs_per_week=REVIEWED_A_WEEK,
            stratify_by="segment",
            error_criterion=error,
            thresholds={"tone": 3.5},
            baseline_weeks=8,
            next_sample_at=_first_end(),
            follows_champion=False,
            seed=SEED,
        ),
        site="",
        by=manager,
    )
    # Paused, so that the scheduler does not process it before all weeks are replayed.
    pause_stream(stream=stream, by=manager)
    return stream


def _first_end() -> dt.datetime:
    """End of the first week, such that the last one ends today."""
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return today - (WEEKS - 1) * WEEK


def _is_formal(story: Story, number: int) -> bool:
    return story.model_changes and CHANGE <= number < BACK


def _send(stream: Stream, story: Story, examples: Sequence[DemoExample]) -> None:
    random = Random(SEED)
    rows = []
    for place, example in enumerate(examples):
        number = 1 + place // EVENTS_A_WEEK
        formal = _is_formal(story, number)
        begins_at = stream.next_sample_at + (number - 2) * WEEK
        happened_at = begins_at + WEEK * random.random()
        rows.append(
            {
                "id": example.key,
                "time": happened_at.isoformat(),
                "model": "summaries-v3" if formal else "summaries-v2",
                "messages": example.messages,
                "context": example.context,
                "output": example.formal if formal else example.house_style,
                "fields": example.metadata,
                "assessments": {
                    "latency_seconds": round(random.lognormvariate(0, 0.3), 2),
                    "thumb": random.random() < (0.45 if formal else 0.85),
                },
            }
        )
    store_new_events(stream=stream, rows=events_of_request(rows))


def _deploy(stream: Stream, story: Story, week: int, good: ModelVersion, formal: ModelVersion) -> None:
    """Record the deployments that begin with this week, unless recorded already."""
    plan = [(good, "summaries-v2", 1, "")]
    if story.model_changes:
        plan += [
            (formal, "summaries-v3", CHANGE, "A new system prompt"),
            (good, "summaries-v2", BACK, "Rolled back: tone and personalization fell"),
        ]
    for version, served_as, number, note in plan[stream.deployments.count() :]:
        if number == week:
            stream.refresh_from_db()
            record_deployment(
                stream=stream,
                version=version,
                served_as=served_as,
                started_at=stream.next_sample_at - WEEK,
                note=note,
                by=None,
            )


def _play(stream: Stream, story: Story, number: int, examples: Mapping[str, DemoExample]) -> None:
    """Replay one week: sample, simulated reviews, evaluation."""
    week = stream.weekly_samples.filter(number=number).first() or replay_next_week(stream)
    if week.state != WeeklySampleState.OPEN or week.campaign is None:
        return
    people = [
        replace(each, severity=each.severity - _HARSHER)
        if not story.model_changes and number >= CHANGE and each is REVIEWERS[0]
        else each
        for each in REVIEWERS
    ]
    _review(week.campaign, people, examples)
    evaluate(week)


def _review(
    campaign: Campaign,
    people: Sequence[SimulatedReviewer],
    examples: Mapping[str, DemoExample],
) -> None:
    """Reviewers take turns with one output each, so that all get their part."""
    criteria = list(campaign.rubric_version.criteria.prefetch_related("reason_tags"))
    users = simulated_users()
    named = CampaignReviewer.objects.filter(campaign=campaign).select_related(
        "campaign__project", "campaign__rubric_version", "user"
    )
    reviewers = [(person, named.get(user=users[person.key])) for person in people]
    is_left = True
    while is_left:
        is_left = False
        for person, campaign_reviewer in reviewers:
            upcoming = next_review(campaign_reviewer=campaign_reviewer)
            if isinstance(upcoming, NextReview):
                is_left = True
                _review_one(upcoming, person, campaign_reviewer, criteria, examples)


def _review_one(
    upcoming: NextReview,
    person: SimulatedReviewer,
    campaign_reviewer: CampaignReviewer,
    criteria: list[Criterion],
    examples: Mapping[str, DemoExample],
) -> None:
    entry = ItemOutput.objects.select_related("output__example").get(pk=upcoming.subject_id)
    example = examples[entry.output.example.provenance["external_id"]]
    text = entry.output.text
    # A different seed per campaign, because people do not score the same text identically twice.
    seed = campaign_reviewer.campaign_id
    said = review(person, text, facts=example.facts, reference=example.formal, seed=seed)
    answers = answers_of(replace(said, correction=None), criteria)
    submit_simulated(upcoming, campaign_reviewer, text=text, answers=answers)
