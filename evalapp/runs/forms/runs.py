"""Forms that start runs; their defaults are those of the programs."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from django import forms

from evalapp.accounts.models import Project
from evalapp.core.form_fields import RowField, RowsField, choice_field, row_field
from evalapp.datasets.models import DatasetVersion, Split
from evalapp.imports.pages import ImportFileField
from evalapp.registry import queries as registry
from evalapp.registry.models import EXTERNAL_KINDS, ModelVersion
from evalapp.registry.quantized import why_not_trainable
from evalapp.runs import queries
from evalapp.runs.generation.answers import MOST_BYTES
from evalapp.runs.generation.shards import MOST_SHARDS
from evalapp.runs.methods import METHODS
from evalapp.runs.models import Run
from evalapp.runs.services import MOST_SAMPLES
from evalapp.runs.training.run_comparison import ABSCISSAE
from inference.spec import GENERATION_LIMITS, SAMPLING_LIMITS, GenerationSpec, SamplingParameters
from training import objectives
from training.objectives import labels_of
from training.rows import TrainingRow
from training.spec import LORA_LIMITS, MOST_EPOCHS, TRAINING_LIMITS, LoraParameters, TrainingSpec


def defaults_of(spec: type) -> dict[str, Any]:
    """Defaults of a specification by field."""
    return {each.name: each.default for each in fields(spec) if each.default is not MISSING}


def within(limits: Mapping[str, tuple[float, float]], name: str) -> dict[str, Any]:
    """Arguments with a field's minimum and maximum, as in the program's specification."""
    least, most = limits[name]
    return {"min_value": least, "max_value": most}


TRAINING, LORA, SAMPLING = (
    defaults_of(TrainingSpec),
    defaults_of(LoraParameters),
    defaults_of(SamplingParameters),
)
GENERATION = defaults_of(GenerationSpec)
DTYPES = [("auto", "Automatic"), ("bf16", "bf16"), ("fp32", "fp32")]
LOSS_ON = [("completion", "The final answer"), ("assistant", "Every answer of a conversation")]
SCHEDULES = [("cosine", "Cosine"), ("linear", "Linear"), ("constant", "Constant")]
ENGINES = [
    ("auto", "The fastest installed"), ("vllm", "vLLM"), ("vllm-cpu", "vLLM on the CPU"), ("transformers",
    "transformers")
]  # fmt: skip


def name_of_dataset_version(version: DatasetVersion) -> str:
    """Name of a dataset version with its rows by split."""
    counts = ", ".join(f"{count:,} {label.lower()}" for label, count in queries.split_counts(version))
    return f"{version} ({counts})"


def _name_of_model_version(version: ModelVersion) -> str:
    return f"{version.model.name}: {version.label}"


def _name_of_candidate(version: ModelVersion) -> str:
    return f"{version.label} ({version.get_kind_display()}, {version.model.name})"


class TrainingForm(forms.Form):
    """Settings of a training. ``hyperparameters`` of a valid form are those of ``start_training``."""

    name = forms.CharField(max_length=120, label="Name", help_text="Also the label of the new model version.")
    objective = forms.ChoiceField(
        choices=lambda: [(each.key, f"{each.label}: {each.purpose}") for each in objectives.OBJECTIVES],
        initial=TRAINING["objective"], label="Objective", widget=forms.RadioSelect,
    )  # fmt: skip
    method = forms.ChoiceField(
        choices=[(key, words.choice) for key, words in METHODS.items()],
        initial=TRAINING["method"], label="Method", widget=forms.RadioSelect,
    )  # fmt: skip
    dataset_version = RowField(
        queryset=DatasetVersion.objects.none(), label="Dataset version", empty_label=None,
        help_text="Its training rows; the held-out test rows and the feedback rows are never trained on.",
        name_of=name_of_dataset_version)  # fmt: skip
    base = RowField(
        queryset=ModelVersion.objects.none(),
        label="Base model",
        empty_label=None,
        name_of=_name_of_model_version,
    )
    continued_from = RowField(
        queryset=ModelVersion.objects.none(), required=False, label="Start from", empty_label="A new adapter",
        help_text=(
            "Continues the training of an earlier adapter of this base, with the same shape. Methods that"
            " produce a full model always start anew; to continue from a full model, choose it as the base."
        ),
        name_of=_name_of_model_version)  # fmt: skip
    epochs = forms.FloatField(
        min_value=0.01, max_value=MOST_EPOCHS, initial=TRAINING["epochs"], label="Epochs"
    )
    learning_rate = forms.FloatField(
        **within(TRAINING_LIMITS, "learning_rate"), required=False, label="Learning rate"
    )
    loss_on = forms.ChoiceField(
        choices=LOSS_ON, initial=TRAINING["loss_on"], label="Loss on",
        help_text="Every turn needs a chat template that leaves earlier answers as they were.",
    )  # fmt: skip
    beta = forms.FloatField(
        min_value=0.001, max_value=10, initial=TRAINING["beta"], label="Beta",
        help_text="How closely the model stays to the one it starts from.",
    )  # fmt: skip
    rank = forms.IntegerField(**within(LORA_LIMITS, "rank"), initial=LORA["rank"], label="LoRA rank")
    alpha = forms.IntegerField(**within(LORA_LIMITS, "alpha"), initial=LORA["alpha"], label="LoRA alpha")
    dropout = forms.FloatField(min_value=0, max_value=0.99, initial=LORA["dropout"], label="LoRA dropout")
    max_steps = forms.IntegerField(
        **within(TRAINING_LIMITS, "max_steps"),
        required=False,
        label="Max steps",
        help_text="Optimiser steps; epochs are then ignored.",
    )
    batch_size = forms.IntegerField(
        **within(TRAINING_LIMITS, "batch_size"), initial=TRAINING["batch_size"], label="Batch size"
    )
    accumulation_steps = forms.IntegerField(
        **within(TRAINING_LIMITS, "accumulation_steps"),
        initial=TRAINING["accumulation_steps"],
        label="Gradient accumulation steps",
    )
    max_length = forms.IntegerField(
        **within(TRAINING_LIMITS, "max_length"), required=False, label="Max length (tokens)",
        help_text="Empty: the data's 99th percentile, rounded up. The run's page shows how many rows were "
        "truncated or dropped.",
    )  # fmt: skip
    schedule = forms.ChoiceField(
        choices=SCHEDULES, initial=TRAINING["schedule"], label="Learning-rate schedule"
    )
    warmup_share = forms.FloatField(
        **within(TRAINING_LIMITS, "warmup_share"), initial=TRAINING["warmup_share"], label="Warm-up ratio"
    )
    weight_decay = forms.FloatField(
        **within(TRAINING_LIMITS, "weight_decay"), initial=TRAINING["weight_decay"], label="Weight decay"
    )
    validation_share = forms.FloatField(
        min_value=0, max_value=0.5, initial=TRAINING["validation_share"], label="Validation share",
        help_text="Held out of the training rows, unless the version has a validation split.",
    )  # fmt: skip
    patience = forms.IntegerField(
        **within(TRAINING_LIMITS, "patience"), required=False, initial=TRAINING["patience"], label="Patience",
        help_text="Evaluations without a better validation loss until it stops. Empty: never.",
    )  # fmt: skip
    evaluations = forms.IntegerField(
        **within(TRAINING_LIMITS, "evaluations"), initial=TRAINING["evaluations"], label="Evaluations"
    )
    checkpoint_steps = forms.IntegerField(
        **within(TRAINING_LIMITS, "checkpoint_steps"),
        initial=TRAINING["checkpoint_steps"],
        label="Steps between checkpoints",
    )
    data_share = forms.FloatField(
        min_value=0.001, max_value=1, initial=TRAINING["data_share"], label="Share of the training rows",
        help_text="Below 1, whole sources are sampled with the seed; the held-out rows stay the same.",
    )  # fmt: skip
    sample_prompts = forms.IntegerField(
        **within(TRAINING_LIMITS, "sample_prompts"), initial=TRAINING["sample_prompts"],
        label="Sample prompts",
        help_text="Held-out prompts answered at each evaluation, to show progress. 0: none.",
    )  # fmt: skip
    sample_tokens = forms.IntegerField(
        **within(TRAINING_LIMITS, "sample_tokens"), initial=TRAINING["sample_tokens"],
        label="Max new tokens per sample",
    )  # fmt: skip
    seed = forms.IntegerField(**within(TRAINING_LIMITS, "seed"), initial=TRAINING["seed"], label="Seed")
    validation_seed = forms.IntegerField(
        **within(TRAINING_LIMITS, "validation_seed"), required=False, label="Seed of the held-out rows",
        help_text=(
            "Empty: the training’s seed. Trainings with different seeds need the same value here to be"
            " compared on the same held-out rows."
        ),
    )  # fmt: skip
    dtype = forms.ChoiceField(choices=DTYPES, initial=TRAINING["dtype"], label="Data type (dtype)")
    gradient_checkpointing = forms.BooleanField(
        required=False, label="Gradient checkpointing (less memory, slower)"
    )

    MAIN = ("name", "objective", "method", "dataset_version", "base", "continued_from", "epochs")
    OF_SPEC = ("objective", "method", "epochs")
    OF_LORA = ("rank", "alpha", "dropout")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row_field(self, "dataset_version").queryset = queries.trainable_versions(project)
        row_field(self, "base").queryset = registry.bases_of(project)
        row_field(self, "continued_from").queryset = registry.adapters_of(project)
        self._add_objectives_to_help()

    def _add_objectives_to_help(self) -> None:
        """Add to each setting's help text how the objectives use it."""
        known, fields = objectives.OBJECTIVES, self.fields
        others = labels_of(each for each in known if each.row_type is not TrainingRow)
        fields[
            "dataset_version"
        ].help_text += (
            f" {others} use the pairs and ratings that an export of feedback or an import has added."
        )
        rates = ", ".join(f"{each.label} {each.learning_rates}" for each in known)
        fields["learning_rate"].help_text = f"Empty: {rates}."
        fields["loss_on"].label = f"Loss on ({labels_of(each for each in known if each.uses_loss_on)})"
        fields["beta"].label = f"Beta ({labels_of(each for each in known if each.uses_beta)})"
        for objective in known:
            for name, limit in objective.limits.items():
                fields[name].help_text += f" {objective.label}: from {limit.least:g} to {limit.most:,g}."

    def clean_base(self) -> Any:
        base = self.cleaned_data["base"]
        if reason := why_not_trainable(base):
            raise forms.ValidationError(reason)
        return base

    @property
    def main(self) -> list[forms.BoundField]:
        return [self[name] for name in self.MAIN]

    @property
    def more(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self.MAIN]

    @property
    def more_has_errors(self) -> bool:
        return any(bound.errors for bound in self.more)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        values = {name: value for name, value in self.cleaned_data.items() if name not in self.MAIN}
        values |= {name: self.cleaned_data[name] for name in self.OF_SPEC}
        lora = {name: values.pop(name) for name in self.OF_LORA}
        return {**values, "lora": lora}


