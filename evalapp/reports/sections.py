"""What each part of a report shows, from the analysis of one campaign."""

from collections.abc import Iterator
from dataclasses import replace

from evalapp.analysis.charts import (
    agreement_chart,
    differences_charts,
    hollow_words,
    human_against_metric,
    means_charts,
    ratings_charts,
    strengths_chart,
)
from evalapp.analysis.comparison.differences import Contradiction
from evalapp.analysis.comparison.subgroups import MOST_WORST_SUBGROUPS
from evalapp.analysis.comparison.unblinding import Unblinding
from evalapp.analysis.metrics.disagreements import find_disagreements
from evalapp.analysis.pairwise.pair_tables import checks_table, pairs_table, strengths_table
from evalapp.analysis.pairwise.pairs import PairResults
from evalapp.analysis.tables.named_tables import (
    CANDIDATE,
    CRITERION,
    agreement_table,
    correlations_table,
    counterfactuals_table,
    differences_table,
    marks_table,
    means_note,
    reasons_table,
    rules_table,
    severities_table,
    severity_table,
    subgroups_table,
)
from evalapp.analysis.tables.table_sources import LiveTables
from evalapp.campaigns.models import Campaign, Method
from evalapp.charts.lines import MOST_ON_A_SHEET
from evalapp.core.number_format import as_text
from evalapp.core.tables import Cell, Column, Table
from evalapp.reports.document import Block, listing, notice, paragraph, picture, table
from evalapp.rubrics.models import Criterion

# A heat map a criterion, as long as they fit.
MOST_HEAT_MAPS = 4
SHORT_HASH = 16


def people_section(tables: LiveTables) -> Iterator[Block | None]:
    """Means a line each, because a rubric of many criteria is wider than paper."""
    rows: list[list[Cell]] = []
    for row in tables.comparison.rows:
        label = tables.label(row)
        rows += [
            [
                label,
                f"{cell.criterion.name} ({cell.criterion.axis_label})",
                cell.mean,
                cell.low_share,
                cell.not_applicable,
            ]
            for cell in row.human
            if cell.criterion.rules.has_mean
        ]
        rows.append([label, "Total (1–5)", row.total, None, None])
    columns = [
        CANDIDATE,
        CRITERION,
        Column("Mean", "number", is_measure=True, anchor="candidate-score"),
        Column("Share of low scores", "share", is_measure=True, anchor="low-scores"),
        Column("N/A", "count"),
    ]
    note = means_note(tables.comparison.design)
    yield table(Table("means", "Means on scales", columns, rows, note))
    for panel in means_charts(tables.comparison, most=MOST_ON_A_SHEET):
        yield picture(f"Means with their 95% intervals, on {panel.of}", panel.chart)
    for chart in ratings_charts(tables.comparison, most=MOST_ON_A_SHEET):
        yield picture("Distribution of scores", chart)
    yield table(_shares(tables))


def _shares(tables: LiveTables) -> Table:
    rows: list[list[Cell]] = [
        [tables.label(row), cell.criterion.name, cell.criterion.axis_label, cell.mean, cell.not_applicable]
        for row in tables.comparison.rows
        for cell in row.human
        if not cell.criterion.rules.has_mean
    ]
    columns = [
        CANDIDATE,
        CRITERION,
        Column("What is counted"),
        Column("Share", "share", is_measure=True, anchor="shares"),
        Column("N/A", "count"),
    ]
    note = f"The share of reviewers who said so. {means_note(tables.comparison.design)}"
    return Table("shares", "Questions without a scale", columns, rows, note)


def differences_section(tables: LiveTables) -> Iterator[Block | None]:
    yield table(differences_table(tables, has_shares=False))
    if tables.reference is not None:
        rows = tables.comparison.rows
        for panel in differences_charts(tables.pairs, tables.reference, rows, most=MOST_ON_A_SHEET):
            caption = f"Differences, {panel.of}; {hollow_words(tables.pairs)}"
            yield picture(caption, panel.chart)


def subgroups_section(tables: LiveTables) -> Iterator[Block | None]:
    yield from _worst_rows(subgroups_table(tables))


def counterfactuals_section(tables: LiveTables) -> Iterator[Block | None]:
    yield from _worst_rows(counterfactuals_table(tables))


def _worst_rows(found: Table | None) -> Iterator[Block | None]:
    """The first rows of a table that has the worst first."""
    if found is None:
        return
    left_out = len(found.rows) - MOST_WORST_SUBGROUPS
    if left_out > 0:
        note = (
            f"{found.note} The {MOST_WORST_SUBGROUPS} worst; {left_out:,} more are on the page What to fix."
        )
        found = replace(found, rows=found.rows[:MOST_WORST_SUBGROUPS], note=note)
    yield table(found)


