"""One row of every kind in a project, so that every URL of the access matrix can be requested.

A package that adds a model adds its row to `make_world`, and the name of the URL argument for it to
tests/access_urls.py.
"""

import datetime as dt
import uuid
from types import SimpleNamespace
from typing import Any

from django.db.models import Model
from django.utils import timezone

from evalapp.accounts.models import ApiToken, Invitation, Project, User
from evalapp.adjudication.models import Adjudication, AdjudicationRevision, Appeal, DiscussionMessage
from evalapp.analysis.models import StoredAnalysis
from evalapp.campaigns.models import (
    Assignment,
    AssignmentState,
    CalibrationNote,
    Campaign,
    CampaignCandidate,
    CampaignReviewer,
    GoldAnswer,
    Item,
    ItemOutput,
    Skip,
)
from evalapp.curation.models import DatasetDraft, Finding, HealthCheck, RowEdit
from evalapp.data_protection.models import Erasure
from evalapp.datasets.models import (
    Dataset,
    DatasetImport,
    DatasetRecipe,
    DatasetVersion,
    Example,
    RecipeVersion,
    RowText,
    VaultEntry,
)
from evalapp.datasets.recipes.settings import RecipeSettings, Source
from evalapp.datasets.vault import sealed_originals
from evalapp.decisions.models import Decision, SavedView
from evalapp.demo.models import Demonstration, Track
from evalapp.exports.models import Export, ExportRow
from evalapp.gates.models import CampaignGate, Gate, GateEvaluation, Ledger, TrainingDataAttestation
from evalapp.jobs.models import Job, JobEvent, JobState
from evalapp.ratings.models import RatingsImport, RatingsProblem, RecordedReviewer
from evalapp.registry.models import MachinePrice, ModelVersion, TokenPrice
from evalapp.reports.models import Report
from evalapp.reviews.models import (
    ChangeRequest,
    ClosingAnswer,
    Correction,
    Draft,
    Flag,
    Review,
    ReviewRevision,
    ReviewTag,
    Score,
    SpanAnswer,
    TextAnswer,
)
from evalapp.rubrics.models import Criterion, ReasonTag, Rubric, RubricVersion
from evalapp.runs.models import (
    Output,
)
from evalapp.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.access_models import add_models
from tests.access_pairs import add_pairs
from tests.access_streams import add_streams
from tests.kept_cast import again

DIGEST = "0" * 64


def make_world(project: Project, *, reviewer: User) -> SimpleNamespace:
    """A row of every kind, related as in the product; ``reviewer`` has claimed the assignment."""
    world = SimpleNamespace(project=project, user=reviewer, membership=project.memberships.latest("id"))
    _people(world)
    _data(world)
    add_models(world)
    _campaign(world)
    _reviews(world)
    _disputes(world)
    add_pairs(world)
    _results(world)
    _webhooks(world)
    _ratings(world)
    add_streams(world)
    return world


def world_again(world: SimpleNamespace) -> SimpleNamespace:
    """A world that was created once for a file, with every row read anew for a test."""

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return [read(each) for each in value]
        return again(value) if isinstance(value, Model) else value

    return SimpleNamespace(**{name: read(value) for name, value in vars(world).items()})


def _people(world: SimpleNamespace) -> None:
    world.invitation = Invitation.objects.create(
        project=world.project,
        email="new@cast.example",
        role="reviewer",
        token_hash=uuid.uuid4().hex,
        expires_at=timezone.now() + dt.timedelta(days=1),
    )
    world.token = ApiToken.objects.create(
        user=world.user, name="t", prefix="eva_", token_hash=uuid.uuid4().hex
    )


