"""Context of a dry run's page, from its stored result."""

from typing import Any, NamedTuple

from evalapp.charts.chart import Chart
from evalapp.charts.histogram import Bin, CutoffLine, histogram
from evalapp.runs.contamination.contamination_guard import covering_decision
from evalapp.runs.models import Run
from evalapp.runs.training.advice import advice
from run_directory.records import RecordError
from training.dry_run_report import DryRunReport, Estimate, LengthBin, ShownRow
from training.rows import SequenceName

SEQUENCE_NAMES: dict[SequenceName, str] = {
    "conversation": "",
    "chosen": "The better answer",
    "rejected": "The worse answer",
    "good": "An answer rated good",
    "bad": "An answer rated bad",
}
PARTS = {
    "read": "Input, not trained on",
    "trained": "Trained on",
    "cut": "Truncated, not used",
}


class ShownPart(NamedTuple):
    """Tokens of a row; ``part`` is read, trained or cut, and ``says`` is its description."""

    part: str
    says: str
    beginning: tuple[str, ...]
    left_out: int
    end: tuple[str, ...]


def dry_run_context(run: Run) -> dict[str, Any]:
    """Empty if there is no result yet, or one of another version of the product."""
    found = {name: value for name, value in run.result.items() if name != "leaks"}
    try:
        report = DryRunReport.from_dict(found)
    except RecordError:
        return {}
    leaks = run.result["leaks"]
    decision = covering_decision(run.dataset_version, leaks.get("pairs", [])) if leaks["is_refused"] else None
    return {
        "report": report,
        "leaks": leaks,
        "decision": decision,
        "decisions": [decision] if decision else [],
        "is_allowed": decision is not None or not leaks["is_refused"],
        "lengths": lengths_chart(report),
        "shown_rows": [_row_context(row) for row in report.shown_rows],
        "advice": advice(
            rows=report.rows.train,
            method=report.method,
            truncated=report.rows.truncated,
            longest=report.longest_length,
            context=report.context,
        ),
        "estimate_parts": _duration_parts(report.estimate) if report.estimate else [],
        "memory_parts": _memory_parts(report),
    }


def lengths_chart(report: DryRunReport) -> Chart:
    rows, cut = report.rows, report.max_length
    beyond = rows.truncated + sum(row.reason == "prompt_too_long" for row in rows.dropped_rows)
    says = (
        f"Half of the rows have at most {report.median_length:,} tokens, the longest has"
        f" {report.longest_length:,}. {beyond or 'None'} {'is' if beyond <= 1 else 'are'} longer than"
        f" {cut:,}."
    )
    return histogram(
        [_bin(each) for each in report.lengths],
        CutoffLine(cut, f"cut at {cut:,}"),
        size="Tokens",
        counted="Rows",
        says=says,
    )


def _bin(found: LengthBin) -> Bin:
    return Bin(found.first, found.last, found.rows)


def _row_context(row: ShownRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": {"first": "The first row", "middle": "A row from the middle", "longest": "The longest row"}[
            row.why
        ],
        "length": row.length,
        "sequences": [
            {
                "name": SEQUENCE_NAMES[sequence.name],
                "parts": [
                    ShownPart(
                        span.part,
                        f"{PARTS[span.part]}: {span.tokens:,} {'token' if span.tokens == 1 else 'tokens'}",
                        span.beginning,
                        span.left_out,
                        span.end,
                    )
                    for span in sequence.spans
                ],
            }
            for sequence in row.sequences
        ],
    }


def _duration_parts(found: Estimate) -> list[tuple[str, float]]:
    return [
        ("Preparation: reading rows and loading the base", found.preparing_seconds),
        (f"{found.steps:,} steps of {found.step_seconds:.2g} s", found.training_seconds),
        ("Evaluation on the validation rows", found.evaluating_seconds),
        *([("Sample answers", found.sampling_seconds)] if found.sampling_seconds else []),
        ("Saving", found.saving_seconds),
    ]


def _memory_parts(report: DryRunReport) -> list[tuple[str, int]]:
    """Memory that does not depend on the batch and, if a trial ran, what the longest batch needs in
    addition.
    """
    memory = report.memory
    parts = [
        ("The model’s weights", memory.weights),
        ("Gradients of the trained weights", memory.gradients),
        ("The optimiser’s moments of the trained weights", memory.optimiser),
    ]
    if report.trial:
        parts.append(("The longest batch, and libraries", max(0, report.peak_memory_bytes - memory.held)))
    return parts
