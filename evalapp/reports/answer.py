"""The first page of a report: which candidate is better at what, for whom, and what metrics say of it."""

from collections.abc import Iterator, Sequence

from evalapp.analysis.comparison.differences import ComparedPair
from evalapp.analysis.comparison.summary import (
    CandidateSummary,
    MetricPreference,
    elsewhere_words,
    metric_preference,
    names_of,
    summaries_of,
)
from evalapp.analysis.tables.named_tables import CRITERION
from evalapp.analysis.tables.table_sources import LiveTables
from evalapp.core.number_format import as_text
from evalapp.core.tables import Cell, Column, Table
from evalapp.reports.document import Block, paragraph, table

RESULTS = {"better": "better", "worse": "worse", "undecided": "undecided", "untested": "not tested"}


def answer_section(tables: LiveTables) -> Iterator[Block | None]:
    """Each candidate against the reference, as the summary page has it; nothing where there is none."""
    if tables.reference is None:
        return
    design = tables.comparison.design
    for summary in summaries_of(tables.pairs, tables.reference):
        yield paragraph(_sentence(tables, summary))
        yield paragraph(
            f"For {design.population_words}, on {design.items_words}."
            f" {elsewhere_words(summary, design)}".strip()
        )
        yield table(_criteria(tables, summary))
        yield paragraph(_metric_paragraph(tables, metric_preference(summary, tables.metric)))


def _sentence(tables: LiveTables, summary: CandidateSummary) -> str:
    parts = [
        ("Better at", _with_points(summary.better)),
        ("Worse at", _with_points(summary.worse)),
        ("Undecided:", names_of(summary.undecided)),
        ("Not tested:", names_of(summary.untested)),
    ]
    found = " ".join(f"{words} {named}." for words, named in parts if named)
    return f"{tables.label(summary.challenger)} against {tables.label(summary.reference)}. {found}"


def _with_points(pairs: Sequence[ComparedPair]) -> str:
    return ", ".join(f"{pair.criterion.name} ({pair.points})" for pair in pairs)


def _criteria(tables: LiveTables, summary: CandidateSummary) -> Table:
    rows: list[list[Cell]] = []
    for pair in summary.pairs:
        record = pair.record
        rows.append(
            [
                pair.name,
                pair.words if pair.adjusted.defined else pair.adjusted.reason,
                f"{record.won}–{record.tied}–{record.lost}" if record is not None else "",
                RESULTS[pair.verdict],
            ]
        )
    columns = [CRITERION, Column("Difference"), Column("Won–tied–lost"), Column("Result")]
    title = f"{tables.label(summary.challenger)} less {tables.label(summary.reference)}"
    note = "Adjusted 95% intervals: one excludes 0 where its result is better or worse."
    return Table("summary", title, columns, rows, note)


def _metric_paragraph(tables: LiveTables, found: MetricPreference | None) -> str:
    if found is None:
        return ""
    means = [row.metrics[found.metric.name] for row in (found.preferred, found.other)]
    numbers = " against ".join(as_text(each.value, digits=2) for each in means if each is not None)
    preference = f"{found.metric.label} prefers {tables.label(found.preferred)} ({numbers})"
    if found.misleads:
        return f"{preference} and misleads on {names_of(found.misleads)}."
    return f"{preference}, as reviewers do on {names_of(found.agrees)}." if found.agrees else f"{preference}."
