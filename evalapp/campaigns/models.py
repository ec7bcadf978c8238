import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import Criterion, RubricVersion
from evalapp.runs.models import Output


class CampaignState(models.TextChoices):
    DRAFT = "draft", "Draft"
    OPEN = "open", "Open"
    PAUSED = "paused", "Paused"
    CLOSED = "closed", "Closed"


class ItemChoice(models.TextChoices):
    ALL = "all", "All examples"
    RANDOM = "random", "Random sample"
    STRATIFIED = "stratified", "Stratified random sample"


class Distribution(models.TextChoices):
    SHARED = "shared", "Shared queue: everybody takes the next available item"
    MANUAL = "manual", "Manual assignment: each item is assigned to named people at the launch"


class Method(models.TextChoices):
    """What a reviewer does with an item's outputs."""

    POINTWISE = "pointwise", "Rating (each output on its own)"
    PAIRWISE = "pairwise", "Preference (two outputs side by side)"
    RANKING = "ranking", "Ranking (three to five outputs in order)"


class Purpose(models.TextChoices):
    """The purpose of an assignment. Only ``review`` counts in results; the others check reviewers."""

    REVIEW = "review", "Review"
    GOLD = "gold", "Gold"
    REPEAT = "repeat", "Repeat"
    CALIBRATION = "calibration", "Calibration"


def purpose_field() -> "models.CharField[str, str]":
    return models.CharField(
        max_length=11, choices=Purpose.choices, default=Purpose.REVIEW, db_default=Purpose.REVIEW
    )


