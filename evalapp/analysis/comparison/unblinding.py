"""The unblinding index of a campaign, from the closing question."""

from typing import NamedTuple

from evalapp.campaigns.models import Campaign
from evalapp.registry.models import TUNED_KINDS
from evalapp.reviews.models import ClosingAnswer
from evalapp.stats.blinding import BlindingIndex, Guess, blinding_index

# About 40 answers on which reviewers agree.
NARROW = 0.3


class Unblinding(NamedTuple):
    """``reviewers``: who answered; ``declined``: who were asked and did not. ``sure`` and ``sure_right``:
    numbers of answers given without doubt, and of right ones among them.
    """

    indices: BlindingIndex
    answers: int
    reviewers: int
    declined: int
    sure: int
    sure_right: int

    @property
    def could_tell(self) -> bool | None:
        """Whether reviewers could identify the candidates.

        True: significantly more often right than by guessing. False: no sign of it, and the interval is
        narrow enough to say so. None: undecided.
        """
        overall = self.indices.overall
        if overall.low is None or overall.half_width is None:
            return None
        if overall.low > 0:
            return True
        return False if overall.half_width <= NARROW else None


def unblinding_of(campaign: Campaign) -> Unblinding | None:
    """What reviewers believed about the origin of outputs; None before anybody was asked, or without
    blinding.
    """
    if not campaign.is_blind:
        return None
    ended = campaign.reviewers.filter(closing_at__isnull=False).count()
    if not ended:
        return None
    answers = ClosingAnswer.objects.filter(campaign=campaign).values_list(
        "reviewer_id", "belief", "item_output__candidate__model_version__kind"
    )
    guesses = [
        (Guess(reviewer_id, kind in TUNED_KINDS, None if not belief else belief > 0), abs(belief) > 1)
        for reviewer_id, belief, kind in answers
    ]
    reviewers = len({guess.reviewer for guess, _ in guesses})
    return Unblinding(
        indices=blinding_index([guess for guess, _ in guesses]),
        answers=len(guesses),
        reviewers=reviewers,
        declined=ended - reviewers,
        sure=sum(is_sure for _, is_sure in guesses),
        sure_right=sum(is_sure and guess.credit > 0 for guess, is_sure in guesses),
    )
