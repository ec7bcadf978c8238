from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from evalapp.accounts.models import User
from evalapp.campaigns.models import (
    Assignment,
    Campaign,
    CampaignCandidate,
    Comparison,
    Item,
    ItemOutput,
    Purpose,
    purpose_field,
)
from evalapp.core.models import BaseModel
from evalapp.rubrics.models import Criterion, ReasonTag

OF_ONE = Q(item_output__isnull=False, comparison__isnull=True) | Q(
    item_output__isnull=True, comparison__isnull=False
)
"""Constraint: a review or draft refers to either an output or a comparison."""


def subject_field(campaign: Campaign) -> str:
    """The field of a campaign's reviews and drafts that refers to their subject."""
    return "comparison" if campaign.compares else "item_output"


class Review(BaseModel):
    """A submitted review of one output, or of one comparison of outputs, in one assignment; an edit is a new
    revision of it. The answers are in its scores and texts, or in its preference.

    ``client_id`` is the client's UUID of the first submission and ``body_hash`` the hash of its content, to
    tell a replay from a conflict. ``seconds_active`` excludes idle time and hidden tabs. ``purpose`` is
    copied from its assignment; results use only those for review.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="reviews")
    assignment = models.ForeignKey(Assignment, on_delete=models.CASCADE, related_name="reviews")
    item_output = models.ForeignKey(
        ItemOutput, null=True, blank=True, on_delete=models.CASCADE, related_name="reviews"
    )
    comparison = models.ForeignKey(
        Comparison,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="reviews",
        db_index=False,
    )
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
            models.UniqueConstraint(
                fields=["assignment", "item_output"], name="review_once_per_assignment_and_output"
            ),
            models.UniqueConstraint(
                fields=["reviewer", "item_output"],
                condition=~Q(purpose=Purpose.REPEAT),
                name="review_once_per_reviewer_and_output",
            ),
            # Partial, so that millions of ratings stay out of the indexes for comparisons.
            models.UniqueConstraint(
                fields=["assignment", "comparison"],
                condition=Q(comparison__isnull=False),
                name="review_once_per_assignment_and_comparison",
            ),
            models.UniqueConstraint(
                fields=["reviewer", "comparison"],
                condition=Q(comparison__isnull=False) & ~Q(purpose=Purpose.REPEAT),
                name="review_once_per_reviewer_and_comparison",
            ),
            models.CheckConstraint(condition=OF_ONE, name="review_of_output_or_comparison"),
            models.CheckConstraint(condition=Q(seconds_active__gte=0), name="review_time_not_negative"),
        ]
        indexes = [
            models.Index(fields=["campaign", "reviewer", "-id"], name="review_mine"),
            models.Index(fields=["item_output"], name="review_of_output"),
            models.Index(
                fields=["comparison"], condition=Q(comparison__isnull=False), name="review_of_comparison"
            ),
            # Rows arrive in order of time, so block summaries find the latest days quickly.
            BrinIndex(fields=["submitted_at"], autosummarize=True, name="review_when"),
        ]

    def __str__(self) -> str:
        return f"review {self.pk}"

    @property
    def rated(self) -> ItemOutput:
        """The output of a review that rates one output."""
        assert self.item_output is not None
        return self.item_output

    @property
    def compared(self) -> Comparison:
        """The comparison of a review that states a preference."""
        assert self.comparison is not None
        return self.comparison

    @property
    def subject(self) -> ItemOutput | Comparison:
        """The output or comparison that was reviewed."""
        return self.compared if self.item_output_id is None else self.rated

    @property
    def subject_id(self) -> int:
        return self.item_output_id or self.comparison_id or 0

    @property
    def item(self) -> Item:
        return self.subject.item

    @property
    def slot(self) -> int:
        """The position of its subject in its assignment. Reads the assignment."""
        return self.assignment.outputs_order.index(self.subject_id)


class Score(models.Model):
    """A criterion's answer. A composite foreign key keeps ``minimum`` and ``maximum`` equal to the
    criterion's, so that the database refuses values outside the scale.
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
        if self.value is None:
            return self.criterion.rules.not_applicable_words()
        return self.criterion.level_words(self.value)


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


