"""Gold: examples whose right answers a manager knows, to measure reviewers' accuracy."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from django.db import transaction
from django.db.models import Max, Min

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign, CampaignState, GoldAnswer, Purpose
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.imports.mapping import bare_name
from evalapp.imports.problems import FileProblemError
from evalapp.imports.source_rows import SourceRow, sniff_source, source_rows
from evalapp.rubrics.models import Criterion

COLUMNS = ("row", "criterion", "value", "tolerance", "candidate")
MOST_ROWS = 10_000
_SHOWN_PROBLEMS = 20


class GoldRow(NamedTuple):
    """A known answer as entered; ``line``: its place. An empty ``candidate``: for all outputs."""

    line: str
    row: str
    criterion: str
    value: str
    tolerance: str = ""
    candidate: str = ""


def read_gold_file(data: bytes) -> list[GoldRow]:
    """The rows of a CSV file with the columns row, criterion, value and optionally tolerance and candidate.

    Raises InvalidError for other files.
    """
    return [GoldRow(*row) for row in read_rows(data, columns=COLUMNS, needed=COLUMNS[:3])]


def read_rows(data: bytes, *, columns: Sequence[str], needed: Sequence[str]) -> list[tuple[str, ...]]:
    """For each row of a CSV file its place and the values of ``columns``; "" if the file lacks the column.

    Raises InvalidError for an unreadable file, or one without the columns ``needed``.
    """
    stream = io.BytesIO(data)
    try:
        source = sniff_source("known.csv", stream)
        if missing := [name for name in needed if name not in map(bare_name, source.columns)]:
            raise _file_error(
                f"The first line lacks the column {', '.join(missing)}. Known: {', '.join(columns)}."
            )
        rows = [_cells_of(row, columns) for row in source_rows(stream, source)]
    except FileProblemError as error:
        raise _file_error(str(error)) from error
    if not rows:
        raise _file_error("The file has no rows below its first line.")
    if len(rows) > MOST_ROWS:
        raise _file_error(f"The file has {len(rows):,} rows; the limit is {MOST_ROWS:,}.")
    return rows


def _cells_of(row: SourceRow, columns: Sequence[str]) -> tuple[str, ...]:
    if row.problem:
        raise _file_error(f"Line {row.number} cannot be read: {row.problem}")
    given = {bare_name(column): cell.strip() for column, cell in row.fields.items()}
    return (f"line {row.number}", *(given.get(name, "") for name in columns))


def _file_error(message: str) -> InvalidError:
    return InvalidError(message, field="file")


def locked_for_gold(campaign: Campaign) -> Campaign:
    """The campaign's row, locked until the transaction ends. Raises ConflictError if it is closed."""
    locked = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    if locked.state == CampaignState.CLOSED:
        raise ConflictError(f"“{campaign}” is closed, so its gold cannot change.")
    return locked


@transaction.atomic
def set_gold(*, campaign: Campaign, rows: Sequence[GoldRow], by: User | None) -> int:
    """Store known answers, replacing existing ones; returns their number.

    A draft campaign takes new examples; an open one only corrects answers of its gold items. Raises
    InvalidError with all invalid rows, ConflictError if the campaign is closed or compares outputs.
    """
    locked = locked_for_gold(campaign)
    if locked.compares:
        raise ConflictError(
            f"“{campaign}” compares answers: its gold is preferences, not answers to criteria."
        )
    reader = _Reader(locked, rows)
    answers = [answer for row in rows if (answer := reader.answer(row)) is not None]
    require_no_problems(reader.problems, of=len(rows))
    for answer in answers:
        GoldAnswer.objects.update_or_create(
            campaign=locked,
            example_id=answer.example_id,
            candidate_id=answer.candidate_id,
            criterion_id=answer.criterion_id,
            defaults={"value": answer.value, "tolerance": answer.tolerance},
        )
    record("campaign.gold_set", by=by, obj=campaign, project=campaign.project, data={"answers": len(answers)})
    return len(answers)


def require_no_problems(problems: Sequence[str], *, of: int) -> None:
    """Raise InvalidError with the first problems, if there are any."""
    if problems:
        shown = list(problems[:_SHOWN_PROBLEMS])
        if len(problems) > len(shown):
            shown.append(f"and {len(problems) - len(shown)} more.")
        raise InvalidError(
            f"{len(problems)} of {of} rows have problems; nothing was stored.", fields={"rows": shown}
        )


def gold_rows_of_data(campaign: Campaign, numbers: Iterable[str]) -> dict[int, int]:
    """Example ids by row number, for the given numbers that may be gold: in an open campaign only its gold
    items.
    """
    rows = {int(number) for number in numbers if is_number(number)}
    examples = campaign.dataset_version.examples.filter(split=campaign.split, row_number__in=rows)
    if campaign.state != CampaignState.DRAFT:
        examples = examples.filter(pk__in=campaign.items.filter(purpose=Purpose.GOLD).values("example"))
    return dict(examples.values_list("row_number", "pk"))


