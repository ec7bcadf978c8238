"""Counterfactual variants of rows: the original, and copies with another person or wording. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from evalapp.core.errors import InvalidError
from evalapp.datasets.counterfactuals.lists import ORIGINAL, perturbations_in
from evalapp.datasets.counterfactuals.perturbation import LeftOut, Perturbation, Value
from evalapp.datasets.row_changes import text_at, text_fields, with_changes
from evalapp.datasets.rows import ExampleRow, row_problems
from evalapp.imports.mapping import id_columns

FIELD = "counterfactual"
"""The field of a row's metadata that says what it is: ``pair`` (the original's number in its version, the
same for the original and all its variants), ``variant`` (`ORIGINAL` or a value), and ``perturbation``.
"""
PAIR, PERTURBATION, VARIANT = f"{FIELD}.pair", f"{FIELD}.perturbation", f"{FIELD}.variant"

_NOT_VARIED = ("metadata.", "pairs.", "rated.")


class Chosen(NamedTuple):
    """One value of a perturbation. ``key`` is how a form, a job and the API name it."""

    perturbation: Perturbation
    value: Value

    @property
    def key(self) -> str:
        return f"{self.perturbation.key}.{self.value.key}"


class Variant(NamedTuple):
    """A changed row. ``changed``: the changed fields, with the text before and after."""

    chosen: Chosen
    row: ExampleRow
    changed: dict[str, tuple[str, str]]


class Account(NamedTuple):
    """Counts for one value: rows that became pairs, and rows that did not, by `LeftOut`."""

    chosen: Chosen
    pairs: int
    left_out: Mapping[str, int]


class VariantCounts:
    """Counts the outcomes of rows, by value."""

    def __init__(self, chosen: Sequence[Chosen]) -> None:
        self.rows = 0
        self._chosen = chosen
        self._found: dict[str, Counter[str]] = {each.key: Counter() for each in chosen}

    def add(self, made: Mapping[str, Variant | LeftOut]) -> None:
        """Count the results of one row, by the key of `Chosen`."""
        self.rows += 1
        for key, variant in made.items():
            self._found[key][variant.value if isinstance(variant, LeftOut) else ""] += 1

    @property
    def accounts(self) -> list[Account]:
        return [
            Account(each, self._found[each.key][""], {reason: n for reason, n in found.items() if reason})
            for each in self._chosen
            for found in (self._found[each.key],)
        ]


def choices_in(lists: str) -> list[Chosen]:
    """All values of the perturbations in these lists; raises as `perturbations_in`."""
    return [Chosen(each, value) for each in perturbations_in(lists) for value in each.values]


def chosen_in(lists: str, keys: Iterable[str]) -> list[Chosen]:
    """The values of these keys, in the order of the lists. Raises InvalidError for no keys, and for an
    unknown key.
    """
    wanted = set(keys)
    found = [each for each in choices_in(lists) if each.key in wanted]
    unknown = wanted - {each.key for each in found}
    message = ""
    if unknown:
        known = ", ".join(each.key for each in choices_in(lists))
        message = f"There is no variant “{min(unknown)[:80]}” in these lists. Known: {known}."
    elif not found:
        message = "Choose at least one perturbation."
    if message:
        raise InvalidError(message, field="variants")
    return found


def variants_of(row: ExampleRow, chosen: Sequence[Chosen]) -> dict[str, Variant | LeftOut]:
    """What each chosen value makes of the row, by its key: the changed row, or why there is none."""
    fields = [name for name in text_fields(row) if not name.startswith(_NOT_VARIED)]
    texts = {name: text_at(row, name) for name in fields}
    written = {name: text for name, text in texts.items() if _is_of_user(row, name)}
    return {each.key: _variant(row, each, written if each.perturbation.is_of_writing else texts)
            for each in chosen}  # fmt: skip


def _is_of_user(row: ExampleRow, name: str) -> bool:
    first, _, place = name.partition(".")
    return first == "messages" and row.messages[int(place)]["role"] == "user"


def _variant(row: ExampleRow, chosen: Chosen, texts: Mapping[str, str]) -> Variant | LeftOut:
    rewritten = chosen.perturbation.rewritten(texts, chosen.value.key)
    if isinstance(rewritten, LeftOut):
        return rewritten
    changed = with_changes(row, rewritten)
    # A change outside what the model is asked does not make another question.
    if _prompt_fields(changed) == _prompt_fields(row):
        return LeftOut.UNTOUCHED
    if row_problems(changed):
        return LeftOut.UNTOUCHED
    return Variant(chosen, changed, {name: (texts[name], new) for name, new in rewritten.items()})


def _prompt_fields(row: ExampleRow) -> tuple[Any, ...]:
    return list(row.messages), row.context, row.conversation


def written_rows(
    row: ExampleRow, number: int, made: Mapping[str, Variant | LeftOut], source: Mapping[str, Any]
) -> Iterator[ExampleRow]:
    """The row and its variants as they are stored, the original first; nothing where there is no variant.
    ``number``: the row's in its version; ``source``: where it comes from, for the provenance.
    """
    variants = [each for each in made.values() if isinstance(each, Variant)]
    if not variants:
        return
    own_id = next(iter(id_columns(row.metadata)), None)
    provenance = {**row.provenance, FIELD: {**source, "row": number}}

    def stored(of: ExampleRow, mark: Mapping[str, str], suffix: str) -> ExampleRow:
        metadata = {**of.metadata, FIELD: {"pair": str(number), **mark}}
        if own_id is not None and suffix:
            # Outputs and scores are imported by this id, so each row needs its own.
            metadata[own_id] = f"{of.metadata[own_id]}-{suffix}"
        return replace(
            of,
            metadata=metadata,
            group_key=of.group_key or f"row {number}",
            provenance=provenance,
            pairs=(),
            rated=(),
            row_key=None,
        )

    yield stored(row, {"variant": ORIGINAL}, "")
    for each in variants:
        mark = {"perturbation": each.chosen.perturbation.key, "variant": each.chosen.value.key}
        yield stored(each.row, mark, each.chosen.key)
