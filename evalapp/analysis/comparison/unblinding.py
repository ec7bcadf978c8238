"""The unblinding index of a campaign: what the closing question says."""

from typing import NamedTuple

from evalapp.campaigns.models import Campaign
from evalapp.registry.models import TUNED_KINDS
from evalapp.reviews.models import ClosingAnswer
from evalapp.stats.blinding import BlindingIndex, Guess, blinding_index

# About 40 answers that agree between reviewers.
NARROW = 0.3


class Unblinding(NamedTuple):
    """``reviewers`` answered, ``declined`` were asked and left it out. ``sure`` and ``sure_right`` count the
    answers given without a doubt.
    """

    indices: BlindingIndex
    answers: int
    reviewers: int
    declined: int
    sure: int
    sure_right: int

    @property
    def could_tell(self) -> bool | None:
        """True: more often right than by guessing, surely. False: no sign of it, and the interval is narrow
        enough to say so. None: it cannot be said.
        """
        overall = self.indices.overall
        if overall.low is None or overall.half_width is None:
            return None
        if overall.low > 0:
            return True
        return False if overall.half_width <= NARROW else None


def unblinding_of(campaign: Campaign) -> Unblinding | None:
    """What reviewers believed of the origin of outputs; None while nobody has been asked, or if nothing was
    blind.
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