def initial_of(run: Run) -> dict[str, Any]:
    """Initial values of a training form from a run's settings."""
    return {
        **run.hyperparameters,
        **run.hyperparameters.get("lora", {}),
        "name": run.name,
        "dataset_version": run.dataset_version_id,
        "base": run.base_id,
        "continued_from": run.continued_from_id,
    }


class GenerationForm(forms.Form):
    """Settings of a generation. ``sampling`` of a valid form is that of ``start_generation``."""

    name = forms.CharField(max_length=120, label="Name")
    dataset_version = RowField(
        queryset=DatasetVersion.objects.none(),
        label="Dataset version",
        empty_label=None,
        name_of=name_of_dataset_version,
    )
    splits = forms.MultipleChoiceField(
        choices=Split.choices, initial=[Split.TEST], label="Splits", widget=forms.CheckboxSelectMultiple,
        help_text="Test rows are reviewed for decisions, feedback rows for training.",
    )  # fmt: skip
    candidates = RowsField(
        queryset=ModelVersion.objects.none(), label="Candidates", widget=forms.CheckboxSelectMultiple,
        help_text="All on one base model, or all API models.",
        name_of=_name_of_candidate)  # fmt: skip
    max_tokens = forms.IntegerField(
        **within(SAMPLING_LIMITS, "max_tokens"), initial=SAMPLING["max_tokens"], label="Max new tokens"
    )
    temperature = forms.FloatField(
        **within(SAMPLING_LIMITS, "temperature"), initial=SAMPLING["temperature"], label="Temperature",
        help_text="0: always the likeliest token.",
    )  # fmt: skip
    samples = forms.IntegerField(min_value=1, max_value=MOST_SAMPLES, initial=1, label="Outputs per row")
    top_p = forms.FloatField(**within(SAMPLING_LIMITS, "top_p"), initial=SAMPLING["top_p"], label="Top p")
    top_k = forms.IntegerField(
        **within(SAMPLING_LIMITS, "top_k"),
        initial=SAMPLING["top_k"],
        label="Top k",
        help_text="0: all tokens.",
    )
    repetition_penalty = forms.FloatField(
        **within(SAMPLING_LIMITS, "repetition_penalty"),
        initial=SAMPLING["repetition_penalty"],
        label="Repetition penalty",
    )
    stop = forms.CharField(
        required=False, label="Stop sequences", widget=forms.Textarea(attrs={"rows": 2}),
        help_text="One per line; each ends an output and is removed from it.",
    )  # fmt: skip
    seed = forms.IntegerField(**within(SAMPLING_LIMITS, "seed"), initial=SAMPLING["seed"], label="Seed")
    json_schema = forms.CharField(
        required=False, label="JSON schema", widget=forms.Textarea(attrs={"rows": 4}),
        help_text=(
            "Every complete output follows it. An output truncated at “Max new tokens” is not complete"
            " JSON, so leave room; the run’s page counts these. vLLM and endpoints support it; transformers"
            " does not."
        ),
    )  # fmt: skip
    engine = forms.ChoiceField(choices=ENGINES, initial=GENERATION["engine"], label="Engine")
    batch_size = forms.IntegerField(
        **within(GENERATION_LIMITS, "batch_size"),
        required=False,
        label="Batch size",
        help_text="Empty: chosen for the engine and the device.",
    )
    dtype = forms.ChoiceField(choices=DTYPES, initial=GENERATION["dtype"], label="Data type (dtype)")
    prefix_caching = forms.BooleanField(
        required=False, initial=GENERATION["prefix_caching"], label="Prefix caching",
        help_text="A common beginning of prompts, such as a system prompt or examples, is computed once. "
        "vLLM only.",
    )  # fmt: skip
    shards = forms.IntegerField(
        min_value=1, max_value=MOST_SHARDS, initial=1, required=False, label="Shards",
        help_text="Free workers take one shard each; a single worker takes them all. Above temperature 0 the"
        " outputs depend on the number of shards.",
    )  # fmt: skip

    MAIN = ("name", "dataset_version", "splits", "candidates")
    SAMPLING = (
        "max_tokens",
        "temperature",
        "samples",
        "top_p",
        "top_k",
        "repetition_penalty",
        "stop",
        "seed",
        "json_schema",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row_field(self, "dataset_version").queryset = queries.ready_versions(project)
        row_field(self, "candidates").queryset = registry.candidates_of(project)

    def clean_json_schema(self) -> str | None:
        return self.cleaned_data["json_schema"].strip() or None

    def clean_shards(self) -> int:
        return self.cleaned_data["shards"] or 1

    def clean_stop(self) -> list[str]:
        return [line for line in self.cleaned_data["stop"].splitlines() if line]

    @property
    def main(self) -> list[forms.BoundField]:
        return [self[name] for name in self.MAIN]

    @property
    def sampling_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.SAMPLING]

    @property
    def more(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in (*self.MAIN, *self.SAMPLING)]

    @property
    def sampling(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name not in self.MAIN}


