"""External metrics: definition, values and deletion."""

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from django.db import transaction
from django.db.models import Avg, Count, QuerySet

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.core.names import checked_name
from evalapp.core.uniqueness import unless_taken
from evalapp.imports.problems import ProblemList
from evalapp.metrics.registry import METRICS
from evalapp.runs.models import Output, Run
from evalapp.scoring.external_rows import LARGEST_VALUE, GivenScore
from evalapp.scoring.models import Better, ExternalMetric, MetricResult
from evalapp.scoring.score_join import JoinedLine, join_scores

MOST_METRICS = 50
LONGEST_NAME = 60
LONGEST_SOURCE = 300
_BATCH = 2_000
# Names of other values on the pages, which an external metric may not take.
_OWN_WORDS = ("total", "edit rate", "classification f1", "macro f1", "weighted f1", "micro f1", "accuracy")


class StoredScores(NamedTuple):
    """Counts of new, replaced and unchanged values.

    ``joined_by``: how lines were matched to their outputs (see `ScoreJoin`), with counts. ``without_score``:
    outputs of the chosen run without a line; None without a run. ``problems``: lines that cannot be used;
    with any, nothing is stored. ``first``: the first lines with their outputs.
    """

    added: int
    changed: int
    unchanged: int
    joined_by: dict[str, int]
    without_score: int | None
    problems: ProblemList
    first: list[JoinedLine]

    @property
    def lines(self) -> int:
        return self.added + self.changed + self.unchanged


class RunCoverage(NamedTuple):
    """How many outputs of a run have a value of a metric, and their mean."""

    run: Run
    scored: int
    mean: float


def external_metrics_of(project: Project) -> QuerySet[ExternalMetric]:
    return project.external_metrics.select_related("project", "created_by")


@transaction.atomic
def create_external_metric(
    *,
    project: Project,
    name: str,
    better: str,
    by: User | None,
    smallest: float | None = None,
    largest: float | None = None,
    source: str = "",
) -> ExternalMetric:
    """Define a metric that is computed elsewhere; `store_scores` stores its values.

    Raises InvalidError (``name``, also for the name of a built-in metric; ``better``, ``largest``,
    ``source``), and ConflictError if the project has a metric of that name, or 50 others.
    """
    name = checked_name(name, of="the metric", longest=LONGEST_NAME)
    _require_not_built_in(name)
    if better not in Better.values:
        raise InvalidError(f"Choose the better direction: {', '.join(Better.values)}.", field="better")
    for field, end in (("smallest", smallest), ("largest", largest)):
        if end is not None and not (math.isfinite(end) and abs(end) <= LARGEST_VALUE):
            raise InvalidError(f"The end of a scale is a number within ±{LARGEST_VALUE:g}.", field=field)
    if smallest is not None and largest is not None and smallest >= largest:
        raise InvalidError("The largest value must be above the smallest.", field="largest")
    source = " ".join(source.split())
    if len(source) > LONGEST_SOURCE or "\x00" in source:
        raise InvalidError(
            f"Say how the metric is computed, in at most {LONGEST_SOURCE} characters.", field="source"
        )
    # The lock makes concurrent requests count each other's metrics.
    Project.objects.select_for_update().get(pk=project.pk)
    if project.external_metrics.count() >= MOST_METRICS:
        raise ConflictError(f"This project has {MOST_METRICS} external metrics. Delete one first.")
    with unless_taken(
        f"This project has an external metric named “{name}” already. Add the scores to that one.",
        field="name",
    ):
        metric = ExternalMetric.objects.create(
            project=project,
            name=name,
            better=better,
            smallest=smallest,
            largest=largest,
            source=source,
            created_by=by,
        )
    record("external_metric.created", by=by, obj=metric, project=project, data={"better": better})
    return metric


def _require_not_built_in(name: str) -> None:
    bare = _normalised_name(name)
    for metric in METRICS.values():
        if bare in (_normalised_name(metric.name), _normalised_name(metric.label)):
            raise InvalidError(
                f"“{name}” is a metric that is computed here ({metric.label}). Choose another name, such as"
                f" “{name} (external)”.",
                field="name",
            )
    if bare in map(_normalised_name, _OWN_WORDS) or name.strip().lower().startswith(("rule:", "external:")):
        raise InvalidError(f"“{name}” is the name of a metric here. Choose another name.", field="name")