class SpanAnswer(models.Model):
    """A span of the output that a reviewer marked with one of a span criterion's labels.

    ``label`` is the 1-based position among the criterion's options. ``start`` and ``end`` (exclusive) count
    Unicode code points of ``Output.text`` as stored, so that ``text[start:end]`` is the marked span.
    """

    id = models.BigAutoField(primary_key=True)
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="spans")
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT, related_name="+")
    label = models.PositiveSmallIntegerField()
    start = models.IntegerField()
    end = models.IntegerField()
    comment = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["review", "criterion", "label", "start", "end"], name="span_once"
            ),
            models.CheckConstraint(condition=Q(start__gte=0, end__gt=F("start")), name="span_not_empty"),
            models.CheckConstraint(condition=Q(label__gte=1), name="span_label_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.start}–{self.end}"


class ReviewTag(models.Model):
    id = models.BigAutoField(primary_key=True)
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="tags")
    tag = models.ForeignKey(ReasonTag, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["review", "tag"], name="review_tag_once")]

    def __str__(self) -> str:
        return str(self.tag)


class Correction(BaseModel):
    """The answer that the reviewer would have given. Its edit rate against the output is an additional
    measure.
    """

    review = models.OneToOneField(Review, on_delete=models.CASCADE, related_name="correction")
    text = models.TextField()

    def __str__(self) -> str:
        return self.text[:60]


class ReviewRevision(BaseModel):
    """The content of a review before it was amended."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="revisions")
    revision = models.PositiveIntegerField()
    body = models.JSONField()
    replaced_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["review", "revision"], name="review_revision_once")]

    def __str__(self) -> str:
        return f"revision {self.revision}"


class Draft(BaseModel):
    """A reviewer's unsubmitted answers. They outlive the lease, so that no text is lost.

    ``revision`` grows with every save, so that a second tab cannot overwrite the first unnoticed.
    ``outputs``: the order of a comparison's outputs at that time; an assignment that is claimed again may
    show another order.
    """

    reviewer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+")
    item_output = models.ForeignKey(
        ItemOutput, null=True, blank=True, on_delete=models.CASCADE, related_name="drafts"
    )
    comparison = models.ForeignKey(
        Comparison, null=True, blank=True, on_delete=models.CASCADE, related_name="drafts"
    )
    outputs = ArrayField(models.BigIntegerField(), null=True, blank=True)
    body = models.JSONField()
    revision = models.PositiveIntegerField(default=1)
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reviewer", "item_output"], name="draft_once_per_output"),
            models.UniqueConstraint(fields=["reviewer", "comparison"], name="draft_once_per_comparison"),
            models.CheckConstraint(
                condition=Q(item_output__isnull=False, comparison__isnull=True, outputs__isnull=True)
                | Q(item_output__isnull=True, comparison__isnull=False, outputs__isnull=False),
                name="draft_of_output_or_comparison",
            ),
        ]

    def __str__(self) -> str:
        return f"draft {self.pk}"


class Belief(models.IntegerChoices):
    """A reviewer's guess of an output's origin, and their confidence."""

    TUNED_SURE = 2, "Tuned model, sure"
    TUNED_GUESS = 1, "Tuned model, a guess"
    CANNOT_TELL = 0, "I cannot tell"
    OTHER_GUESS = -1, "Another model, a guess"
    OTHER_SURE = -2, "Another model, sure"


class ClosingAnswer(BaseModel):
    """A reviewer's answer to the closing question about one output that they reviewed.

    Asked once, after the campaign is closed; never changed, and never called right or wrong.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="closing_answers")
    item_output = models.ForeignKey(ItemOutput, on_delete=models.CASCADE, related_name="closing_answers")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    belief = models.SmallIntegerField(choices=Belief.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reviewer", "item_output"], name="closing_answer_once"),
            models.CheckConstraint(condition=Q(belief__gte=-2, belief__lte=2), name="closing_answer_known"),
        ]

    def __str__(self) -> str:
        return self.get_belief_display()


