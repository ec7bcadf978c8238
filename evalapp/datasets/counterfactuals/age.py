"""Perturbation of the age of the person in a row. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from evalapp.datasets.counterfactuals.perturbation import (
    LeftOut,
    Perturbation,
    Rewritten,
    Value,
    changed_texts,
)
from evalapp.datasets.counterfactuals.wording import in_case_of, normal_form, replaced, words_pattern

_NUMBER = r"(?P<age>\d{1,3})"
# What may follow a bare number that is an age: nothing, the end of a clause, or a word for age.
_TAIL = (
    r"(?P<tail>\s+(?:years?|yrs?)(?:\s+old|\s+of\s+age)\b|\s*(?:yo|y/o)\b|(?=\s*(?:[.,](?!\d)|[;!?)\n]|$))"
    r"|(?=\s+(?:and|but|with|or)\b(?!\s+(?:over|above|older|under|younger|below)\b)))"
)


@dataclass(frozen=True)
class AgeValue:
    """One value. ``age`` replaces ages from ``replaces_from`` and below ``replaces_below``. ``words``: words
    for a person of the other age, and their replacements.
    """

    label: str
    age: int
    replaces_from: int
    replaces_below: int
    words: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class AgePerturbation(Perturbation):
    """Ages of people, not of things or of times: “I am 34”, “a 34-year-old driver”, and “a young driver”."""

    ages: Mapping[str, AgeValue]
    adult_from: int
    persons: Sequence[str]
    excluded: Sequence[str]

    key = "age"
    label = "Age"
    rule = (
        "Changes the age of an adult, and “young” or “old” before a word for a person, in rows that give"
        " exactly one age. Ages of things, such as a 10-year-old car, stay."
    )

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(Value(key, each.label) for key, each in self.ages.items())

    @cached_property
    def _persons(self) -> str:
        return words_pattern(self.persons)

    @cached_property
    def _stated(self) -> re.Pattern[str]:
        who = (
            rf"(?:\b(?:I|he|she|who|they|we)|{self._persons})"
            r"(?:\s+(?:am|is|are|was|turned|turn|turns|will\s+be)|['’](?:m|s|re))\s+(?:now\s+|only\s+)?"
        )
        of_age = r"\b(?:aged|age|age\s+of|age\s+is|age:)\s+"
        return re.compile(rf"(?P<lead>(?:{who}|{of_age})){_NUMBER}{_TAIL}", re.IGNORECASE)

    @cached_property
    def _hyphened(self) -> re.Pattern[str]:
        """“34-year-old” and the two words after it, which show whether it describes a person."""
        return re.compile(rf"(?<![\w-]){_NUMBER}(?P<tail>[- ]year[- ]old)\b(?P<after>(?:\s+[\w'’-]+){{0,2}})")

    def rewritten(self, texts: Mapping[str, str], value: str) -> Rewritten:
        wanted = self.ages[value]
        ages = {age for text in texts.values() for age in self._ages(text)}
        words = words_pattern(old for old, _ in wanted.words)
        has_words = any(self._of_person(words).search(text) for text in texts.values())
        youngest = min(ages, default=0)
        is_replaced = youngest >= self.adult_from and self._is_replaced(youngest, wanted)
        if not is_replaced and not (has_words and not ages):
            return LeftOut.UNTOUCHED if len(ages) < 2 else LeftOut.SEVERAL
        if len(ages) > 1:
            return LeftOut.SEVERAL
        excluded = re.compile(words_pattern(self.excluded) if self.excluded else r"(?!)", re.IGNORECASE)
        if any(excluded.search(text) for text in texts.values()):
            return LeftOut.EXCLUDED
        return changed_texts(texts, lambda text: self._with_age(text, wanted))

    def _is_replaced(self, age: int, wanted: AgeValue) -> bool:
        return wanted.replaces_from <= age < wanted.replaces_below

    def _ages(self, text: str) -> Iterator[int]:
        for match in self._stated.finditer(text):
            yield int(match["age"])
        for match in self._hyphened.finditer(text):
            if self._is_of_person(match):
                yield int(match["age"])

    def _is_of_person(self, match: re.Match[str]) -> bool:
        """Whether “34-year-old” is followed by a person, with at most one word between, or by no noun
        at all.
        """
        after = match["after"].split()
        known = {normal_form(person) for person in self.persons}
        if not after or normal_form(after[0]) in _NOT_NOUNS:
            # “My car is 12 year old.” has no noun after it, either.
            return "-" in match["tail"]
        return any(normal_form(word).removesuffix("'s") in known for word in after)

    def _of_person(self, words: str) -> re.Pattern[str]:
        return re.compile(rf"(?P<words>{words})(?=\s+{self._persons})", re.IGNORECASE)

    def _with_age(self, text: str, wanted: AgeValue) -> str:
        text = self._stated.sub(lambda match: f"{match['lead']}{wanted.age}{match['tail'] or ''}", text)

        def hyphened(match: re.Match[str]) -> str | None:
            whole = self._hyphened.match(match.string, match.start("words"))
            if whole is None or not self._is_of_person(whole):
                return None
            return f"{wanted.age}{match['words'][len(whole['age']) :]}"

        text = replaced(text, r"(?<![\w-])\d{1,3}[- ]year[- ]old\b", hyphened)
        instead = {normal_form(old): new for old, new in wanted.words}
        pattern = rf"{words_pattern(old for old, _ in wanted.words)}(?=\s+{self._persons})"
        return replaced(
            text, pattern, lambda match: in_case_of(match["words"], instead[normal_form(match["words"])])
        )

    def lists(self, value: str) -> list[tuple[str, str]]:
        wanted = self.ages[value]
        return [
            ("Age put in", f"{wanted.age}, for {wanted.replaces_from} to {wanted.replaces_below - 1}"),
            ("Words before a person", "; ".join(f"{old} → {new}" for old, new in wanted.words)),
            ("Words for a person", ", ".join(self.persons)),
            ("Rows with these are left out", ", ".join(self.excluded)),
        ]


_NOT_NOUNS = frozenset(
    ("and", "or", "but", "who", "is", "was", "has", "had", "with", "in", "from", "at", "to", "wants", "asks",
     "needs", "can", "will", "would")
)  # fmt: skip
