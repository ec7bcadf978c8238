"""Training objectives: one module per objective, registered here."""

from collections.abc import Iterable

from run_directory.records import RecordError
from training.objectives.dpo import DirectPreferenceOptimisation
from training.objectives.kto import KahnemanTverskyOptimisation
from training.objectives.objective import Objective
from training.objectives.sft import SupervisedFineTuning
from training.rows import DataRow

OBJECTIVES: tuple[Objective, ...] = (
    SupervisedFineTuning(),
    DirectPreferenceOptimisation(),
    KahnemanTverskyOptimisation(),
)
"""In the order of the page that lists them; the first is the default."""


def find_objective(key: object) -> Objective | None:
    """The objective with this key; None if unknown, as when another version of the product wrote it."""
    return next((each for each in OBJECTIVES if each.key == key), None)


def objective_of(key: str, where: str = "objective") -> Objective:
    """The objective with this key. Raises RecordError that starts with ``where`` and lists the known keys."""
    found = find_objective(key)
    if found is None:
        known = ", ".join(repr(each.key) for each in OBJECTIVES)
        raise RecordError(f"{where}: {key!r} is not one of {known}")
    return found


def learning_from(row_type: type[DataRow]) -> list[Objective]:
    return [each for each in OBJECTIVES if each.row_type is row_type]


def labels_of(objectives: Iterable[Objective]) -> str:
    """Labels joined as in “SFT, DPO and KTO”."""
    *first, last = [each.label for each in objectives]
    return f"{', '.join(first)} and {last}" if first else last
