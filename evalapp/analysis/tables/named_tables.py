"""The tables of the analysis pages by name, for copies and reports."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from evalapp.analysis.comparison.candidates import Design
from evalapp.analysis.comparison.differences import ComparedPair, CriterionDifference
from evalapp.analysis.metrics.classification import LABEL_COLUMNS
from evalapp.analysis.pairwise.pair_tables import pairs_table, strengths_table
from evalapp.analysis.tables.agreement_tables import (
    beside_others_table,
    confusion_table,
    matrix_table,
    panel_table,
)
from evalapp.analysis.tables.table_sources import TableSource
from evalapp.core.tables import Cell, Column, Table, table_of
from evalapp.measure import Measure
from evalapp.metrics.registry import COMPARED_METRICS
from evalapp.rubrics.models import Criterion

CANDIDATE = Column("Candidate")
CRITERION = Column("Criterion")
CURRENCY = Column("Currency")
ADJUSTED_P = Column("p (Holm)", "p", anchor="many-comparisons")
# The same headings as on the page.
USAGE_COLUMNS = ("Prompt tokens", "Completion tokens", "Seconds per output", "Cost per 1,000")


def table_named(source: TableSource, name: str) -> Table:
    """As `table_of`."""
    return table_of(TABLES, source, name, owner="campaign")


def people_table(source: TableSource) -> Table:
    columns = [CANDIDATE]
    for criterion in source.comparison.criteria:
        columns.append(_human_column(criterion))
        if (low := criterion.rules.low_threshold) is not None:
            columns.append(
                Column(
                    f"{criterion.name}: scores of {criterion.level_words(low)} or less",
                    "share",
                    is_measure=True,
                    anchor="low-scores",
                )
            )
    columns.append(Column("Total on 1–5", "number", is_measure=True, anchor="total"))
    ranks = source.ranks
    columns += [Column("Rank", anchor="rank")] if ranks else []
    rows: list[list[Cell]] = []
    for row in source.comparison.rows:
        cells: list[Cell] = [source.label(row)]
        for cell in row.human:
            cells.append(cell.mean)
            if cell.criterion.rules.low_threshold is not None:
                cells.append(cell.low_share)
        rows.append([*cells, row.total, *([str(ranks[row.candidate.pk])] if ranks else [])])
    return Table("people", "Reviewer scores", columns, rows, means_note(source.comparison.design))


def means_note(design: Design) -> str:
    """The population and items that a table of means is about."""
    return f"Means with 95% intervals for {design.population_words}, on {design.items_words}."


def _human_column(criterion: Criterion) -> Column:
    label = f"{criterion.name} ({criterion.axis_label})" if criterion.axis_label else criterion.name
    return Column(label, criterion.rules.column, is_measure=True, anchor="candidate-score")


def ratings_table(source: TableSource) -> Table:
    rows: list[list[Cell]] = [
        [source.label(row), cell.criterion.name, cell.criterion.level_words(level), count]
        for row in source.comparison.rows
        for cell in row.human
        for level, count in cell.counts.items()
    ]
    columns = [CANDIDATE, CRITERION, Column("Level"), Column("Ratings", "count")]
    return Table("ratings", "Distribution of scores", columns, rows)


def metrics_table(source: TableSource) -> Table | None:
    comparison = source.comparison
    if not comparison.metrics:
        return None
    labels, usage = source.label_scores, {each.candidate.pk: each for each in source.usage}
    has_currency = any(each.currency for each in usage.values())
    columns = [
        CANDIDATE,
        *(Column(each.label, "number", is_measure=True, anchor=each.anchor) for each in comparison.metrics),
        *(
            Column(
                f"{COMPARED_METRICS[name].label if name in COMPARED_METRICS else name.upper()} of the"
                " whole set",
                "number",
                is_measure=True,
            )
            for name in comparison.corpus_metrics
        ),
        *(
            Column(label, "number", is_measure=True, anchor="classification-f1")
            for label in (LABEL_COLUMNS if labels else ())
        ),
        *(Column(label, "number", is_measure=True, anchor="tokens-and-cost") for label in USAGE_COLUMNS),
        *([CURRENCY] if has_currency else []),
    ]
    rows: list[list[Cell]] = []
    for row in comparison.rows:
        spent = usage.get(row.candidate.pk)
        of_usage: list[Cell] = [None] * len(USAGE_COLUMNS)
        if spent is not None:
            of_usage = [spent.prompt_tokens, spent.completion_tokens, spent.seconds, spent.cost]
        cells: list[Cell] = [source.label(row)]
        cells += [row.metrics[each.name] for each in comparison.metrics]
        cells += [row.corpus.get(name) for name in comparison.corpus_metrics]
        cells += labels.get(row.candidate.pk, [None] * len(LABEL_COLUMNS)) if labels else []
        cells += of_usage
        rows.append([*cells, spent.currency if spent is not None else ""] if has_currency else cells)
    return Table("metrics", "Metrics", columns, rows, "Means over items with 95% intervals over items.")


def rules_table(source: TableSource) -> Table | None:
    rules = source.comparison.rules
    if not rules:
        return None
    columns = [CANDIDATE, *(Column(rule.name, "share", is_measure=True) for rule in rules)]
    rows: list[list[Cell]] = [
        [source.label(row), *(row.rules[rule.pk] for rule in rules)] for row in source.comparison.rows
    ]
    return Table("rules", "Rule checks", columns, rows, "Share of outputs that pass, Wilson's intervals.")


def reasons_table(source: TableSource) -> Table:
    rows: list[list[Cell]] = [
        [source.label(row), tag.label, tag.count, tag.share]
        for row in source.comparison.rows
        for tag in row.tags
    ]
    columns = [
        CANDIDATE,
        Column("Reason"),
        Column("Outputs", "count"),
        Column("Share of the reviewed", "share", is_measure=True),
    ]
    return Table("reasons", "Reasons", columns, rows, "Wilson's 95% intervals.")


def marks_table(source: TableSource) -> Table | None:
    found = source.marks
    if not found:
        return None
    rows: list[list[Cell]] = [
        [
            source.labels[of.candidate.pk],
            each.criterion.name,
            each.label,
            each.outputs,
            each.share,
            each.marks,
        ]
        for of in found
        for each in of.counts
    ]
    columns = [
        CANDIDATE,
        CRITERION,
        Column("Label"),
        Column("Outputs", "count"),
        Column("Share of the reviewed", "share", is_measure=True),
        Column("Highlights", "count"),
    ]
    return Table("marks", "Highlights", columns, rows)


def differences_table(source: TableSource, *, has_shares: bool = True) -> Table | None:
    """Each candidate minus the reference; None without a reference or differences.

    ``has_shares``: with win, tie and loss rates and their intervals, for which paper has no room.
    """
    if source.reference is None or not source.pairs:
        return None
    rows: list[list[Cell]] = [
        [
            source.label(pair.challenger),
            pair.name,
            _with_what_was_not_tested(pair),
            pair.adjusted_p,
            pair.win_rate,
            *((pair.record.won, pair.record.tied, pair.record.lost) if pair.record else (None, None, None)),
            *((pair.record.win, pair.record.tie, pair.record.loss) if pair.record else (None, None, None)),
        ]
        for pair in source.pairs
    ]
    columns = [
        CANDIDATE,
        CRITERION,
        Column("Difference", "number", is_measure=True, anchor="paired-difference"),
        ADJUSTED_P,
        Column("Win rate (ties count half)", "share", is_measure=True, anchor="win-rate"),
        Column("Won", "count"),
        Column("Tied", "count"),
        Column("Lost", "count"),
        Column("Share won", "share", is_measure=True, anchor="wins-ties-and-losses"),
        Column("Share tied", "share", is_measure=True),
        Column("Share lost", "share", is_measure=True),
    ]
    if not has_shares:
        columns, rows = columns[:-3], [row[:-3] for row in rows]
    return Table(
        "differences",
        f"Differences from {source.label(source.reference)}",
        columns,
        rows,
        f"Paired by item and reviewer, for {source.comparison.design.population_words}, on"
        f" {source.comparison.design.items_words}; p and the 95% intervals of differences are adjusted"
        " over all rows."
        f"{' Of shares, 0.1 is 10 points.' if any(pair.is_share for pair in source.pairs) else ''}",
    )


def subgroups_table(source: TableSource) -> Table | None:
    if source.reference is None or not source.subgroups:
        return None
    rows: list[list[Cell]] = [
        [each.field, each.value, *_tested(source, each.pair)] for each in source.subgroups
    ]
    columns = [
        Column("Field"),
        Column("Value"),
        CANDIDATE,
        CRITERION,
        Column("Difference", "number", is_measure=True, anchor="paired-difference"),
        ADJUSTED_P,
        Column("Result"),
    ]
    design = source.comparison.design
    note = (
        f"Inside the values of the metadata fields, for {design.population_words}; p and intervals are"
        " adjusted over all subgroups of a candidate."
    )
    return Table("subgroups", f"Subgroups against {source.label(source.reference)}", columns, rows, note)


def counterfactuals_table(source: TableSource) -> Table | None:
    if not source.counterfactuals:
        return None
    rows: list[list[Cell]] = [
        [
            each.perturbation,
            each.value,
            *_tested(source, each.pair),
            each.largest_loss.pair if each.largest_loss else None,
        ]
        for each in source.counterfactuals
    ]
    columns = [
        Column("Perturbation"),
        Column("Variant"),
        CANDIDATE,
        CRITERION,
        Column("Variant less original", "number", is_measure=True, anchor="counterfactual-fairness"),
        ADJUSTED_P,
        Column("Result"),
        Column("Largest loss in pair"),
    ]
    note = (
        f"Of pairs of rows, for {source.comparison.design.population_words}; p and intervals are adjusted"
        " over all variants and criteria of a candidate."
    )
    return Table("counterfactuals", "Counterfactual fairness", columns, rows, note)


def _tested(source: TableSource, pair: CriterionDifference) -> list[Cell]:
    """Cells of one difference: candidate, criterion, difference, adjusted p and verdict."""
    return [source.label(pair.challenger), pair.name, pair.adjusted, pair.adjusted_p, pair.verdict]


def _with_what_was_not_tested(pair: ComparedPair) -> Measure:
    """The difference and, without a p, the reason: an empty cell would read as "nothing found"."""
    found = pair.adjusted
    if not pair.untested:
        return found
    return replace(found, note="; ".join(filter(None, (found.note, f"not tested: {pair.untested}"))))


def reviewers_table(source: TableSource) -> Table:
    criteria = source.comparison.criteria
    rows: list[list[Cell]] = [
        [f"{row.name} (simulated)" if row.is_simulated else row.name, row.reviews, *row.means]
        for row in source.reviewers
    ]
    columns = [
        Column("Reviewer"),
        Column("Outputs", "count"),
        *(Column(each.name, each.rules.column) for each in criteria),
    ]
    return Table("reviewers", "By reviewer", columns, rows)


def agreement_table(source: TableSource) -> Table:
    rows: list[list[Cell]] = [
        [row.criterion.name, row.alpha, row.exact, row.within_one] for row in source.agreement
    ]
    columns = [
        CRITERION,
        Column("Krippendorff's alpha", "number", is_measure=True, anchor="krippendorffs-alpha"),
        Column("Exact agreement", "share", is_measure=True, anchor="exact-agreement-within-1"),
        Column("Within 1", "share", is_measure=True, anchor="exact-agreement-within-1"),
    ]
    return Table(
        "agreement",
        "Agreement between reviewers",
        columns,
        rows,
        "Over outputs with two ratings or more, without those added because reviewers differed.",
    )


def correlations_table(source: TableSource) -> Table | None:
    if source.metric is None:
        return None
    rows: list[list[Cell]] = [
        [row.criterion.name, row.spearman, row.within_item, row.between, row.kendall, row.pearson, row.pairs]
        for row in source.correlations
    ]
    anchor = "segment-correlation"
    columns = [
        CRITERION,
        Column("Spearman, all outputs", "number", is_measure=True, anchor=anchor),
        Column("Spearman within items", "number", is_measure=True, anchor=anchor),
        Column("Spearman between candidates", "number", is_measure=True, anchor="system-correlation"),
        Column("Kendall’s tau-b", "number", is_measure=True, anchor=anchor),
        Column("Pearson", "number", is_measure=True, anchor=anchor),
        Column("Pairs ranked alike", "share", is_measure=True, anchor="pairs-ranked-alike"),
    ]
    title = f"Reviewer scores against {source.metric.label}"
    return Table("correlations", title, columns, rows, "Intervals clustered by item.")


def trust_table(source: TableSource) -> Table | None:
    if not any(each.metrics for each in source.trust):
        return None
    rows: list[list[Cell]] = [
        [
            each.criterion.name,
            found.metric.label,
            found.correlation,
            found.inside,
            found.ceiling,
            found.against_best.outputs if found.against_best else None,
            found.against_best.candidates if found.against_best else None,
            found.sentence,
        ]
        for each in source.trust
        for found in each.metrics
    ]
    columns = [
        CRITERION,
        Column("Metric"),
        Column("Spearman", "number", is_measure=True, anchor="segment-correlation"),
        Column("Among one candidate's outputs", "number", is_measure=True, anchor="which-metric-to-trust"),
        Column("Upper limit", "number", is_measure=True, anchor="expected-ceiling"),
        Column("p (Holm) against the best metric", "p", anchor="which-metric-to-trust"),
        Column("p (Williams) between candidates", "p", anchor="which-metric-to-trust"),
        Column("In words"),
    ]
    return Table("trust", "Which metric to trust", columns, rows)


def prediction_powered_table(source: TableSource) -> Table | None:
    if source.metric is None or not source.prediction_powered:
        return None
    rows: list[list[Cell]] = [
        [
            source.labels[row.candidate.pk],
            row.criterion.name,
            row.found.classical,
            row.found.mean,
            row.found.correlation,
            row.worth,
            row.caution,
        ]
        for row in source.prediction_powered
    ]
    columns = [
        CANDIDATE,
        CRITERION,
        Column("Reviews only", "number", is_measure=True),
        Column(f"With {source.metric.label}", "number", is_measure=True, anchor="prediction-powered-mean"),
        Column("r", "number", is_measure=True),
        Column("Gain", "share"),
        Column("Caution"),
    ]
    return Table("prediction_powered", "Prediction-powered means", columns, rows)


def severity_table(source: TableSource) -> Table | None:
    severity = source.severity
    if severity.reason:
        return None
    rows: list[list[Cell]] = []
    for row in severity.candidates:
        label = source.labels[row.candidate.pk]
        scored = [("Total on 1–5", row.total), *((of.name, score) for of, score in row.scores)]
        rows += [[label, name, score.raw, score.score, score.error] for name, score in scored]
    same = ", ".join(criterion.name for criterion in severity.unvaried)
    columns = [
        CANDIDATE,
        CRITERION,
        Column("Raw mean", "number"),
        Column("Adjusted", "number", is_measure=True, anchor="adjusted-score"),
        Column("Standard error", "number"),
    ]
    return Table(
        "severity",
        "Scores adjusted for severity",
        columns,
        rows,
        "As if every reviewer had scored all outputs; 95% intervals over new items and new reviewers."
        + (f" Not in the total, because all its scores are the same: {same}." if same else ""),
    )


def severities_table(source: TableSource) -> Table | None:
    severity = source.severity
    if severity.reason:
        return None
    rows: list[list[Cell]] = [
        [row.name, row.severity.points, row.severity.error, row.severity.infit] for row in severity.reviewers
    ]
    columns = [
        Column("Reviewer"),
        Column("Severity", "number", is_measure=True, anchor="reviewer-severity"),
        Column("Standard error", "number"),
        Column("Infit", "number"),
    ]
    return Table("severities", "Severity of each reviewer", columns, rows)


TABLES: Mapping[str, Callable[[TableSource], Table | None]] = {
    "people": people_table,
    "ratings": ratings_table,
    "metrics": metrics_table,
    "rules": rules_table,
    "reasons": reasons_table,
    "marks": marks_table,
    "differences": differences_table,
    "subgroups": subgroups_table,
    "counterfactuals": counterfactuals_table,
    "reviewers": reviewers_table,
    "agreement": agreement_table,
    "correlations": correlations_table,
    "trust": trust_table,
    "prediction_powered": prediction_powered_table,
    "severity": severity_table,
    "severities": severities_table,
    "panel": lambda source: panel_table(source.panel),
    "beside-others": lambda source: beside_others_table(source.panel, source.query),
    "matrix": lambda source: matrix_table(source.panel, source.query),
    "confusion": lambda source: confusion_table(source.panel, source.query),
    "pairs": lambda source: pairs_table(source.judged, source.labels) if source.judged else None,
    "strengths": lambda source: strengths_table(source.judged, source.labels) if source.judged else None,
}
