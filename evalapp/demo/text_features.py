"""What a careful reader notices in a summary: numbers, words, form of address, next step. Uses no model."""

import re
from dataclasses import dataclass
from itertools import pairwise

from evalapp.demo.client_facts import ClientFacts
from evalapp.demo.style_rules import (
    CHECKED_FACT_RULE,
    CHECKED_STYLE_RULES,
    GOAL_NAMED,
    NEXT_STEP,
    ONE_NEXT_STEP,
    PLAIN_WORDS,
)
from evalapp.metrics.rows import Row
from evalapp.metrics.rules import check_rules

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_PARTS = {
    "shares": re.compile(r"\b(?:shares|equities|stocks)\b", re.IGNORECASE),
    "bonds": re.compile(r"\b(?:bonds|fixed income)\b", re.IGNORECASE),
    "cash": re.compile(r"\b(?:cash|liquidity|liquid (?:assets|instruments))\b", re.IGNORECASE),
}
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s?%")


@dataclass(frozen=True)
class TextFeatures:
    """Countable properties of one summary, compared with the facts behind it."""

    unsupported_numbers: tuple[str, ...]
    """Numbers in the text that are not in the prompt."""
    mix_confused: bool
    """Whether the percentages of shares, bonds and cash are mixed up."""
    numbers_missing: float
    """Share, 0 to 1, of the portfolio's four numbers (amount, shares, bonds, cash) that the text lacks."""
    formal_words: int
    addresses_reader: bool
    names_client: bool
    names_goal: bool
    has_one_next_step: bool
    words: int
    words_per_sentence: float
    finished: bool
    """Whether the text ends with a full stop, not in the middle of a sentence."""
    repeats_itself: bool
    """Whether a sentence or line of four words or more occurs twice."""

    @property
    def factual_error(self) -> bool:
        """Whether the text contradicts the facts."""
        return bool(self.unsupported_numbers) or self.mix_confused

    @property
    def house_style(self) -> bool:
        """Whether all style rules pass."""
        return self.formal_words == 0 and self.has_one_next_step and self.names_goal


def read_text(text: str, facts: ClientFacts) -> TextFeatures:
    """Compute the features of `text` as a summary of `facts`."""
    row = Row(output=text, context=facts.context(), fields=facts.fields())
    style = check_rules(CHECKED_STYLE_RULES, row)
    portfolio = (f"{facts.value:,}", f"{facts.shares}%", f"{facts.bonds}%", f"{facts.cash}%")
    sentences = [sentence for sentence in _SENTENCE_END.split(text.strip()) if sentence]
    words = text.split()
    return TextFeatures(
        unsupported_numbers=tuple(span.text for span in CHECKED_FACT_RULE.check(row).spans),
        mix_confused=any(_confuses_mix(sentence, facts) for sentence in sentences),
        numbers_missing=sum(number not in text for number in portfolio) / len(portfolio),
        formal_words=len(style[PLAIN_WORDS].spans),
        addresses_reader=re.search(r"\byou(?:r|rs)?\b", text, re.IGNORECASE) is not None,
        names_client=facts.given_name.lower() in text.lower(),
        names_goal=style[GOAL_NAMED].passed is True,
        has_one_next_step=style[NEXT_STEP].passed is True and style[ONE_NEXT_STEP].passed is True,
        words=len(words),
        words_per_sentence=len(words) / max(1, len(sentences)),
        finished=text.rstrip().endswith((".", "!", "?", ".”", '."')),
        repeats_itself=_repeats(sentences) or _repeats(text.splitlines()),
    )


def _confuses_mix(sentence: str, facts: ClientFacts) -> bool:
    """Whether a sentence with all three parts and three percentages pairs them wrongly, when read in
    order.
    """
    places = {name: match.start() for name, pattern in _PARTS.items() if (match := pattern.search(sentence))}
    percents = _PERCENT.findall(sentence)
    if len(places) < len(_PARTS) or len(percents) != len(_PARTS):
        return False
    order = sorted(places, key=places.__getitem__)
    return any(float(percent) != getattr(facts, name) for name, percent in zip(order, percents, strict=True))


def _repeats(pieces: list[str]) -> bool:
    long_pieces = sorted(piece.strip().lower() for piece in pieces if len(piece.split()) >= 4)
    return any(first == second for first, second in pairwise(long_pieces))
