"""One row of every kind for comparisons, for the access matrix."""

import datetime as dt
import uuid
from types import SimpleNamespace

from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.adjudication.models import (
    ComparisonAdjudication,
    ComparisonAdjudicationRevision,
    DiscussionMessage,
)
from evalapp.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    CampaignCandidate,
    CampaignReviewer,
    Comparison,
    Item,
    ItemOutput,
)
from evalapp.reviews.models import ChangeRequest, Draft, Review, ReviewRevision
from evalapp.reviews.preferences.models import GoldPreference, Preference


def add_pairs(world: SimpleNamespace) -> None:
    """A campaign that compares the same two outputs; one comparison is in progress, one is reviewed."""
    world.pairs = Campaign.objects.create(
        project=world.project,
        name="Pairs",
        rubric_version=world.rubric_version,
        dataset_version=world.dataset_version,
        split="feedback",
        method="pairwise",
        state="open",
        opened_at=timezone.now(),
        overlap=1,
        calibration_items=1,
        items_total=1,
        reviews_total=2,
    )
    item = Item.objects.create(campaign=world.pairs, example=world.example)
    outputs = []
    for candidate in world.campaign.candidates.select_related("model_version"):
        entry = CampaignCandidate.objects.create(
            campaign=world.pairs, model_version=candidate.model_version, position=candidate.position
        )
        output = candidate.outputs.get().output
        outputs.append(ItemOutput.objects.create(item=item, output=output, candidate=entry).pk)
    CampaignReviewer.objects.create(
        campaign=world.pairs, user=world.user, reviews_done=1, admitted_at=timezone.now()
    )
    judged = Comparison.objects.create(item=item, number=0, outputs=outputs)
    held = Comparison.objects.create(item=item, number=1, outputs=outputs)
    world.pair_assignment = Assignment.objects.create(
        item=item,
        campaign=world.pairs,
        number=1,
        rank=0,
        state=AssignmentState.IN_PROGRESS,
        reviewer=world.user,
        lease_expires_at=timezone.now() + dt.timedelta(minutes=30),
        outputs_order=[held.pk, judged.pk],
        open_slots=[0],
        outputs_total=2,
        reviews_done=1,
    )
    Draft.objects.create(campaign=world.pairs, reviewer=world.user, comparison=held, outputs=outputs, body={})
    review = Review.objects.create(
        campaign=world.pairs,
        assignment=world.pair_assignment,
        comparison=judged,
        reviewer=world.user,
        client_id=uuid.uuid4(),
        body_hash="0" * 64,
    )
    Preference.objects.create(review=review, outputs=outputs, choice="a")
    ReviewRevision.objects.create(review=review, revision=1, body={})
    world.pair_review = review
    world.comparison = judged
    _add_disputes(world)


def _add_disputes(world: SimpleNamespace) -> None:
    """Change requests, decisions, discussions and gold for the reviewed comparison."""
    review, judged, outputs = world.pair_review, world.comparison, world.pair_review.preference.outputs
    sender = User.objects.create_user(f"{uuid.uuid4().hex}@cast.example", name="Sender")
    world.pair_change_request = ChangeRequest.objects.create(
        review=review, revision=1, reason="Look at the second again.", requested_by=sender
    )
    decision = {"reason": "Clearer.", "decided_by": sender, "decided_at": timezone.now()}
    said = {"outputs": outputs, "choice": "b", **decision}
    world.adjudication = ComparisonAdjudication.objects.create(
        campaign=world.pairs, comparison=judged, revision=2, **said
    )
    ComparisonAdjudicationRevision.objects.create(adjudication=world.adjudication, revision=1, **said)
    DiscussionMessage.objects.create(
        campaign=world.pairs, comparison=judged, author=sender, text="Why the first?"
    )
    first, second = world.pairs.candidates.order_by("position")
    world.gold_preference = GoldPreference.objects.create(
        campaign=world.pairs,
        example=world.example,
        candidate=first.model_version,
        against=second.model_version,
    )
