"""Real rows for tests, created by the services: versions, outputs, reviewed campaigns."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Assignment, Campaign, CampaignReviewer, ItemOutput
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.exports.models import Export
from evalapp.exports.services import propose_rows
from evalapp.jobs.models import Job, JobState
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.registry.services import register_imported
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Flag, Review
from evalapp.reviews.queries import (
    ReviewContext,
    campaign_reviewer_after_submission,
    campaign_reviewer_for,
    review_context_at,
)
from evalapp.reviews.services import SubmitResult, submit_at
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.services import create_rubric, save_version
from evalapp.rubrics.templates.summaries import SUMMARIES
from evalapp.runs.models import Output, Run, RunCandidate, RunKind
from evalapp.scoring.services import start_scoring
from evalapp.scoring.tasks import score_run
from evalapp.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent

SCALES = ("accuracy", "clarity", "tone", "personalization")
YES_NO = "material-factual-error"


def example_row(number: int, *, split: str = "feedback", **fields: Any) -> ExampleRow:
    return ExampleRow(
        split=split,
        messages=[{"role": "user", "content": f"Summarise portfolio {number}."}],
        references=[f"Portfolio {number} holds 60% shares and pays {number}% a year."],
        context=f"Portfolio {number}: 60% shares, yield {number}%.",
        **fields,
    )


def make_version(
    project: Project,
    *,
    rows: int = 4,
    split: str = "feedback",
    train: int = 2,
    name: str = "Clients",
    first_row: int = 1,
    metadata: Callable[[int], Mapping[str, Any]] = lambda number: {},
    group: Callable[[int], str] = lambda number: "",
) -> DatasetVersion:
    """``rows`` examples of a split under review, then ``train`` training rows.

    ``metadata`` and ``group``: of a row under review, by its number.
    """
    numbers = range(first_row, first_row + rows)
    examples = [example_row(n, split=split, metadata=metadata(n), group_key=group(n)) for n in numbers]
    examples += [example_row(1000 + n, split="train") for n in range(train)]
    dataset = create_dataset(project=project, name=name, by=None)
    return create_version(dataset=dataset, rows=iter(examples), by=None)


def make_candidates(project: Project, labels: Sequence[str]) -> list[ModelVersion]:
    return [register_imported(project=project, label=label, by=None) for label in labels]


def make_outputs(
    version: DatasetVersion, candidates: Mapping[ModelVersion, str], *, split: str = "feedback"
) -> Run:
    """A finished import with one output of each candidate for each example of the split.

    The mapping gives each candidate's text, in which ``{n}`` is replaced by the row number.
    """
    project = version.dataset.project
    job = Job.objects.create(
        project=project,
        task="evalapp.runs.tasks.import_outputs",
        title="Answers",
        state=JobState.SUCCEEDED,
        finished_at=timezone.now(),
    )
    run = Run.objects.create(
        project=project, kind=RunKind.IMPORT, name="Answers", job=job, dataset_version=version, splits=[split]
    )
    for position, (candidate, text) in enumerate(candidates.items()):
        RunCandidate.objects.create(run=run, model_version=candidate, key=f"candidate-{position}")
        Output.objects.bulk_create(
            Output(
                run=run,
                example=example,
                candidate=candidate,
                text=text.replace("{n}", str(example.row_number)),
            )
            for example in version.examples.filter(split=split).order_by("row_number")
        )
    return run


def make_rubric(project: Project, name: str = "House rubric") -> RubricVersion:
    """Accuracy, clarity, tone and personalization on 1–5 or N/A, and a critical yes/no."""
    rubric = create_rubric(project=project, name=name, by=None)
    criteria = [replace(draft, allows_not_applicable=draft.rules.has_mean) for draft in SUMMARIES.criteria]
    return save_version(rubric=rubric, criteria=criteria, by=None)


GOOD = "Portfolio {n} holds 60% shares and pays {n}% a year."
PLAIN = "You own portfolio {n}. Next step: call us."


def make_campaign(
    project: Project,
    reviewers: Sequence[User],
    *,
    rows: int = 4,
    texts: Mapping[str, str] | None = None,
    split: str = "feedback",
    name: str = "Spring round",
    rubric_version: RubricVersion | None = None,
    rows_have: Mapping[str, Any] | None = None,
    **options: Any,
) -> Campaign:
    """An open campaign; every reviewer rates every item. ``texts``: label → output of each candidate.
    ``rows_have``: `metadata` and `group` for `make_version`.
    """
    texts = texts or {"formal": GOOD, "plain": PLAIN}
    version = make_version(project, rows=rows, split=split, name=f"Clients of {name}", **(rows_have or {}))
    candidates = dict(zip(make_candidates(project, list(texts)), texts.values(), strict=True))
    make_outputs(version, candidates, split=split)
    campaign = create_campaign(
        project=project,
        design=CampaignDesign(
            name=name,
            rubric_version=rubric_version or make_rubric(project, f"Rubric of {name}"),
            dataset_version=version,
            split=split,
            candidates=list(candidates),
            overlap=len(reviewers),
            reviewers=reviewers,
            **options,
        ),
        by=project.created_by,
    )
    return open_campaign(campaign=campaign, by=project.created_by)


def answers(error: int = 0, **scores: int | str) -> ReviewAnswers:
    """Answers to the rubric of `make_rubric`; scales without a value get 4."""
    given = {key: scores.get(key, 4) for key in SCALES}
    return ReviewAnswers(scores={**given, YES_NO: error})


def walk(campaign: Campaign, reviewer: User) -> Iterator[tuple[Assignment, ItemOutput]]:
    """Each assignment and output offered to the reviewer; submit it before requesting the next."""
    entries: dict[int, ItemOutput] = {}
    while True:
        campaign_reviewer = CampaignReviewer.objects.select_related("campaign").get(
            campaign=campaign, user=reviewer
        )
        # Objects that reviews do not change are read once.
        campaign_reviewer.user = reviewer
        campaign_reviewer.campaign.project = campaign.project
        campaign_reviewer.campaign.rubric_version = campaign.rubric_version
        offered = next_review(campaign_reviewer=campaign_reviewer)
        if not isinstance(offered, NextReview):
            return
        assignment = Assignment.objects.get(pk=offered.assignment.id)
        assignment.campaign = campaign_reviewer.campaign
        if offered.subject_id not in entries:
            entries = ItemOutput.objects.select_related(
                "candidate__model_version", "item__example", "output"
            ).in_bulk(list(ItemOutput.objects.filter(item__campaign=campaign).values_list("pk", flat=True)))
        yield assignment, entries[offered.subject_id]


def offered(campaign: Campaign, reviewer: User, most: int = 1_000_000) -> Iterator[NextReview]:
    """Each task offered to the reviewer, by the review pages' queries, which are faster than reading whole
    rows; submit it before requesting the next.
    """
    campaign_reviewer = campaign_reviewer_for(reviewer, campaign.key)
    for _ in range(most):
        found = next_review(campaign_reviewer=campaign_reviewer)
        if not isinstance(found, NextReview):
            return
        yield found
        campaign_reviewer = campaign_reviewer_after_submission(campaign_reviewer)


Said = Any
"""(label, row number) → answers; or label → answers for every row."""


def review_all(
    campaign: Campaign, reviewer: User, said: Mapping[Said, ReviewAnswers], **options: Any
) -> list[Review]:
    """Let a reviewer rate everything offered; outputs missing in ``said`` get 4 on every scale."""
    reviews = []
    outputs = ItemOutput.objects.filter(item__campaign=campaign)
    named = {
        pk: (label, row)
        for pk, label, row in outputs.values_list(
            "pk", "candidate__model_version__label", "item__example__row_number"
        )
    }
    for found in offered(campaign, reviewer):
        label, row = named[found.subject_id]
        result = submit_at(
            review_context=review_context_at(reviewer, found.assignment.key, found.slot),
            client_id=uuid.uuid4(),
            answers=said.get((label, row)) or said.get(label) or answers(),
            **{"is_simulated": reviewer.is_simulated, **options},
        )
        reviews.append(result.review)
    return reviews


def submit_review(
    *, reviewer: User, assignment: Assignment, item_output: ItemOutput, **given: Any
) -> SubmitResult:
    """Rate one output of an assignment that the reviewer has claimed."""
    slot = assignment.outputs_order.index(item_output.pk)
    campaign_reviewer = campaign_reviewer_for(reviewer, assignment.campaign.key)
    return submit_at(
        review_context=ReviewContext(assignment, slot, campaign_reviewer),
        **{"is_simulated": reviewer.is_simulated, **given},
    )


def run_scoring(campaign: Campaign) -> Run:
    """Score the run of the campaign's outputs, as the worker would."""
    run = Run.objects.filter(outputs__item_outputs__item__campaign=campaign).distinct().get()
    job = start_scoring(run=run, by=None)
    score_run(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.error
    return run


def make_webhook(project: Project) -> WebhookEndpoint:
    """An endpoint with a delivery that succeeded and one that failed once."""
    endpoint = WebhookEndpoint.objects.create(
        project=project,
        url="https://hooks.example/evalapp",
        site="https://evalapp.example",
        events=WebhookEvent.values,
        secret_salt="salt",
        failures_in_row=1,
        failing_since=timezone.now(),
    )
    arrived = WebhookDelivery.objects.create(
        endpoint=endpoint, event="test", state="delivered", attempts=1, delivered_at=timezone.now(), body="{}"
    )
    WebhookAttempt.objects.create(delivery=arrived, status=200, answer="thanks", seconds=0.12)
    failed = WebhookDelivery.objects.create(
        endpoint=endpoint,
        event="campaign.completed",
        attempts=1,
        next_attempt_at=timezone.now() + dt.timedelta(minutes=1),
        body='{"event": "campaign.completed", "project": {"slug": "summaries", "name": "Summaries"}}',
    )
    WebhookAttempt.objects.create(
        delivery=failed,
        status=500,
        answer="Internal error",
        problem="Answered 500; only 200 to 299 confirm it",
        seconds=1.5,
    )
    return endpoint


def make_proposed_rows(campaign: Campaign, by: User) -> Export:
    before = campaign.project.exports.count()
    return propose_rows(
        campaign=campaign, by=by, name=f"Corrections {before + 1}" if before else "Corrections"
    )


def make_flag(campaign: Campaign, by: User, note: str = "The facts are of another client.") -> Flag:
    return Flag.objects.create(campaign=campaign, item=campaign.items.first(), reviewer=by, note=note)


def make_adapter(
    project: Project, label: str, *, dataset_version: DatasetVersion, parent: ModelVersion | None = None
) -> ModelVersion:
    """An adapter as after a finished training: registered, and referred to by its run."""
    base = ModelVersion.objects.filter(project=project, kind=ModelKind.BASE).first()
    base = base or ModelVersion.objects.create(
        project=project, kind=ModelKind.BASE, model=project.models.create(name="Base"), number=1, label="Base"
    )
    number = base.model.versions.count() + 1
    adapter = ModelVersion.objects.create(
        model=base.model,
        project=project,
        number=number,
        label=label,
        kind=ModelKind.LORA,
        base=base,
        parent=parent,
    )
    job = Job.objects.create(
        project=project,
        task="evalapp.runs.tasks.train",
        title=label,
        state=JobState.SUCCEEDED,
        finished_at=timezone.now(),
    )
    Run.objects.create(
        project=project,
        kind=RunKind.TRAINING,
        name=label,
        job=job,
        dataset_version=dataset_version,
        base=base,
        continued_from=parent,
        produced=adapter,
    )
    return adapter


def corrected(said: ReviewAnswers, text: str, comment: str = "") -> ReviewAnswers:
    """The same answers with a correction."""
    return replace(said, correction=text, comment=comment)


def tagged(said: ReviewAnswers, **tags: Sequence[str]) -> ReviewAnswers:
    """The same answers with reasons: criterion → keys of its tags."""
    return replace(said, tags=tags)
