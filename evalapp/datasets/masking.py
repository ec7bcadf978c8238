"""Replaces personal data in a row by placeholders such as ⟨NAME 1⟩. Pure."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from evalapp.conversations.text import every_text, text_form, with_every_text
from evalapp.datasets.row_changes import text_at, text_fields
from evalapp.datasets.rows import LONGEST_SHORT_TEXT, ExampleRow
from evalapp.imports.mapping import id_columns
from evalapp.privacy.known_people import KnownPeople
from evalapp.privacy.personal_data import PersonalSpan, personal_spans
from evalapp.privacy.rules import MaskingRules

Originals = dict[str, list[str]]
"""The originals of each placeholder: one person's name may be written in several ways, in order of
occurrence.
"""

_NAME = "NAME"
_ESCAPES = re.compile(r"(?<!\\)(?:\\u[0-9a-fA-F]{4})+")
_PLACEHOLDER = re.compile(r"⟨([A-Z][A-Z ]*) (\d{1,6})⟩")


class MaskedRow(NamedTuple):
    """A masked row. ``originals``: of every placeholder of the row, including those known before."""

    row: ExampleRow
    originals: Originals


class Masks:
    """The placeholders of one row. The same data get the same placeholder throughout the row, even where no
    rule would find them: a name introduced in one text is masked in all others. ``known`` placeholders keep
    their originals, and new numbers continue after theirs.
    """

    def __init__(
        self,
        texts: Iterable[tuple[str, Sequence[PersonalSpan]]],
        known: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._spans = dict(texts)
        self.originals: Originals = {name: list(forms) for name, forms in (known or {}).items()}
        self._placeholders: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}
        for placeholder in [
            *self.originals,
            *(each[0] for text in self._spans for each in _PLACEHOLDER.finditer(text)),
        ]:
            if match := _PLACEHOLDER.fullmatch(placeholder):
                self._last[match[1]] = max(self._last.get(match[1], 0), int(match[2]))
        for placeholder, forms in self.originals.items():
            kind = placeholder.strip("⟨⟩").rpartition(" ")[0]
            self._placeholders |= {(kind, _key(kind, form)): placeholder for form in forms}
        names = [
            form
            for (kind, _), each in self._placeholders.items()
            if kind == _NAME
            for form in self.originals[each]
        ]
        names += [
            text[span.start : span.end]
            for text, spans in self._spans.items()
            for span in spans
            if span.type == _NAME
        ]
        self._people = KnownPeople(names, self._spans)

    def masked(self, text: str) -> str:
        """The text with placeholders; it must be one of the texts that the masks were made for."""
        parts, end = [], 0
        for start, stop, placeholder in self.replaced(text):
            parts += [text[end:start], placeholder]
            end = stop
        return "".join([*parts, text[end:]])

    def replaced(self, text: str) -> list[tuple[int, int, str]]:
        """The replacements in a text, in order: start, end, placeholder."""
        others = list(self._people.spans(text))
        return [
            (start, stop, self._placeholder(kind, text[start:stop]))
            for start, stop, kind in _merged_spans(self._spans.get(text, ()), others)
        ]

    def _placeholder(self, kind: str, original: str) -> str:
        key = kind, _key(kind, original)
        if kind == _NAME and key not in self._placeholders:
            key = kind, self._people.surnames.get(key[1], key[1])
        placeholder = self._placeholders.get(key)
        if placeholder is None:
            self._last[kind] = self._last.get(kind, 0) + 1
            placeholder = self._placeholders[key] = f"⟨{kind} {self._last[kind]}⟩"
        forms = self.originals.setdefault(placeholder, [])
        if original not in forms:
            forms.append(original)
        return placeholder


def masked_fields(
    row: ExampleRow, spans: Sequence[Mapping[str, Any]], changed: Mapping[str, Any], rules: MaskingRules
) -> dict[str, str]:
    """New values of the fields that hold personal data: {field: masked text}. Fields in ``changed`` have
    changed since ``spans`` were found, so the ``rules`` are applied to them anew.
    """
    found: dict[str, list[PersonalSpan]] = {}
    for span in spans:
        if span["field"] not in changed:
            known = PersonalSpan(span["start"], span["end"], span["type"])
            found.setdefault(span["field"], []).append(known)
    texts = {name: text_at(row, name) for name in text_fields(row)}
    for name in set(texts) & set(changed):
        found[name] = personal_spans(texts[name], rules)
    masks = Masks((text, found.get(name, ())) for name, text in texts.items())
    fields = {name: masks.masked(text) for name, text in texts.items()}
    return {name: text for name, text in fields.items() if text != texts[name]}


def masked_row(
    row: ExampleRow,
    rules: MaskingRules,
    known: Mapping[str, Sequence[str]],
    pseudonym: Callable[[str], str],
) -> MaskedRow:
    """The row with placeholders in all its texts; the given row where there is nothing to mask. Its group,
    and the ids in its metadata, are replaced by their ``pseudonym``: the same for the same text in every row,
    so that groups stay intact and rows distinguishable.
    """
    read = {text: _unescaped(text) for text in _texts_of(row)}
    masks = Masks(((text, personal_spans(text, rules)) for text in read.values()), known)
    masked = {text: masks.masked(text) for text in read.values()}
    changes = {text: masked[plain] if masked[plain] != plain else text for text, plain in read.items()}
    own_id = next(iter(id_columns(row.metadata)), None)
    name = row.metadata.get(own_id) if own_id is not None else None
    pseudonyms = {text: pseudonym(text) for text in (row.group_key, name) if isinstance(text, str) and text}
    if all(before == after for each in (changes, pseudonyms) for before, after in each.items()):
        return MaskedRow(row, masks.originals)

    def mask(text: str) -> str:
        return changes.get(text, text)

    def with_pseudonym(text: str) -> str:
        code = pseudonym(text)
        if code != text:
            masks.originals[code] = [text]
        return code

    references = [mask(text) for text in row.references]
    messages: Sequence[Mapping[str, str]] = [
        {**each, "content": mask(each["content"])} for each in row.messages
    ]
    conversation = row.conversation
    if conversation is not None:
        before = text_form(conversation)
        conversation = with_every_text(conversation, mask, is_form=True)
        messages, answer = text_form(conversation)
        if answer is not None and row.references[:1] == [before.answer]:
            references[0] = answer
    changed = replace(
        row,
        messages=messages,
        references=references,
        label=mask(row.label)[:LONGEST_SHORT_TEXT],
        context=mask(row.context),
        metadata={
            name: with_pseudonym(value)
            if name == own_id and isinstance(value, str)
            else with_every_text(value, mask)
            for name, value in row.metadata.items()
        },
        group_key=with_pseudonym(row.group_key) if row.group_key else "",
        provenance={
            name: with_every_text(value, mask) if name == "imported" else value
            for name, value in row.provenance.items()
        },
        pairs=with_every_text(row.pairs, mask),
        rated=with_every_text(row.rated, mask),
        conversation=conversation,
    )
    return MaskedRow(changed, masks.originals)


def _texts_of(row: ExampleRow) -> Iterator[str]:
    yield from (message["content"] for message in row.messages)
    yield from row.references
    yield from (row.label, row.context, row.group_key)
    for value in (row.metadata, row.pairs, row.rated, row.provenance.get("imported")):
        yield from every_text(value)
    yield from every_text(row.conversation, is_form=True)


def _unescaped(text: str) -> str:
    """The text with JSON's escapes of letters decoded; tools often answer in escaped JSON."""
    return _ESCAPES.sub(_unescape_match, text) if "\\u" in text else text


def _unescape_match(match: re.Match[str]) -> str:
    letters = str(json.loads(f'"{match[0]}"'))
    # Keep escapes that JSON needs, and halves of surrogate pairs.
    return letters if letters.isprintable() and not any(map(str.isascii, letters)) else match[0]


def _key(kind: str, original: str) -> str:
    """The key under which originals share a placeholder. Names with the same last word are one person's;
    other data are compared without white space and signs.
    """
    if kind == _NAME:
        return original.rsplit(maxsplit=1)[-1].casefold() if original.split() else ""
    return re.sub(r"\W", "", original.casefold())


def _merged_spans(spans: Sequence[PersonalSpan], others: Sequence[PersonalSpan]) -> list[PersonalSpan]:
    """Both lists of spans in order, without those that overlap an earlier one."""
    taken: list[PersonalSpan] = []
    for span in [*spans, *others]:
        if not any(span.start < each.end and each.start < span.end for each in taken):
            taken.append(span)
    return sorted(taken)
