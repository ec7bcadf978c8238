"""The tables of the agreement page, for copies."""

from evalapp.analysis.agreement.reviewer_agreement import ANCHORS, MEASURES, MOST_REVIEWERS, SHARES, Panel
from evalapp.analysis.tables.choices import chosen_criterion, chosen_measure, chosen_pair
from evalapp.analysis.tables.table_sources import TableQuery
from evalapp.core.tables import Cell, Column, Table
from evalapp.rubrics.models import Criterion

BASE_OVERLAP = "Reviews added because reviewers differed are left out."
REVIEWER = Column("Reviewer")


def _measure_column(key: str, label: str) -> Column:
    return Column(label, "share" if key in SHARES else "number", is_measure=True, anchor=ANCHORS[key])


def _measure_columns() -> list[Column]:
    return [_measure_column(key, label) for key, label in MEASURES.items()]


def panel_table(panel: Panel) -> Table | None:
    """Every criterion with every measure of the panel."""
    if not panel.criteria:
        return None
    rows: list[list[Cell]] = []
    for criterion in panel.criteria:
        found = panel.overall(criterion)
        rows.append([criterion.name, *(getattr(found.measures, key) for key in MEASURES), found.scores])
    columns = [Column("Criterion"), *_measure_columns(), Column("Scores", "count")]
    return Table("panel", "Agreement by criterion", columns, rows, BASE_OVERLAP)


def beside_others_table(panel: Panel, query: TableQuery) -> Table | None:
    """Each reviewer beside the others on the chosen criterion."""
    criterion = _criterion(panel, query)
    if criterion is None:
        return None
    rows: list[list[Cell]] = [
        [row.name, *(getattr(row.measures, key) for key in MEASURES), row.measures.alpha.n]
        for row in panel.reviewers(criterion)
    ]
    columns = [REVIEWER, *_measure_columns(), Column("Outputs", "count")]
    title = f"Each reviewer against the others on {criterion.name}"
    return Table("beside-others", title, columns, rows, BASE_OVERLAP)


def matrix_table(panel: Panel, query: TableQuery) -> Table | None:
    """The chosen measure of every two reviewers."""
    criterion = _criterion(panel, query)
    if criterion is None or len(panel.people(criterion)) > MOST_REVIEWERS:
        return None
    measure = chosen_measure(query.get("measure", ""))
    matrix = panel.matrix(criterion, measure)
    rows: list[list[Cell]] = [[row.name, *(cell.measure for cell in row.cells)] for row in matrix]
    columns = [REVIEWER, *(_measure_column(measure, row.name) for row in matrix)]
    title = f"{MEASURES[measure]} of every two reviewers on {criterion.name}"
    return Table("matrix", title, columns, rows, BASE_OVERLAP)


def confusion_table(panel: Panel, query: TableQuery) -> Table | None:
    """How often the first of two people gave each level where the second gave each."""
    criterion = _criterion(panel, query)
    chosen = criterion and chosen_pair(panel, criterion, query.get("first", ""), query.get("second", ""))
    if criterion is None or not chosen:
        return None
    pair = panel.pair(criterion, chosen)
    found, first, second = pair.confusion, pair.first_name, pair.second_name
    if found is None:
        return None
    words = [criterion.level_words(level) for level in criterion.levels]
    rows: list[list[Cell]] = [[own, *found.counts[row]] for row, own in enumerate(words)]
    columns = [Column(f"{first} gave"), *(Column(f"{second} gave {each}", "count") for each in words)]
    title = f"{first} and {second} on {criterion.name}"
    return Table("confusion", title, columns, rows, f"Counts of outputs. {BASE_OVERLAP}")


def _criterion(panel: Panel, query: TableQuery) -> Criterion | None:
    return chosen_criterion(panel.criteria, query.get("criterion", ""))
