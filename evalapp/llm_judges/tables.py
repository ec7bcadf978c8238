"""The tables of an LLM judge's page, for copies."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from evalapp.analysis.charts import labels_of
from evalapp.core.tables import Cell, Column, Table
from evalapp.llm_judges.agreement import JudgeAgreement
from evalapp.llm_judges.models import LLMJudge


class JudgeResults(NamedTuple):
    """What the tables are of: a judge, and what it said of a campaign's outputs."""

    judge: LLMJudge
    found: JudgeAgreement


def agreement_table(judged: JudgeResults) -> Table:
    """How far the judge agrees with people, beside how far they do themselves."""
    found = judged.found
    rows: list[list[Cell]] = [["Alpha", found.alpha, found.people_alpha, found.alpha_gap]]
    if found.kappa is not None:
        rows.append(["Quadratic kappa", found.kappa, found.people_kappa, found.kappa_gap])
    if found.correlation is not None:
        rows.append(["Spearman with the reviewers’ mean", found.correlation, None, None])
        rows.append(["Expected ceiling of Spearman", found.ceiling, None, None])
    columns = [
        Column("Measure"),
        Column("Judge and reviewer", "number", is_measure=True, anchor="llm-judge"),
        Column("Two reviewers", "number", is_measure=True, anchor="llm-judge"),
        Column("Difference", "number", is_measure=True, anchor="llm-judge"),
    ]
    note = f"{found.sentence} 95% intervals over outputs, for these reviewers."
    return Table("agreement", _title(judged, "beside reviewers"), columns, rows, note)


def candidates_table(judged: JudgeResults) -> Table | None:
    """Each candidate's mean by people and by the judge, on the outputs that both judged."""
    found = judged.found.candidates
    if not found:
        return None
    labels = labels_of([each.candidate for each in found])
    rows: list[list[Cell]] = [
        [labels[each.candidate.pk], each.people, each.judge, each.gap, each.outputs] for each in found
    ]

    def mean(label: str) -> Column:
        return Column(label, judged.judge.criterion.rules.column, is_measure=True, anchor="llm-judge")

    columns = [
        Column("Candidate"),
        *(mean(label) for label in ("Reviewers", "Judge", "Judge minus reviewers")),
        Column("Outputs", "count"),
    ]
    note = "On the outputs that both judged; 95% intervals over outputs, for these reviewers and this judge."
    return Table("candidates", _title(judged, "beside reviewers, by candidate"), columns, rows, note)


def _title(judged: JudgeResults, rest: str) -> str:
    criterion = judged.judge.criterion
    axis = f" ({criterion.axis_label})" if criterion.axis_label else ""
    return f"{judged.judge.name} on {criterion.name}{axis}, {rest}"


JUDGE_TABLES: Mapping[str, Callable[[JudgeResults], Table | None]] = {
    "agreement": agreement_table,
    "candidates": candidates_table,
}
