"""Training rows for each objective: the lines of data.jsonl."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.datasets.queries import TRAINING_SPLITS, examples_of
from run_directory.protocol import Message
from training.objectives.objective import Objective
from training.rows import DataRow, JudgedRow, PreferenceRow, TrainingRow

CommonFields = dict[str, object]

_HAS_PAIRS, _IS_RATED = ~Q(pairs=[]), ~Q(rated=[])


def training_examples(version: DatasetVersion, objective: Objective) -> QuerySet[Example]:
    """Training and validation rows with data for the objective, in file order."""
    return examples_of(version, TRAINING_SPLITS).filter(_has_data_for(version, objective))


def too_few_rows(version: DatasetVersion, objective: Objective) -> str:
    """Why the version has too few rows for the objective; empty if it has enough."""
    row_type, fewest = objective.row_type, objective.fewest_rows
    examples = training_examples(version, objective).filter(split=Split.TRAIN)[:fewest]
    found = sum(1 for example in examples for _ in _rows_of(example, objective))
    if found >= fewest:
        return ""
    has = f"{found} {row_type.noun if found == 1 else row_type.plural}" if found else f"no {row_type.noun}"
    needs = f", and {objective.label} needs at least {fewest}" if found else ""
    return (
        f"The training rows of {version} have {has}{needs}. Choose a version created by an export of"
        " feedback, or import one."
    )


def left_out(version: DatasetVersion, objective: Objective) -> dict[str, Any]:
    """Counts of training and validation rows without data for the objective, for ``Run.rows``.

    ``passed_over`` counts these rows, ``passed_over_validation`` the validation rows among them.
    ``draws_validation`` is true if those were all of the version's validation rows, so that training rows are
    held out instead. Objectives that learn from judged answers also have ``judged_by``: "ratings", with
    ``unrated_pairs`` counting passed-over rows that have only unrated pairs, or "pairs". ``text_alone``, if
    present, counts used rows that contain more than text.
    """
    rest = examples_of(version, TRAINING_SPLITS).exclude(_has_data_for(version, objective))
    validation = rest.filter(split=Split.VALIDATION).count()
    found: dict[str, Any] = {
        "passed_over": rest.count(),
        "passed_over_validation": validation,
        "draws_validation": bool(validation) and not _holds_validation(version, objective),
    }
    used = training_examples(version, objective)
    if text_alone := used.filter(conversation__isnull=False).count():
        found["text_alone"] = text_alone
    if objective.row_type is not JudgedRow:
        return found
    if not _has_ratings(version):
        return {**found, "judged_by": "pairs"}
    return {**found, "judged_by": "ratings", "unrated_pairs": rest.filter(_HAS_PAIRS).count()}


def _has_data_for(version: DatasetVersion, objective: Objective) -> Q:
    return _SOURCES[objective.row_type].takes_part(version)


def _has_answer(version: DatasetVersion) -> Q:
    # The program drops and reports rows without any answer.
    return ~Q(references=[]) | ~(_HAS_PAIRS | _IS_RATED)


def _has_pairs(version: DatasetVersion) -> Q:
    return _HAS_PAIRS


def _has_judgements(version: DatasetVersion) -> Q:
    # The worse answer of a pair need not be bad, nor the better one good, so ratings take precedence over
    # pairs.
    return _IS_RATED if _has_ratings(version) else _HAS_PAIRS


def _has_ratings(version: DatasetVersion) -> bool:
    return examples_of(version, TRAINING_SPLITS).filter(_IS_RATED).exists()


def _holds_validation(version: DatasetVersion, objective: Objective) -> bool:
    return training_examples(version, objective).filter(split=Split.VALIDATION).exists()


def training_rows(version: DatasetVersion, objective: Objective) -> Iterator[DataRow]:
    """Rows as the program reads them; rows from one prompt are not divided by the validation split."""
    # The program draws a validation set itself unless the version has validation rows for this objective.
    is_marked = _holds_validation(version, objective)
    is_single = _SOURCES[objective.row_type].is_single
    fields = ("row_number", "split", "messages", "references", "group_key", "pairs", "rated")
    for example in training_examples(version, objective).only(*fields).iterator(chunk_size=1000):
        yield from _rows_of(
            example,
            objective,
            group=example.group_key or (None if is_single else row_key(example.row_number)),
            split=example.split if is_marked else None,
        )


def _rows_of(example: Example, objective: Objective, **common: object) -> Iterator[DataRow]:
    return _SOURCES[objective.row_type].rows(example, {"prompt": messages_of(example), **common})


def row_key(row_number: int) -> str:
    """Id of a row in the run directory, which identifies it in the dataset version."""
    return f"row-{row_number}"


def row_number_of(key: str) -> int | None:
    """Row number of the example behind a run directory's row id; None for an id of another form."""
    number = key.removeprefix("row-").partition(".")[0]
    return int(number) if key.startswith("row-") and number.isdecimal() and len(number) < 10 else None


def data_row_of(example: Example, key: str, objective: Objective) -> DataRow | None:
    """The run directory's row of an example with this id, or None."""
    return next((row for row in _rows_of(example, objective) if row.id == key), None)


def messages_of(example: Example) -> tuple[Message, ...]:
    return tuple(Message(role=turn["role"], content=turn["content"]) for turn in example.messages)


def _answers(example: Example, common: CommonFields) -> Iterator[DataRow]:
    """The first reference is the answer to learn."""
    yield TrainingRow(
        id=row_key(example.row_number),
        completion=_turn((example.references or [""])[0]),
        **common,  # type: ignore[arg-type]  # fields of TrainingRow
    )


def _pairs(example: Example, common: CommonFields) -> Iterator[DataRow]:
    for number, pair in enumerate(example.pairs, start=1):
        yield PreferenceRow(
            id=_numbered(example, number),
            chosen=_turn(pair["chosen"]),
            rejected=_turn(pair["rejected"]),
            **common,  # type: ignore[arg-type]  # fields of the row type
        )


def _judgements(example: Example, common: CommonFields) -> Iterator[DataRow]:
    """The rated answers; without any, both sides of the row's pairs. Such rows take part only if no row is
    rated.
    """
    rated = [(each["answer"], each["good"]) for each in example.rated]
    sides = [(pair[side], side == "chosen") for pair in example.pairs for side in ("chosen", "rejected")]
    for number, (answer, is_good) in enumerate(rated or sides, start=1):
        yield JudgedRow(
            id=_numbered(example, number),
            completion=_turn(answer),
            label=is_good,
            **common,  # type: ignore[arg-type]  # fields of the row type
        )


class _RowSource(NamedTuple):
    """How rows of a kind are derived; ``is_single`` if an example gives at most one."""

    takes_part: Callable[[DatasetVersion], Q]
    rows: Callable[[Example, CommonFields], Iterator[DataRow]]
    is_single: bool = False


_SOURCES: dict[type[DataRow], _RowSource] = {
    TrainingRow: _RowSource(_has_answer, _answers, is_single=True),
    PreferenceRow: _RowSource(_has_pairs, _pairs),
    JudgedRow: _RowSource(_has_judgements, _judgements),
}


def _numbered(example: Example, number: int) -> str:
    """Id of an example's n-th answer: the first has the row's id, later ones append their number."""
    key = row_key(example.row_number)
    return key if number == 1 else f"{key}.{number}"


def _turn(text: str) -> tuple[Message, ...]:
    return (Message(role="assistant", content=text),)