class ChangeRequest(BaseModel):
    """Changes requested to a submitted review, with a reason; the review counts unchanged until its author
    amends it.

    ``revision``: the one that the request is about. It ends when resubmitted (``resubmitted_revision``) or
    withdrawn, and is never deleted.
    """

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="change_requests")
    revision = models.PositiveIntegerField()
    reason = models.TextField()
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    resubmitted_revision = models.PositiveIntegerField(null=True, blank=True)
    is_withdrawn = models.BooleanField(default=False)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["review"],
                condition=Q(resolved_at__isnull=True),
                name="change_request_one_open_per_review",
            ),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True, resubmitted_revision__isnull=True, is_withdrawn=False)
                | Q(resolved_at__isnull=False, resubmitted_revision__isnull=False, is_withdrawn=False)
                | Q(resolved_at__isnull=False, resubmitted_revision__isnull=True, is_withdrawn=True),
                name="change_request_ends_one_way",
            ),
        ]

    def __str__(self) -> str:
        return f"change request to review {self.review_id}"

    @property
    def state(self) -> str:
        """``changes_requested``, ``resubmitted`` or ``withdrawn``."""
        if self.resolved_at is None:
            return "changes_requested"
        return "withdrawn" if self.is_withdrawn else "resubmitted"


class Flag(BaseModel):
    """A reviewer's report to the manager of a problem with an item; the assignment stays theirs.

    Open until ``resolved_at``. One person has at most one open flag on an item.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="flags")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="flags")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=500)
    resolved_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "reviewer"], condition=Q(resolved_at=None), name="flag_open_once"
            ),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True, resolved_by__isnull=True)
                | Q(resolved_at__isnull=False, resolved_by__isnull=False),
                name="flag_resolved_by_somebody",
            ),
        ]
        indexes = [models.Index(fields=["campaign", "-id"], name="flag_open", condition=Q(resolved_at=None))]

    def __str__(self) -> str:
        return self.note


class ReviewCount(models.Model):
    """The number of a reviewer's reviews of a candidate, updated by database triggers with every review.

    ``changes`` only grows, with every review that is stored, amended or deleted: its sum over a campaign is
    the version of the campaign's data. ``first_review``: the smallest review id here, which determines
    reviewers' numbers. See docs/adr/0010.
    """

    id = models.BigAutoField(primary_key=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+", db_index=False)
    candidate = models.ForeignKey(
        CampaignCandidate, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    purpose = models.CharField(max_length=11, choices=Purpose.choices)
    is_simulated = models.BooleanField()
    reviews = models.BigIntegerField()
    changes = models.BigIntegerField()
    first_review = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "candidate", "reviewer", "purpose", "is_simulated"],
                name="review_count_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.reviews} reviews"


class ScoreCount(models.Model):
    """How often a reviewer gave a candidate a value on a criterion, in reviews that count in results.

    Updated by triggers like `ReviewCount`. ``value``: 0 if ``is_not_applicable``.
    """

    id = models.BigAutoField(primary_key=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+", db_index=False)
    candidate = models.ForeignKey(
        CampaignCandidate, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT, related_name="+", db_index=False)
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    is_simulated = models.BooleanField()
    is_not_applicable = models.BooleanField()
    value = models.SmallIntegerField()
    scores = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "campaign",
                    "candidate",
                    "criterion",
                    "reviewer",
                    "is_simulated",
                    "is_not_applicable",
                    "value",
                ],
                name="score_count_once",
            ),
            models.CheckConstraint(
                condition=Q(is_not_applicable=False) | Q(value=0), name="score_count_without_a_value"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scores} scores"
