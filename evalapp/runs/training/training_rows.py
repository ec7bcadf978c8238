"""The training rows of each objective: the lines of data.jsonl."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.datasets.queries import TRAINING_SPLITS, examples_of
from run_directory.protocol import Message
from training.objectives.objective import Objective
from training.rows import DataRow, JudgedRow, PreferenceRow, TrainingRow

Common = dict[str, object]

_HAS_PAIRS, _IS_RATED = ~Q(pairs=[]), ~Q(rated=[])


def training_examples(version: DatasetVersion, objective: Objective) -> QuerySet[Example]:
    """The training and validation rows that have something for the objective, in the order of the file."""
    return examples_of(version, TRAINING_SPLITS).filter(_takes_part(version, objective))


def too_few_rows(version: DatasetVersion, objective: Objective) -> str:
    """Why the version has not enough for the objective to train on; empty where it has."""
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
    """What became of the training and validation rows that have nothing for the objective, for ``Run.rows``.

    ``passed_over`` are those rows, ``passed_over_validation`` those of them that were to validate, and
    ``draws_validation`` says that these were all of the version's, so that training rows are held out
    instead. Of judged answers also ``judged_by``: "ratings", with the rows passed over whose pairs nobody
    rated as ``unrated_pairs``, or "pairs". ``text_alone``: rows that were used and hold more than text,
    where there are any.
    """
    rest = examples_of(version, TRAINING_SPLITS).exclude(_takes_part(version, objective))
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


def _takes_part(version: DatasetVersion, objective: Objective) -> Q:
    return _SOURCES[objective.row_type].takes_part(version)


def _has_answer(version: DatasetVersion) -> Q:
    # A row without any answer is the program's to drop and to name.
    return ~Q(references=[]) | ~(_HAS_PAIRS | _IS_RATED)


def _has_pairs(version: DatasetVersion) -> Q:
    return _HAS_PAIRS


def _is_judged(version: DatasetVersion) -> Q:
    # The worse answer of a pair is not a bad one, nor the better one good: where people have said which
    # answers are, the sides of pairs would overrule them.
    return _IS_RATED if _has_ratings(version) else _HAS_PAIRS


def _has_ratings(version: DatasetVersion) -> bool:
    return examples_of(version, TRAINING_SPLITS).filter(_IS_RATED).exists()


def _holds_validation(version: DatasetVersion, objective: Objective) -> bool:
    return training_examples(version, objective).filter(split=Split.VALIDATION).exists()


def training_rows(version: DatasetVersion, objective: Objective) -> Iterator[DataRow]:
    """Rows as the program reads them; those of one prompt stay on one side of the validation split."""
    # The program splits by itself unless the version has rows to validate this objective on.
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
    """What a row is called in the run directory; people find it again in the dataset version."""
    return f"row-{row_number}"


def row_number_of(key: str) -> int | None:
    """The number of the example that a row of the run directory was made of; None for a name
    of another form.
    """
    number = key.removeprefix("row-").partition(".")[0]
    return int(number) if key.startswith("row-") and number.isdecimal() and len(number) < 10 else None


def data_row_of(example: Example, key: str, objective: Objective) -> DataRow | None:
    """What the run directory has of an example under the name; None where it has nothing."""
    return next((row for row in _rows_of(example, objective) if row.id == key), None)


def messages_of(example: Example) -> tuple[Message, ...]:
    return tuple(Message(role=turn["role"], content=turn["content"]) for turn in example.messages)


def _answers(example: Example, common: Common) -> Iterator[DataRow]:
    """The first reference is what is learnt."""
    yield TrainingRow(
        id=row_key(example.row_number),
        completion=_turn((example.references or [""])[0]),
        **common,  # type: ignore[arg-type]  # as TrainingRow names them
    )


def _pairs(example: Example, common: Common) -> Iterator[DataRow]:
    for number, pair in enumerate(example.pairs, start=1):
        yield PreferenceRow(
            id=_numbered(example, number),
            chosen=_turn(pair["chosen"]),
            rejected=_turn(pair["rejected"]),
            **common,  # type: ignore[arg-type]  # as the row type names them
        )


def _judgements(example: Example, common: Common) -> Iterator[DataRow]:
    """The rated answers; of a row without any, which takes part where no row has one, both sides of its
    pairs.
    """
    rated = [(each["answer"], each["good"]) for each in example.rated]
    sides = [(pair[side], side == "chosen") for pair in example.pairs for side in ("chosen", "rejected")]
    for number, (answer, is_good) in enumerate(rated or sides, start=1):
        yield JudgedRow(
            id=_numbered(example, number),
            completion=_turn(answer),
            label=is_good,
            **common,  # type: ignore[arg-type]  # as the row type names them
        )


class _Source(NamedTuple):
    """Where rows of a kind come from; ``is_single`` where an example has one at most."""

    takes_part: Callable[[DatasetVersion], Q]
    rows: Callable[[Example, Common], Iterator[DataRow]]
    is_single: bool = False


_SOURCES: dict[type[DataRow], _Source] = {
    TrainingRow: _Source(_has_answer, _answers, is_single=True),
    PreferenceRow: _Source(_has_pairs, _pairs),
    JudgedRow: _Source(_is_judged, _judgements),
}


def _numbered(example: Example, number: int) -> str:
    """A row's first answer is called as the row, the others by their number in it."""
    key = row_key(example.row_number)
    return key if number == 1 else f"{key}.{number}"


def _turn(text: str) -> tuple[Message, ...]:
    return (Message(role="assistant", content=text),)
