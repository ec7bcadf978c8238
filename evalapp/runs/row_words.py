"""Sentences about rows that a training did not use."""

from collections.abc import Iterator, Mapping
from typing import Any

from run_directory.words import counted


def left_out_sentences(rows: Mapping[str, Any], method_name: str, objective_label: str) -> Iterator[str]:
    """Sentences from ``Run.rows``. Older runs have fewer counts; a missing count gives no sentence."""
    passed_over = int(rows.get("passed_over", 0))
    if passed_over:
        has = "has" if passed_over == 1 else "have"
        yield (
            f"{_more_rows(passed_over, rows.get('passed_over_validation'))} {has} nothing for {method_name}"
            f" and {'was' if passed_over == 1 else 'were'} not used."
        )
    if unrated := rows.get("unrated_pairs"):
        yield (
            f"{unrated:,} of these {'has' if unrated == 1 else 'have'} pairs but no rated answer. Where"
            f" answers of a version are rated, {objective_label} learns from these alone, since a pair’s"
            " worse answer need not be a bad one."
        )
    if text_alone := int(rows.get("text_alone", 0)):
        contains = "contains" if text_alone == 1 else "contain"
        yield (
            f"{counted(text_alone, 'row')} {contains} more than text, such as tool calls, files or sources;"
            " the model was trained on the text alone."
        )
    if rows.get("judged_by") == "pairs":
        yield (
            "No answer of the version is rated, so the better answers of its pairs were taken as good and the"
            " worse ones as bad."
        )
    if rows.get("draws_validation"):
        yield (
            "The version’s own validation rows cannot be used for this, so any held-out rows are drawn from"
            " its training rows."
        )


def _more_rows(passed_over: int, validation: int | None) -> str:
    if validation is None:
        return counted(passed_over, "more row")
    if validation in (0, passed_over):
        return counted(passed_over, "more validation row" if validation else "more training row")
    return (
        f"{counted(passed_over, 'more row')} ({passed_over - validation:,} for training, {validation:,} for"
        " validation)"
    )