def _data(world: SimpleNamespace) -> None:
    project = world.project
    world.job = Job.objects.create(
        project=project,
        task="evalapp.tests.none",
        title="A job",
        state=JobState.SUCCEEDED,
        finished_at=timezone.now(),
    )
    JobEvent.objects.create(job=world.job, text="a line")
    Demonstration.objects.create(project=project, track=Track.RECORDED)
    world.dataset = Dataset.objects.create(project=project, name="Clients")
    world.dataset_version = DatasetVersion.objects.create(
        dataset=world.dataset, number=1, content_hash=DIGEST, counts={"feedback": 1}
    )
    world.example = Example.objects.create(
        version=world.dataset_version,
        row_number=1,
        row_key=1,
        split="feedback",
        messages=[{"role": "user", "content": "Summarise."}],
        references=["A reference."],
        prompt_hash=DIGEST,
        content_hash=DIGEST,
    )
    # A ready version accepts no more rows, so it becomes ready afterwards.
    DatasetVersion.objects.filter(pk=world.dataset_version.pk).update(state="ready")
    RowText.objects.create(example=world.example, words="summarise")
    check = HealthCheck.objects.create(version=world.dataset_version, checked_at=timezone.now())
    Finding.objects.create(
        health_check=check, kind="personal_data", example=world.example, evidence="Name.", proposal="mask"
    )
    settings = RecipeSettings([Source(world.dataset.pk)]).as_json()
    world.dataset_recipe = DatasetRecipe.objects.create(
        dataset=world.dataset, name="Everything", settings=settings
    )
    RecipeVersion.objects.create(
        version=world.dataset_version, recipe=world.dataset_recipe, settings=settings, sources=[]
    )
    world.erasure = Erasure.objects.create(
        project=world.project, state="done", reason="A request", erased_at=timezone.now()
    )
    originals = sealed_originals(world.project.pk, {"⟨NAME 1⟩": ["Ada Quill"]})
    VaultEntry.objects.create(project=world.project, token=uuid.uuid4(), sealed=originals)
    world.dataset_draft = DatasetDraft.objects.create(base=world.dataset_version)
    RowEdit.objects.create(draft=world.dataset_draft, example=world.example, operation="drop")
    world.dataset_import = DatasetImport.objects.create(
        dataset=world.dataset,
        file_name="rows.jsonl",
        stored_name=uuid.uuid4().hex,
        size_bytes=1,
        job=world.job,
        version=world.dataset_version,
    )
    world.rubric = Rubric.objects.create(project=project, name="Rubric")
    world.rubric_version = RubricVersion.objects.create(rubric=world.rubric, number=1)
    RubricVersion.objects.create(rubric=world.rubric, number=2)
    world.criterion = Criterion.objects.create(
        version=world.rubric_version, position=0, key="tone", name="Tone", kind="scale"
    )
    world.reason_tag = ReasonTag.objects.create(
        criterion=world.criterion, position=0, key="formal", label="Formal"
    )


def _campaign(world: SimpleNamespace) -> None:
    world.campaign = Campaign.objects.create(
        project=world.project,
        name="Campaign",
        rubric_version=world.rubric_version,
        dataset_version=world.dataset_version,
        split="feedback",
        state="open",
        opened_at=timezone.now(),
        overlap=1,
        calibration_items=1,
        items_total=1,
        assignments_total=1,
        reviews_total=2,
    )
    candidate = CampaignCandidate.objects.create(
        campaign=world.campaign, model_version=world.model_version, position=0
    )
    second_version = ModelVersion.objects.create(
        model=world.model, project=world.project, number=2, label="Others", kind="imported"
    )
    second = CampaignCandidate.objects.create(
        campaign=world.campaign, model_version=second_version, position=1
    )
    second_output = Output.objects.create(
        run=world.run, example=world.example, candidate=second_version, text="Another answer."
    )
    world.campaign_reviewer = CampaignReviewer.objects.create(
        campaign=world.campaign, user=world.user, admitted_at=timezone.now()
    )
    world.item = Item.objects.create(campaign=world.campaign, example=world.example)
    world.item_output = ItemOutput.objects.create(item=world.item, output=world.output, candidate=candidate)
    other = ItemOutput.objects.create(item=world.item, output=second_output, candidate=second)
    world.assignment = Assignment.objects.create(
        item=world.item,
        campaign=world.campaign,
        number=1,
        rank=0,
        state=AssignmentState.IN_PROGRESS,
        reviewer=world.user,
        lease_expires_at=timezone.now() + dt.timedelta(minutes=30),
        outputs_order=[other.pk, world.item_output.pk],
        open_slots=[0],
        outputs_total=2,
        reviews_done=1,
    )
    world.gold_answer = GoldAnswer.objects.create(
        campaign=world.campaign, example=world.example, criterion=world.criterion, value=4
    )
    CalibrationNote.objects.create(item=world.item, author=world.user, text="I see it otherwise.")
    Draft.objects.create(campaign=world.campaign, reviewer=world.user, item_output=other, body={})
    Skip.objects.create(
        campaign=world.campaign, item=world.item, reviewer=world.project.created_by, reason="my own client"
    )


def _reviews(world: SimpleNamespace) -> None:
    world.review = Review.objects.create(
        campaign=world.campaign,
        assignment=world.assignment,
        item_output=world.item_output,
        reviewer=world.user,
        client_id=uuid.uuid4(),
        body_hash=DIGEST,
    )
    Score.objects.create(review=world.review, criterion=world.criterion, value=2, minimum=1, maximum=5)
    ReviewTag.objects.create(review=world.review, tag=world.reason_tag)
    TextAnswer.objects.create(review=world.review, criterion=world.criterion, text="In words.")
    SpanAnswer.objects.create(review=world.review, criterion=world.criterion, label=1, start=0, end=2)
    StoredAnalysis.objects.create(
        campaign=world.campaign,
        kind="comparison",
        reviewer_type="all",
        score_source="original",
        format=1,
        changes=1,
        reviews=1,
        result={},
        computed_at=timezone.now(),
    )
    world.flag = Flag.objects.create(
        campaign=world.campaign, item=world.item, reviewer=world.user, note="The facts are of another client."
    )
    ReviewRevision.objects.create(review=world.review, revision=1, body={})
    Correction.objects.create(review=world.review, text="What should have been said.")
    ClosingAnswer.objects.create(
        campaign=world.campaign, item_output=world.item_output, reviewer=world.user, belief=0
    )


