"""The rules and word lists of perturbations: the product's own, or a team's in the same form (TOML)."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from evalapp.core.errors import InvalidError
from evalapp.datasets.counterfactuals.age import AgePerturbation, AgeValue
from evalapp.datasets.counterfactuals.first_names import FEMALE, MALE, OTHERS, FirstNames, NamePerturbation
from evalapp.datasets.counterfactuals.gender import GenderPerturbation
from evalapp.datasets.counterfactuals.perturbation import Perturbation
from evalapp.datasets.counterfactuals.phrases import PhrasePerturbation

LONGEST_LISTS = 200_000
MOST_WORDS = 5_000
LONGEST_WORD = 100
SECTIONS = ("name", "gender", "age", "dialect", "paraphrase")
ORIGINAL = "original"
"""Reserved value name: it marks the original row."""

_ENGLISH_LISTS = Path(__file__).with_name("english.toml")
_RULES = {
    "dialect": "Replaces words and phrases of the user by those of the dialect; the rest of the row stays.",
    "paraphrase": (
        "Replaces words and phrases of the user by others with the same meaning. The person stays the"
        " same, so the difference shows the effect of wording alone."
    ),
}


@lru_cache(maxsize=1)
def own_lists() -> str:
    """The text of the product's own lists."""
    return _ENGLISH_LISTS.read_text(encoding="utf-8")


@lru_cache(maxsize=8)
def perturbations_in(text: str) -> tuple[Perturbation, ...]:
    """The perturbations of lists in TOML, in the form of `english.toml`; "" stands for that file. Raises
    InvalidError naming what cannot be read and where.
    """
    try:
        found = tomllib.loads(text or own_lists())
    except tomllib.TOMLDecodeError as error:
        raise _unusable(f"This is not TOML: {error}.") from error
    unknown = set(found) - {*SECTIONS, "language"}
    if unknown:
        raise _unusable(f"There is no perturbation “{min(unknown)[:40]}”. Use {', '.join(SECTIONS)}.")
    read = tuple(_read(_Section(found)))
    if not read:
        raise _unusable(f"There is no perturbation in these lists. Give one of {', '.join(SECTIONS)}.")
    return read


def _read(lists: "_Section") -> Iterator[Perturbation]:
    names = _names(lists.section("name")) if lists.has("name") else None
    if names is not None:
        yield NamePerturbation(names)
    if lists.has("gender"):
        yield _gender(lists.section("gender"), names)
    if lists.has("age"):
        yield _age(lists.section("age"))
    for key in ("dialect", "paraphrase"):
        if lists.has(key):
            yield _phrases(key, lists.section(key))


def _names(section: "_Section") -> FirstNames:
    labels, groups = {}, {}
    for key, group in section.sections("groups"):
        labels[key] = group.text("label")
        groups[key] = {FEMALE: group.words(FEMALE, needed=True), MALE: group.words(MALE, needed=True)}
    if section.has(OTHERS):
        others = section.section(OTHERS)
        groups[OTHERS] = {FEMALE: others.words(FEMALE), MALE: others.words(MALE)}
    return FirstNames(
        labels=labels,
        groups=groups,
        also_words=frozenset(section.words("also_words")),
        cues=section.words("cues", needed=True),
        not_before=section.words("not_before"),
        not_after=section.words("not_after"),
    )


def _gender(section: "_Section", names: FirstNames | None) -> GenderPerturbation:
    return GenderPerturbation(
        labels={MALE: section.text(MALE), FEMALE: section.text(FEMALE)},
        pairs=section.pairs("pairs"),
        titles=section.pairs("titles", may_miss=True),
        after_object=frozenset(word.casefold() for word in section.words("after_object")),
        fixed=section.words("fixed"),
        excluded=section.words("excluded"),
        names=names,
    )


