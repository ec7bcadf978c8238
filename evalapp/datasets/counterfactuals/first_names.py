"""Finds first names in texts and replaces them by names of another group or gender. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from evalapp.datasets.counterfactuals.perturbation import (
    LeftOut,
    Perturbation,
    Rewritten,
    Value,
    changed_texts,
)
from evalapp.datasets.counterfactuals.wording import in_case_of, replaced, starts_sentence, words_pattern

FEMALE, MALE = "female", "male"
OTHERS = "others"
_LONGEST_CONTEXT = 120


class ListedName(NamedTuple):
    name: str
    group: str
    gender: str


@dataclass(frozen=True)
class FirstNames:
    """Names by group and gender (``groups``); `OTHERS` are found but never inserted. ``also_words`` are also
    ordinary words: they count as names only after a cue, and then throughout the row except at the start of a
    sentence.
    """

    labels: Mapping[str, str]
    groups: Mapping[str, Mapping[str, Sequence[str]]]
    also_words: frozenset[str]
    cues: Sequence[str]
    not_before: Sequence[str]
    not_after: Sequence[str]

    @cached_property
    def listed(self) -> dict[str, ListedName]:
        """Names by lower case; a name on two lists belongs to the first."""
        found: dict[str, ListedName] = {}
        for group, genders in self.groups.items():
            for gender, names in genders.items():
                for name in names:
                    found.setdefault(name.casefold(), ListedName(name, group, gender))
        return found

    @cached_property
    def _pattern(self) -> str:
        names = [each.name for each in self.listed.values()]
        return words_pattern([*names, *(name.upper() for name in names if len(name) > 2)])

    @cached_property
    def _cue(self) -> re.Pattern[str]:
        return re.compile(rf"{words_pattern(self.cues)}[\s,:]+$", re.IGNORECASE)

    @cached_property
    def _after(self) -> re.Pattern[str]:
        return re.compile(rf"(?:{words_pattern(self.not_after)})\s+$" if self.not_after else r"(?!)")

    @cached_property
    def _before(self) -> re.Pattern[str]:
        return re.compile(rf"\s+(?:{words_pattern(self.not_before)})" if self.not_before else r"(?!)")

    def found_in(self, texts: Iterable[str]) -> dict[str, ListedName]:
        """The names in the texts of one row, by lower case."""
        row = tuple(texts)
        seen, found = self._last_found[0]
        if seen != row:
            found = self._found_in(row)
            # Every value asks for the same row in turn.
            self._last_found[0] = row, found
        return found

    @cached_property
    def _last_found(self) -> list[tuple[tuple[str, ...] | None, dict[str, ListedName]]]:
        return [(None, {})]

    def _found_in(self, texts: Iterable[str]) -> dict[str, ListedName]:
        found: dict[str, ListedName] = {}
        for text in texts:
            for match in re.finditer(self._pattern, text):
                listed = self.listed[match[0].casefold()]
                if self._is_name(text, match, listed, known=frozenset()):
                    found.setdefault(listed.name.casefold(), listed)
        return found

    def with_replacements(self, text: str, instead: Mapping[str, str]) -> str:
        """The text with its names replaced: ``instead`` maps every name in the row (lower case) to
        another.
        """
        known = frozenset(instead)

        def other(match: re.Match[str]) -> str | None:
            listed = self.listed[match["words"].casefold()]
            new = instead.get(listed.name.casefold())
            place = match.start("words")
            if new is None or not self._is_name(text, match, listed, known=known, place=place):
                return None
            return in_case_of(match["words"], new)

        return replaced(text, self._pattern, other, ignores_case=False)

    def _is_name(
        self,
        text: str,
        match: re.Match[str],
        listed: ListedName,
        *,
        known: frozenset[str],
        place: int | None = None,
    ) -> bool:
        start = match.start() if place is None else place
        # A cue is a few words long, but a text may be as long as a book.
        before = text[max(0, start - _LONGEST_CONTEXT) : start]
        if self._after.search(before) or self._before.match(text, match.end()):
            return False
        if listed.name not in self.also_words or self._cue.search(before):
            return True
        is_possessive = text.startswith(("'s", "’s"), match.end())
        return listed.name.casefold() in known and (is_possessive or not starts_sentence(text, start))

    def choose_replacements(
        self, wanted: Iterable[ListedName], *, group: str | None, gender: str | None, named: Iterable[str]
    ) -> dict[str, str]:
        """A replacement for each wanted name, by its lower case: of ``group`` (None: its own) and ``gender``
        (None: its own). A name has the same replacement in every row, unless the row already contains it.
        """
        taken = {name.casefold() for name in named}
        instead = {}
        for each in wanted:
            own = each.group if group is None else group
            names = self.groups[own][each.gender if gender is None else gender]
            start = int.from_bytes(hashlib.sha256(each.name.encode()).digest()[:4], "big")
            ordered = [names[(start + step) % len(names)] for step in range(len(names))]
            safe = [name for name in ordered if name not in self.also_words] or ordered
            new = next((name for name in safe if name.casefold() not in taken), safe[0])
            taken.add(new.casefold())
            instead[each.name.casefold()] = new
        return instead


@dataclass(frozen=True)
class NamePerturbation(Perturbation):
    """First names become names of another group and the same gender; names of that group stay."""

    names: FirstNames

    key = "name"
    label = "Name"
    rule = (
        "Replaces first names in the lists by names of the group, of the same gender, everywhere in the row."
        " Names that are also words, such as Will and Grace, are replaced only after a cue, such as a title."
    )

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(Value(group, label) for group, label in self.names.labels.items())

    def rewritten(self, texts: Mapping[str, str], value: str) -> Rewritten:
        named = self.names.found_in(texts.values())
        others = [each for each in named.values() if each.group != value]
        if not others:
            return LeftOut.UNTOUCHED
        instead = self.names.choose_replacements(others, group=value, gender=None, named=named)
        return changed_texts(texts, lambda text: self.names.with_replacements(text, instead))

    def lists(self, value: str) -> list[tuple[str, str]]:
        put_in = self.names.groups[value]
        others = sorted(
            {each.name for each in self.names.listed.values() if each.group != value}, key=str.casefold
        )
        return [
            ("Women’s names put in", ", ".join(put_in[FEMALE])),
            ("Men’s names put in", ", ".join(put_in[MALE])),
            ("Names that are replaced", ", ".join(others)),
            ("Names only after a cue", ", ".join(sorted(self.names.also_words))),
            ("Cues", ", ".join(self.names.cues)),
        ]
