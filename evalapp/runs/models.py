from typing import Any

from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.jobs.models import Job
from evalapp.registry.models import ModelVersion
from evalapp.runs.methods import method_name_of
from evalapp.runs.row_words import left_out_sentences
from run_directory.words import counted
from training.objectives import find_objective
from training.objectives.objective import Objective


class RunKind(models.TextChoices):
    TRAINING = "training", "Training"
    DRY_RUN = "dry_run", "Dry run"
    GENERATION = "generation", "Generation"
    IMPORT = "import", "Imported outputs"


TRAINING_KINDS = (RunKind.TRAINING, RunKind.DRY_RUN)
"""Kinds of runs that have training settings and no outputs."""

MOST_SHOWN_ROWS = 20
NOT_DRAWN = "not_drawn"
"""Reason of rows left out because only a share of the data was drawn."""


class ContaminationDecision(BaseModel):
    """An owner's decision to allow training on rows of a dataset version that are also used for evaluation.

    It covers exactly the matches in ``rows``: [{"kind": "exact"|"near"|"contained", "share", "training_row",
    "training_hash", "evaluation_row", "evaluation_version", "evaluation_hash"}]. The hashes are the training
    row's content hash and the evaluation row's prompt hash; older decisions have no evaluation_version.
    ``rows_hash`` is the SHA-256 of ``rows``. Immutable.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="contamination_decisions")
    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.PROTECT, related_name="contamination_decisions"
    )
    reason = models.TextField()
    rows = models.JSONField()
    rows_hash = models.CharField(max_length=64)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="contamination_decision_reason"),
            models.UniqueConstraint(
                fields=["dataset_version", "rows_hash"], name="contamination_decision_once"
            ),
        ]

    def __str__(self) -> str:
        return f"rows of {self.dataset_version} that evaluate"

    @property
    def training_rows(self) -> list[int]:
        """Numbers of the training rows that the decision covers, in order."""
        return sorted({pair["training_row"] for pair in self.rows})


_NOT_CHOSEN = ("format", "base_folder", "continue_from", "rows", "data_sha256")


class Sweep(BaseModel):
    """Trainings that differ in only a few settings, for comparison: seeds, a small grid, shares of the data.

    ``axes`` maps each varied setting to its values, by the names of `evalapp.runs.training.axes`.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sweeps")
    name = models.CharField(max_length=80)
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="+")
    base = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    axes = models.JSONField(default=dict)
    is_simulated = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="sweep_project_latest")]

    def __str__(self) -> str:
        return self.name


class Run(BaseModel):
    """A training, dry run, generation or import of outputs; it is carried out by ``job``.

    ``splits`` are the splits of the dataset version that were used. ``spec`` is the specification in the run
    directory. ``rows`` is {"in", "used", "truncated", "dropped", "reasons"}, for trainings with further
    counts. ``engine``, ``device`` and ``engine_reason`` are as reported by the program.
    ``contamination_decision`` is the decision that allowed a training on rows that are also used for
    evaluation.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=10, choices=RunKind.choices)
    name = models.CharField(max_length=120)
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="run")
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="runs")
    splits = models.JSONField(default=list)
    base = models.ForeignKey(ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    continued_from = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    sweep = models.ForeignKey(Sweep, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    produced = models.OneToOneField(
        ModelVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="trained_by"
    )
    spec = models.JSONField(default=dict)
    rows = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    engine = models.CharField(max_length=40, blank=True)
    device = models.CharField(max_length=80, blank=True)
    engine_reason = models.TextField(blank=True)
    contamination_decision = models.ForeignKey(
        ContaminationDecision, null=True, blank=True, on_delete=models.PROTECT, related_name="runs"
    )
    is_simulated = models.BooleanField(default=False)
    is_recorded = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="run_project_latest")]

    def __str__(self) -> str:
        return self.name

    @property
    def method_name(self) -> str:
        """The training's method and objective in words; empty for generations and imports."""
        if self.kind not in TRAINING_KINDS:
            return ""
        return f"{method_name_of(self.spec.get('method'))} by {self.objective_label}"

    @property
    def objective(self) -> Objective | None:
        """The training's objective; None if another version of the product wrote an unknown one."""
        return find_objective(self.spec.get("objective"))

    @property
    def objective_label(self) -> str:
        return self.objective.label if self.objective else str(self.spec.get("objective") or "")

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The chosen settings of a training, as accepted by ``start_training``."""
        return {name: value for name, value in self.spec.items() if name not in _NOT_CHOSEN}

    @property
    def passes(self) -> float | None:
        """Passes through the training rows; below 1, some rows were never read. None before the end."""
        epochs = self.result.get("epochs")
        return float(epochs) if self.kind == RunKind.TRAINING and epochs is not None else None

    @property
    def rows_read(self) -> int | None:
        """Number of training rows that at least one step has read; None before the end."""
        return self.rows_read_in(self.passes) if self.passes is not None else None

    @property
    def passes_so_far(self) -> float | None:
        """Like `passes`, also for a training that is running or did not finish."""
        if self.kind != RunKind.TRAINING or self.passes is not None:
            return self.passes
        latest = self.points.filter(values__epoch__isnull=False).order_by("-step").first()
        return float(latest.values["epoch"]) if latest is not None else None

    @property
    def rows_read_so_far(self) -> int:
        return self.rows_read_in(self.passes_so_far or 0.0)

    def rows_read_in(self, passes: float) -> int:
        """Number of training rows that at least one step has read after this many passes."""
        return round(min(1.0, passes) * int(self.rows.get("train", 0)))

    @property
    def stopped_early(self) -> str:
        """Why a training ended before all planned steps; empty if it did not, or if that is unknown."""
        planned, done = self.result.get("planned_steps"), self.result.get("steps")
        if self.kind != RunKind.TRAINING or planned is None or done is None or done >= planned:
            return ""
        patience = counted(int(self.spec.get("patience") or 0), "evaluation")
        return (
            f"after {done:,} of {planned:,} steps, because the validation loss had not fallen for {patience}"
        )

    @property
    def left_out(self) -> list[str]:
        """Sentences about the version's rows that a training left out."""
        return list(left_out_sentences(self.rows, self.method_name, self.objective_label))

    @property
    def not_drawn(self) -> int:
        """Number of training rows left out because only a share was drawn."""
        return int(self.rows.get("reasons", {}).get(NOT_DRAWN, 0))

    @property
    def useless_rows(self) -> int:
        """Number of dropped rows, except those of `not_drawn`."""
        return int(self.rows.get("dropped", 0)) - self.not_drawn

    @property
    def shown_dropped_rows(self) -> list[dict[str, Any]]:
        """The first few dropped rows of the program's report."""
        rows: list[dict[str, Any]] = self.result.get("rows", {}).get("dropped_rows", [])
        return rows[: min(self.useless_rows, MOST_SHOWN_ROWS)]


