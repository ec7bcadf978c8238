"""No training on what evaluates: asked at the form where that is quick, and again when the job starts."""

from evalapp.core.errors import ConflictError
from evalapp.datasets.contamination import ContaminationReport, contamination
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.queries import TRAINING_SPLITS, evaluation_examples, examples_of
from evalapp.registry.models import ModelKind, ModelVersion

ROWS_WHILE_SOMEBODY_WAITS = 5_000
_FIELDS = ("row_number", "prompt_hash", "messages", "references", "pairs", "rated")


class ContaminatedError(ConflictError):
    """Training rows stand in an evaluation split; ``report`` has every pair."""

    code = "contaminated"

    def __init__(self, version: DatasetVersion, report: ContaminationReport) -> None:
        self.report = report
        super().__init__(
            f"Training on {version} was refused, because a score would then measure memory: "
            f"{' '.join(report.sentences())} Make a version without these training rows."
        )


def refuse_contamination(version: DatasetVersion) -> ContaminationReport:
    """``compared_with_evaluation``, when all is well. Raises ContaminatedError."""
    report = compared_with_evaluation(version)
    if report.is_refused:
        raise ContaminatedError(version, report)
    return report


def compared_with_evaluation(version: DatasetVersion) -> ContaminationReport:
    """The version's training rows against every row that evaluates.

    The words of the project's prompt candidates prove nothing and are left out.
    """
    training = examples_of(version, TRAINING_SPLITS).only(*_FIELDS).iterator(chunk_size=1000)
    templates = ModelVersion.objects.filter(project=version.dataset.project_id, kind=ModelKind.PROMPT)
    words = [
        text for pair in templates.values_list("system_prompt", "prompt_template") for text in pair if text
    ]
    return contamination(training, evaluation_examples(version).only(*_FIELDS), templates=words)


def is_quick(version: DatasetVersion) -> bool:
    """Whether the comparison is done while a person waits for a page."""
    rows = sum(int(version.counts.get(split, 0)) for split in TRAINING_SPLITS)
    return rows <= ROWS_WHILE_SOMEBODY_WAITS
