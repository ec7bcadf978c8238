"""The mapping of a file's columns: guessed from names, chosen by a person, checked. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

_IDS = ("item", "id", "key", "uid", "uuid", "guid")
_ENDS_LIKE_AN_ID = re.compile(r".*([_\-. ](id|key|number|no|nr|ref|reference)|Id|ID|Number)")


@dataclass(frozen=True)
class FileLayout:
    """How to read a file. ``mapping``: column or field → use, for columns with the team's own names.
    ``encoding``: the original encoding if not UTF-8; the stored file is UTF-8.
    """

    file_format: str = ""
    delimiter: str = ","
    mapping: Mapping[str, str] = field(default_factory=dict)
    encoding: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        # Stored as pairs, because the database does not keep the order of an object's fields.
        object.__setattr__(self, "mapping", dict(self.mapping))

    def as_json(self) -> dict[str, Any]:
        """The value for an import's ``options``, from which the class can be recreated."""
        return {**asdict(self), "mapping": list(self.mapping.items())}


@dataclass(frozen=True)
class Mapper:
    """``names``: possible column name → use. ``many``: uses that several columns may have. ``rest``: the use
    of columns with unknown names. ``needed``: sets of uses of which one is required, each with the message if
    none is present.
    """

    names: Mapping[str, str]
    many: Collection[str]
    rest: str
    needed: Sequence[tuple[Collection[str], str]] = ()

    def guess(self, columns: Iterable[str], *, allowed: Collection[str] = ()) -> dict[str, str]:
        """Column → use by name; each use once, except those in ``many``."""
        mapping: dict[str, str] = {}
        for column in columns:
            use = self.use_of(column)
            is_taken = use not in self.many and use in mapping.values()
            mapping[column] = self.rest if is_taken or (allowed and use not in allowed) else use
        return mapping

    def with_names(self, names: Mapping[str, str]) -> "Mapper":
        """A copy that also knows these column names, without empty ones; its own names take precedence."""
        more = {bare_name(name): use for name, use in names.items() if name.strip()}
        return replace(
            self, names={**self.names, **{name: use for name, use in more.items() if name not in self.names}}
        )

    def fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Use → value of a row's non-empty fields; of several columns with one use, the first in the order of
        ``names``.
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
        """The conflict of columns with the same use, if only one may have it; else ""."""
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
        """The reason why this mapping cannot be used, or ""."""
        uses = list(mapping.values())
        for use in dict.fromkeys(uses):
            if use not in self.many and uses.count(use) > 1:
                return (
                    f"Only one column can be the {use}; choose another use for the others, or leave them out."
                )
        missing = (sentence for wanted, sentence in self.needed if not set(wanted) & set(uses))
        return next(missing, "")


def bare_name(column: str) -> str:
    """A column's name in lower case, with underscores for spaces."""
    return column.strip().casefold().replace(" ", "_")


def id_columns(columns: Iterable[str]) -> list[str]:
    """Columns named like an id, likeliest first: "item", as imported ratings call it, then "id" and similar,
    then "…_id" and "…_number".
    """
    return sorted(filter(_is_called_like_an_id, columns), key=_rank)


def _is_called_like_an_id(name: str) -> bool:
    return name.lower() in _IDS or _ENDS_LIKE_AN_ID.fullmatch(name) is not None


def _rank(name: str) -> tuple[int, str]:
    bare = name.lower()
    return (_IDS.index(bare) if bare in _IDS else len(_IDS), name)