def gold_rows_in_words(campaign: Campaign) -> str:
    """The rows that may be gold, in words, for the message about another row."""
    if campaign.state == CampaignState.DRAFT:
        return f"in {campaign.dataset_version}, {campaign.split}"
    return "among the gold items, and an open campaign takes no new ones"


def possible_gold_rows(campaign: Campaign) -> str:
    """The range of row numbers that may be gold, in words."""
    if campaign.state != CampaignState.DRAFT:
        return f"Its number in {campaign.dataset_version}; one of the gold items."
    rows = campaign.dataset_version.examples.filter(split=campaign.split)
    ends = rows.aggregate(first=Min("row_number"), last=Max("row_number"))
    return (
        f"Its number in {campaign.dataset_version}; the {campaign.split} rows lie between "
        f"{ends['first']} and {ends['last']}."
    )


class GoldRecord(Protocol):
    """A stored known answer; ``facts``: its content for the audit log."""

    campaign: Any
    example_id: Any

    @property
    def facts(self) -> dict[str, Any]: ...
    def delete(self) -> tuple[int, Any]: ...


@transaction.atomic
def remove_known(*, known: GoldRecord, by: User | None) -> None:
    """Remove a known answer or preference. In an open campaign the example stays a gold item.

    Raises MissingError if it has been removed already.
    """
    campaign = known.campaign
    locked_for_gold(campaign)
    facts = {"example": known.example_id, **known.facts}
    removed, _ = known.delete()
    if not removed:
        raise MissingError("Somebody else has removed this known answer in the meantime.")
    record("campaign.gold_removed", by=by, obj=campaign, project=campaign.project, data=facts)


class _Reader:
    """Converts rows to gold answers of one campaign, and collects problems."""

    def __init__(self, campaign: Campaign, rows: Iterable[GoldRow]) -> None:
        self.campaign = campaign
        self.problems: list[str] = []
        self.criteria = {
            criterion.key: criterion
            for criterion in Criterion.objects.filter(version=campaign.rubric_version_id)
            if criterion.levels
        }
        self.candidates = {
            each.model_version.label: each.model_version_id
            for each in campaign.candidates.select_related("model_version")
        }
        self.examples: Mapping[int, int] = gold_rows_of_data(campaign, [row.row for row in rows])
        self.seen: dict[tuple[int, int | None, int], str] = {}

    def answer(self, row: GoldRow) -> GoldAnswer | None:
        """The row's answer, or None with a new entry in ``problems``."""
        example = self.examples.get(int(row.row)) if is_number(row.row) else None
        criterion = self._criterion(row.criterion)
        value = criterion.rules.level_said(row.value) if criterion else None
        problem = self._problem(row, example, criterion, value)
        candidate = self.candidates.get(row.candidate)
        if problem is None and example is not None and criterion is not None and value is not None:
            first = self.seen.setdefault((example, candidate, criterion.pk), row.line)
            if first == row.line:
                return GoldAnswer(
                    example_id=example,
                    candidate_id=candidate,
                    criterion_id=criterion.pk,
                    value=value,
                    tolerance=int(row.tolerance or 0),
                )
            problem = f"gives the same answer and criterion as {first}"
        self.problems.append(f"{row.line}: {problem}.")
        return None

    def _problem(
        self, row: GoldRow, example: int | None, criterion: Criterion | None, value: int | None
    ) -> str | None:
        if example is None:
            return f"there is no row “{row.row[:40]}” {gold_rows_in_words(self.campaign)}"
        if criterion is None:
            return f"there is no rated criterion “{row.criterion[:60]}”; known: {', '.join(self.criteria)}"
        if value is None:
            return f"“{row.value[:40]}” is not an answer to {criterion.name}; {_allowed_answers(criterion)}"
        if row.candidate and row.candidate not in self.candidates:
            return f"there is no candidate “{row.candidate[:60]}”; known: {', '.join(self.candidates)}"
        furthest = (criterion.maximum - criterion.minimum) // criterion.steps_per_point
        if row.tolerance and (not is_number(row.tolerance) or int(row.tolerance) > furthest):
            return f"“{row.tolerance[:40]}” is not a tolerance; give 0 to {furthest} levels"
        return None

    def _criterion(self, name: str) -> Criterion | None:
        found = self.criteria.get(name)
        return found or next((c for c in self.criteria.values() if c.name.lower() == name.lower()), None)


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _allowed_answers(criterion: Criterion) -> str:
    levels = criterion.levels
    if len(levels) > 8:
        return f"its levels are {criterion.rules.allowed}"
    return f"its answers are {', '.join(criterion.level_words(level) for level in levels)}"
