"""What `python -m training` does, from spec.json to the report."""

from functools import partial

from run_directory.program import RunDirectory
from run_directory.protocol import SPEC_FILE
from training.data import prepare, read_rows
from training.encoding import EncodedRow
from training.loop import PreparedRun, begin, load, open_tokenizer, train_and_publish
from training.spec import TrainingReport, TrainingSpec
from training.trainers import make_trainer


def train(directory: RunDirectory) -> tuple[str, TrainingReport | None]:
    """Train as spec.json asks; returns the closing sentence and the report.

    Continues from the newest checkpoint of an earlier attempt; on the CPU the losses are then the same as
    without the interruption. Leaves `adapter/`, or `model/` for methods that produce a full model.
    """
    prepared, _ = prepared_run(directory)
    run = load(prepared)
    return train_and_publish(run, partial(make_trainer, run))


def prepared_run(directory: RunDirectory) -> tuple[PreparedRun, list[EncodedRow]]:
    """The run that spec.json describes, with its rows encoded and accounted for, and all encoded rows."""
    spec = TrainingSpec.from_json(directory.spec, where=SPEC_FILE)
    begun = begin(directory, spec)
    objective = begun.objective
    rows = read_rows(directory.folder, spec, objective.row_type)
    tokenizer = open_tokenizer(begun)
    encoded = list(objective.encode(rows, tokenizer, spec))
    data = prepare(encoded, spec, begun.base.context)
    return PreparedRun(begun, tokenizer, data, objective.set_by_rows(data.train)), encoded
