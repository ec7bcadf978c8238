"""The tables of campaigns whose answers are compared, as they are copied and as a report prints them."""

from evalapp.analysis.pairs import PairResults
from evalapp.core.tables import Cell, Column, Table


def pairs_table(judged: PairResults, labels: dict[int, str]) -> Table:
    """``labels`` are the candidates' by their ids in the campaign."""
    rows: list[list[Cell]] = [
        [
            labels[row.first.pk],
            labels[row.second.pk],
            row.share,
            row.wins,
            row.losses,
            row.ties,
            row.both_bad,
        ]
        for row in judged.pairs
    ]
    counts = [Column(label, "count") for label in ("First better", "Second better", "Equal", "Both bad")]
    first = Column("First preferred", "share", is_measure=True, anchor="win-share")
    note = "A tie counts half, “both bad” is left out."
    return Table(
        "pairs", "Who is preferred to whom", [Column("First"), Column("Second"), first, *counts], rows, note
    )


def strengths_table(judged: PairResults, labels: dict[int, str]) -> Table:
    rows: list[list[Cell]] = [
        [labels[row.candidate.pk], row.strength, row.mean_rank, row.best] for row in judged.strengths
    ]
    columns = [
        Column("Candidate"),
        Column("Strength", "figure", is_measure=True, anchor="bradley-terry-strength"),
        Column("Mean rank", "figure", is_measure=True, anchor="mean-rank"),
        Column("Put first alone", "count"),
    ]
    note = "Bradley–Terry: 0 is an average candidate of this campaign."
    return Table("strengths", "Strength of each candidate", columns, rows, note)


def checks_table(judged: PairResults) -> Table:
    rows: list[list[Cell]] = [
        ["The answer shown first wins", judged.first_side],
        ["Krippendorff's alpha, nominal", judged.alpha],
        ["The same verdict", judged.exact],
    ]
    columns = [Column("What"), Column("Figure", "figure", is_measure=True)]
    return Table("checks", "Position and agreement", columns, rows)
