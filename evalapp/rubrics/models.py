from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel


class Rubric(BaseModel):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rubrics")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="rubric_name_in_project")]

    def __str__(self) -> str:
        return self.name


class RubricVersion(BaseModel):
    """Frozen by its first use in a campaign; an edit after that makes the next number."""

    rubric = models.ForeignKey(Rubric, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    instructions = models.TextField(blank=True)
    frozen_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rubric", "number"], name="rubric_version_number")]

    def __str__(self) -> str:
        return f"{self.rubric.name} v{self.number}"


class CriterionKind(models.TextChoices):
    SCALE = "scale", "Scale"
    YES_NO = "yes_no", "Yes / no"
    CATEGORY = "category", "Category"
    TEXT = "text", "Text"
    SPANS = "spans", "Span labels"


NOT_LEVELS = (CriterionKind.TEXT, CriterionKind.SPANS)
"""Kinds that are answered in words or by marks in the answer: they have no levels and no mean."""


class Criterion(BaseModel):
    """One question of a rubric.

    ``level_descriptions`` maps a level (as text: "1", or "yes"/"no") to what it means. Yes/no is stored as 1/0.
    Reason tags are offered when a scale's value is at or under ``low_threshold`` (for yes/no: when the
    answer is the undesired one, ``undesired``). A text is answered in words and has no levels. ``options`` are a category's answers, stored as 1, 2, …:
    {"label", "is_undesired"}; of spans, which are marked in the output and have no levels either, the labels. ``examples`` maps levels, as ``level_descriptions``, to an answer that deserves it.
    ``visible_if``: {"criterion": key, "values": levels}, asked only where that earlier criterion was
    answered so; null: always. ``lower_is_better``: of a scale whose lowest level is the best, as 1 is of places in
    an order; such a scale weighs nothing and has no low threshold, which all speak of its other end.
    """

    version = models.ForeignKey(RubricVersion, on_delete=models.CASCADE, related_name="criteria")
    position = models.PositiveSmallIntegerField()
    key = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    help_text = models.TextField(blank=True)
    kind = models.CharField(max_length=10, choices=CriterionKind.choices)
    minimum = models.SmallIntegerField(default=1)
    maximum = models.SmallIntegerField(default=5)
    level_descriptions = models.JSONField(default=dict)
    options = models.JSONField(default=list, blank=True)
    examples = models.JSONField(default=dict, blank=True)
    visible_if = models.JSONField(null=True, blank=True)
    weight = models.DecimalField(max_digits=6, decimal_places=3, default=1)
    is_required = models.BooleanField(default=True)
    allows_not_applicable = models.BooleanField(default=False)
    is_critical = models.BooleanField(default=False)
    low_threshold = models.SmallIntegerField(null=True, blank=True, default=2)
    undesired = models.SmallIntegerField(null=True, blank=True)
    lower_is_better = models.BooleanField(default=False)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="criterion_position"),
            models.UniqueConstraint(fields=["version", "key"], name="criterion_key"),
            # What Score's copy of the range refers to (composite foreign key in a migration).
            models.UniqueConstraint(fields=["id", "minimum", "maximum"], name="criterion_range"),
            models.CheckConstraint(
                condition=models.Q(minimum__lt=models.F("maximum")), name="criterion_order"
            ),
            models.CheckConstraint(condition=models.Q(weight__gte=0), name="criterion_weight"),
            models.CheckConstraint(
                condition=~models.Q(kind=CriterionKind.YES_NO) | models.Q(minimum=0, maximum=1),
                name="criterion_yes_no_range",
            ),
            models.CheckConstraint(
                condition=models.Q(lower_is_better=False)
                | models.Q(kind=CriterionKind.SCALE, weight=0, low_threshold__isnull=True, is_critical=False),
                name="criterion_lower_is_better",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_rated(self) -> bool:
        """Whether its answers are levels, which can be counted; a text's are words, spans are marks."""
        return self.kind not in NOT_LEVELS

    @property
    def levels(self) -> list[int]:
        return list(range(self.minimum, self.maximum + 1)) if self.is_rated else []

    @property
    def counted_levels(self) -> frozenset[int]:
        """The answers whose share stands for a criterion that has no mean: yes, or the undesired options."""
        if self.kind == CriterionKind.YES_NO:
            return frozenset({1})
        return frozenset(
            level for level, option in enumerate(self.options, start=1) if option["is_undesired"]
        )

    @property
    def failing_levels(self) -> frozenset[int]:
        """The answers that fail an output on a critical criterion: undesired ones, on a scale the low ones."""
        if self.kind == CriterionKind.CATEGORY:
            return self.counted_levels
        if self.kind == CriterionKind.YES_NO:
            return frozenset() if self.undesired is None else frozenset({self.undesired})
        if not self.is_rated:
            return frozenset()
        threshold = self.minimum if self.low_threshold is None else self.low_threshold
        return frozenset(range(self.minimum, threshold + 1))

    @property
    def is_less_better(self) -> bool:
        """Whether the lower figure is the better one: of such a scale, or of the share of undesired answers."""
        if self.kind == CriterionKind.SCALE:
            return self.lower_is_better
        return bool(self.counted_levels & self.failing_levels)

    @property
    def axis_label(self) -> str:
        """What a figure of this criterion is: its range, with the direction where it is not the usual one; or
        whose share.
        """
        if self.kind == CriterionKind.SCALE:
            return f"{self.minimum}–{self.maximum}{', lower is better' if self.lower_is_better else ''}"
        return "share yes" if self.kind == CriterionKind.YES_NO else "share not wanted"

    @property
    def drawn_range(self) -> tuple[int, int]:
        """The ends of a scale as it is drawn: what is better stands at the right, or above."""
        ends = (self.minimum, self.maximum)
        return ends[::-1] if self.lower_is_better else ends

    def level_words(self, level: int) -> str:
        """An answer as people read it: the level, yes or no, the option."""
        if self.kind == CriterionKind.YES_NO:
            return "yes" if level else "no"
        if self.kind == CriterionKind.CATEGORY and 0 < level <= len(self.options):
            return str(self.options[level - 1]["label"])
        return str(level)


class ReasonTag(BaseModel):
    """A reason a reviewer can give with one key ("too formal")."""

    criterion = models.ForeignKey(Criterion, on_delete=models.CASCADE, related_name="reason_tags")
    position = models.PositiveSmallIntegerField()
    key = models.SlugField(max_length=40)
    label = models.CharField(max_length=60)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["criterion", "key"], name="reason_tag_key"),
            models.UniqueConstraint(fields=["criterion", "position"], name="reason_tag_position"),
        ]

    def __str__(self) -> str:
        return self.label
