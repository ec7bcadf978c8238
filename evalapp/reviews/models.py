from django.db import models
from django.db.models import F, Q

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign, ItemOutput, Place, Purpose, purpose_field
from evalapp.core.models import BaseModel
from evalapp.rubrics.models import Criterion, ReasonTag


class Review(BaseModel):
    """A submitted review of one output at one place; an edit is a new revision of it.

    ``client_id`` is the client's UUID of the first submission and ``body_hash`` its content, so that a
    replay is told from a conflict. ``seconds_active`` excludes idle time and hidden tabs. ``purpose`` is
    its place's: results are of those for review only.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="reviews")
    place = models.ForeignKey(Place, on_delete=models.CASCADE, related_name="reviews")
    item_output = models.ForeignKey(ItemOutput, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reviews")
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
            models.UniqueConstraint(fields=["place", "item_output"], name="review_once_per_place_and_output"),
            models.UniqueConstraint(
                fields=["reviewer", "item_output"],
                condition=~Q(purpose=Purpose.REPEAT),
                name="review_once_per_reviewer_and_output",
            ),
            models.CheckConstraint(condition=Q(seconds_active__gte=0), name="review_time_not_negative"),
        ]
        indexes = [
            models.Index(fields=["campaign", "reviewer", "-id"], name="review_mine"),
            models.Index(fields=["item_output"], name="review_of_output"),
        ]

    def __str__(self) -> str:
        return f"review {self.pk}"


class Score(models.Model):
    """A criterion's answer. ``minimum`` and ``maximum`` are the criterion's, held equal by a composite
    foreign key, so that the database itself refuses a value outside the scale.
    """

    id = models.BigAutoField(primary_key=True)
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="scores")
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT, related_name="scores")
    value = models.SmallIntegerField(null=True)
    is_not_applicable = models.BooleanField(default=False)
    minimum = models.SmallIntegerField()
    maximum = models.SmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["review", "criterion"], name="score_once_per_criterion"),
            models.CheckConstraint(
                condition=Q(value__gte=F("minimum"), value__lte=F("maximum")) | Q(value__isnull=True),
                name="score_within_scale",
            ),
            models.CheckConstraint(
                condition=Q(value__isnull=True, is_not_applicable=True)
                | Q(value__isnull=False, is_not_applicable=False),
                name="score_value_or_not_applicable",
            ),
        ]

    def __str__(self) -> str:
        return "N/A" if self.is_not_applicable else str(self.value)

    @property
    def words(self) -> str:
        """The answer as people read it: a level, yes or no, an option, N/A. Reads the criterion."""
        return "N/A" if self.value is None else self.criterion.level_words(self.value)


class TextAnswer(models.Model):
    """A text criterion's answer, in the reviewer's words."""

    id = models.BigAutoField(primary_key=True)
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="texts")
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["review", "criterion"], name="text_once_per_criterion")
        ]

    def __str__(self) -> str:
        return self.text[:60]


class ReviewTag(models.Model):
    id = models.BigAutoField(primary_key=True)
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="tags")
    tag = models.ForeignKey(ReasonTag, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["review", "tag"], name="review_tag_once")]

    def __str__(self) -> str:
        return str(self.tag)


class Correction(BaseModel):
    """The answer the reviewer would have given. Its edit rate to the output is a measure for free."""

    review = models.OneToOneField(Review, on_delete=models.CASCADE, related_name="correction")
    text = models.TextField()

    def __str__(self) -> str:
        return self.text[:60]


class ReviewRevision(BaseModel):
    """What a review said before it was amended or taken back."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="revisions")
    revision = models.PositiveIntegerField()
    body = models.JSONField()
    replaced_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["review", "revision"], name="review_revision_once")]

    def __str__(self) -> str:
        return f"revision {self.revision}"


class Draft(BaseModel):
    """What a reviewer has typed and not submitted. It outlives a lease, so nothing typed is lost.

    ``revision`` grows with every save, so that a second tab cannot write over the first unseen.
    """

    reviewer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    item_output = models.ForeignKey(ItemOutput, on_delete=models.CASCADE, related_name="drafts")
    body = models.JSONField()
    revision = models.PositiveIntegerField(default=1)
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reviewer", "item_output"], name="draft_once")]

    def __str__(self) -> str:
        return f"draft {self.pk}"
