"""A week's sample drawn by the application: one with too many outputs to send draws from its own warehouse,
and sends the sample with its inclusion probabilities.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.monitoring.anchors import number_of_anchors
from evalapp.monitoring.events.reading import events_of_request
from evalapp.monitoring.events.storage import store_new_events
from evalapp.monitoring.models import Stream, WeeklySample
from evalapp.monitoring.weeks import DrawnEvents, review_sample, week_to_fill
from evalapp.stats.sample_allocation import are_possible


class SentOutput(NamedTuple):
    """``event``: as it would be sent; ``probability`` with which it was drawn, above 0 and at most 1."""

    event: Mapping[str, object]
    stratum: str
    probability: float


@transaction.atomic
def store_sent_sample(
    *,
    stream: Stream,
    ends_at: dt.datetime,
    sizes: Mapping[str, int],
    given: Sequence[SentOutput],
    by: User | None,
) -> WeeklySample:
    """Store the outputs as events of the week that ends then, and send them to review, all or none.
    ``sizes``: stratum → outputs of the week.

    Raises InvalidError naming each problem: an event that is invalid, outside the week or sampled before; a
    stratum without a size, with more outputs than its size, or with probabilities that its size does not
    allow. Raises ConflictError as `week_to_fill`.
    """
    week = week_to_fill(stream, ends_at)
    _require_sizes(sizes, given)
    taken = store_new_events(stream=stream, rows=events_of_request([each.event for each in given]))
    if taken.refused:
        refused = taken.refused[0]
        raise InvalidError(
            f"Output {refused.number} cannot be stored: {' '.join(map(str, refused.problems))}",
            fields={
                f"outputs.{each.number - 1}": [str(one) for one in each.problems] for each in taken.refused
            },
        )
    by_id = {str(each.event["id"]): each for each in given}
    events = list(
        stream.events.filter(key__external_id__in=by_id)
        .select_related("key")
        .order_by("happened_at", "key__external_id")
    )
    for event in events:
        if not week.begins_at <= event.happened_at < week.ends_at:
            raise InvalidError(
                f"“{event.key}” is of {event.happened_at.isoformat()}, not of the week from"
                f" {week.begins_at.isoformat()} to {week.ends_at.isoformat()}."
            )
        if event.key.samples.exists():
            raise ConflictError(f"“{event.key}” is in the sample of an earlier week.")
    drawn = DrawnEvents(
        events,
        {event.pk: by_id[event.key.external_id].stratum for event in events},
        {event.pk: by_id[event.key.external_id].probability for event in events},
        dict(sizes),
    )
    review_sample(week, drawn, anchors=number_of_anchors(stream, week))
    data = {"week": week.number, "size": len(events), "population": sum(sizes.values())}
    record("stream.sample_sent", by=by, obj=stream, project=stream.project, data=data)
    return WeeklySample.objects.get(pk=week.pk)


def _require_sizes(sizes: Mapping[str, int], given: Sequence[SentOutput]) -> None:
    drawn: dict[str, list[float]] = defaultdict(list)
    problems = {}
    for number, each in enumerate(given):
        if each.stratum not in sizes:
            problems[f"outputs.{number}.stratum"] = [f"“{each.stratum}” is not among the strata."]
        elif not 0 < each.probability <= 1:
            problems[f"outputs.{number}.probability"] = ["A probability is above 0 and at most 1."]
        else:
            drawn[each.stratum].append(each.probability)
    for stratum, likely in drawn.items():
        size = sizes[stratum]
        if len(likely) > size:
            problems[f"strata.{stratum}"] = [f"{len(likely):,} outputs were drawn of {size:,}."]
        elif not are_possible(likely, size):
            stands_for = round(sum(1 / each for each in likely))
            told = f"By their probabilities the outputs of “{stratum}” stand for {stands_for:,}, but the"
            problems[f"strata.{stratum}"] = [f"{told} stratum has {size:,}. Send the probability of each."]
    if len({str(each.event.get("id")) for each in given}) < len(given):
        problems["outputs"] = ["An id is given twice. Keep one of them."]
    if problems:
        message = next(iter(problems.values()))[0]
        raise InvalidError(f"The sample cannot be taken: {message}", fields=problems)
