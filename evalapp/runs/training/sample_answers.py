"""Sample answers of models during training, grouped by prompt."""

from collections import defaultdict
from typing import NamedTuple

from evalapp.datasets.models import Example
from evalapp.datasets.queries import TRAINING_SPLITS, examples_of
from evalapp.runs.models import Run, SampleAnswer
from evalapp.runs.training.training_rows import data_row_of, row_number_of
from run_directory.records import RecordError
from training.rows import JudgedRow, PreferenceRow, TrainingRow
from training.spec import SampleAnswers


class ShownSample(NamedTuple):
    """A prompt with its reference answer and the model's answer at each evaluation."""

    example: Example
    reference: str
    reference_name: str
    answers: list[SampleAnswer]


def store_sample_answers(run: Run, step: int, samples: SampleAnswers) -> None:
    """Store an evaluation's answers, replacing those of an earlier run of the same evaluation.

    Raises RecordError for an answer to a row that the run does not have.
    """
    numbers = {answer.row: row_number_of(answer.row) for answer in samples.answers}
    wanted = [number for number in numbers.values() if number is not None]
    found = examples_of(run.dataset_version, TRAINING_SPLITS).filter(row_number__in=wanted)
    by_number = {example.row_number: example for example in found.only("pk", "row_number")}
    examples = {row: by_number[number] for row, number in numbers.items() if number in by_number}
    if unknown := [row for row in numbers if row not in examples]:
        raise RecordError(f"step {step} answers {unknown[0]!r}, which the run does not have")
    SampleAnswer.objects.bulk_create(
        [
            SampleAnswer(
                run=run,
                step=step,
                position=position,
                row=answer.row,
                example=examples[answer.row],
                text=answer.text,
                is_whole=answer.is_whole,
            )
            for position, answer in enumerate(samples.answers)
        ],
        update_conflicts=True,
        unique_fields=["run", "step", "position"],
        update_fields=["row", "example", "text", "is_whole"],
    )


def shown_samples(run: Run) -> list[ShownSample]:
    """Samples by prompt, in the program's order; empty without sample answers."""
    by_row: dict[str, list[SampleAnswer]] = defaultdict(list)
    for answer in run.sample_answers.select_related("example").order_by("step", "position"):
        by_row[answer.row].append(answer)
    found = []
    for row, answers in by_row.items():
        example = answers[0].example
        text, name = _reference(example, row, run)
        found.append(ShownSample(example, text, name, answers))
    return found


def _reference(example: Example, row: str, run: Run) -> tuple[str, str]:
    """The row's own answer and its name."""
    match data_row_of(example, row, run.objective) if run.objective else None:
        case TrainingRow(completion=turns):
            return turns[0].content, "Reference"
        case PreferenceRow(chosen=turns):
            return turns[0].content, "The better answer"
        case JudgedRow(completion=turns, label=label):
            good, bad = (
                ("Rated good", "Rated bad") if example.rated else ("The better answer", "The worse answer")
            )
            return turns[0].content, good if label else bad
    return "", ""
