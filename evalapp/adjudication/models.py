from django.db import models
from django.db.models import F, Q

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.core.models import BaseModel
from evalapp.reviews.models import SendBack
from evalapp.rubrics.models import Criterion


class Adjudication(BaseModel):
    """What was decided where reviewers differ: a criterion's answer for one output, beside the originals.

    Never in their place: scores stay as they were given. ``minimum`` and ``maximum`` are the criterion's, as
    in Score. Who reviewed the output cannot have decided it; the database refuses that too.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="adjudications")
    item_output = models.ForeignKey(ItemOutput, on_delete=models.CASCADE, related_name="adjudications")
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT, related_name="+")
    value = models.SmallIntegerField(null=True)
    is_not_applicable = models.BooleanField(default=False)
    minimum = models.SmallIntegerField()
    maximum = models.SmallIntegerField()
    reason = models.TextField()
    revision = models.PositiveIntegerField(default=1)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item_output", "criterion"], name="adjudication_once"),
            models.CheckConstraint(
                condition=Q(value__gte=F("minimum"), value__lte=F("maximum")) | Q(value__isnull=True),
                name="adjudication_within_scale",
            ),
            models.CheckConstraint(
                condition=Q(value__isnull=True, is_not_applicable=True)
                | Q(value__isnull=False, is_not_applicable=False),
                name="adjudication_value_or_not_applicable",
            ),
        ]
        indexes = [models.Index(fields=["campaign"], name="adjudication_of_campaign")]

    def __str__(self) -> str:
        return f"adjudication {self.pk}"

    @property
    def words(self) -> str:
        """The answer as people read it. Reads the criterion."""
        return "N/A" if self.value is None else self.criterion.level_words(self.value)


class AdjudicationRevision(BaseModel):
    """What an adjudication said before it was revised, by whom and why."""

    adjudication = models.ForeignKey(Adjudication, on_delete=models.CASCADE, related_name="revisions")
    revision = models.PositiveIntegerField()
    value = models.SmallIntegerField(null=True)
    reason = models.TextField()
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["adjudication", "revision"], name="adjudication_revision_once")
        ]

    def __str__(self) -> str:
        return f"revision {self.revision}"

    @property
    def words(self) -> str:
        """The answer as people read it. Reads the adjudication's criterion."""
        return "N/A" if self.value is None else self.adjudication.criterion.level_words(self.value)


class DiscussionMessage(BaseModel):
    """What somebody wrote about an output under review: to those who reviewed it, and to adjudicators."""

    item_output = models.ForeignKey(ItemOutput, on_delete=models.CASCADE, related_name="messages")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["item_output", "id"], name="message_of_output")]

    def __str__(self) -> str:
        return f"message {self.pk}"


class Outcome(models.TextChoices):
    UPHELD = "upheld", "Upheld: it stands"
    CHANGED = "changed", "Changed"


class Appeal(BaseModel):
    """A reviewer does not agree that their review was sent back, or with what was decided about an output
    they reviewed. ``decided_by``: who had done so. ``revision``: of the adjudication; what it was revised to
    since can be appealed anew.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="appeals")
    appellant = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    send_back = models.ForeignKey(SendBack, null=True, on_delete=models.CASCADE, related_name="appeals")
    adjudication = models.ForeignKey(
        Adjudication, null=True, on_delete=models.CASCADE, related_name="appeals"
    )
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    revision = models.PositiveIntegerField(default=1)
    reason = models.TextField()
    outcome = models.CharField(max_length=8, choices=Outcome.choices, blank=True)
    answer = models.TextField(blank=True)
    answered_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["send_back"], name="appeal_once_per_send_back"),
            models.UniqueConstraint(
                fields=["adjudication", "revision", "appellant"], name="appeal_once_per_adjudication"
            ),
            models.CheckConstraint(
                condition=Q(send_back__isnull=False, adjudication__isnull=True)
                | Q(send_back__isnull=True, adjudication__isnull=False),
                name="appeal_against_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(outcome="", answered_by__isnull=True, answered_at__isnull=True)
                | Q(outcome__in=Outcome.values, answered_by__isnull=False, answered_at__isnull=False),
                name="appeal_answer_is_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["campaign"], name="appeal_waiting", condition=Q(answered_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"appeal {self.pk}"