def agreement_section(tables: LiveTables) -> Iterator[Block | None]:
    reasons = {row.reason for row in tables.agreement}
    if len(reasons) == 1 and (reason := reasons.pop()):
        yield paragraph(f"Agreement is undefined on every criterion: {reason}.")
        return
    yield table(agreement_table(tables))
    for criterion in tables.originals.scales[:MOST_HEAT_MAPS]:
        yield picture(
            f"Agreement by pair of reviewers on {criterion.name}",
            agreement_chart(tables.originals, criterion),
        )


def metrics_section(tables: LiveTables, contradiction: Contradiction | None) -> Iterator[Block | None]:
    """Metrics, and people against the one that the page opens on."""
    rows: list[list[Cell]] = [
        [tables.label(row), metric.label, row.metrics[metric.name]]
        for metric in tables.comparison.metrics
        for row in tables.comparison.rows
    ]
    columns = [CANDIDATE, Column("Metric"), Column("Mean over items", "number", is_measure=True)]
    yield table(Table("metrics", "Metrics", columns, rows, "95% intervals over items."))
    yield table(rules_table(tables))
    criterion = _contradicted_criterion(tables, contradiction)
    if tables.metric is None or criterion is None or not tables.scores.answers:
        return
    yield table(correlations_table(tables))
    yield picture(
        f"{criterion.name} against {tables.metric.label}, one point per output",
        human_against_metric(tables.scores, criterion, tables.metric),
    )
    found = find_disagreements(tables.scores, criterion, tables.metric)
    yield paragraph(
        f"{found.count} output{'' if found.count == 1 else 's'} with {tables.metric.label} in its"
        f" {tables.metric.good_end} quarter {'is' if found.count == 1 else 'are'} rated low on"
        f" {criterion.name} by at least two reviewers; chance would give {as_text(found.expected, digits=1)}."
    )


def _contradicted_criterion(tables: LiveTables, contradiction: Contradiction | None) -> Criterion | None:
    if contradiction is not None:
        return contradiction.cell.criterion
    return tables.scores.scales[0] if tables.scores.scales else None


def severity_section(tables: LiveTables) -> Iterator[Block | None]:
    severity = tables.severity
    if severity.reason:
        yield paragraph(severity.reason)
        return
    if not severity.is_connected:
        groups = (
            [*severity.reviewer_groups] if len(severity.reviewer_groups) > 1 else [*severity.candidate_groups]
        )
        yield notice("Some groups share no items, so comparisons between these groups are undefined.")
        yield listing([f"Group {number}: {', '.join(group)}" for number, group in enumerate(groups, start=1)])
    yield notice(severity.note[:1].upper() + severity.note[1:])
    yield table(severity_table(tables))
    yield table(severities_table(tables))


def reasons_section(tables: LiveTables) -> Iterator[Block | None]:
    yield table(reasons_table(tables))
    yield table(marks_table(tables))


def pairs_section(tables: LiveTables, judged: PairResults) -> Iterator[Block | None]:
    """Pairwise results, where answers were compared."""
    yield table(pairs_table(judged, tables.labels))
    yield table(strengths_table(judged, tables.labels))
    yield picture("Strengths with their 95% intervals", strengths_chart(judged))
    yield table(checks_table(judged))


def candidates_section(tables: LiveTables) -> Iterator[Block | None]:
    rows: list[list[Cell]] = [
        [
            tables.labels[each.pk],
            each.model_version.get_kind_display(),
            each.model_version.get_alias_display() if each.model_version.alias else "",
            each.model_version.content_hash[:SHORT_HASH],
        ]
        for each in tables.scores.candidates
    ]
    columns = [
        CANDIDATE,
        Column("Kind"),
        Column("Alias"),
        Column("SHA-256 of the weights begins"),
    ]
    yield table(Table("candidates", "Candidates", columns, rows))


def rubric_section(campaign: Campaign) -> Iterator[Block | None]:
    """The rubric as reviewers saw it."""
    if campaign.compares:
        task_words = (
            "rank the answers" if campaign.method == Method.RANKING else "say which of two answers is better"
        )
        yield paragraph(
            f"Reviewers were asked to {task_words}; the rubric was shown as a guide and was not scored."
        )
    rows: list[list[Cell]] = []
    for criterion in campaign.rubric_version.criteria.order_by("position"):
        rules = criterion.rules
        rows.append(
            [
                criterion.name,
                rules.label_with_range,
                as_text(float(criterion.weight), digits=2) if rules.has_mean else "",
                "yes" if criterion.is_critical else "",
            ]
        )
    columns = [CRITERION, Column("Kind"), Column("Weight"), Column("Critical")]
    yield table(Table("rubric", str(campaign.rubric_version), columns, rows))


def blinding_words(unblinding: Unblinding | None) -> str:
    if unblinding is None or unblinding.indices.overall.value is None:
        return ""
    words = {
        True: "Reviewers could tell the tuned model more often than by guessing",
        False: "There is no sign that reviewers could tell the tuned model",
        None: "Whether reviewers could tell the tuned model is not known",
    }[unblinding.could_tell]
    return (
        f"{words}: blinding index {as_text(unblinding.indices.overall.value, digits=2)} over"
        f" {unblinding.answers} answers."
    )
