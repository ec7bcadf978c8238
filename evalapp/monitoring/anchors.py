"""Anchors: outputs of earlier weeks, reviewed again blind to tell a change of the reviewers from a change of
the model.
"""

import datetime as dt
import random
from collections.abc import Sequence

from django.db.models import Max, Min

from evalapp.monitoring.models import WEEK, SampledOutput, Stream, WeeklySample, WeeklySampleState

ANCHOR_SHARE = 0.15
"""The share of anchors among a week's reviewed outputs."""
MINIMUM_GAP = 4 * WEEK
"""The least time before an output is reviewed again."""
MAXIMUM_AGE = 26 * WEEK


def number_of_anchors(stream: Stream, week: WeeklySample) -> int:
    """The number of anchors that the week should have; 0 while no output is old enough."""
    return min(round(ANCHOR_SHARE * stream.outputs_per_week), len(_eligible_keys(stream, week)))


def drawn_anchors(stream: Stream, week: WeeklySample, wanted: int) -> list[SampledOutput]:
    """At most ``wanted`` outputs of earlier weeks, drawn by the stream's seed without regard to their scores.
    None was in a week that ended within four weeks of this one.
    """
    keys = _eligible_keys(stream, week)
    chosen = random.Random(f"{stream.seed}:{week.number}:anchors").sample(keys, wanted)
    first = SampledOutput.objects.filter(
        pk__in=SampledOutput.objects.filter(weekly_sample__stream=stream, key__in=chosen)
        .values("key")
        .annotate(first=Min("pk"))
        .values("first")
    )
    return list(first.select_related("key", "output__example").order_by("pk"))


def _eligible_keys(stream: Stream, week: WeeklySample) -> Sequence[int]:
    """Keys, in a fixed order, of reviewed outputs that were last shown long enough ago."""
    latest: dt.datetime = week.begins_at - MINIMUM_GAP
    shown = (
        SampledOutput.objects.filter(
            weekly_sample__stream=stream,
            weekly_sample__state=WeeklySampleState.EVALUATED,
            weekly_sample__ends_at__gt=week.begins_at - MAXIMUM_AGE,
            output__item_outputs__reviews__isnull=False,
        )
        .values("key")
        .annotate(last=Max("weekly_sample__ends_at"))
        .filter(last__lte=latest)
    )
    still_open = SampledOutput.objects.filter(weekly_sample__stream=stream).exclude(
        weekly_sample__ends_at__lte=latest
    )
    return list(shown.exclude(key__in=still_open.values("key")).order_by("key").values_list("key", flat=True))
