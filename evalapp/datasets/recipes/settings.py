"""Settings of a dataset recipe: the sources of a version's rows, and how much is taken of each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evalapp.core.errors import InvalidError

NEWEST, ALL = "newest", "all"
MOST_SOURCES = 20
DEFAULT_SEED = 42


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of a dataset. ``version`` is a number, `NEWEST`, or `ALL`: every row of every version as it is in
    the newest that has it, but for those that a draft dropped.

    ``from_reviews``: only rows that reviewers' feedback made. ``where``: only rows whose field (``label``,
    ``group``, or a name of the metadata) has one of these values. At most ``at_most`` rows, and
    ``at_most_per_value`` for each value of the field ``per_field``. ``share``: percent of the training rows;
    of all sources, or of none.
    """

    dataset: int
    version: int | str = NEWEST
    from_reviews: bool = False
    where: Mapping[str, Sequence[str]] | None = None
    at_most: int | None = None
    per_field: str = ""
    at_most_per_value: int | None = None
    share: float | None = None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "where": {name: list(values) for name, values in (self.where or {}).items()}}


@dataclass(frozen=True, slots=True)
class RecipeSettings:
    """The first source is the base: its validation, test and feedback rows are taken as they are. Of each
    source after it training rows alone are taken, and they take the place of earlier rows of the same prompt.
    """

    sources: Sequence[Source]
    seed: int = DEFAULT_SEED

    def as_json(self) -> dict[str, Any]:
        return {"sources": [source.as_json() for source in self.sources], "seed": self.seed}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "RecipeSettings":
        return cls([Source(**source) for source in stored["sources"]], stored["seed"])

    def check(self) -> None:
        """Raises InvalidError for what no version can be written from, by the number of the source."""
        if not 1 <= len(self.sources) <= MOST_SOURCES:
            _refuse("sources", f"A dataset recipe has 1 to {MOST_SOURCES} sources.")
        if self.sources[0].version == ALL:
            _refuse(
                "sources.0.version",
                "Choose one version, or the newest, for the first source: its validation, test and feedback"
                " rows become those of the new version.",
            )
        for number, source in enumerate(self.sources):
            if (source.at_most_per_value is None) != (not source.per_field):
                _refuse(
                    f"sources.{number}.per_field",
                    f"Source {number + 1}: name a field and how many rows each of its values may have,"
                    " or neither.",
                )
        shares = [source.share for source in self.sources]
        if any(share is not None for share in shares):
            total = sum(share or 0 for share in shares)
            if any(share is None for share in shares) or abs(total - 100) > 0.01:
                _refuse(
                    "sources",
                    f"Give every source a share, 100% together, or none. These are {total:g}% together.",
                )


def version_named(text: str) -> int | str:
    """A source's version as it is written: a number, `NEWEST` or `ALL`."""
    return int(text) if text.isdecimal() else text


def _refuse(field: str, message: str) -> None:
    raise InvalidError(message, field=field)
