from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign, Comparison, ItemOutput
from evalapp.core.models import BaseModel
from evalapp.reviews.models import ChangeRequest
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.models import CHOICE_OR_RANKS, RANKS_ARE_AN_ORDER, StatedPreference
from evalapp.reviews.preferences.tasks import preference_words
from evalapp.rubrics.models import Criterion


class AbstractDecision(BaseModel):
    """A decision: its content, reason, author and time.

    Subclasses add ``IDENTITY``: the fields of its subject (each has one decision); ``SAYS``: those of its
    content; ``KEPT``: those that a revision keeps; a ``topic`` for sentences; and ``recorded`` for the audit
    log, whose "value" is the decision.
    """

    IDENTITY: ClassVar[tuple[str, ...]] = ()
    SAYS: ClassVar[tuple[str, ...]] = ()
    KEPT: ClassVar[tuple[str, ...]] = ()

    revision = models.PositiveIntegerField(default=1)
    reason = models.TextField()
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField()

    class Meta:
        abstract = True


class Adjudication(AbstractDecision):
    """An adjudication where reviewers differ: a criterion's answer for one output, beside the original
    reviews.

    Scores stay as they were given. ``minimum`` and ``maximum`` are the criterion's, as in Score. People who
    reviewed the output cannot adjudicate it; the database refuses that too.
    """

    IDENTITY = ("item_output", "criterion")
    SAYS = ("value", "is_not_applicable")
    KEPT = ("value",)

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="adjudications")
    item_output = models.ForeignKey(ItemOutput, on_delete=models.CASCADE, related_name="adjudications")
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT, related_name="+")
    value = models.SmallIntegerField(null=True)
    is_not_applicable = models.BooleanField(default=False)
    minimum = models.SmallIntegerField()
    maximum = models.SmallIntegerField()

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
        """The answer in words. Reads the criterion."""
        return "N/A" if self.value is None else self.criterion.level_words(self.value)

    @property
    def topic(self) -> str:
        return self.criterion.name

    @property
    def recorded(self) -> dict[str, Any]:
        return {
            "item_output": self.item_output_id,
            "criterion": self.criterion.key,
            "value": self.value,
        }


class AdjudicationRevision(AbstractDecision):
    """An adjudication before it was revised, with the reviser and the reason."""

    adjudication = models.ForeignKey(Adjudication, on_delete=models.CASCADE, related_name="revisions")
    revision = models.PositiveIntegerField()
    value = models.SmallIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["adjudication", "revision"], name="adjudication_revision_once")
        ]

    def __str__(self) -> str:
        return f"revision {self.revision}"

    @property
    def words(self) -> str:
        """The answer in words. Reads the adjudication's criterion."""
        return "N/A" if self.value is None else self.adjudication.criterion.level_words(self.value)


class ComparisonAdjudication(StatedPreference, AbstractDecision):
    """An adjudication where preferences on the same outputs differ, beside the original reviews.

    ``outputs``: in the comparison's own order. People who reviewed the comparison cannot adjudicate it; the
    database refuses that too.
    """

    IDENTITY = ("comparison",)
    SAYS = KEPT = ("outputs", "choice", "ranks")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="comparison_adjudications")
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="adjudications")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["comparison"], name="comparison_adjudication_once"),
            models.CheckConstraint(condition=CHOICE_OR_RANKS, name="comparison_adjudication_choice_or_ranks"),
            models.CheckConstraint(
                condition=RANKS_ARE_AN_ORDER, name="comparison_adjudication_ranks_are_an_order"
            ),
        ]
        indexes = [models.Index(fields=["campaign"], name="comparison_adjudicated_in")]

    def __str__(self) -> str:
        return f"comparison adjudication {self.pk}"

    @property
    def preference(self) -> PreferenceAnswers:
        """The preference among its ``outputs``, in their order."""
        return PreferenceAnswers(self.choice, self.ranks)

    @property
    def words(self) -> str:
        """The preference in words, by the letters of the comparison's own order."""
        return preference_words(self.preference)

    @property
    def topic(self) -> str:
        return "this comparison"

    @property
    def recorded(self) -> dict[str, Any]:
        return {"comparison": self.comparison_id, "value": self.choice or self.ranks}


