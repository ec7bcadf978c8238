"""The comparisons of one item on its case page: what was decided on each, and the ways to its dispute."""

from collections.abc import Sequence
from typing import NamedTuple

from evalapp.accounts.models import User
from evalapp.adjudication.beside import message_counts, rulings_about
from evalapp.adjudication.models import ComparisonRuling
from evalapp.analysis.pair_lists import JudgementLine
from evalapp.campaigns.models import Campaign, Comparison
from evalapp.judgements.checks import candidate_names, verdict_by_name
from evalapp.judgements.queries import verdict_of


class CaseComparison(NamedTuple):
    """``names`` are those of the compared candidates, ``verdict`` what was decided, by these names. ``is_own``: the
    reader judged it, so somebody else decides.
    """

    comparison: Comparison
    names: list[str]
    ruling: ComparisonRuling | None
    verdict: str
    messages: int
    lines: list[JudgementLine]
    is_own: bool

    @property
    def is_disputed(self) -> bool:
        """Whether verdicts differ, or that was decided."""
        said = set()
        for line in self.lines:
            own = line.judgement
            verdict = verdict_of(own).turned(own.outputs, self.comparison.outputs)
            said.add((verdict.choice, tuple(verdict.ranks or ())))
        return self.ruling is not None or len(said) > 1


def comparisons_of_item(
    campaign: Campaign, item_id: int, lines: Sequence[JudgementLine], *, reader: User
) -> list[CaseComparison]:
    """Those of the item that somebody judged, in its own order; ``lines`` are what was said of them."""
    if not lines:
        return []
    judged = {line.judgement.comparison_id for line in lines}
    compared = list(Comparison.objects.filter(item=item_id, pk__in=judged).order_by("number"))
    rulings, messages, names = rulings_about(compared), message_counts(compared), candidate_names(campaign)
    owners = dict(
        campaign.items.filter(pk=item_id).values_list("outputs", "outputs__candidate__model_version")
    )
    found = []
    for comparison in compared:
        shown = [names[owners[pk]] for pk in comparison.outputs]
        ruling = rulings.get(comparison.pk)
        found.append(
            CaseComparison(
                comparison,
                shown,
                ruling,
                verdict_by_name(ruling.verdict.turned(ruling.outputs, comparison.outputs), shown)
                if ruling
                else "",
                messages.get(comparison.pk, 0),
                own := [line for line in lines if line.judgement.comparison_id == comparison.pk],
                any(line.judgement.reviewer_id == reader.pk for line in own),
            )
        )
    return found
