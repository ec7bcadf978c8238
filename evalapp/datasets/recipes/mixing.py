"""Selects the rows that a dataset recipe takes from its sources, and accounts for those left out."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from django.db.models import Count, F, QuerySet

from evalapp.core.errors import InvalidError
from evalapp.datasets.contamination import CONTAINED_WORDS, common_above, contamination, own_words
from evalapp.datasets.field_filter import text_of_field, with_fields
from evalapp.datasets.models import FROM_DRAFT, Dataset, DatasetVersion, Example, Split, VersionState
from evalapp.datasets.recipes.settings import ALL, NEWEST, RecipeSettings, Source
from evalapp.datasets.rows import ExampleRow, example_row

LEFT_OUT = {
    "filter": "another value of the field, or not from reviews",
    "held_out": "prompt held out in the base",
    "replaced": "replaced by a later source",
    "cap": "over its limit of rows",
    "share": "over its share",
}
"""Reasons why a row is left out, in order of precedence; each row has one."""

_READ_AT_ONCE = 2_000
FROM_EXPORT = "export"
"""The field of the provenance of a row that was made from reviews."""
_HELD_OUT = (Split.VALIDATION, Split.TEST)


class ResolvedSource(NamedTuple):
    """A source resolved to current versions; ``version`` is None for all versions of ``dataset``."""

    source: Source
    dataset: Dataset
    version: DatasetVersion | None


class SourceAccount(NamedTuple):
    """Rows of one source: ``rows`` = ``taken`` + ``left_out`` (by `LEFT_OUT`). ``version`` is a number, or
    None for all.
    """

    dataset: int
    dataset_name: str
    version: int | None
    rows: int
    taken: int
    left_out: dict[str, int]


class Mixture(NamedTuple):
    """The selected rows. ``rows``: ids of the examples in order. ``counts``: by split."""

    rows: list[int]
    accounts: list[SourceAccount]
    counts: dict[str, int]


class _Row(NamedTuple):
    """The fields that decide whether a row is taken; ``key`` is its row key if it is of the recipe's own
    dataset.
    """

    id: int
    split: str
    prompt: bytes
    key: int | None
    content: str
    value: str


class _TakenRows:
    """The rows taken so far, indexed by prompt, and by key where they are of the recipe's own dataset. A row
    with a ``common`` prompt, such as "Summarise this", is indexed by its whole content: with other content it
    is another task.
    """

    def __init__(self, common: Collection[bytes], rows: Iterable[_Row] = ()) -> None:
        self._common = common
        self._prompts: set[bytes] = set()
        self._keys: set[int] = set()
        self._contents: set[str] = set()
        self.add(rows)

    def add(self, rows: Iterable[_Row]) -> None:
        for row in rows:
            if row.prompt in self._common:
                self._contents.add(row.content)
            else:
                self._prompts.add(row.prompt)
            if row.key is not None:
                self._keys.add(row.key)

    def has(self, row: _Row) -> bool:
        return row.prompt in self._prompts or row.key in self._keys or row.content in self._contents


def resolve_sources(dataset: Dataset, settings: RecipeSettings) -> list[ResolvedSource]:
    """The sources, resolved to current versions. Raises InvalidError for an unknown dataset or version."""
    found = []
    for number, source in enumerate(settings.sources):
        of = dataset.project.datasets.filter(pk=source.dataset).first()
        ready = DatasetVersion.objects.filter(dataset=of, state=VersionState.READY).order_by("-number")
        version = (
            ready.first() if source.version in (NEWEST, ALL) else ready.filter(number=source.version).first()
        )
        if of is None or version is None:
            raise InvalidError(
                f"Source {number + 1}: the dataset was deleted. Choose another."
                if of is None
                else f"Source {number + 1}: {of.name} has no version yet."
                if source.version in (NEWEST, ALL)
                else f"Source {number + 1}: {of.name} has no version {source.version}. Choose another.",
                field=f"sources.{number}.version",
            )
        found.append(ResolvedSource(source, of, None if source.version == ALL else version))
    return found


def mix_rows(dataset: Dataset, settings: RecipeSettings, sources: Sequence[ResolvedSource]) -> Mixture:
    """Which rows the recipe takes now.

    The rows under a limit or share are chosen by the SHA-256 of seed and content, so that the same rows stay
    chosen when others come. Shares: as many training rows as can be had without breaking one.
    """
    base = sources[0].version
    assert base is not None
    held_out, common = _held_out(dataset, sources, base), _common_prompts(sources)
    chosen = _choose_rows(dataset, settings, sources, held_out, common, limits=[None] * len(sources))
    if settings.sources[0].share is not None:
        most = min(
            (len(rows) / source.share for (rows, _), source in zip(chosen, settings.sources, strict=True)
             if source.share),
            default=0.0,
        )  # fmt: skip
        limits = [int(most * (source.share or 0) + 1e-9) for source in settings.sources]
        chosen = _choose_rows(dataset, settings, sources, held_out, common, limits=limits)
    trained = _TakenRows(common, (row for rows, _ in chosen[1:] for row in rows))
    ids, counts, accounts = [], Counter[str](), []
    for number, (each, (training, left_out)) in enumerate(zip(sources, chosen, strict=True)):
        rows = training
        if number == 0:
            others = list(_read(base.examples.exclude(split=Split.TRAIN), each, dataset))
            kept = [row for row in others if row.split != Split.FEEDBACK or not trained.has(row)]
            left_out["replaced"] += len(others) - len(kept)
            rows = sorted([*training, *kept], key=lambda row: row.id)
        ids += [row.id for row in rows]
        counts.update(row.split for row in rows)
        accounts.append(
            SourceAccount(
                dataset=each.dataset.pk,
                dataset_name=each.dataset.name,
                version=each.version.number if each.version else None,
                rows=len(rows) + left_out.total(),
                taken=len(rows),
                left_out={reason: left_out[reason] for reason in LEFT_OUT if left_out[reason]},
            )
        )
    return Mixture(ids, accounts, dict(counts))


class _HeldOut(NamedTuple):
    """Rows that must not be trained on: ``contents`` by their hashes, and ``keys`` of rows of the recipe's
    own dataset.
    """

    contents: set[str]
    keys: set[int | None]


def _held_out(dataset: Dataset, sources: Sequence[ResolvedSource], base: DatasetVersion) -> _HeldOut:
    """Rows that the base holds out, whatever their prompts are now, and rows whose prompt the contamination
    check would refuse: a short prompt that many rows have is no match by itself.
    """
    evaluation = base.examples.filter(split__in=_HELD_OUT)
    is_own = sources[0].dataset.pk == dataset.pk
    keys = evaluation.exclude(row_key=None).values_list("row_key", flat=True) if is_own else ()
    total, alike = 0, dict[str, Example]()
    for each in sources:
        rows = _matching(_training_rows(each), each.source)
        total += rows.count()
        has_prompt = rows.filter(prompt_hash__in=evaluation.values("prompt_hash"))
        alike |= {row.content_hash: row for row in has_prompt.iterator(_READ_AT_ONCE)}
    if not alike:
        return _HeldOut(set(), set(keys))
    numbered = list(alike.values())
    for number, row in enumerate(numbered):
        # Row numbers repeat between versions.
        row.row_number = number
    asked = evaluation.filter(prompt_hash__in={row.prompt_hash for row in numbered})
    refused = contamination(numbered, asked, unread=total - len(numbered)).refused_rows
    return _HeldOut({numbered[number].content_hash for number in refused}, set(keys))


def _common_prompts(sources: Sequence[ResolvedSource]) -> set[bytes]:
    """Hashes of the short prompts that many rows have."""
    training = [_matching(_training_rows(each), each.source) for each in sources]
    most = common_above(sum(rows.count() for rows in training))
    # What more rows than that have together, one of the sources has its part of.
    often = {
        prompt
        for rows in training
        for prompt in rows.values("prompt_hash")
        .annotate(rows=Count("pk"))
        .filter(rows__gt=int(most / len(training)))
        .values_list("prompt_hash", flat=True)
        .order_by()
    }
    common = set()
    for prompt in often:
        same = [rows.filter(prompt_hash=prompt) for rows in training]
        if sum(rows.count() for rows in same) > most:
            example = next(row for rows in same if (row := rows.first()) is not None)
            if len(own_words(example)[0]) < CONTAINED_WORDS:
                common.add(bytes.fromhex(prompt))
    return common


def _choose_rows(
    dataset: Dataset,
    settings: RecipeSettings,
    sources: Sequence[ResolvedSource],
    held_out: "_HeldOut",
    common: Collection[bytes],
    *,
    limits: Sequence[int | None],
) -> list[tuple[list[_Row], Counter[str]]]:
    """The training rows taken from each source, and the number left out by reason; ``limits`` derive from the
    shares.
    """
    taken = _TakenRows(common)
    found = []
    for each, limit in zip(reversed(sources), reversed(limits), strict=True):
        left_out: Counter[str] = Counter()
        training = _training_rows(each)
        total, rows = training.count(), []
        for row in _read(_matching(training, each.source), each, dataset):
            if row.content in held_out.contents or row.key in held_out.keys:
                left_out["held_out"] += 1
            elif taken.has(row):
                left_out["replaced"] += 1
            else:
                rows.append(row)
        left_out["filter"] = total - len(rows) - left_out.total()
        kept = _limit_rows(rows, each.source, settings.seed)
        left_out["cap"] = len(rows) - len(kept)
        if limit is not None:
            within = _seeded_choice(kept, limit, settings.seed)
            left_out["share"] = len(kept) - len(within)
            kept = within
        taken.add(kept)
        found.append((kept, left_out))
    return found[::-1]


def _training_rows(each: ResolvedSource) -> QuerySet[Example]:
    """Of all versions: each row as it is in the newest that trains on it, less those that a draft dropped
    after that.
    """
    if each.version is not None:
        return each.version.examples.filter(split=Split.TRAIN)
    training = Example.objects.filter(
        version__dataset=each.dataset, version__state=VersionState.READY, split=Split.TRAIN
    )
    if each.source.from_reviews:
        training = training.filter(provenance__has_key=FROM_EXPORT)
    newest = training.order_by("row_key", "-version__number").distinct("row_key")
    rows = Example.objects.filter(pk__in=newest.values("pk"))
    if dropped := _dropped_keys(each.dataset):
        known = rows.filter(row_key__in=dropped).values_list("pk", "row_key", "version__number")
        rows = rows.exclude(pk__in=[pk for pk, key, number in known if number < dropped[key or 0]])
    return rows


def _dropped_keys(dataset: Dataset) -> dict[int, int]:
    """Keys of rows that a draft dropped or merged, with the number of the version made from that draft."""
    found: dict[int, int] = {}
    drafted = dataset.versions.filter(source=FROM_DRAFT, parent__isnull=False, state=VersionState.READY)
    for version in drafted.select_related("parent").order_by("number"):
        assert version.parent is not None
        kept = version.examples.values("row_key")
        gone = version.parent.examples.exclude(row_key__in=kept).values_list("row_key", flat=True)
        found |= {key: version.number for key in gone if key is not None}
    return found


def _matching(rows: QuerySet[Example], source: Source) -> QuerySet[Example]:
    if source.from_reviews:
        rows = rows.filter(provenance__has_key=FROM_EXPORT)
    return with_fields(rows, source.where or {})


def _read(rows: QuerySet[Example], each: ResolvedSource, dataset: Dataset) -> Iterator[_Row]:
    """The rows in their order."""
    field = text_of_field(each.source.per_field) if each.source.per_field else F("label")
    order = "row_key" if each.version is None else "row_number"
    columns = rows.order_by(order).annotate(value_of_field=field)
    is_own = each.dataset.pk == dataset.pk
    for pk, split, prompt, key, content, value in columns.values_list(
        "pk", "split", "prompt_hash", "row_key", "content_hash", "value_of_field"
    ).iterator(_READ_AT_ONCE):
        yield _Row(pk, split, bytes.fromhex(prompt), key if is_own else None, content, value or "")


def _limit_rows(rows: list[_Row], source: Source, seed: int) -> list[_Row]:
    if source.at_most_per_value is not None:
        by_value: dict[str, list[_Row]] = {}
        for row in rows:
            by_value.setdefault(row.value, []).append(row)
        kept = {
            row.id
            for same in by_value.values()
            for row in _seeded_choice(same, source.at_most_per_value, seed)
        }
        rows = [row for row in rows if row.id in kept]
    return rows if source.at_most is None else _seeded_choice(rows, source.at_most, seed)


def _seeded_choice(rows: list[_Row], most: int, seed: int) -> list[_Row]:
    """``most`` of the rows, chosen by seed and content, in their original order."""
    if len(rows) <= most:
        return rows
    ordered = sorted(rows, key=lambda row: hashlib.sha256(f"{seed}\x00{row.content}".encode()).digest())
    kept = {row.id for row in ordered[:most]}
    return [row for row in rows if row.id in kept]


def rows_of_mixture(mixture: Mixture, dataset: Dataset) -> Iterator[ExampleRow]:
    """The complete rows in order; those of another dataset without their row key."""
    for start in range(0, len(mixture.rows), _READ_AT_ONCE):
        ids = mixture.rows[start : start + _READ_AT_ONCE]
        examples = Example.objects.select_related("version").in_bulk(ids)
        for pk in ids:
            example = examples[pk]
            row = example_row(example)
            yield row if example.version.dataset_id == dataset.pk else replace(row, row_key=None)
