"""People's data in a row replaced by placeholders such as ⟨NAME 1⟩. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evalapp.curation.row_changes import text_at, text_fields
from evalapp.datasets.rows import ExampleRow
from evalapp.privacy.personal_data import PersonalSpan, personal_spans

_NAME = "NAME"
_FEWEST_LETTERS = 3


def masked(row: ExampleRow, spans: Sequence[Mapping[str, Any]], changed: Mapping[str, Any]) -> dict[str, str]:
    """New values of the fields that hold people's data: {field: masked text}. The same data have the same
    placeholder everywhere in the row, also where no rule would find them: a name that one text introduces is
    masked in all others. Fields in ``changed`` have other texts by now than the ``spans`` speak of.
    """
    found: dict[str, list[PersonalSpan]] = {}
    for span in spans:
        if span["field"] not in changed:
            known = PersonalSpan(span["start"], span["end"], span["type"])
            found.setdefault(span["field"], []).append(known)
    texts = {name: text_at(row, name) for name in text_fields(row)}
    for name in set(texts) & set(changed):
        found[name] = personal_spans(texts[name])
    people = _People(texts[name][span.start : span.end] for name in found for span in found[name]
                     if span.type == _NAME)  # fmt: skip
    placeholders: dict[tuple[str, str], str] = {}
    fields: dict[str, str] = {}
    for name, text in texts.items():
        all_spans = _with_others(found.get(name, []), people.spans(text))
        parts, end = [], 0
        for start, stop, kind in all_spans:
            key = (
                people.key(text[start:stop])
                if kind == _NAME
                else re.sub(r"\W", "", text[start:stop].casefold())
            )
            parts += [text[end:start], _placeholder(placeholders, kind, key)]
            end = stop
        if all_spans:
            fields[name] = "".join([*parts, text[end:]])
    return fields


class _People:
    """Who is named in a row. Names that share their last word are one person's."""

    def __init__(self, names: Iterator[str]) -> None:
        self._last = {name.split()[-1] for name in names}
        words = sorted((word for word in self._last if len(word) >= _FEWEST_LETTERS), key=len, reverse=True)
        any_of = "|".join(map(re.escape, words))
        self._pattern = re.compile(rf"(?<!\w)(?:{any_of})(?!\w)") if words else None

    def spans(self, text: str) -> list[PersonalSpan]:
        matches = self._pattern.finditer(text) if self._pattern is not None else ()
        return [PersonalSpan(*match.span(), _NAME) for match in matches]

    def key(self, name: str) -> str:
        return name.rsplit(maxsplit=1)[-1].casefold()


def _with_others(spans: Sequence[PersonalSpan], others: Sequence[PersonalSpan]) -> list[PersonalSpan]:
    """Both in order, without what overlaps one of the first."""
    free = [
        other
        for other in others
        if not any(other.start < each.end and each.start < other.end for each in spans)
    ]
    return sorted([*spans, *free])


def _placeholder(known: dict[tuple[str, str], str], kind: str, key: str) -> str:
    number = 1 + sum(other == kind for other, _ in known)
    return known.setdefault((kind, key), f"⟨{kind} {number}⟩")
