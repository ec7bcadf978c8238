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
    ``largest``: upper end of its scale, None where it has none.
    ``anchor``: heading in docs/measures.md.
    """

    name: str
    label: str
    better: Direction
    largest: float | None
    needs: Needs
    anchor: str


def _describe(
    name: str, label: str, better: Direction, largest: float | None, needs: Needs, anchor: str
) -> MetricDescription:
    return MetricDescription(
        name=name, label=label, better=better, largest=largest, needs=needs, anchor=anchor
    )


CATALOGUE: Mapping[str, MetricDescription] = {
    metric.name: metric
    for metric in (
        _describe("rouge1", "ROUGE-1", "higher", 1, "references", "rouge"),
        _describe("rouge2", "ROUGE-2", "higher", 1, "references", "rouge"),
        _describe("rougeL", "ROUGE-L", "higher", 1, "references", "rouge"),
        _describe("rougeLsum", "ROUGE-Lsum", "higher", 1, "references", "rouge"),
        _describe("bleu", "BLEU", "higher", 100, "references", "bleu"),
        _describe("chrf", "chrF++", "higher", 100, "references", "chrf"),
        _describe("ter", "TER", "lower", None, "references", "ter"),
        _describe("token_f1", "Token F1", "higher", 1, "references", "token-f1"),
        _describe("exact_match", "Exact match", "higher", 1, "references", "exact-match"),
        _describe("words", "Words", "none", None, "nothing", "length"),
        _describe("characters", "Characters", "none", None, "nothing", "length"),
        _describe("compression", "Compression", "none", None, "context", "compression"),
        _describe("repetition", "Repetition", "lower", 1, "nothing", "repetition"),
        _describe("novel_bigrams", "Novel bigrams", "none", 1, "context", "novel-n-grams"),
        _describe(
            "invented_figures", "Figures not in the context", "lower", None, "context", "invented-figures"
        ),
    )
}
