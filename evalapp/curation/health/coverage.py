"""Kinds of rows that production has more often than the training data, and labels with few rows."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, Max, QuerySet
from django.db.models.fields.json import KeyTextTransform

from evalapp.curation.health.rows import Found
from evalapp.curation.kinds import FindingKind, Proposal
from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.monitoring.events.models import EventKey, ProductionEvent
from evalapp.monitoring.models import WEEK, Stream

WEEKS = 8
FEWEST_OF_A_LABEL = 10
# Production has so much of it, and the training rows have less than half of that share.
_LEAST_SHARE, _THIN = 0.05, 0.5
_FEWEST_EVENTS = 50
_MOST_STRATA = 50


def coverage(version: DatasetVersion) -> Iterator[Found]:
    """Thin strata of each stream of the project that samples by a field which the training rows have, and
    labels of fewer than `FEWEST_OF_A_LABEL` training rows.
    """
    training = Example.objects.filter(version=version, split=Split.TRAIN)
    labels = training.exclude(label="").values_list("label").annotate(rows=Count("pk"))
    for label, rows in sorted(labels.filter(rows__lt=FEWEST_OF_A_LABEL))[:_MOST_STRATA]:
        yield _thin_coverage(
            f"Only {rows:,} training row{'' if rows == 1 else 's'} with the label “{label}”."
        )
    for stream in version.dataset.project.streams.exclude(stratify_by="").exclude(dataset=version.dataset_id):
        yield from _of_stream(stream, version)


def _of_stream(stream: Stream, version: DatasetVersion) -> Iterator[Found]:
    field = stream.stratify_by
    own = Example.objects.filter(version=version, split=Split.TRAIN, metadata__has_key=field)
    rows = dict(_counts(own.annotate(stratum=KeyTextTransform(field, "metadata"))))
    latest = EventKey.objects.filter(stream=stream).aggregate(at=Max("happened_at"))["at"]
    total = sum(rows.values())
    if not total or latest is None:
        return
    recent = ProductionEvent.objects.filter(
        stream=stream, happened_at__gt=latest - WEEKS * WEEK, fields__has_key=field
    )
    events = dict(_counts(recent.annotate(stratum=KeyTextTransform(field, "fields"))))
    seen = sum(events.values())
    if seen < _FEWEST_EVENTS:
        return
    for stratum, count in sorted(events.items(), key=lambda each: (-each[1], each[0]))[:_MOST_STRATA]:
        share, has = count / seen, rows.get(stratum, 0)
        if share >= _LEAST_SHARE and has / total < _THIN * share:
            yield _thin_coverage(
                f"“{field}: {stratum}” is {share:.0%} of the last {WEEKS} weeks of {stream.name} and"
                f" {has / total:.0%} of the training rows ({has:,})."
            )


def _counts(rows: QuerySet[Any]) -> Iterator[tuple[str, int]]:
    for stratum, count in rows.values_list("stratum").annotate(count=Count("pk")):
        if stratum is not None:
            yield str(stratum), count


def _thin_coverage(evidence: str) -> Found:
    return Found(FindingKind.COVERAGE, None, evidence, Proposal.COLLECT)
