"""No training on what evaluates: asked at the form where that is quick, and again when the job starts."""

from django.db.models import Q, QuerySet

from evalapp.core.errors import ConflictError
from evalapp.datasets.contamination import ContaminationReport, contamination
from evalapp.datasets.models import DatasetVersion, Example, Split, VersionState
from evalapp.datasets.queries import examples_of
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.runs.directory import TRAINING_SPLITS

EVALUATION_SPLITS = [Split.TEST, Split.FEEDBACK]
ROWS_WHILE_SOMEBODY_WAITS = 5_000
_FIELDS = ("row_number", "prompt_hash", "messages", "references")


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
    """Compare the version's training rows with every row that evaluates; the report when all is well.

    Rows that evaluate are the version's own test and feedback rows and the test rows of every version
    of the project (a sealed row stays sealed). Raises ContaminatedError.
    """
    training = examples_of(version, TRAINING_SPLITS).only(*_FIELDS).iterator(chunk_size=1000)
    templates = ModelVersion.objects.filter(project=version.dataset.project_id, kind=ModelKind.PROMPT)
    words = [
        text for pair in templates.values_list("system_prompt", "prompt_template") for text in pair if text
    ]
    report = contamination(training, _evaluation_rows(version), templates=words)
    if report.is_refused:
        raise ContaminatedError(version, report)
    return report


def is_quick(version: DatasetVersion) -> bool:
    """Whether the comparison is done while a person waits for a page."""
    rows = sum(int(version.counts.get(split, 0)) for split in TRAINING_SPLITS)
    return rows <= ROWS_WHILE_SOMEBODY_WAITS


def _evaluation_rows(version: DatasetVersion) -> QuerySet[Example]:
    """Each prompt once: the same sealed row in many versions would look like a template."""
    here = Q(version=version, split__in=EVALUATION_SPLITS)
    sealed = Q(
        version__dataset__project_id=version.dataset.project_id,
        version__state=VersionState.READY,
        split=Split.TEST,
    )
    rows = Example.objects.filter(here | sealed).order_by("prompt_hash", "-version_id")
    return rows.distinct("prompt_hash").only(*_FIELDS)
