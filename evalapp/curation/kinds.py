"""The kinds of findings, in the order in which they are shown, and what can be done about them."""

from typing import NamedTuple

from django.db import models


class FindingKind(models.TextChoices):
    LEAKAGE = "leakage", "Contamination"
    EXACT_DUPLICATE = "exact_duplicate", "Duplicates"
    NEAR_DUPLICATE = "near_duplicate", "Near-duplicates"
    CONFLICT = "conflict", "Conflicting answers"
    PERSONAL_DATA = "personal_data", "Personal data"
    BROKEN_ANSWER = "broken_answer", "Broken answers"
    LABEL_ISSUE = "label_issue", "Label issues"
    REVIEWED_LOW = "reviewed_low", "Scored low by reviewers"
    COVERAGE = "coverage", "Thin coverage"


class Proposal(models.TextChoices):
    """``DECIDE``: a person must; ``COLLECT``: rows are missing, none is wrong."""

    DROP = "drop", "Drop"
    MERGE = "merge", "Merge"
    MASK = "mask", "Mask"
    CHANGE = "change", "Change"
    DECIDE = "decide", "Decide"
    COLLECT = "collect", "Collect more"


class KindDescription(NamedTuple):
    """``explained``: what is looked for, in one sentence."""

    explained: str


KIND_DESCRIPTIONS: dict[str, KindDescription] = {
    FindingKind.LEAKAGE: KindDescription(
        "Training rows whose prompt is also an evaluation row: scores on it would be too high."
    ),
    FindingKind.EXACT_DUPLICATE: KindDescription(
        "Rows that repeat an earlier row of the split, capitals, punctuation and spaces aside."
    ),
    FindingKind.NEAR_DUPLICATE: KindDescription(
        "Rows that nearly repeat an earlier row of the split, in prompt and answer."
    ),
    FindingKind.CONFLICT: KindDescription("Rows with the prompt of an earlier row and another answer to it."),
    FindingKind.PERSONAL_DATA: KindDescription(
        "E-mail addresses, phone numbers, account and card numbers, names and more. The rules miss some of"
        " it: read a sample."
    ),
    FindingKind.BROKEN_ANSWER: KindDescription(
        "Answers that are empty, cut off, refusals, in another language, badly encoded, repetitive, or far"
        " longer or shorter than the rest."
    ),
    FindingKind.LABEL_ISSUE: KindDescription(
        "Labels that differ from those of a classifier trained on the other rows."
    ),
    FindingKind.REVIEWED_LOW: KindDescription(
        "Rows whose reference answer was scored low or corrected by reviewers, in any campaign."
    ),
    FindingKind.COVERAGE: KindDescription(
        "Kinds of rows that are more frequent in production than in the training data."
    ),
}
