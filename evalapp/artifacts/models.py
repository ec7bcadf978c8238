from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.datasets.models import DatasetVersion, Split
from evalapp.jobs.models import Job
from evalapp.registry.models import ModelVersion


class MergeFormat(models.TextChoices):
    BASE = "base", "Same as the base"
    BF16 = "bf16", "bfloat16"
    FP32 = "fp32", "float32"


class MergedExport(BaseModel):
    """An adapter merged into its base, for download as one model.

    ``folder`` (below the artifacts) and ``result`` (`training.merge_spec.MergeReport`) are set when it is
    complete.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="merged_exports")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="merged_exports")
    dtype = models.CharField(max_length=4, choices=MergeFormat.choices, default=MergeFormat.BASE)
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="merged_export")
    folder = models.CharField(max_length=100, blank=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    result = models.JSONField(default=dict)
    removed_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["model_version", "-id"], name="merged_export_latest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(folder="", size_bytes__isnull=True, removed_at__isnull=True)
                | (~Q(folder="") & Q(size_bytes__isnull=False)),
                name="merged_export_done_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(dtype__in=MergeFormat.values), name="merged_export_known_format"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version.label}, merged"

    @property
    def is_there(self) -> bool:
        return bool(self.folder) and self.removed_at is None


class HubDownload(BaseModel):
    """A download of a model from a hub; ``produced`` is the registered base, once complete.

    ``hub`` is the hub's URL, ``chat_template`` a template given with the download.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="hub_downloads")
    name = models.CharField(max_length=120)
    hub = models.CharField(max_length=200)
    repository = models.CharField(max_length=200)
    revision = models.CharField(max_length=100)
    chat_template = models.TextField(blank=True)
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="hub_download")
    produced = models.OneToOneField(
        ModelVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="hub_download"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="hub_download_latest")]

    def __str__(self) -> str:
        return f"{self.repository} ({self.revision})"


class DatasetPush(BaseModel):
    """A push of a dataset version to a hub.

    ``hub`` is the hub's URL. ``commit`` and ``url`` are set once it has arrived. ``is_private`` is the
    requested visibility before, the hub's afterwards. The test split is never pushed.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="dataset_pushes")
    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="pushes")
    hub = models.CharField(max_length=200)
    repository = models.CharField(max_length=100)
    is_private = models.BooleanField(default=True)
    splits = ArrayField(models.CharField(max_length=10, choices=Split.choices))
    commit = models.CharField(max_length=64, blank=True)
    url = models.CharField(max_length=500, blank=True)
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="dataset_push")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = "push to a hub"
        verbose_name_plural = "pushes to a hub"
        indexes = [models.Index(fields=["version", "-id"], name="dataset_push_latest")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(splits=[]) & ~Q(splits__contains=[Split.TEST]),
                name="dataset_push_holds_out_test",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.repository} on {self.hub}"


class ArtifactKind(models.TextChoices):
    ADAPTER = "adapter", "Adapter"
    MODEL = "model", "Full model"
    MERGED = "merged", "Merged export"
    HUB = "hub", "Model of a hub"
    TEMPLATED = "templated", "Base with a given template"
    RUN = "run", "Run directory"
    CHECKPOINTS = "checkpoints", "Checkpoints"


class SetAside(BaseModel):
    """Unneeded files marked for removal: the first of the two steps.

    ``path`` is relative to the root of ``kind`` (`evalapp.artifacts.places`). The files may be removed from
    ``removable_at`` on if nothing needs them by then. They have no project, since several may share the same
    weights.
    """

    kind = models.CharField(max_length=12, choices=ArtifactKind.choices)
    path = models.CharField(max_length=300)
    size_bytes = models.BigIntegerField()
    removable_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)
    set_aside_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "path"], condition=Q(removed_at__isnull=True), name="set_aside_once"
            ),
            models.CheckConstraint(
                condition=~Q(path="") & Q(kind__in=ArtifactKind.values), name="set_aside_names_files"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display().lower()} {self.path}"