class RunCandidate(BaseModel):
    """A model version in a generation; ``key`` is its name in the run directory."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="candidates")
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "model_version"], name="run_candidate_once"),
            models.UniqueConstraint(fields=["run", "key"], name="run_candidate_key"),
        ]

    def __str__(self) -> str:
        return self.key


class RunShard(BaseModel):
    """Every n-th row of a large generation, starting at row ``number`` (from 0), answered by one job at a
    time.

    ``holder`` works on it while that job is active in attempt ``holder_attempt``; ``takes`` counts how often
    it was taken. ``done`` of its ``outputs`` answers are finished. ``report`` is the program's, {} before the
    end.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="shards")
    number = models.PositiveSmallIntegerField()
    outputs = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    holder = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    holder_attempt = models.PositiveIntegerField(default=0)
    takes = models.PositiveIntegerField(default=0)
    report = models.JSONField(default=dict)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="run_shard_once"),
            models.CheckConstraint(
                condition=models.Q(finished_at__isnull=True, report={})
                | (models.Q(finished_at__isnull=False) & ~models.Q(report={})),
                name="run_shard_finished_has_report",
            ),
        ]

    def __str__(self) -> str:
        return f"part {self.number + 1}"

    @property
    def is_held(self) -> bool:
        """Whether a job is working on it."""
        holder = self.holder
        return holder is not None and holder.is_active and holder.attempt == self.holder_attempt


class Output(models.Model):
    """One generated or imported answer, unique per run, example, candidate and sample.

    ``text`` is the answer that is reviewed and scored. ``reasoning`` is the model's reasoning before it, from
    a ``<think>`` part or a separate field. If the output was cut off during reasoning, ``text`` is empty.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="outputs")
    example = models.ForeignKey(Example, on_delete=models.PROTECT, related_name="outputs")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="outputs")
    sample_index = models.PositiveSmallIntegerField(default=0)
    text = models.TextField()
    reasoning = models.TextField(blank=True, db_default="", default="")
    finish_reason = models.CharField(max_length=20, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True)
    completion_tokens = models.PositiveIntegerField(null=True)
    seconds = models.FloatField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "example", "candidate", "sample_index"], name="output_exists_once"
            )
        ]
        indexes = [models.Index(fields=["candidate", "example"], name="output_candidate_example")]

    def __str__(self) -> str:
        return self.text[:60]


class TrainingPoint(models.Model):
    """One logged step of a training: loss, learning rate, gradient norm, tokens per second."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="points")
    step = models.PositiveIntegerField()
    values = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="training_point_once")]

    def __str__(self) -> str:
        return f"step {self.step}"


class SampleAnswer(models.Model):
    """Output of a model in training for a held-out prompt, at the evaluation after ``step``.

    ``row`` is the row's id in the run directory, where one dataset row may become several rows.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="sample_answers")
    step = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField()
    row = models.CharField(max_length=40)
    example = models.ForeignKey(Example, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(blank=True)
    is_whole = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step", "position"], name="sample_answer_once")]

    def __str__(self) -> str:
        return self.text[:60]


class DrawnRows(models.Model):
    """Ids, in the run directory, of the rows that a training on a share of its data drew."""

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE, related_name="drawn_rows")
    rows = models.JSONField()

    def __str__(self) -> str:
        return f"{len(self.rows)} rows"
