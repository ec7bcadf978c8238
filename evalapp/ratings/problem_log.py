"""Everything wrong with a file of ratings, counted in full and kept up to a limit."""

from collections.abc import Iterable

from evalapp.datasets.rows import FieldProblem
from evalapp.ratings.models import RatingsImport, RatingsProblem

MOST_KEPT = 100_000
_BATCH = 2_000
_LONGEST_FIELD = 200


class ProblemLog:
    """Problems beyond MOST_KEPT are counted, not kept: by then the first ones tell what is wrong."""

    def __init__(self) -> None:
        self.found = 0
        self.refusals = 0
        self.remarks = 0
        self.remarks_on_spans = 0
        self._kept: list[tuple[int, FieldProblem, bool]] = []

    def refuse(self, row: int, problem: FieldProblem) -> None:
        self.refusals += 1
        self._note(row, problem, is_refusal=True)

    def remark(self, row: int, problem: FieldProblem) -> None:
        self.remarks += 1
        self._note(row, problem, is_refusal=False)

    def remark_on_span(self, row: int, problem: FieldProblem) -> None:
        self.remarks_on_spans += 1
        self.remark(row, problem)

    def _note(self, row: int, problem: FieldProblem, *, is_refusal: bool) -> None:
        self.found += 1
        if len(self._kept) < MOST_KEPT:
            self._kept.append((row, problem, is_refusal))

    @property
    def first(self) -> tuple[int, FieldProblem]:
        """The refusal that stands first in the file."""
        row, problem, _ = min((each for each in self._kept if each[2]), key=lambda each: each[0])
        return row, problem

    def store(self, ratings_import: RatingsImport) -> None:
        """Replace what was kept of an earlier reading. Call it in a transaction."""
        RatingsProblem.objects.filter(ratings_import=ratings_import).delete()
        rows: Iterable[RatingsProblem] = (
            RatingsProblem(
                ratings_import=ratings_import,
                row=row,
                field=problem.field[:_LONGEST_FIELD],
                problem=_storable(problem.problem),
                mend=_storable(problem.mend),
                is_refusal=is_refusal,
            )
            for row, problem, is_refusal in sorted(self._kept, key=lambda each: each[0])
        )
        RatingsProblem.objects.bulk_create(rows, batch_size=_BATCH)


def _storable(text: str) -> str:
    """A message may quote what the file holds, whatever that is."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
