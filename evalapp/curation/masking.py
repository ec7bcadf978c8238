"""People's data in a row replaced by placeholders such as ⟨NAME 1⟩. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from evalapp.curation.health.personal_data import personal_spans
from evalapp.curation.row_changes import text_at
from evalapp.datasets.rows import ExampleRow


def masked(row: ExampleRow, spans: Sequence[Mapping[str, Any]], changed: Mapping[str, Any]) -> dict[str, str]:
    """New values of the fields with these spans: {field: masked text}. The same data have the same
    placeholder everywhere in the row. Fields in ``changed`` have other texts by now, which are looked through
    anew.
    """
    placeholders: dict[tuple[str, str], str] = {}
    fields: dict[str, str] = {}
    for name in dict.fromkeys(str(span["field"]) for span in spans):
        text = text_at(row, name)
        if name in changed:
            found = [(span.start, span.end, span.type) for span in personal_spans(text)]
        else:
            found = [(span["start"], span["end"], span["type"]) for span in spans if span["field"] == name]
        parts, end = [], 0
        for start, stop, kind in sorted(found):
            parts += [text[end:start], _placeholder(placeholders, kind, text[start:stop])]
            end = stop
        fields[name] = "".join([*parts, text[end:]])
    return fields


def _placeholder(known: dict[tuple[str, str], str], kind: str, text: str) -> str:
    key = (kind, " ".join(text.casefold().split()))
    number = 1 + sum(other == kind for other, _ in known)
    return known.setdefault(key, f"⟨{kind} {number}⟩")
