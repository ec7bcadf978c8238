from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.rubrics.kinds import choices, rules_of
from evalapp.rubrics.kinds.base import CriterionKind
from evalapp.rubrics.kinds.scale import Scale
from evalapp.rubrics.kinds.yes_no import YesNo
from evalapp.rubrics.limits import MOST_STEPS


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
    """One version of a rubric. It is frozen by its first use in a campaign; later edits make the next
    version.
    """

    rubric = models.ForeignKey(Rubric, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    instructions = models.TextField(blank=True)
    frozen_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rubric", "number"], name="rubric_version_number")]

    def __str__(self) -> str:
        return f"{self.rubric.name} v{self.number}"


class Criterion(BaseModel):
    """One question of a rubric.

    ``level_descriptions`` maps a level (as text: "1", or "yes"/"no") to its meaning. Yes/no is stored as 1/0.
    Reason tags are offered when a scale's value is at or below ``low_threshold`` (for yes/no: at the
    ``undesired`` answer). A text criterion has no levels. ``options`` of a category are its answers, stored
    as 1, 2, …: {"label", "is_undesired"}; of a span criterion, which has no levels either, they are the
    labels. ``examples`` maps levels, like ``level_descriptions``, to an example output. ``visible_if``:
    {"criterion": key, "values": levels}, asked only if that earlier criterion has one of these answers; null:
    always. ``lower_is_better``: for a scale whose lowest level is the best, such as ranks; it has no weight
    and no low threshold, because both refer to high levels as good. ``steps_per_point``: 2 or more for a
    scale with half points or averages of ratings; its levels are counted in steps.
    """

    version = models.ForeignKey(RubricVersion, on_delete=models.CASCADE, related_name="criteria")
    position = models.PositiveSmallIntegerField()
    key = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    help_text = models.TextField(blank=True)
    kind = models.CharField(max_length=10, choices=choices())
    minimum = models.SmallIntegerField(default=1)
    maximum = models.SmallIntegerField(default=5)
    steps_per_point = models.SmallIntegerField(default=1)
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
            # The target of Score's copy of the range (composite foreign key in a migration).
            models.UniqueConstraint(fields=["id", "minimum", "maximum"], name="criterion_range"),
            models.CheckConstraint(
                condition=models.Q(minimum__lt=models.F("maximum")), name="criterion_order"
            ),
            models.CheckConstraint(condition=models.Q(weight__gte=0), name="criterion_weight"),
            models.CheckConstraint(
                condition=~models.Q(kind=YesNo.name) | models.Q(minimum=0, maximum=1),
                name="criterion_yes_no_range",
            ),
            models.CheckConstraint(
                condition=models.Q(lower_is_better=False)
                | models.Q(kind=Scale.name, weight=0, low_threshold__isnull=True, is_critical=False),
                name="criterion_lower_is_better",
            ),
            models.CheckConstraint(
                condition=models.Q(steps_per_point=1)
                | models.Q(kind=Scale.name, steps_per_point__gt=1, steps_per_point__lte=MOST_STEPS),
                name="criterion_steps_per_point",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def rules(self) -> CriterionKind:
        """The rules of its criterion kind."""
        return rules_of(self.kind, self)

    @property
    def is_rated(self) -> bool:
        """Whether its answers are levels, which can be counted; text and span answers cannot."""
        return self.rules.has_levels

    @property
    def levels(self) -> list[int]:
        return self.rules.levels

    @property
    def counted_levels(self) -> frozenset[int]:
        """The answers whose share is reported for a criterion without a mean: yes, or the undesired
        options.
        """
        return self.rules.counted_levels

    @property
    def failing_levels(self) -> frozenset[int]:
        """The answers that fail an output on a critical criterion: the undesired ones; on a scale, the low
        ones.
        """
        return self.rules.failing_levels

    @property
    def is_less_better(self) -> bool:
        """Whether lower numbers are better: on such a scale, or for a share of undesired answers."""
        return self.rules.is_less_better

    @property
    def axis_label(self) -> str:
        """The axis label for numbers of this criterion: its range, with the direction where it is unusual; or
        the answers whose share it is.
        """
        return self.rules.axis_label

    def level_words(self, level: int) -> str:
        """An answer in words: the level, yes or no, the option."""
        return self.rules.words(level)


class ReasonTag(BaseModel):
    """A reason that a reviewer can give by pressing one key ("too formal")."""

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