class ComparisonAdjudicationRevision(StatedPreference, AbstractDecision):
    """A comparison's adjudication before it was revised, with the reviser and the reason."""

    adjudication = models.ForeignKey(
        ComparisonAdjudication, on_delete=models.CASCADE, related_name="revisions"
    )
    revision = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["adjudication", "revision"], name="comparison_adjudication_revision_once"
            )
        ]

    def __str__(self) -> str:
        return f"revision {self.revision}"

    @property
    def words(self) -> str:
        """As in the adjudication."""
        return preference_words(PreferenceAnswers(self.choice, self.ranks))


class DiscussionMessage(BaseModel):
    """A message about an output under review, or about compared outputs, for their reviewers and for
    adjudicators.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="messages")
    item_output = models.ForeignKey(ItemOutput, null=True, on_delete=models.CASCADE, related_name="messages")
    comparison = models.ForeignKey(Comparison, null=True, on_delete=models.CASCADE, related_name="messages")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(item_output__isnull=False, comparison__isnull=True)
                | Q(item_output__isnull=True, comparison__isnull=False),
                name="message_about_one_thing",
            )
        ]
        indexes = [
            models.Index(fields=["item_output", "id"], name="message_of_output"),
            models.Index(fields=["comparison", "id"], name="message_of_comparison"),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"


class Outcome(models.TextChoices):
    UPHELD = "upheld", "Decision upheld"
    CHANGED = "changed", "Changed"


AGAINST = ("change_request", "adjudication", "comparison_adjudication")
"""What an appeal can be against, by its field."""
_AGAINST_ONE = reduce(or_, (Q(**{f"{name}__isnull": name != one for name in AGAINST}) for one in AGAINST))


class Appeal(BaseModel):
    """A reviewer's appeal against a change request, or against an adjudication of an output or a comparison
    that they reviewed. ``decided_by``: the person who had made it. ``revision``: of the adjudication; a later
    revision can be appealed again.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="appeals")
    appellant = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    change_request = models.ForeignKey(
        ChangeRequest, null=True, on_delete=models.CASCADE, related_name="appeals"
    )
    adjudication = models.ForeignKey(
        Adjudication, null=True, on_delete=models.CASCADE, related_name="appeals"
    )
    comparison_adjudication = models.ForeignKey(
        ComparisonAdjudication, null=True, on_delete=models.CASCADE, related_name="appeals"
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
            models.UniqueConstraint(fields=["change_request"], name="appeal_once_per_change_request"),
            models.UniqueConstraint(
                fields=["adjudication", "revision", "appellant"], name="appeal_once_per_adjudication"
            ),
            models.UniqueConstraint(
                fields=["comparison_adjudication", "revision", "appellant"],
                name="appeal_once_per_comparison_adjudication",
            ),
            models.CheckConstraint(condition=_AGAINST_ONE, name="appeal_against_one_thing"),
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

    @property
    def against(self) -> ChangeRequest | Adjudication | ComparisonAdjudication:
        """The request or the adjudication that it is against."""
        found = self.change_request or self.adjudication or self.comparison_adjudication
        assert found is not None
        return found

    @property
    def decision(self) -> Adjudication | ComparisonAdjudication | None:
        """The current adjudication, if the appeal is against one."""
        return self.adjudication or self.comparison_adjudication

    @property
    def appealed(
        self,
    ) -> (
        "Adjudication | AdjudicationRevision | ComparisonAdjudication | ComparisonAdjudicationRevision | None"
    ):
        """The adjudication as appealed against, whatever it was changed to since. Reads the revisions."""
        decision = self.decision
        if decision is None or decision.revision == self.revision:
            return decision
        revisions: Iterable[AdjudicationRevision | ComparisonAdjudicationRevision] = decision.revisions.all()
        return next((each for each in revisions if each.revision == self.revision), decision)
