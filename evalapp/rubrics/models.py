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


class Criterion(BaseModel):
    """One question of a rubric.

    ``anchors`` maps a level (as text: "1", or "yes"/"no") to what it means. Yes/no is stored as 1/0.
    Reason tags are offered when a scale's value is at or under ``low_threshold`` (for yes/no: when the
    answer is the undesired one, ``undesired``).
    """

    version = models.ForeignKey(RubricVersion, on_delete=models.CASCADE, related_name="criteria")
    position = models.PositiveSmallIntegerField()
    key = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    help_text = models.TextField(blank=True)
    kind = models.CharField(max_length=10, choices=CriterionKind.choices)
    minimum = models.SmallIntegerField(default=1)
    maximum = models.SmallIntegerField(default=5)
    anchors = models.JSONField(default=dict)
    weight = models.DecimalField(max_digits=6, decimal_places=3, default=1)
    is_required = models.BooleanField(default=True)
    allows_not_applicable = models.BooleanField(default=False)
    is_critical = models.BooleanField(default=False)
    low_threshold = models.SmallIntegerField(null=True, blank=True, default=2)
    undesired = models.SmallIntegerField(null=True, blank=True)

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
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def levels(self) -> list[int]:
        return list(range(self.minimum, self.maximum + 1))


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
