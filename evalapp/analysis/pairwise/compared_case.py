"""The comparisons of one item on its case page, with adjudications and links to their disputes."""

from typing import NamedTuple

from evalapp.accounts.models import User
from evalapp.adjudication.models import ComparisonAdjudication
from evalapp.adjudication.side_by_side import comparison_adjudications_about, message_counts
from evalapp.analysis.pairwise.pair_lists import PreferenceLine, lines_of_item
from evalapp.campaigns.models import Campaign, Comparison
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.checks import candidate_names, preference_by_name
from evalapp.reviews.preferences.tasks import preference_of


class CaseComparison(NamedTuple):
    """``names``: of the compared candidates; ``adjudicated``: the adjudicated preference, in the comparison's
    order. ``is_own``: the reader reviewed it, so somebody else adjudicates.
    """

    comparison: Comparison
    names: list[str]
    adjudication: ComparisonAdjudication | None
    adjudicated: PreferenceAnswers | None
    messages: int
    lines: list[PreferenceLine]
    is_own: bool

    @property
    def preference(self) -> str:
        """The adjudicated preference in words; empty without one."""
        return preference_by_name(self.adjudicated, self.names) if self.adjudicated else ""

    @property
    def is_disputed(self) -> bool:
        """Whether preferences differ, or were adjudicated."""
        answers = set()
        for line in self.lines:
            own = line.review
            preference = preference_of(own).turned(own.preference.outputs, self.comparison.outputs)
            answers.add((preference.choice, tuple(preference.ranks or ())))
        return self.adjudication is not None or len(answers) > 1


def comparisons_of_item(campaign: Campaign, item_id: int, *, reader: User) -> list[CaseComparison]:
    """The item's reviewed comparisons, in order; empty for a campaign that rates outputs."""
    lines = lines_of_item(campaign, item_id) if campaign.compares else []
    if not lines:
        return []
    judged = {line.review.subject_id for line in lines}
    compared = list(Comparison.objects.filter(item=item_id, pk__in=judged).order_by("number"))
    decisions, messages, names = (
        comparison_adjudications_about(compared),
        message_counts(compared),
        candidate_names(campaign),
    )
    owners = dict(
        campaign.items.filter(pk=item_id).values_list("outputs", "outputs__candidate__model_version")
    )
    found = []
    for comparison in compared:
        shown = [names[owners[pk]] for pk in comparison.outputs]
        adjudication = decisions.get(comparison.pk)
        found.append(
            CaseComparison(
                comparison,
                shown,
                adjudication,
                adjudication.preference.turned(adjudication.outputs, comparison.outputs)
                if adjudication
                else None,
                messages.get(comparison.pk, 0),
                own := [line for line in lines if line.review.subject_id == comparison.pk],
                any(line.review.reviewer_id == reader.pk for line in own),
            )
        )
    return found
