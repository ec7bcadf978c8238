"""The rows of a second review: untrained events of an incident's weeks, and the regression set."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from django.db.models import Max, TextField, Value
from django.db.models.functions import MD5, Cast, Concat

from evalapp.accounts.models import User
from evalapp.core.errors import ConflictError
from evalapp.datasets.contamination import contamination
from evalapp.datasets.models import DatasetVersion, Example, Split, VersionState
from evalapp.datasets.rows import ExampleRow, example_row, prompt_hash
from evalapp.datasets.services import create_version
from evalapp.monitoring.events.models import ProductionEvent
from evalapp.monitoring.events.rows import rows_of_events
from evalapp.monitoring.incidents.models import Incident
from evalapp.registry.queries import champion_of
from evalapp.runs.queries import training_of

PART_FIELD = "part"
"""The field of the rows that says which of the two a row is of; a comparison can be split by it."""
PRODUCTION, REGRESSION = "production", "regression set"
_OVERSAMPLING = 3


def write_second_review(incident: Incident, *, by: User) -> DatasetVersion:
    """Write the next version of the stream's dataset, with test rows only.

    As many events of the weeks that alerted as people review in a week, unreviewed ones first, and as many
    test rows of the champion's training dataset, drawn by the stream's seed. Events found in the accepted
    training data (`evalapp.datasets.contamination`) are left out, because a model must not be tested on what
    it was trained on. Raises ConflictError if no event is left.
    """
    stream = incident.stream
    events = _events(incident)
    if not events:
        raise ConflictError(
            f"No event of the weeks that alerted in “{stream}” can be used: they are no longer kept, or all"
            " are in the training data. Choose other rows on the page of a dataset."
        )
    return create_version(
        dataset=stream.dataset,
        rows=[
            *rows_of_events(stream, events, split=Split.TEST, metadata={PART_FIELD: PRODUCTION}),
            *_regression_rows(incident, {prompt_hash(each.messages) for each in events}),
        ],
        by=by,
        source=f"Second review of the {incident}"[:200],
        may_repeat=True,
    )


def _events(incident: Incident) -> list[ProductionEvent]:
    stream, wanted = incident.stream, incident.stream.outputs_per_week
    last = incident.alerts.aggregate(last=Max("weekly_sample__ends_at"))["last"]
    of_weeks = stream.events.filter(happened_at__gte=incident.opened_in.begins_at, happened_at__lt=last)
    chosen: list[ProductionEvent] = []
    for events in (of_weeks.filter(key__samples=None), of_weeks.exclude(key__samples=None)):
        if len(chosen) < wanted:
            drawn = events.select_related("key").order_by(
                _random_order("key__external_id", stream.seed), "pk"
            )
            chosen += _events_not_trained_on(list(drawn[: _OVERSAMPLING * wanted]), incident)
    return chosen[:wanted]


def _random_order(field: str, seed: int) -> MD5:
    """A pseudo-random order, the same in every database."""
    return MD5(Concat(Cast(field, TextField()), Value(f":{seed}"), output_field=TextField()))


def _events_not_trained_on(events: Sequence[ProductionEvent], incident: Incident) -> list[ProductionEvent]:
    """Events whose prompt is not in the training data."""
    if incident.training_data is None or not events:
        return list(events)
    learnt = incident.training_data.examples.filter(split=Split.TRAIN).iterator(chunk_size=2_000)
    asked = [
        Example(row_number=place, messages=each.messages, prompt_hash=prompt_hash(each.messages))
        for place, each in enumerate(events)
    ]
    known = {match.evaluation_row for match in contamination(learnt, asked).refused}
    return [each for place, each in enumerate(events) if place not in known]


def _regression_rows(incident: Incident, asked: set[str]) -> Iterator[ExampleRow]:
    version = _regression_set(incident)
    if version is None:
        return
    rows = version.examples.filter(split=Split.TEST).exclude(prompt_hash__in=asked)
    drawn = rows.order_by(_random_order("row_number", incident.stream.seed), "pk")
    for example in drawn[: incident.stream.outputs_per_week]:
        row = example_row(example)
        yield replace(row, row_key=None, metadata={**row.metadata, PART_FIELD: REGRESSION})


def _regression_set(incident: Incident) -> DatasetVersion | None:
    """The newest version with test rows of the dataset that the champion was trained on."""
    champion = champion_of(incident.stream.project)
    training = training_of(champion) if champion is not None else None
    if training is None or training.dataset_version is None:
        return None
    versions = training.dataset_version.dataset.versions.filter(state=VersionState.READY)
    return versions.filter(counts__test__gt=0).order_by("-number").first()