class Campaign(BaseModel):
    """A review of candidates' outputs against one rubric version. ``key`` identifies it in reviewers' URLs.

    Design: ``examples_wanted`` are drawn with ``seed`` by ``item_choice``, stratified by the metadata field
    ``stratify_by``; ``samples`` outputs of a candidate for an example are reviewed, each in its own item.
    ``overlap``: reviewers per item; ``overlap_more`` for ``overlap_share`` percent of the items. ``quota``:
    the most items per person, unless the person has one. ``baseline``: of pairs, the candidate that all
    others are compared with; None: all with each other. ``leaves_out_incomplete``: the launch skips examples
    that lack an output. ``lease_minutes``: how long an assignment is kept without activity.

    ``gold_share`` and ``repeat_share`` are percent of a person's items; each reviewer rates
    ``calibration_items`` before admission. ``checks_total`` counts the reviews of these checks; the other
    totals, set by the launch, exclude them. ``invites_visitors``: an open campaign of the demonstration,
    which never finishes its automatic part. ``names_are_positions``: "rater 1" may be anybody.
    """

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="campaigns")
    name = models.CharField(max_length=120)
    rubric_version = models.ForeignKey(RubricVersion, on_delete=models.PROTECT, related_name="campaigns")
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="campaigns")
    split = models.CharField(max_length=10, choices=Split.choices)
    method = models.CharField(max_length=9, choices=Method.choices, default=Method.POINTWISE)
    baseline = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    instructions = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=CampaignState.choices, default=CampaignState.DRAFT)
    item_choice = models.CharField(
        max_length=10, choices=ItemChoice.choices, default=ItemChoice.ALL, db_default=ItemChoice.ALL
    )
    examples_wanted = models.PositiveIntegerField(null=True, blank=True)
    samples = models.PositiveSmallIntegerField(default=1, db_default=1)
    stratify_by = models.CharField(max_length=100, blank=True, default="", db_default="")
    overlap = models.PositiveSmallIntegerField(default=3)
    overlap_share = models.PositiveSmallIntegerField(default=0, db_default=0)
    overlap_more = models.PositiveSmallIntegerField(null=True, blank=True)
    distribution = models.CharField(
        max_length=8,
        choices=Distribution.choices,
        default=Distribution.SHARED,
        db_default=Distribution.SHARED,
    )
    quota = models.PositiveIntegerField(null=True, blank=True)
    lease_minutes = models.PositiveIntegerField(default=30)
    shows_reference = models.BooleanField(default=False)
    allows_corrections = models.BooleanField(default=True)
    is_blind = models.BooleanField(default=True)
    names_are_positions = models.BooleanField(default=False, db_default=False)
    leaves_out_incomplete = models.BooleanField(default=False)
    items_total = models.PositiveIntegerField(default=0)
    assignments_total = models.PositiveIntegerField(default=0, db_default=0)
    reviews_total = models.PositiveIntegerField(default=0)
    gold_share = models.PositiveSmallIntegerField(default=0, db_default=0)
    repeat_share = models.PositiveSmallIntegerField(default=0, db_default=0)
    calibration_items = models.PositiveSmallIntegerField(default=0, db_default=0)
    checks_total = models.PositiveIntegerField(default=0, db_default=0)
    seed = models.BigIntegerField(default=42)
    deadline = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    invites_visitors = models.BooleanField(default=False)
    is_simulated = models.BooleanField(default=False)
    is_recorded = models.BooleanField(default=False)
    # The reviews were given elsewhere and imported from a file of ratings.
    is_imported = models.BooleanField(default=False)
    # Ids of examples picked for earlier results, and the reason; null: all, or drawn at random.
    picked_examples = ArrayField(models.BigIntegerField(), null=True, blank=True)
    picked_because = models.CharField(max_length=300, blank=True, default="", db_default="")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="campaign_name_in_project"),
            models.CheckConstraint(condition=models.Q(overlap__gte=1), name="campaign_overlap"),
            models.CheckConstraint(
                condition=models.Q(overlap_share=0, overlap_more__isnull=True)
                | models.Q(overlap_share__range=(1, 99), overlap_more__gt=models.F("overlap")),
                name="campaign_overlap_share",
            ),
            models.CheckConstraint(
                condition=models.Q(item_choice=ItemChoice.ALL, examples_wanted__isnull=True, stratify_by="")
                | models.Q(item_choice=ItemChoice.RANDOM, examples_wanted__gte=1, stratify_by="")
                | (
                    models.Q(item_choice=ItemChoice.STRATIFIED, examples_wanted__gte=1)
                    & ~models.Q(stratify_by="")
                ),
                name="campaign_item_choice_is_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(quota__isnull=True) | models.Q(quota__gte=1), name="campaign_quota"
            ),
            models.CheckConstraint(
                condition=models.Q(method=Method.PAIRWISE) | models.Q(baseline__isnull=True),
                name="campaign_baseline_of_pairs",
            ),
            models.CheckConstraint(
                condition=models.Q(picked_examples__isnull=True, picked_because="")
                | (models.Q(picked_examples__len__gte=1) & ~models.Q(picked_because="")),
                name="campaign_picked_has_reason",
            ),
            models.CheckConstraint(
                condition=models.Q(gold_share__lte=50, repeat_share__lte=50), name="campaign_check_shares"
            ),
            models.CheckConstraint(
                condition=models.Q(state=CampaignState.DRAFT) | models.Q(opened_at__isnull=False),
                name="campaign_open_has_date",
            ),
            models.CheckConstraint(
                condition=models.Q(state=CampaignState.CLOSED, closed_at__isnull=False)
                | (~models.Q(state=CampaignState.CLOSED) & models.Q(closed_at__isnull=True)),
                name="campaign_closed_has_date",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_overdue(self) -> bool:
        """Whether it is running after its deadline, so that no more assignments are given out."""
        is_running = self.state in (CampaignState.OPEN, CampaignState.PAUSED)
        return is_running and self.deadline is not None and self.deadline <= timezone.now()

    @property
    def reviews_per_assignment(self) -> int:
        """The number of reviews in each assignment; 1 before the launch."""
        return self.reviews_total // self.assignments_total if self.assignments_total else 1

    @property
    def compares(self) -> bool:
        """Whether outputs are compared with each other, not rated one by one."""
        return self.method != Method.POINTWISE


class CampaignCandidate(BaseModel):
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="candidates")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="campaign_entries")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "model_version"], name="campaign_candidate_once"),
            models.UniqueConstraint(fields=["campaign", "position"], name="campaign_candidate_position"),
        ]

    def __str__(self) -> str:
        return str(self.model_version)


