from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.imports.mapping import id_columns
from evalapp.imports.models import FileImport
from evalapp.jobs.models import Job


class Dataset(BaseModel):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="datasets")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    licence = models.CharField(max_length=120, blank=True, default="")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="dataset_name_in_project")]

    def __str__(self) -> str:
        return self.name


class Split(models.TextChoices):
    TRAIN = "train", "Training"
    VALIDATION = "validation", "Validation"
    TEST = "test", "Test (held out)"
    FEEDBACK = "feedback", "Feedback"


FROM_DRAFT = "draft"
"""The ``source`` of a version made from a draft."""


class VersionState(models.TextChoices):
    IMPORTING = "importing", "Importing"
    READY = "ready", "Ready"
    DELETED = "deleted", "Deleted"


class DatasetVersion(BaseModel):
    """A dataset version: immutable once ready. A database trigger refuses any change of its content.

    A version becomes ready, with all its rows, when its transaction commits. ``content_hash`` covers every
    row in order; ``counts`` is the number of rows per split. ``erased_rows`` counts rows that held data of
    people since erased: their texts changed, but all hashes are still those from before the erasure. A
    deleted version has no rows and is never listed.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children"
    )
    state = models.CharField(max_length=10, choices=VersionState.choices, default=VersionState.IMPORTING)
    content_hash = models.CharField(max_length=64, blank=True)
    counts = models.JSONField(default=dict)
    skipped_rows = models.PositiveIntegerField(default=0)
    note = models.TextField(blank=True)
    source = models.CharField(max_length=200, blank=True)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    # Made wholly or partly from reviews of simulated reviewers.
    is_simulated = models.BooleanField(default=False)
    is_recorded = models.BooleanField(default=False)
    erased_rows = models.PositiveIntegerField(default=0, db_default=0)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="dataset_version_number"),
            models.CheckConstraint(
                condition=~models.Q(state=VersionState.READY) | ~models.Q(content_hash=""),
                name="dataset_version_ready_has_hash",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset.name} v{self.number}"


class Example(models.Model):
    """One row: prompt messages, references and facts. ``row_number`` counts from 1 within the version;
    ``row_key`` identifies the row in every version of the dataset (`evalapp.datasets.row_keys`).

    ``messages``: [{"role": "system"|"user"|"assistant", "content": str}], ending with a user turn.
    ``references``: list of accepted answers (may be empty). ``metadata``: flat mapping of fields.
    ``prompt_hash``: SHA-256 of the canonical JSON of ``messages``; the same prompt has the same hash in every
    version. ``provenance``: the origin (ids and labels) of a row made from feedback. ``pairs``: [{"chosen":
    str, "rejected": str}], preferred and rejected answers; ``rated``: [{"answer": str, "good": bool}],
    answers judged alone. Both are for training only. ``conversation``: the original prompt and first
    reference, kept where they contain more than text (`evalapp.conversations`); ``messages`` and
    ``references`` have its text.
    """

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="examples")
    row_number = models.PositiveIntegerField()
    row_key = models.PositiveBigIntegerField(null=True)
    split = models.CharField(max_length=10, choices=Split.choices)
    messages = models.JSONField()
    references = models.JSONField(default=list)
    label = models.CharField(max_length=200, blank=True)
    context = models.TextField(blank=True)
    metadata = models.JSONField(default=dict)
    group_key = models.CharField(max_length=200, blank=True)
    prompt_hash = models.CharField(max_length=64)
    content_hash = models.CharField(max_length=64)
    provenance = models.JSONField(default=dict)
    pairs = models.JSONField(default=list)
    rated = models.JSONField(default=list)
    conversation = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "row_number"], name="example_row_number"),
            models.UniqueConstraint(fields=["version", "row_key"], name="example_row_key"),
            models.CheckConstraint(condition=models.Q(split__in=Split.values), name="example_known_split"),
        ]
        indexes = [
            models.Index(fields=["version", "split", "row_number"], name="example_split_order"),
            models.Index(fields=["prompt_hash"], name="example_prompt"),
            models.Index(
                fields=["version", "row_number"],
                condition=models.Q(conversation__isnull=False),
                name="example_conversation",
            ),
        ]

    def __str__(self) -> str:
        return f"row {self.row_number}"

    @property
    def own_id(self) -> str:
        """The row's id in its file, read from the metadata field that is named like an id; "" without one."""
        field = next(iter(id_columns(self.metadata)), "")
        return str(self.metadata[field]) if isinstance(self.metadata.get(field), str | int) else ""

    @property
    def prompt_text(self) -> str:
        """The last user turn, which people read first."""
        return str(self.messages[-1]["content"]) if self.messages else ""


class DatasetRecipe(BaseModel):
    """A repeatable way to write versions of a dataset from rows of other datasets. ``settings`` is read by
    ``recipes.settings.RecipeSettings``; ``job`` is the latest that wrote a version, or tried to.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="recipes")
    name = models.CharField(max_length=120)
    settings = models.JSONField()
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "name"], name="dataset_recipe_name_in_dataset")
        ]

    def __str__(self) -> str:
        return self.name


class RecipeVersion(models.Model):
    """A version written by a recipe: the recipe's settings at that time, and the account of its sources' rows
    (``recipes.mixing.SourceAccount``).
    """

    version = models.OneToOneField(
        DatasetVersion, primary_key=True, on_delete=models.CASCADE, related_name="recipe_version"
    )
    recipe = models.ForeignKey(DatasetRecipe, null=True, on_delete=models.SET_NULL, related_name="versions")
    settings = models.JSONField()
    sources = models.JSONField()

    def __str__(self) -> str:
        return f"{self.version} by {self.recipe}"


class VaultEntry(models.Model):
    """The originals of a masked row's placeholders. ``token`` equals the row's ``provenance["vault"]`` in
    every version; ``sealed`` is the encrypted {placeholder: [text, …]}, texts in the order in which they were
    met (`evalapp.datasets.vault`).
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="vault_entries")
    token = models.UUIDField(primary_key=True)
    sealed = models.TextField()

    def __str__(self) -> str:
        return str(self.token)


class RowText(models.Model):
    """The words of a row, indexed for row search (`evalapp.datasets.search`)."""

    example = models.OneToOneField(Example, primary_key=True, on_delete=models.CASCADE, related_name="text")
    words = SearchVectorField()

    class Meta:
        indexes = [GinIndex(fields=["words"], name="row_text_words")]

    def __str__(self) -> str:
        return f"words of {self.example}"


class DatasetImport(FileImport):
    """An uploaded file that is to become a version.

    ``options`` is read by ``options.ImportOptions``. ``row_errors`` lists the first errors as [{"row": int,
    "field": str, "problem": str, "fix": str}]; ``errors_found`` counts all errors and ``bad_rows`` the rows
    with at least one.
    """

    became = "version"
    audited_as = "dataset"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="imports")
    version = models.OneToOneField(
        DatasetVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="dataset_import"
    )
    rows_read = models.BigIntegerField(default=0)
    bad_rows = models.BigIntegerField(default=0)
    errors_found = models.BigIntegerField(default=0)
    row_errors = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["dataset", "-id"], name="dataset_import_latest")]

    @property
    def of_project(self) -> Project:
        return self.dataset.project
