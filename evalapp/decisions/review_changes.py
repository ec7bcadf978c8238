"""Changes of reviews since a gate evaluation."""

import json
from typing import NamedTuple

from evalapp.campaigns.models import Purpose
from evalapp.gates.models import GateEvaluation
from evalapp.reviews.models import Review


class ReviewChanges(NamedTuple):
    """Numbers of reviews ``added``, ``amended`` or ``gone`` since the evaluation read them."""

    added: int
    amended: int
    gone: int

    @property
    def words(self) -> str:
        """Such as "3 added and 1 amended"; empty without changes."""
        parts = [f"{count:,} {what}" for what, count in self._asdict().items() if count]
        return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def review_changes_since(evaluation: GateEvaluation) -> ReviewChanges:
    """Compare the campaign's current reviews with those of the evaluation, review by review."""
    read = {
        record["review"]: record["revision"]
        for record in map(json.loads, filter(None, evaluation.reviews.split("\n")))
        if record["counts"]
    }
    now = dict(
        Review.objects.filter(
            campaign=evaluation.campaign_gate.campaign_id,
            purpose=Purpose.REVIEW,
            is_simulated=evaluation.is_simulated,
        ).values_list("pk", "revision")
    )
    return ReviewChanges(
        added=len(now.keys() - read.keys()),
        amended=sum(now[review] != read[review] for review in now.keys() & read.keys()),
        gone=len(read.keys() - now.keys()),
    )