def _disputes(world: SimpleNamespace) -> None:
    # Not one of the reviewers, because nobody decides about their own review.
    decider = User.objects.create_user(f"{uuid.uuid4().hex}@cast.example", name="Adjudicator")
    world.change_request = ChangeRequest.objects.create(
        review=world.review, revision=1, reason="Look at the tone again.", requested_by=decider
    )
    decision = {"reason": "Too formal.", "decided_by": decider, "decided_at": timezone.now()}
    world.adjudication = Adjudication.objects.create(
        campaign=world.campaign,
        item_output=world.item_output,
        criterion=world.criterion,
        value=3,
        minimum=1,
        maximum=5,
        revision=2,
        **decision,
    )
    AdjudicationRevision.objects.create(adjudication=world.adjudication, revision=1, value=2, **decision)
    DiscussionMessage.objects.create(
        campaign=world.campaign, item_output=world.item_output, author=decider, text="Why so low?"
    )
    world.appeal = Appeal.objects.create(
        campaign=world.campaign,
        appellant=world.user,
        change_request=world.change_request,
        decided_by=decider,
        reason="It is right.",
    )


def _results(world: SimpleNamespace) -> None:
    world.export = Export.objects.create(project=world.project, campaign=world.campaign, name="Proposed rows")
    world.export_row = ExportRow.objects.create(
        export=world.export,
        kind="answer",
        example=world.example,
        review=world.review,
        rejected_output=world.output,
        chosen_text="What should have been said.",
        is_included=True,
        reason="a correction",
    )
    world.report = Report.objects.create(project=world.project, campaign=world.campaign)
    _gate(world)
    world.saved_view = SavedView.objects.create(
        project=world.project,
        campaign=world.campaign,
        owner=world.project.created_by,
        name="By criterion",
        query="criterion=tone",
        is_shared=True,
    )
    MachinePrice.objects.create(project=world.project, hour_price=2, currency="EUR")
    world.price = TokenPrice.objects.create(
        project=world.project,
        model_version=world.model_version,
        input_price=1,
        output_price=2,
        currency="EUR",
    )
    world.decision = Decision.objects.create(
        project=world.project,
        campaign=world.campaign,
        candidate=world.model_version,
        verdict="not_yet",
        evaluation=world.evaluation,
        seal=DIGEST,
    )


def _gate(world: SimpleNamespace) -> None:
    condition = {"kind": "floor", "criterion": "tone", "name": "Tone", "threshold": 4.5, "at_most": None}
    world.gate = Gate.objects.create(
        project=world.project,
        rubric=world.rubric,
        name="Release",
        conditions=[condition],
        body_hash=DIGEST,
        frozen_at=timezone.now(),
    )
    campaign_gate = CampaignGate.objects.create(campaign=world.campaign, gate=world.gate, is_exploratory=True)
    Ledger.objects.create(dataset_version=world.dataset_version, split="feedback", alpha=0.05, challengers=5)
    TrainingDataAttestation.objects.create(
        campaign=world.campaign, candidate=world.model_version, statement="Trained on letters of 2023."
    )
    result = {
        "condition": condition,
        "words": "Tone: at least 4.5",
        "state": "undecided",
        "reason": "One reviewer.",
    }
    world.evaluation = GateEvaluation.objects.create(
        campaign_gate=campaign_gate,
        candidate=world.model_version,
        verdict="not_yet",
        level=0.05,
        is_exploratory=True,
        record={
            "results": [{**result, "measure": None, "more_reviews": None}],
            "datasets": [],
            "candidates": [],
            "why_beside_ledger": "the gate was applied after the first review",
            "items": 1,
            "reviewers": 1,
            "reviewers_added_later": 0,
            "reviews": 1,
            "number": None,
            "planned": None,
            "share": None,
            "challenger": None,
        },
        body_hash=DIGEST,
        reviews='{"review":1,"revision":1,"counts":true}',
        reviews_digest=DIGEST,
        evaluated_at=timezone.now(),
    )


def _webhooks(world: SimpleNamespace) -> None:
    world.endpoint = WebhookEndpoint.objects.create(
        project=world.project,
        url="https://hooks.example/evalapp",
        site="http://testserver",
        events=["campaign.completed"],
        secret_salt="salt",
    )
    world.delivery = WebhookDelivery.objects.create(
        endpoint=world.endpoint, event="test", state="delivered", delivered_at=timezone.now()
    )
    WebhookAttempt.objects.create(delivery=world.delivery, status=200)


def _ratings(world: SimpleNamespace) -> None:
    world.ratings_import = RatingsImport.objects.create(
        project=world.project,
        file_name="ratings.csv",
        stored_name=uuid.uuid4().hex,
        size_bytes=1,
        content_hash=DIGEST,
    )
    RatingsProblem.objects.create(
        ratings_import=world.ratings_import, row=2, field="value", problem="9 is outside."
    )
    recorded = User.objects.create_user(f"{uuid.uuid4().hex}@cast.example", name="Somebody", is_active=False)
    RecordedReviewer.objects.create(project=world.project, user=recorded)
