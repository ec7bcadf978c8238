"""Training rows whose prompts are in the evaluation: the contamination check, one finding per
training row.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

from evalapp.curation.health.rows import Found
from evalapp.curation.kinds import FindingKind, Proposal
from evalapp.datasets.contamination import CONTAINED_WORDS, ContaminationReport, Match
from evalapp.datasets.models import DatasetVersion
from evalapp.runs.contamination.contamination_guard import compared_with_evaluation


def leakage(version: DatasetVersion, *, tell: Callable[[int], object]) -> Iterator[Found]:
    """The rows for which a training on the version would be refused. ``tell``: progress callback, as in the
    comparison.
    """
    report = compared_with_evaluation(version, tell=tell)
    matches: defaultdict[int, list[tuple[str, Match]]] = defaultdict(list)
    for how, found in (
        ("has the same prompt as {}.", report.exact),
        ("has nearly the same prompt as {}.", report.near),
        (f"repeats {{}} (half or more of its {CONTAINED_WORDS}-word sequences).", report.contained),
    ):
        for match in found:
            matches[match.training_row].append((how, match))
    for row in sorted(matches):
        how, match = max(matches[row], key=lambda each: each[1].share)
        yield Found(
            FindingKind.LEAKAGE,
            row,
            f"Row {row:,} {how.format(_evaluation_row(match, report, version))}",
            Proposal.DROP,
            score=match.share,
            others=[each.evaluation_row for _, each in matches[row] if each.evaluation_version == version.pk],
        )


def _evaluation_row(match: Match, report: ContaminationReport, version: DatasetVersion) -> str:
    name = report.names.get(match.evaluation_version, "")
    of = f" of {name}" if name and match.evaluation_version != version.pk else ""
    return f"evaluation row {match.evaluation_row:,}{of}"
