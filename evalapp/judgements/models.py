from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Least

from evalapp.accounts.models import User
from evalapp.campaigns.models import Assignment, Campaign, Comparison, Item, Purpose, purpose_field
from evalapp.core.models import BaseModel
from evalapp.core.simulated_mark import marked
from evalapp.datasets.models import Example
from evalapp.registry.models import ModelVersion
from evalapp.reviews.models import ENDS_ONE_WAY, BaseChangeRequest


class Choice(models.TextChoices):
    """What a reviewer says of two answers; A is the one that stands first."""

    A = "a", "A is better"
    B = "b", "B is better"
    TIE = "tie", "Equally good"
    BOTH_BAD = "both_bad", "Both bad"


class StatedVerdict(BaseModel):
    """What is said of answers that stand side by side.

    ``outputs`` are ItemOutput ids in that order, A first: without them neither ``choice`` nor the effect of
    a position can be told. A pair has a ``choice``; a ranking has ``ranks`` instead, for each of the outputs
    its rank, 1 for the best.
    """

    outputs = ArrayField(models.BigIntegerField())
    choice = models.CharField(max_length=8, choices=Choice.choices, blank=True)
    ranks = ArrayField(models.SmallIntegerField(), null=True, blank=True)

    class Meta:
        abstract = True


CHOICE_OR_RANKS = Q(choice__in=Choice.values, ranks__isnull=True, outputs__len=2) | Q(
    choice="", ranks__len=F("outputs__len"), outputs__len__gte=3
)
"""A verdict on two answers is a choice, one on more is an order of all of them."""
RANKS_ARE_AN_ORDER = (
    Q(ranks__isnull=True)
    | Q(ranks__len=3, ranks__contains=[1, 2, 3])
    | Q(ranks__len=4, ranks__contains=[1, 2, 3, 4])
    | Q(ranks__len=5, ranks__contains=[1, 2, 3, 4, 5])
)
"""Each rank is given once."""


class Judgement(StatedVerdict):
    """What one reviewer said of one comparison; an edit is a new revision of it.

    ``outputs``: as they stood on the reviewer's screen. ``client_id``, ``body_hash``, ``purpose`` and
    ``seconds_active`` are as of a Review.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="judgements")
    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="judgements")
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="judgements")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="judgements")
    client_id = models.UUIDField(unique=True)
    body_hash = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)
    purpose = purpose_field()
    comment = models.TextField(blank=True)
    seconds_active = models.FloatField(default=0)
    is_simulated = models.BooleanField(default=False)
    submitted_at = models.DateTimeField(auto_now_add=True)
    revised_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["assignment", "comparison"], name="judgement_once_per_assignment"
            ),
            models.UniqueConstraint(
                fields=["reviewer", "comparison"],
                condition=~Q(purpose=Purpose.REPEAT),
                name="judgement_once_per_reviewer",
            ),
            models.CheckConstraint(condition=Q(seconds_active__gte=0), name="judgement_time_not_negative"),
            models.CheckConstraint(condition=CHOICE_OR_RANKS, name="judgement_choice_or_ranks"),
            models.CheckConstraint(condition=RANKS_ARE_AN_ORDER, name="judgement_ranks_are_an_order"),
        ]
        indexes = [models.Index(fields=["campaign", "reviewer", "-id"], name="judgement_mine")]

    def __str__(self) -> str:
        return f"judgement {self.pk}"

    @property
    def item(self) -> Item:
        return self.comparison.item

    @property
    def slot(self) -> int:
        """Where at its assignment the comparison was. Reads the assignment."""
        return self.assignment.outputs_order.index(self.comparison_id)


class JudgementRevision(BaseModel):
    """What a judgement said before it was amended."""

    judgement = models.ForeignKey(Judgement, on_delete=models.CASCADE, related_name="revisions")
    revision = models.PositiveIntegerField()
    body = models.JSONField()
    replaced_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["judgement", "revision"], name="judgement_revision_once")
        ]

    def __str__(self) -> str:
        return f"revision {self.revision}"


class JudgementChangeRequest(BaseChangeRequest):
    """A change request to a submitted judgement."""

    about = "judgement"
    path = "comparison__item"
    listed = "My comparisons"
    subject = "comparison"

    judgement = models.ForeignKey(Judgement, on_delete=models.CASCADE, related_name="change_requests")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["judgement"],
                condition=Q(resolved_at__isnull=True),
                name="judgement_change_request_one_open",
            ),
            models.CheckConstraint(condition=ENDS_ONE_WAY, name="judgement_change_request_ends_one_way"),
        ]

    def __str__(self) -> str:
        return f"change request to judgement {self.judgement_id}"


class JudgementDraft(BaseModel):
    """What a reviewer has chosen or typed of a comparison and not submitted; as a Draft of a review.

    ``outputs``: how they stood then. An assignment that is claimed anew may have them the other way round.
    """

    reviewer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="drafts")
    outputs = ArrayField(models.BigIntegerField())
    body = models.JSONField()
    revision = models.PositiveIntegerField(default=1)
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reviewer", "comparison"], name="judgement_draft_once")
        ]

    def __str__(self) -> str:
        return f"draft {self.pk}"


class KnownOutcome(models.TextChoices):
    """What is known of a candidate's answer beside another's, or in a ranking beside all others."""

    BETTER = "better", "Better"
    TIE = "tie", "Equally good"
    BOTH_BAD = "both_bad", "Both bad"


class GoldVerdict(BaseModel):
    """What is known of an example's answers where they are compared.

    In pairs: how ``candidate``'s answer does ``against`` another's; of one that is better, a verdict of
    "equally good" is right, too, where ``admits_tie``. In a ranking ``candidate``'s is the best of all.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="gold_verdicts")
    example = models.ForeignKey(Example, on_delete=models.PROTECT, related_name="+")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    against = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    outcome = models.CharField(max_length=8, choices=KnownOutcome.choices, default=KnownOutcome.BETTER)
    admits_tie = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "campaign",
                "example",
                Least("candidate", "against"),
                Greatest("candidate", "against"),
                condition=Q(against__isnull=False),
                name="gold_verdict_once_per_pair",
            ),
            models.UniqueConstraint(
                fields=["campaign", "example"],
                condition=Q(against__isnull=True),
                name="gold_verdict_once_per_ranking",
            ),
            models.CheckConstraint(
                condition=Q(against__isnull=True) | ~Q(against=F("candidate")), name="gold_verdict_of_two"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=KnownOutcome.values, against__isnull=False)
                | Q(outcome=KnownOutcome.BETTER, against__isnull=True),
                name="gold_verdict_outcome",
            ),
            models.CheckConstraint(
                condition=Q(admits_tie=False) | Q(outcome=KnownOutcome.BETTER, against__isnull=False),
                name="gold_verdict_tie_of_better",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.example}: {self.words}"

    @property
    def facts(self) -> dict[str, str]:
        return {"known": self.words}

    @property
    def words(self) -> str:
        """What is known as people read it."""
        candidate = marked(self.candidate.label, self.candidate)
        if self.against is None:
            return f"{candidate} is the best"
        against = marked(self.against.label, self.against)
        if self.outcome == KnownOutcome.BETTER:
            return f"{candidate} is better than {against}{'; a tie counts, too' if self.admits_tie else ''}"
        how = "equally good" if self.outcome == KnownOutcome.TIE else "both bad"
        return f"{candidate} and {against} are {how}"
