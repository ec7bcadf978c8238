"""Origin of a model version and the versions created from it, for its page, card and exports."""

from dataclasses import dataclass
from typing import Any

from evalapp.exports.lineage import ModelLineage, model_lineage
from evalapp.gates.lineage import TrainingData, training_data_of
from evalapp.registry.models import ModelVersion
from evalapp.registry.queries import ancestors_of
from evalapp.runs.contamination.contamination_guard import compared_with_evaluation, is_quick
from evalapp.runs.models import Run
from evalapp.runs.queries import training_of


@dataclass(frozen=True)
class Origin:
    """Origin and descendants of a version. ``ancestors`` are the adapters it was continued from, nearest
    first; ``continued`` those continued from it; ``standing`` the versions based on it.
    """

    version: ModelVersion
    training: Run | None
    ancestors: list[ModelVersion]
    continued: list[ModelVersion]
    standing: list[ModelVersion]
    data: TrainingData
    lineage: ModelLineage

    @property
    def hub(self) -> dict[str, Any]:
        """Repository, commit and licence of the base on its hub; empty for a base from a folder."""
        base = self.version
        while base.base is not None:
            base = base.base
        return dict(base.config.get("hub", {}))

    @property
    def losses(self) -> dict[str, float]:
        """First and last training loss, and the validation loss at the kept step."""
        if self.training is None:
            return {}
        points = {point.step: point.values for point in self.training.points.order_by("step")}
        losses = [values["loss"] for values in points.values() if "loss" in values]
        found = {"first": losses[0], "last": losses[-1]} if losses else {}
        kept = points.get(int(self.training.result.get("kept_step") or 0), {})
        if "validation_loss" in kept:
            found["validation"] = kept["validation_loss"]
        return found


def origin_of(version: ModelVersion) -> Origin:
    related = ("model", "base__model", "parent")
    return Origin(
        version=version,
        training=training_of(version),
        ancestors=ancestors_of(version),
        continued=list(version.continued.select_related(*related).order_by("-pk")),
        standing=list(version.derived.select_related(*related).order_by("-pk")),
        data=training_data_of(version),
        lineage=model_lineage(version.project, version.pk),
    )


def contamination_words(training: Run) -> str:
    """Whether training rows are also evaluation rows, compared now; or why that was not compared."""
    version = training.dataset_version
    if not is_quick(version):
        return (
            f"Not computed for this card: {version} has too many training rows for it. The comparison was"
            " made when the training started; its log has the result."
        )
    report = compared_with_evaluation(version)
    if not report.evaluation_rows:
        return "There is no evaluation split to check the training rows against."
    said = " ".join(report.sentences())
    if report.is_refused:
        return (
            "Some training rows are also in an evaluation split, so scores there may measure memorisation:"
            f" {said}"
        )
    clean = (
        f"Of the {report.evaluation_rows:,} different rows of the evaluation splits none has its prompt in"
        f" the {report.training_rows:,} training rows (exact prompt, or half of its runs of 8 words in one"
        " row)."
    )
    return f"{clean} {said}".strip()