def _normalised_name(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower()) or name.lower()


@transaction.atomic
def store_scores(
    *,
    metric: ExternalMetric,
    scores: Iterable[GivenScore],
    by: User | None,
    run: Run | None = None,
    item_field: str = "",
    checks_only: bool = False,
    field: str = "file",
) -> StoredScores:
    """Store one value per output, all or none, and replace existing values.

    Storing the same scores again changes nothing. ``run``: the run of the outputs, if lines name item or row,
    and candidate; ``item_field``: the metadata field that ``item`` refers to, from `item_field_of_run`. With
    ``checks_only`` nothing is stored and unusable lines are in ``problems``; otherwise raises
    ImportProblemsError with all of them. Raises MissingError if the metric has been deleted meanwhile.
    """
    if not ExternalMetric.objects.select_for_update().filter(pk=metric.pk).exists():
        raise MissingError(f"“{metric.name}” has been deleted. Create it again to store its scores.")
    joined = join_scores(
        scores,
        outputs_of_project=Output.objects.filter(run__project=metric.project_id),
        run=run,
        item_field=item_field,
        refusal_of=lambda value: _why_off_scale(metric, value),
        field=field,
    )
    if joined.problems and not checks_only:
        raise joined.problems.error(field=field)
    found = joined.values
    stored = values_of(metric, found)
    added = [pk for pk in found if pk not in stored]
    changed = [pk for pk, value in found.items() if pk in stored and stored[pk] != value]
    result = StoredScores(
        added=len(added),
        changed=len(changed),
        unchanged=len(found) - len(added) - len(changed),
        joined_by=joined.joined_by,
        without_score=joined.without_score,
        problems=joined.problems,
        first=joined.first,
    )
    if not checks_only and (added or changed):
        _write_values(metric, {pk: found[pk] for pk in (*added, *changed)})
        counts = {name: getattr(result, name) for name in ("added", "changed", "unchanged", "joined_by")}
        record("external_metric.scored", by=by, obj=metric, project=metric.project, data=counts)
    return result


def _write_values(metric: ExternalMetric, values: dict[int, float]) -> None:
    MetricResult.objects.bulk_create(
        (
            MetricResult(output_id=pk, metric=metric.metric, signature=metric.signature, value=value)
            for pk, value in values.items()
        ),
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["output", "metric"],
        update_fields=["signature", "value", "reason", "detail"],
    )


def _why_off_scale(metric: ExternalMetric, value: float) -> str:
    if metric.smallest is not None and value < metric.smallest:
        return f"the value {value:g} is below the scale's smallest, {metric.smallest:g}"
    if metric.largest is not None and value > metric.largest:
        return f"the value {value:g} is above the scale's largest, {metric.largest:g}"
    return ""


def values_of(metric: ExternalMetric, outputs: Iterable[int]) -> dict[int, float]:
    """Stored values by output id."""
    wanted = list(outputs)
    found: dict[int, float] = {}
    for start in range(0, len(wanted), _BATCH):
        rows = MetricResult.objects.filter(
            metric=metric.metric, output__in=wanted[start : start + _BATCH], value__isnull=False
        )
        found |= {pk: value for pk, value in rows.values_list("output_id", "value") if value is not None}
    return found


@transaction.atomic
def delete_external_metric(*, metric: ExternalMetric, by: User) -> int:
    """Delete the metric with all its values; the audit log keeps its name and the number of values."""
    if not ExternalMetric.objects.select_for_update().filter(pk=metric.pk).exists():
        raise MissingError(f"“{metric.name}” has been deleted already.")
    deleted, _ = MetricResult.objects.filter(metric=metric.metric).delete()
    record("external_metric.deleted", by=by, obj=metric, project=metric.project, data={"scores": deleted})
    metric.delete()
    return deleted


def coverage_of(metric: ExternalMetric) -> list[RunCoverage]:
    """Runs with at least one value, latest first."""
    rows = (
        MetricResult.objects.filter(metric=metric.metric)
        .values("output__run")
        .annotate(scored=Count("id"), mean=Avg("value"))
        .order_by("-output__run")
    )
    found = list(rows)
    runs = Run.objects.in_bulk([row["output__run"] for row in found])
    return [RunCoverage(runs[row["output__run"]], row["scored"], row["mean"]) for row in found]