def _age(section: "_Section") -> AgePerturbation:
    ages = {
        key: AgeValue(
            label=value.text("label"),
            age=value.number("age"),
            replaces_from=value.number("replaces_from", default=18),
            replaces_below=value.number("replaces_below", default=120),
            words=value.pairs("words", may_miss=True),
        )
        for key, value in section.sections("values")
    }
    for key, each in ages.items():
        if each.replaces_from <= each.age < each.replaces_below:
            raise _unusable(f"age.values.{key}: {each.age} would be replaced by itself.")
    return AgePerturbation(
        ages=ages,
        adult_from=section.number("adult_from", default=18),
        persons=section.words("persons", needed=True),
        excluded=section.words("excluded"),
    )


def _phrases(key: str, section: "_Section") -> PhrasePerturbation:
    values = dict(section.sections("values"))
    return PhrasePerturbation(
        key=key,
        label=key.capitalize(),
        rule=_RULES[key],
        labels={value: each.text("label") for value, each in values.items()},
        phrases={value: each.pairs("phrases") for value, each in values.items()},
    )


class _Section:
    """A table of the file, whose errors name its place."""

    def __init__(self, content: Mapping[str, Any], place: str = "") -> None:
        self._content, self._place = content, place

    def _path_of(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key

    def has(self, key: str) -> bool:
        return key in self._content

    def section(self, key: str) -> "_Section":
        value = self._content.get(key)
        if not isinstance(value, dict):
            raise _unusable(f"{self._path_of(key)} must be a table, as [{self._path_of(key)}].")
        return _Section(value, self._path_of(key))

    def sections(self, key: str) -> list[tuple[str, "_Section"]]:
        """The subtables of this table, at least one; their keys become metadata values."""
        inside = self.section(key)
        if not inside._content:
            raise _unusable(
                f"{self._path_of(key)} is empty. Give a table in it, such as [{self._path_of(key)}.first]."
            )
        for name in inside._content:
            is_plain = name.replace("_", "").isalnum() and name.isascii() and len(name) <= 40
            if not is_plain or name in (ORIGINAL, OTHERS):
                raise _unusable(
                    f"{self._path_of(key)}.{name[:40]} needs another name: letters, digits and _, at most 40,"
                    f" and not “{ORIGINAL}” or “{OTHERS}”."
                )
        return [(name, inside.section(name)) for name in inside._content]

    def text(self, key: str) -> str:
        value = self._content.get(key)
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_WORD:
            raise _unusable(f"{self._path_of(key)} must be a text of 1 to {LONGEST_WORD} characters.")
        return value.strip()

    def number(self, key: str, *, default: int | None = None) -> int:
        value = self._content.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 150:
            raise _unusable(f"{self._path_of(key)} must be a whole number from 0 to 150.")
        return value

    def words(self, key: str, *, needed: bool = False) -> tuple[str, ...]:
        value = self._content.get(key, [])
        if not isinstance(value, list) or len(value) > MOST_WORDS or not all(map(_is_word, value)):
            raise _unusable(
                f"{self._path_of(key)} must be a list of at most {MOST_WORDS:,} words or phrases of 1 to"
                f" {LONGEST_WORD} characters."
            )
        if needed and not value:
            raise _unusable(f"{self._path_of(key)} must have at least one word.")
        return tuple(value)

    def pairs(self, key: str, *, may_miss: bool = False) -> Sequence[tuple[str, str]]:
        value = self._content.get(key, [])
        is_list = isinstance(value, list) and len(value) <= MOST_WORDS
        if not is_list or not all(
            isinstance(each, list) and len(each) == 2 and all(map(_is_word, each)) for each in value
        ):
            raise _unusable(
                f"{self._path_of(key)} must be a list of at most {MOST_WORDS:,} pairs, each as"
                ' ["old words", "new words"].'
            )
        if not value and not may_miss:
            raise _unusable(f"{self._path_of(key)} must have at least one pair.")
        return tuple((old, new) for old, new in value)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= LONGEST_WORD


def _unusable(message: str) -> InvalidError:
    return InvalidError(message, field="lists")
