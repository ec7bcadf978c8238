"""The metrics a scoring run may choose from, with what a page needs to show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower", "none"]
Needs = Literal["nothing", "references", "context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDescription:
    """One metric: how it is called, read and documented.

    ``better``: which way is better, or "none" where neither is (a length).
    ``smallest`` and ``largest``: the ends of its scale, None where it has none.
    ``anchor``: heading in docs/measures.md. ``is_count``: an output's value is a whole number.
    """

    name: str
    label: str
    better: Direction
    largest: float | None
    needs: Needs
    anchor: str
    is_count: bool = False
    smallest: float | None = 0

    @property
    def good_end(self) -> str:
        """What its top quarter is called: the best, or where neither way is better the highest."""
        return "highest" if self.better == "none" else "best"


CATALOGUE: Mapping[str, MetricDescription] = {
    metric.name: metric
    for metric in (
        MetricDescription(
            name="rouge1", label="ROUGE-1", better="higher", largest=1, needs="references", anchor="rouge"
        ),
        MetricDescription(
            name="rouge2", label="ROUGE-2", better="higher", largest=1, needs="references", anchor="rouge"
        ),
        MetricDescription(
            name="rougeL", label="ROUGE-L", better="higher", largest=1, needs="references", anchor="rouge"
        ),
        MetricDescription(
            name="rougeLsum",
            label="ROUGE-Lsum",
            better="higher",
            largest=1,
            needs="references",
            anchor="rouge",
        ),
        MetricDescription(
            name="bleu", label="BLEU", better="higher", largest=100, needs="references", anchor="bleu"
        ),
        MetricDescription(
            name="chrf", label="chrF++", better="higher", largest=100, needs="references", anchor="chrf"
        ),
        MetricDescription(
            name="ter", label="TER", better="lower", largest=None, needs="references", anchor="ter"
        ),
        MetricDescription(
            name="token_f1",
            label="Token F1",
            better="higher",
            largest=1,
            needs="references",
            anchor="token-f1",
        ),
        MetricDescription(
            name="exact_match",
            label="Exact match",
            better="higher",
            largest=1,
            needs="references",
            anchor="exact-match",
        ),
        MetricDescription(
            name="words",
            label="Words",
            better="none",
            largest=None,
            needs="nothing",
            anchor="length",
            is_count=True,
        ),
        MetricDescription(
            name="characters",
            label="Characters",
            better="none",
            largest=None,
            needs="nothing",
            anchor="length",
            is_count=True,
        ),
        MetricDescription(
            name="compression",
            label="Compression",
            better="none",
            largest=None,
            needs="context",
            anchor="compression",
        ),
        MetricDescription(
            name="repetition",
            label="Repetition",
            better="lower",
            largest=1,
            needs="nothing",
            anchor="repetition",
        ),
        MetricDescription(
            name="novel_bigrams",
            label="Novel bigrams",
            better="none",
            largest=1,
            needs="context",
            anchor="novel-n-grams",
        ),
        MetricDescription(
            name="invented_figures",
            label="Figures not in the context",
            better="lower",
            largest=None,
            needs="context",
            anchor="invented-figures",
            is_count=True,
        ),
    )
}