class CampaignReviewer(BaseModel):
    """A reviewer in a campaign. ``cursor``: their position in the seeded order of items.

    ``reviews_done`` and ``seconds_active`` are updated in the submitting transaction, so that progress is a
    sum over people, not a count of reviews; ``recent_items``: the latest two items, latest first. Reviewers
    who left keep their row and their reviews. ``quota``: the most items for them here; None: the campaign's.
    ``closing_at``: when they answered or declined the closing question. ``checks_done``: their reviews of
    gold, repeats and calibration, not in ``reviews_done``. With calibration, ordinary work starts at
    ``admitted_at``.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="reviewers")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    cursor = models.IntegerField(default=0)
    reviews_done = models.PositiveIntegerField(default=0)
    checks_done = models.PositiveIntegerField(default=0, db_default=0)
    admitted_at = models.DateTimeField(null=True, blank=True)
    seconds_active = models.FloatField(default=0)
    recent_items = ArrayField(models.BigIntegerField(), default=list, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)
    quota = models.PositiveIntegerField(null=True, blank=True)
    closing_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "user"], name="campaign_reviewer_once"),
            models.CheckConstraint(
                condition=models.Q(quota__isnull=True) | models.Q(quota__gte=1),
                name="campaign_reviewer_quota",
            ),
        ]
        indexes = [models.Index(fields=["user", "campaign"], name="campaign_reviewer_mine")]

    def __str__(self) -> str:
        return str(self.user)

    @property
    def submitted(self) -> int:
        """All reviews that they submitted, checks included, as they see it."""
        return self.reviews_done + self.checks_done


class Item(BaseModel):
    """An example with one output of each candidate, at ``sample_index``. ``overlap``: how many reviewers rate
    it. Items for gold or calibration are separate from those that count in results.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="items")
    example = models.ForeignKey(Example, on_delete=models.PROTECT, related_name="items")
    sample_index = models.PositiveSmallIntegerField(default=0, db_default=0)
    overlap = models.PositiveSmallIntegerField(default=1, db_default=1)
    purpose = purpose_field()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "example", "sample_index"], name="item_once")
        ]

    def __str__(self) -> str:
        return f"item {self.pk}"


class ItemOutput(BaseModel):
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="outputs")
    output = models.ForeignKey(Output, on_delete=models.PROTECT, related_name="item_outputs")
    candidate = models.ForeignKey(CampaignCandidate, on_delete=models.PROTECT, related_name="outputs")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "candidate"], name="item_output_per_candidate"),
            models.UniqueConstraint(fields=["item", "output"], name="item_output_once"),
        ]

    def __str__(self) -> str:
        return f"output {self.output_id}"


# Leases that must lapse on one assignment before a manager is notified.
MANY_LAPSES = 3


class Comparison(BaseModel):
    """Outputs of an item that are compared with each other: two, or three to five to rank.

    ``outputs`` holds ItemOutput ids in base order, which an assignment's ``arrangement`` rotates; ``number``
    is the comparison's position in its item, the same in every database.
    """

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="comparisons")
    number = models.PositiveSmallIntegerField()
    outputs = ArrayField(models.BigIntegerField())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "number"], name="comparison_number"),
            models.CheckConstraint(
                condition=models.Q(outputs__len__gte=2, outputs__len__lte=5), name="comparison_two_to_five"
            ),
        ]

    def __str__(self) -> str:
        return f"comparison {self.number} of item {self.item_id}"


class AssignmentState(models.TextChoices):
    AVAILABLE = "available", "Available"
    IN_PROGRESS = "in_progress", "In progress"
    SUBMITTED = "submitted", "Submitted"


_IS_AVAILABLE = models.Q(state=AssignmentState.AVAILABLE)
_IS_IN_PROGRESS = models.Q(state=AssignmentState.IN_PROGRESS)
_IS_SUBMITTED = models.Q(state=AssignmentState.SUBMITTED)


