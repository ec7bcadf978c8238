"""A prompt from feedback: the most frequent reasons, and the best corrections."""

from typing import Any

from django.db.models import Count

from evalapp.campaigns.models import Campaign, Purpose
from evalapp.exports.models import Export, RowKind
from evalapp.exports.queries import accepted_rows, reviewed_outputs
from evalapp.registry.models import STANDING_KINDS, ModelKind, ModelVersion
from evalapp.reviews.models import ReviewTag
from evalapp.reviews.reviewer_types import of_reviewer_type

MOST_REASONS = 5
MOST_EXAMPLES = 3
LONGEST_LABEL = 80


def prompt_from(export: Export) -> dict[str, Any]:
    """First values of the form of a new prompt.

    Its words are those of the newest prompt that the campaign reviewed, with the reasons that most answers
    were marked with; its examples are accepted corrections, now training rows of the export's version: those
    of the answers that were rated lowest.
    """
    earlier = _earlier(export.campaign)
    words = [earlier.system_prompt] if earlier is not None and earlier.system_prompt else []
    if reasons := _reasons(export.campaign):
        who = "Simulated experts" if export.is_simulated else "Experts"
        words.append("\n".join([f"{who} marked in earlier answers, so avoid:", *reasons]))
    rows = _rows(export)
    return {
        "base": _base_of(export.campaign, earlier),
        "label": f"From {export.name}"[:LONGEST_LABEL],
        "system_prompt": "\n\n".join(words),
        "prompt_template": earlier.prompt_template if earlier is not None else "",
        "examples_version": export.dataset_version_id if rows else None,
        "example_rows": ", ".join(map(str, rows)),
    }


def _earlier(campaign: Campaign) -> ModelVersion | None:
    prompts = ModelVersion.objects.filter(kind=ModelKind.PROMPT, campaign_entries__campaign=campaign)
    return prompts.order_by("-pk").first()


def _base_of(campaign: Campaign, earlier: ModelVersion | None) -> int | None:
    if earlier is not None:
        return earlier.base_id
    reviewed = ModelVersion.objects.filter(campaign_entries__campaign=campaign)
    bases = (
        each.pk if each.kind in STANDING_KINDS else each.base_id
        for each in reviewed
        if each.kind in _ON_A_BASE
    )
    return next(bases, None)


_ON_A_BASE = STANDING_KINDS | {ModelKind.LORA}


def _reasons(campaign: Campaign) -> list[str]:
    """The commonest reasons, each with how many answers were marked with it."""
    given = ReviewTag.objects.filter(
        of_reviewer_type(campaign.project, review="review__"),
        review__campaign=campaign,
        review__purpose=Purpose.REVIEW,
    )
    counted = given.values_list("tag__criterion__name", "tag__label").annotate(
        outputs=Count("review__item_output", distinct=True)
    )
    common = sorted(counted, key=lambda each: (-each[2], each[0], each[1]))[:MOST_REASONS]
    return [
        f"- {criterion}: {label} ({outputs} answer{'' if outputs == 1 else 's'})"
        for criterion, label, outputs in common
    ]


def _rows(export: Export) -> list[int]:
    """Rows of the export's version that hold corrections, of the answers rated lowest first."""
    means = {each.output_id: each.mean for each in reviewed_outputs(export.campaign)}
    written = (
        accepted_rows(export, RowKind.ANSWER)
        .filter(review__isnull=False, training_example__version=export.dataset_version_id)
        .select_related("training_example")
    )

    def rated(output_id: int | None) -> float:
        mean = means.get(output_id) if output_id is not None else None
        return float("inf") if mean is None else mean

    found = [
        (rated(row.rejected_output_id), row.training_example.row_number)
        for row in written
        if row.training_example is not None and len(_asked(row.training_example.messages)) == 1
    ]
    return [row for _, row in sorted(found)[:MOST_EXAMPLES]]


def _asked(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    return [turn for turn in messages if turn["role"] != "system"]