class OutputsForm(forms.Form):
    """Imported outputs, for an existing candidate or a new one."""

    name = forms.CharField(max_length=120, label="Name")
    dataset_version = RowField(
        queryset=DatasetVersion.objects.none(),
        label="Dataset version",
        empty_label=None,
        name_of=name_of_dataset_version,
    )
    candidate = RowField(
        queryset=ModelVersion.objects.none(),
        required=False,
        label="Candidate",
        empty_label="A new one, named below",
        name_of=_name_of_model_version,
    )
    new_label = forms.CharField(max_length=80, required=False, label="New candidate’s label")
    item_field = forms.CharField(
        max_length=200,
        required=False,
        label="Metadata field with the item’s id",
        help_text="Leave empty to use the rows’ ids (“item”, “id” or the like).",
    )
    file = ImportFileField(
        most_bytes=MOST_BYTES,
        help_text="JSONL or CSV with “item” (the row’s id), “prompt” or “row” (its number), and “text” or a "
        "column called like the candidate; or the output of an OpenAI batch.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        imported = registry.versions_of(project).filter(kind__in=EXTERNAL_KINDS).order_by("-pk")
        row_field(self, "dataset_version").queryset = queries.ready_versions(project)
        row_field(self, "candidate").queryset = imported

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        named, chosen = cleaned.get("new_label", "").strip(), cleaned.get("candidate")
        if not self.errors and bool(chosen) == bool(named):
            message = "Choose a candidate or name a new one" + (", not both." if named else ".")
            self.add_error("new_label", message)
        return cleaned


class RunComparisonForm(forms.Form):
    """The compared trainings and the horizontal axis. Never posted: the view reads both from the URL."""

    x = forms.ChoiceField(
        choices=[(key, each.label) for key, each in ABSCISSAE.items()], label="Horizontal axis",
        widget=forms.RadioSelect,
    )  # fmt: skip
    run = forms.MultipleChoiceField(label="Trainings", widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, runs: Sequence[Run], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice_field(self, "run").choices = [
            (str(run.pk), f"{run.name} ({run.job.get_state_display().lower()}, {run.created_at:%-d %B %Y})")
            for run in runs
        ]