class Assignment(BaseModel):
    """One item given to one reviewer: a row that exists from the launch, so the quota is exact.

    ``key`` is part of a reviewer's URL. ``rank``: the seeded random order in which assignments are given out.
    ``outputs_order``: the item's ItemOutput ids in this assignment's seeded order; a URL names a position in
    it (a *slot*, from 0), which reveals nothing about the candidate. ``open_slots``: slots without a review;
    ``reviews_done`` counts the others. While available, it goes only to ``assigned_to``, or to anybody if
    that is empty. ``is_added``: created later because reviews of its item differed; not used for agreement,
    which is about the items as designed. ``lapses``: number of expired leases. ``last_reviewer`` had it until
    it became available again; ``claimed_at``: the last claim.

    If the campaign ``compares``, ``outputs_order`` contains ids of the item's Comparisons instead, and
    ``arrangement`` says how far their outputs are rotated on the screen (`comparisons.arranged`). A repeat is
    a second assignment of one item to one person; nothing that a reviewer receives distinguishes it, or gold,
    from other work. In a check, ``rank`` is the number of the person's items after which it is due.
    """

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="assignments")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="assignments")
    number = models.PositiveSmallIntegerField()
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    rank = models.IntegerField()
    state = models.CharField(max_length=11, choices=AssignmentState.choices, default="available")
    reviewer = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    assigned_to = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    is_added = models.BooleanField(default=False, db_default=False)
    purpose = purpose_field()
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    last_reviewer = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    outputs_order = ArrayField(models.BigIntegerField())
    open_slots = ArrayField(models.SmallIntegerField())
    outputs_total = models.PositiveSmallIntegerField()
    arrangement = models.PositiveSmallIntegerField(default=0, db_default=0)
    reviews_done = models.PositiveSmallIntegerField(default=0)
    # A database default, because SQL of several modules creates and copies assignments.
    lapses = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "number"], name="assignment_number"),
            models.UniqueConstraint(
                fields=["item", "reviewer"],
                condition=models.Q(reviewer__isnull=False) & ~models.Q(purpose=Purpose.REPEAT),
                name="assignment_one_per_reviewer_and_item",
            ),
            models.UniqueConstraint(
                fields=["item", "assigned_to"],
                condition=models.Q(assigned_to__isnull=False) & ~models.Q(purpose=Purpose.REPEAT),
                name="assignment_one_assigned_per_item",
            ),
            # Assignments that check one person are never given to anybody else.
            models.CheckConstraint(
                condition=models.Q(purpose=Purpose.REVIEW) | models.Q(assigned_to__isnull=False),
                name="assignment_check_is_somebodys",
            ),
            models.CheckConstraint(
                condition=(_IS_AVAILABLE & models.Q(reviewer__isnull=True, lease_expires_at__isnull=True))
                | (_IS_IN_PROGRESS & models.Q(reviewer__isnull=False, lease_expires_at__isnull=False))
                | (_IS_SUBMITTED & models.Q(reviewer__isnull=False, lease_expires_at__isnull=True)),
                name="assignment_state_is_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(reviews_done__lte=models.F("outputs_total")), name="assignment_not_over"
            ),
            models.CheckConstraint(
                condition=models.Q(open_slots__len=models.F("outputs_total") - models.F("reviews_done")),
                name="assignment_slots_add_up",
            ),
            models.CheckConstraint(
                condition=(_IS_SUBMITTED & models.Q(reviews_done=models.F("outputs_total")))
                | (~_IS_SUBMITTED & models.Q(reviews_done__lt=models.F("outputs_total"))),
                name="assignment_submitted_when_full",
            ),
        ]
        indexes = [
            models.Index(
                fields=["campaign", "rank"],
                name="assignment_available",
                condition=_IS_AVAILABLE & models.Q(assigned_to__isnull=True),
            ),
            models.Index(
                fields=["campaign", "assigned_to", "rank"],
                name="assignment_of_one_person",
                condition=_IS_AVAILABLE & models.Q(assigned_to__isnull=False, purpose=Purpose.REVIEW),
            ),
            models.Index(
                fields=["campaign", "assigned_to", "rank"],
                name="assignment_check",
                condition=_IS_AVAILABLE & ~models.Q(purpose=Purpose.REVIEW),
            ),
            models.Index(
                fields=["campaign", "lease_expires_at"],
                name="assignment_in_progress",
                condition=_IS_IN_PROGRESS,
            ),
            models.Index(
                fields=["reviewer", "campaign"],
                name="assignment_mine",
                condition=_IS_IN_PROGRESS,
            ),
            models.Index(fields=["campaign", "state"], name="assignment_progress"),
            models.Index(
                fields=["campaign"], name="assignment_lapsing", condition=models.Q(lapses__gte=MANY_LAPSES)
            ),
        ]

    def __str__(self) -> str:
        return f"assignment {self.number} of item {self.item_id}"


class Skip(BaseModel):
    """A reviewer will not, or did not, review this item; it is not offered to them again.

    ``is_lapse``: not their choice; their lease expired after they had reviewed some of its outputs, and
    others review the rest.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="skips")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="skips")
    reviewer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=200)
    is_lapse = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "reviewer"], name="skip_once")]

    def __str__(self) -> str:
        return self.reason


class GoldAnswer(BaseModel):
    """The known answer for an example: the right ``value`` of a criterion, and the accepted deviation.
    Without a ``candidate`` it applies to every candidate's output.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="gold_answers")
    example = models.ForeignKey(Example, on_delete=models.PROTECT, related_name="+")
    candidate = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    criterion = models.ForeignKey(Criterion, on_delete=models.PROTECT, related_name="+")
    value = models.SmallIntegerField()
    tolerance = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "example", "candidate", "criterion"],
                nulls_distinct=False,
                name="gold_answer_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.criterion}: {self.words}"

    @property
    def words(self) -> str:
        """The right answer in words."""
        return self.criterion.level_words(self.value)

    @property
    def facts(self) -> dict[str, int]:
        return {"criterion": self.criterion_id, "value": self.value}


class CalibrationNote(BaseModel):
    """A message in the discussion of a calibration item."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="calibration_notes")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()

    def __str__(self) -> str:
        return self.text[:60]
