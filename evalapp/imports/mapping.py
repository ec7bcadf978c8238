"""The mapping of a file's columns: guessed from names, chosen by a person, checked. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

_IDS = ("item", "id", "key", "uid", "uuid", "guid")
_ENDS_LIKE_AN_ID = re.compile(r".*([_\-. ](id|key|number|no|nr|ref|reference)|Id|ID|Number)")


@dataclass(frozen=True)
class FileLayout:
    """How to read a file. ``mapping``: column or field → use, where the names are the team's own.
    ``encoding``: which it was in, where that was not UTF-8; the stored file is.
    """

    file_format: str = ""
    delimiter: str = ","
    mapping: Mapping[str, str] = field(default_factory=dict)
    encoding: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        # Kept as pairs, because the database does not keep the order of an object's fields.
        object.__setattr__(self, "mapping", dict(self.mapping))

    def as_json(self) -> dict[str, Any]:
        """As an import keeps it in its ``options``, from which the class can be made again."""
        return {**asdict(self), "mapping": list(self.mapping.items())}


@dataclass(frozen=True)
class Mapper:
    """``names``: what a column may be called → its use. ``many``: uses that several columns may have.
    ``rest``: the use of a column of no known name. ``needed``: uses of which one must be there, with the
    sentence for where none is.
    """

    names: Mapping[str, str]
    many: Collection[str]
    rest: str
    needed: Sequence[tuple[Collection[str], str]] = ()

    def guess(self, columns: Iterable[str], *, allowed: Collection[str] = ()) -> dict[str, str]:
        """Column → use by its name: each use once, unless many columns may have it."""
        mapping: dict[str, str] = {}
        for column in columns:
            use = self.use_of(column)
            is_taken = use not in self.many and use in mapping.values()
            mapping[column] = self.rest if is_taken or (allowed and use not in allowed) else use
        return mapping

    def with_names(self, names: Mapping[str, str]) -> "Mapper":
        """One that knows these names of columns as well, but for empty ones, after its own."""
        more = {bare_name(name): use for name, use in names.items() if name.strip()}
        return replace(
            self, names={**self.names, **{name: use for name, use in more.items() if name not in self.names}}
        )

    def fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Use → value of a row that is not empty; of several columns of one use the first in the order of
        the names.
        """
        given = {
            bare_name(column): value for column, value in row.items() if value is not None and value != ""
        }
        fields: dict[str, Any] = {}
        for name, use in self.names.items():
            if name in given:
                fields.setdefault(use, given[name])
        return fields

    def twice(self, columns: Iterable[str]) -> str:
        """Which columns are for the same, where only one can be; or ""."""
        by_use: dict[str, list[str]] = {}
        for column in columns:
            by_use.setdefault(self.use_of(column), []).append(f"“{column}”")
        for use, named in by_use.items():
            if len(named) > 1 and use not in self.many:
                return f"{' and '.join(named)} both name the {use}"
        return ""

    def use_of(self, column: str) -> str:
        return self.names.get(bare_name(column), self.rest)

    def problem(self, mapping: Mapping[str, str]) -> str:
        """Why this mapping cannot be used, or an empty text."""
        uses = list(mapping.values())
        for use in dict.fromkeys(uses):
            if use not in self.many and uses.count(use) > 1:
                return (
                    f"Only one column can be the {use}; choose another use for the others, or leave them out."
                )
        missing = (sentence for wanted, sentence in self.needed if not set(wanted) & set(uses))
        return next(missing, "")


def bare_name(column: str) -> str:
    """A column's name without case, and with its spaces as in a field's name."""
    return column.strip().casefold().replace(" ", "_")


def id_columns(columns: Iterable[str]) -> list[str]:
    """Those that are called like an id, likeliest first: what imported ratings call it, then "id" and the
    like, then "…_id" and "…_number".
    """
    return sorted(filter(_is_called_like_an_id, columns), key=_rank)


def _is_called_like_an_id(name: str) -> bool:
    return name.lower() in _IDS or _ENDS_LIKE_AN_ID.fullmatch(name) is not None


def _rank(name: str) -> tuple[int, str]:
    bare = name.lower()
    return (_IDS.index(bare) if bare in _IDS else len(_IDS), name)
