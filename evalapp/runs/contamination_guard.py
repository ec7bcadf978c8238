"""No training on what evaluates: asked at the form, and again when the job starts."""

from django.db.models import Exists, OuterRef, Q

from evalapp.core.errors import ConflictError
from evalapp.datasets.models import DatasetVersion, Example, Split, VersionState
from evalapp.datasets.queries import examples_of
from evalapp.runs.directory import TRAINING_SPLITS

EVALUATION_SPLITS = [Split.TEST, Split.FEEDBACK]


class ContaminatedError(ConflictError):
    """Training rows stand in an evaluation split."""

    code = "contaminated"


def refuse_contamination(version: DatasetVersion) -> None:
    """Raise ContaminatedError when a training prompt stands in an evaluation split.

    Looked at: test and feedback of the version itself, and test of every version of the project (sealed
    rows stay sealed in later versions).
    """
    training = examples_of(version, TRAINING_SPLITS)
    evaluation = Example.objects.filter(
        Q(version=version, split__in=EVALUATION_SPLITS)
        | Q(
            version__dataset__project_id=version.dataset.project_id,
            version__state=VersionState.READY,
            split=Split.TEST,
        )
    )
    same = evaluation.filter(prompt_hash=OuterRef("prompt_hash"))
    shared = list(training.filter(Exists(same)).values_list("row_number", flat=True)[:6])
    if shared:
        shown = ", ".join(str(number) for number in shared[:5]) + (", …" if len(shared) > 5 else "")
        raise ContaminatedError(
            f"Training was not started: the prompts of training rows {shown} of {version} also stand in a split that "
            "evaluates, so a score on it would mean nothing. Make a version without them."
        )
