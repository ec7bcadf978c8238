"""The first page of a report: which candidate is better at what, for whom, and what metrics say of it."""

from collections.abc import Iterator, Sequence

from evalapp.analysis.comparison.differences import ComparedPair
from evalapp.analysis.comparison.summary import (
    CandidateSummary,
    MetricPreference,
    best_of,
    elsewhere_words,
    metric_preference,
    names_of,
    summaries_of,
)
from evalapp.analysis.tables.named_tables import CRITERION
from evalapp.analysis.tables.table_sources import LiveTables
from evalapp.campaigns.design import MOST_CANDIDATES
from evalapp.core.number_format import as_text
from evalapp.core.tables import Cell, Column, Table
from evalapp.reports.document import Block, listing, paragraph, table

RESULTS = {"better": "better", "worse": "worse", "undecided": "undecided", "untested": "not tested"}


def answer_section(tables: LiveTables) -> Iterator[Block | None]:
    """The best candidate against the reference, then the others in a sentence each, as the summary page has
    them; nothing where there is no reference.
    """
    summaries = summaries_of(tables.pairs, tables.reference) if tables.reference else []
    best = best_of(summaries)
    if best is None:
        return
    design = tables.comparison.design
    yield paragraph(_sentence(tables, best))
    yield paragraph(
        f"For {design.population_words}, on {design.items_words}. {elsewhere_words(best, design)}".strip()
    )
    yield table(_criteria(tables, best))
    yield paragraph(_metric_paragraph(tables, metric_preference(best, tables.metric)))
    others = [_sentence(tables, each) for each in summaries if each is not best]
    if len(others) < MOST_CANDIDATES:
        yield listing(others)
    else:
        yield paragraph(
            f"The {len(others)} other candidates are compared with {tables.label(best.reference)} in the"
            " annex, under Differences."
        )


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
