"""Tables of campaigns that compare outputs, for copies and reports."""

from evalapp.analysis.models import ScoreSource
from evalapp.analysis.pairwise.pairs import PairResults
from evalapp.core.tables import Cell, Column, Table


def pairs_table(judged: PairResults, labels: dict[int, str]) -> Table:
    """Win rates of all pairs; ``labels``: the candidates' labels by campaign candidate id."""
    rows: list[list[Cell]] = [
        [
            labels[row.first.pk],
            labels[row.second.pk],
            row.share,
            row.wins,
            row.losses,
            *(() if judged.is_ranking else (row.ties, row.both_bad, row.bad_share)),
        ]
        for row in judged.pairs
    ]
    columns = [
        Column("First"),
        Column("Second"),
        Column("Win rate", "share", is_measure=True, anchor="preference-win-rate"),
        Column("First better", "count"),
        Column("Second better", "count"),
    ]
    note = "Each ranking gives a preference for every pair in it."
    if not judged.is_ranking:
        # Rankings have neither "equal" nor "both bad".
        columns += [
            Column("Equal", "count"),
            Column("Both bad", "count"),
            Column("Share of both bad", "share", is_measure=True, anchor="preference-win-rate"),
        ]
        note = "A tie counts half, “both bad” is left out."
    return Table("pairs", "Win rates", columns, rows, f"{note}{_decided(judged)}")


def _decided(judged: PairResults) -> str:
    if judged.score_source != ScoreSource.ADJUDICATED or not judged.adjudicated:
        return ""
    return f" With {judged.adjudicated} adjudicated comparison{'' if judged.adjudicated == 1 else 's'}."


def strengths_table(judged: PairResults, labels: dict[int, str]) -> Table:
    has_ranks = judged.has_ranks
    rows: list[list[Cell]] = [
        [
            labels[row.candidate.pk],
            row.strength,
            *((str(row.rank),) if has_ranks else ()),
            *((row.mean_rank,) if judged.is_ranking else ()),
            row.best,
        ]
        for row in judged.strengths
    ]
    columns = [
        Column("Candidate"),
        Column("Strength", "number", is_measure=True, anchor="bradley-terry-strength"),
        *([Column("Rank", anchor="rank")] if has_ranks else []),
        *([Column("Mean rank", "number", is_measure=True, anchor="mean-rank")] if judged.is_ranking else []),
        Column("Sole first place", "count"),
    ]
    note = f"Bradley–Terry: 0 is an average candidate of this campaign.{_decided(judged)}"
    return Table("strengths", "Strength of each candidate", columns, rows, note)


def checks_table(judged: PairResults) -> Table:
    columns = [
        Column("Win rate of the answer shown first", "share", is_measure=True, anchor="position-effect"),
        Column("Exact agreement", "share", is_measure=True, anchor="agreement-of-comparisons"),
        Column(
            "Krippendorff's alpha, both orientations",
            "number",
            is_measure=True,
            anchor="agreement-of-comparisons",
        ),
    ]
    rows: list[list[Cell]] = [[judged.first_side, judged.exact, judged.alpha]]
    return Table("checks", "Position and agreement", columns, rows)
