"""A campaign's accepted corrections, with their final text."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from evalapp.campaigns.models import Campaign, Purpose
from evalapp.exports.models import ExportRow, RowDecision, RowKind
from evalapp.reviews.models import Correction
from evalapp.reviews.reviewer_types import of_reviewer_type


class AcceptedCorrection(NamedTuple):
    """``text`` is what was accepted: the author's, or as it was edited. ``is_picked``: only because the
    finder picked its output for what a metric and people said of it.
    """

    review_id: int
    reviewer_id: int
    output_id: int
    item_id: int
    candidate_id: int
    example_id: int
    text: str
    is_simulated: bool
    is_picked: bool


class Corrections(NamedTuple):
    """``waiting``: nobody has decided on them. Those that were rejected are counted alone."""

    accepted: list[AcceptedCorrection]
    waiting: int
    rejected: int

    @property
    def by_example(self) -> dict[int, list[AcceptedCorrection]]:
        found: dict[int, list[AcceptedCorrection]] = defaultdict(list)
        for each in self.accepted:
            found[each.example_id].append(each)
        return dict(found)

    @property
    def picked(self) -> int:
        """How many of the accepted were picked by the finder."""
        return sum(each.is_picked for each in self.accepted)

    @property
    def is_simulated(self) -> bool:
        return any(each.is_simulated for each in self.accepted)


def corrections_of(campaign: Campaign) -> Corrections:
    """By the latest decision in any of the campaign's exports. Outside a demonstration simulated ones do not
    count.
    """
    given = Correction.objects.filter(
        of_reviewer_type(campaign.project, review="review__"),
        review__campaign=campaign,
        review__purpose=Purpose.REVIEW,
    )
    decisions = _latest_decisions(campaign)
    accepted: list[AcceptedCorrection] = []
    waiting = rejected = 0
    columns = given.order_by("review_id").values_list(
        "review_id",
        "review__reviewer_id",
        "review__item_output__output_id",
        "review__item_output__item_id",
        "review__item_output__candidate_id",
        "review__item_output__item__example_id",
        "review__is_simulated",
    )
    for review_id, reviewer, output, item, candidate, example, is_simulated in columns.iterator(2_000):
        decided = decisions.get(review_id, _UNDECIDED)
        if decided.decision == RowDecision.REJECTED:
            rejected += 1
        elif decided.decision == RowDecision.PENDING:
            waiting += 1
        else:
            is_picked = bool(campaign.picked_because) or decided.is_picked
            accepted.append(
                AcceptedCorrection(
                    *(review_id, reviewer, output, item, candidate, example),
                    *(decided.text, is_simulated, is_picked),
                )
            )
    return Corrections(accepted, waiting, rejected)


class _LatestDecision(NamedTuple):
    """The latest decision, the text that it accepts, and whether no rows but the finder's ever held it."""

    decision: str
    text: str
    is_picked: bool


_UNDECIDED = _LatestDecision(RowDecision.PENDING, "", is_picked=False)


def _latest_decisions(campaign: Campaign) -> dict[int, _LatestDecision]:
    """By review."""
    picked = set(campaign.exports.filter(settings__has_key="picked").values_list("pk", flat=True))
    rows = (
        ExportRow.objects.filter(
            export__campaign=campaign,
            kind=RowKind.ANSWER,
            review__isnull=False,
            is_included=True,
            review__correction__isnull=False,
            # A well-rated answer is among them, too, and corrects nothing.
            rejected_output__isnull=False,
        )
        .exclude(decision=RowDecision.PENDING)
        .order_by("decided_at", "id")
        .values_list("review_id", "decision", "edited_text", "chosen_text", "export_id")
    )
    found: dict[int, _LatestDecision] = {}
    for review_id, decision, edited, chosen, export_id in rows:
        if review_id is not None:
            before = found.get(review_id)
            is_picked = export_id in picked and (before is None or before.is_picked)
            found[review_id] = _LatestDecision(decision, edited or chosen, is_picked)
    return found


def corrections_mark(corrections: Sequence[AcceptedCorrection]) -> str:
    """Names what a result was measured against: other corrections, another mark."""
    texts = sorted(f"{each.review_id}:{each.text}" for each in corrections)
    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"corrections:{digest[:12]}"
