from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Least

from evalapp.campaigns.models import Campaign
from evalapp.core.models import BaseModel
from evalapp.datasets.models import Example
from evalapp.registry.models import ModelVersion
from evalapp.reviews.models import Review


class Choice(models.TextChoices):
    """A preference between two outputs; A is shown first."""

    A = "a", "A is better"
    B = "b", "B is better"
    TIE = "tie", "Equally good"
    BOTH_BAD = "both_bad", "Both bad"


class StatedPreference(BaseModel):
    """A preference among outputs shown side by side.

    ``outputs``: ItemOutput ids in the order shown, A first, which ``choice`` and position effects refer to. A
    pair has a ``choice``; a ranking has ``ranks`` instead, one for each output, 1 for the best.
    """

    outputs = ArrayField(models.BigIntegerField())
    choice = models.CharField(max_length=8, choices=Choice.choices, blank=True)
    ranks = ArrayField(models.SmallIntegerField(), null=True, blank=True)

    class Meta:
        abstract = True


CHOICE_OR_RANKS = Q(choice__in=Choice.values, ranks__isnull=True, outputs__len=2) | Q(
    choice="", ranks__len=F("outputs__len"), outputs__len__gte=3
)
"""Constraint: a preference on two outputs is a choice, one on more is a ranking."""
RANKS_ARE_AN_ORDER = (
    Q(ranks__isnull=True)
    | Q(ranks__len=3, ranks__contains=[1, 2, 3])
    | Q(ranks__len=4, ranks__contains=[1, 2, 3, 4])
    | Q(ranks__len=5, ranks__contains=[1, 2, 3, 4, 5])
)
"""Constraint: each rank is given once."""


class Preference(StatedPreference):
    """The preference in a review of a comparison; ``outputs``: in the order on the reviewer's screen."""

    review = models.OneToOneField(Review, on_delete=models.CASCADE, related_name="preference")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=CHOICE_OR_RANKS, name="preference_choice_or_ranks"),
            models.CheckConstraint(condition=RANKS_ARE_AN_ORDER, name="preference_ranks_are_an_order"),
        ]

    def __str__(self) -> str:
        return f"preference {self.pk}"


class KnownOutcome(models.TextChoices):
    """The known result of a candidate's output against another's, or in a ranking against all others."""

    BETTER = "better", "Better"
    TIE = "tie", "Equally good"
    BOTH_BAD = "both_bad", "Both bad"


class GoldPreference(BaseModel):
    """The known result of a comparison of an example's outputs.

    In pairs: the ``outcome`` of ``candidate`` compared with ``against``; with ``admits_tie``, "equally good"
    also counts as right if one is better. In a ranking ``candidate`` is the best.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="gold_preferences")
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
                name="gold_preference_once_per_pair",
            ),
            models.UniqueConstraint(
                fields=["campaign", "example"],
                condition=Q(against__isnull=True),
                name="gold_preference_once_per_ranking",
            ),
            models.CheckConstraint(
                condition=Q(against__isnull=True) | ~Q(against=F("candidate")), name="gold_preference_of_two"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=KnownOutcome.values, against__isnull=False)
                | Q(outcome=KnownOutcome.BETTER, against__isnull=True),
                name="gold_preference_outcome",
            ),
            models.CheckConstraint(
                condition=Q(admits_tie=False) | Q(outcome=KnownOutcome.BETTER, against__isnull=False),
                name="gold_preference_tie_of_better",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.example}: {self.words}"

    @property
    def facts(self) -> dict[str, str]:
        return {"known": self.words}

    @property
    def words(self) -> str:
        """The known result in words."""
        candidate = self.candidate.label
        if self.against is None:
            return f"{candidate} is the best"
        against = self.against.label
        if self.outcome == KnownOutcome.BETTER:
            return f"{candidate} is better than {against}{'; a tie also counts' if self.admits_tie else ''}"
        how = "equally good" if self.outcome == KnownOutcome.TIE else "both bad"
        return f"{candidate} and {against} are {how}"
