"""Counterfactual datasets: the preview, and the job that writes them."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from evalapp.accounts.models import Project, User
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.core.names import checked_name
from evalapp.datasets.counterfactuals.lists import LONGEST_LISTS
from evalapp.datasets.counterfactuals.variants import (
    FIELD,
    Account,
    Chosen,
    Variant,
    VariantCounts,
    chosen_in,
    variants_of,
    written_rows,
)
from evalapp.datasets.models import Dataset, DatasetVersion, Example, Split
from evalapp.datasets.row_changes import text_at, text_fields
from evalapp.datasets.rows import ExampleRow, example_row
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import Job
from evalapp.jobs.services import create_job
from evalapp.jobs.work import Work

COUNTERFACTUALS_TASK = "evalapp.datasets.tasks.write_counterfactuals"
ROWS_OF_PREVIEW = 2_000
CHARACTERS_OF_PREVIEW = 500_000
"""Limit of a preview, so that the page takes a few seconds at most."""
ROWS_SHOWN_OF_EACH = 3
"""Rows of each variant that a preview shows."""
DEFAULT_SEED = 42
_SOURCE = "counterfactual variants of "
_READ_AT_ONCE = 1_000


@dataclass(frozen=True)
class CounterfactualPlan:
    """``variants``: keys of `Chosen`. ``splits``: whose rows. At most ``at_most`` originals, chosen by
    ``seed`` and content; None: all. ``lists``: in TOML; "" stands for the product's own.
    """

    name: str
    variants: Sequence[str]
    splits: Sequence[str] = (Split.TEST,)
    at_most: int | None = None
    seed: int = DEFAULT_SEED
    lists: str = ""

    def check(self) -> list[Chosen]:
        """The chosen values. Raises InvalidError for a plan that cannot be written."""
        if len(self.lists) > LONGEST_LISTS:
            raise InvalidError(
                f"The lists have {len(self.lists):,} characters; the limit is {LONGEST_LISTS:,}.",
                field="lists",
            )
        if not self.splits or not set(self.splits) <= set(Split.values):
            raise InvalidError(
                f"Choose rows of at least one split: {', '.join(Split.values)}.", field="splits"
            )
        return chosen_in(self.lists, self.variants)


class PreviewedRow(NamedTuple):
    number: int
    variant: Variant


class Preview(NamedTuple):
    """``rows`` of ``of_rows`` were looked at. ``shown``: the first rows of each value, by its key."""

    rows: int
    of_rows: int
    originals: int
    accounts: list[Account]
    shown: Mapping[str, list[PreviewedRow]]


def preview_of(version: DatasetVersion, plan: CounterfactualPlan) -> Preview:
    """What the plan would make of the first rows: at most `ROWS_OF_PREVIEW`, and `CHARACTERS_OF_PREVIEW`.
    Raises InvalidError as `start_counterfactuals`.
    """
    chosen = plan.check()
    _require_usable(version, chosen)
    counts, originals, characters = VariantCounts(chosen), 0, 0
    shown: dict[str, list[PreviewedRow]] = {each.key: [] for each in chosen}
    rows = _rows(version, plan.splits)
    for example in rows[:ROWS_OF_PREVIEW]:
        row = example_row(example)
        made = variants_of(row, chosen)
        counts.add(made)
        originals += any(isinstance(each, Variant) for each in made.values())
        for key, variant in made.items():
            if isinstance(variant, Variant) and len(shown[key]) < ROWS_SHOWN_OF_EACH:
                shown[key].append(PreviewedRow(example.row_number, variant))
        characters += sum(len(text_at(row, name)) for name in text_fields(row))
        if characters > CHARACTERS_OF_PREVIEW:
            break
    return Preview(counts.rows, rows.count(), originals, counts.accounts, shown)


@transaction.atomic
def start_counterfactuals(*, version: DatasetVersion, plan: CounterfactualPlan, by: User | None) -> Job:
    """Queue the job that writes the counterfactual dataset: a new dataset of the plan's name, or the next
    version of a counterfactual dataset of that name.

    Raises InvalidError naming every invalid field, ConflictError where another dataset has the name.
    """
    chosen = plan.check()
    _require_usable(version, chosen)
    name = checked_name(plan.name, of="the dataset")
    _dataset_named(version.dataset.project, name)
    return create_job(
        project=version.dataset.project,
        task=COUNTERFACTUALS_TASK,
        title=f"Write counterfactual variants of {version}",
        by=by,
        params={"version": version.pk, "plan": {**asdict(plan), "name": name}},
    )


def write_counterfactuals(work: Work) -> dict[str, Any]:
    """Run the job; the version appears whole or not at all. Repeating it after that changes nothing.

    Raises InvalidError where no rule matches a row, MissingError where the version was deleted,
    SameContentError where a version has exactly these rows.
    """
    written = DatasetVersion.objects.filter(job=work.job).first()
    if written is not None:
        return _result(written)
    versions = DatasetVersion.objects.select_related("dataset__project")
    version = versions.filter(pk=work.job.params["version"]).first()
    if version is None:
        raise MissingError("The dataset version was deleted. There is nothing to write.")
    plan = CounterfactualPlan(**work.job.params["plan"])
    chosen = plan.check()
    work.progress(0, None, "Applying the rules")
    with transaction.atomic():
        account = _chosen_rows(version, plan, chosen, work)
        dataset = _dataset_named(version.dataset.project, plan.name) or create_dataset(
            project=version.dataset.project,
            name=plan.name,
            description=f"Pairs of rows of {version} and their counterfactual variants.",
            licence=version.dataset.licence,
            by=work.job.created_by,
        )
        made = create_version(
            dataset=dataset,
            rows=work.following(
                _pairs(version, account.originals, plan, chosen), account.rows, "Writing rows"
            ),
            by=work.job.created_by,
            note=account.words,
            source=source_of(version),
            is_simulated=version.is_simulated,
            is_recorded=version.is_recorded,
            job=work.job,
        )
        work.fence()
    return _result(made)


def source_of(version: DatasetVersion) -> str:
    """The source of versions with counterfactual variants of this one."""
    return f"{_SOURCE}{version}"[:200]


def is_counterfactual(version: DatasetVersion) -> bool:
    """Whether its rows are already originals and variants."""
    return version.examples.filter(metadata__has_key=FIELD).exists()


def _require_usable(version: DatasetVersion, chosen: Sequence[Chosen]) -> None:
    if is_counterfactual(version):
        raise InvalidError(
            f"{version} already contains counterfactual variants. Choose the version they were made from."
        )
    names = [each for each in chosen if each.perturbation.key == "name"]
    if names and version.dataset.project.masks_personal_data:
        raise InvalidError(
            "This project masks names in its rows, so there are none to change. Leave out Name.",
            field="variants",
        )


def _dataset_named(project: Project, name: str) -> Dataset | None:
    """The counterfactual dataset of this name; None where there is none. Raises ConflictError where the name
    is another dataset's.
    """
    dataset = project.datasets.filter(name=name).first()
    if dataset is None:
        return None
    last = dataset.versions.order_by("-number").first()
    if last is not None and last.source.startswith(_SOURCE):
        return dataset
    raise ConflictError(
        f"This project already has a dataset named “{name}”. Choose another name.", field="name"
    )


def _rows(version: DatasetVersion, splits: Sequence[str]) -> QuerySet[Example]:
    return version.examples.filter(split__in=splits).order_by("row_number")


class _Account(NamedTuple):
    """``originals``: their numbers. ``rows``: of them and their variants. ``words``: what became of all, for
    the version's note.
    """

    originals: list[int]
    rows: int
    words: str


def _chosen_rows(
    version: DatasetVersion, plan: CounterfactualPlan, chosen: Sequence[Chosen], work: Work
) -> _Account:
    """The rows that some rule changes, at most as many as the plan takes."""
    examples = _rows(version, plan.splits)
    found: list[tuple[str, int, int]] = []
    counts = VariantCounts(chosen)
    rows = work.following(examples.iterator(_READ_AT_ONCE), examples.count(), "Applying the rules")
    for example in rows:
        made = variants_of(example_row(example), chosen)
        counts.add(made)
        if variants := sum(isinstance(each, Variant) for each in made.values()):
            found.append((example.content_hash, example.row_number, 1 + variants))
    if not found:
        raise InvalidError(
            f"The rules change none of the {counts.rows:,} rows. Choose other perturbations, splits or lists."
        )
    taken = sorted(found, key=lambda row: hashlib.sha256(f"{plan.seed}\x00{row[0]}".encode()).digest())
    taken = taken[: plan.at_most]
    words = [account_words(each, counts.rows) for each in counts.accounts]
    if len(taken) < len(found):
        words.append(f"{len(taken):,} of these rows were taken at random (seed {plan.seed}).")
    if plan.lists:
        words.append(f"With the team’s own lists, SHA-256 {lists_hash(plan.lists)[:16]}.")
    originals = sorted(number for _, number, _ in taken)
    return _Account(originals, sum(rows for *_, rows in taken), "\n".join(words))


def account_words(account: Account, rows: int) -> str:
    """“412 of 2,000 rows have a variant Name: Hispanic names.”"""
    return f"{account.pairs:,} of {rows:,} rows have a variant {label_of(account.chosen)}."


def label_of(chosen: Chosen) -> str:
    """“Name: Hispanic names”."""
    return f"{chosen.perturbation.label}: {chosen.value.label}"


def lists_hash(lists: str) -> str:
    """A hash that identifies a team's lists, ignoring line endings."""
    return hashlib.sha256(re.sub(r"\r\n?", "\n", lists).encode()).hexdigest()


def _pairs(
    version: DatasetVersion, numbers: Sequence[int], plan: CounterfactualPlan, chosen: Sequence[Chosen]
) -> Iterator[ExampleRow]:
    source = {"version": version.pk, **({"lists": lists_hash(plan.lists)} if plan.lists else {})}
    for start in range(0, len(numbers), _READ_AT_ONCE):
        batch = numbers[start : start + _READ_AT_ONCE]
        # Read in one query, because no other query may stay open while rows are copied.
        examples = list(version.examples.filter(row_number__in=batch).order_by("row_number"))
        for example in examples:
            row = example_row(example)
            yield from written_rows(row, example.row_number, variants_of(row, chosen), source)


def _result(version: DatasetVersion) -> dict[str, Any]:
    return {"dataset_version": version.pk, "rows": sum(version.counts.values())}
