"""The three key figures of a stream: satisfaction, relevance, hallucination. Each is a criterion of the
weekly sample, with a daily metric of all outputs beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalapp.core.errors import InvalidError
from evalapp.metrics.registry import METRICS
from evalapp.monitoring.daily.counting import ASSESSED, COMPUTED, EVENTS
from evalapp.monitoring.daily.lines import MetricLine, metric_lines_of_streams
from evalapp.monitoring.daily.models import ALL, LONGEST_METRIC
from evalapp.monitoring.daily.series import labels_of
from evalapp.monitoring.models import KeyFigureRole, Stream
from evalapp.monitoring.queries import followed_criteria_of_streams
from evalapp.monitoring.trends import CriterionTrend
from evalapp.rubrics.models import Criterion

# Usual names of the criterion, in the order in which they are looked for.
_CRITERIA: Mapping[str, tuple[str, ...]] = {
    KeyFigureRole.SATISFACTION: ("satisf", "overall", "helpful", "tone", "quality"),
    KeyFigureRole.RELEVANCE: ("relevan", "personal", "complete", "accura", "correct"),
}
_METRICS: Mapping[str, str] = {
    KeyFigureRole.SATISFACTION: f"{ASSESSED}thumb",
    KeyFigureRole.RELEVANCE: "novel_bigrams",
    KeyFigureRole.HALLUCINATION: "unsupported_numbers",
}
FINE, WATCH, ALERT, UNKNOWN = "fine", "watch", "alert", "unknown"


@dataclass(frozen=True)
class KeyFigure:
    """``people``: the criterion's weekly metrics; ``all_outputs``: the daily metric beside them. Either is
    None if the stream has none.
    """

    role: KeyFigureRole
    people: CriterionTrend | None
    all_outputs: MetricLine | None

    @property
    def state(self) -> str:
        """*alert*: people's metric is past its threshold or drifts, or the metric of all outputs is past its
        own. *watch*: people's metric is past it but the last week alone is back, or the metric of all outputs
        left its limits on the last day. *unknown*: no metric by people. Else *fine*.
        """
        if self.all_outputs is not None and self.all_outputs.alert is not None:
            return ALERT
        if self.people is not None and (self.people.is_past_threshold or self.people.is_drifting):
            return WATCH if self.people.is_week_back else ALERT
        if self.all_outputs is not None and self.all_outputs.is_outside:
            return WATCH
        if self.people is None:
            return UNKNOWN
        is_tested = self.people.is_enough or (self.all_outputs is not None and self.all_outputs.is_tested)
        return FINE if is_tested else UNKNOWN


def key_figures_of(
    stream: Stream, followed: Iterable[CriterionTrend], lines: Iterable[MetricLine]
) -> list[KeyFigure]:
    """The three key figures, in their order."""
    by_criterion = {each.last.criterion_key: each for each in followed}
    by_metric = {each.series.metric: each for each in lines}
    chosen = stream.key_figures
    return [
        KeyFigure(
            role,
            by_criterion.get(chosen.get(role, {}).get("criterion", "")),
            by_metric.get(chosen.get(role, {}).get("metric", "")),
        )
        for role in KeyFigureRole
    ]


def key_figures_of_streams(streams: Sequence[Stream]) -> list[tuple[Stream, list[KeyFigure]]]:
    """The key figures by stream."""
    metrics = {each.get("metric", "") for stream in streams for each in stream.key_figures.values()}
    followed = followed_criteria_of_streams(streams)
    lines = metric_lines_of_streams(streams, metrics)
    return [(stream, key_figures_of(stream, followed[stream.pk], lines[stream.pk])) for stream in streams]


def usual_key_figures(criteria: Sequence[Criterion], error_criterion: str) -> dict[str, dict[str, str]]:
    """The likely criterion for each key figure; people can choose others."""
    scales = [each for each in criteria if each.rules.has_mean]
    found = {}
    for role in KeyFigureRole:
        if role == KeyFigureRole.HALLUCINATION:
            key = error_criterion
        else:
            key = next(
                (
                    each.key
                    for words in _CRITERIA[role]
                    for each in scales
                    if words in f"{each.key} {each.name}".casefold()
                ),
                "",
            )
        found[role.value] = {"criterion": key, "metric": _METRICS[role]}
    return found


def checked_key_figures(
    given: Mapping[str, Any], criteria: Sequence[Criterion], error_criterion: str
) -> dict[str, dict[str, str]]:
    """Key figures as a stream stores them. Raises InvalidError for an unknown role, criterion or field."""
    keys = {each.key for each in criteria if each.rules.has_mean} | {error_criterion, ""}
    found: dict[str, dict[str, str]] = {}
    for role, values in given.items():
        if role not in KeyFigureRole.values:
            raise _invalid(f"There is no key figure “{role[:40]}”: {', '.join(KeyFigureRole.values)}.")
        if not isinstance(values, Mapping) or not set(values) <= {"criterion", "metric"}:
            raise _invalid(f"“{role}” takes a criterion and a metric.")
        criterion, metric = values.get("criterion", ""), values.get("metric", "")
        if criterion not in keys:
            raise _invalid(
                f"The rubric has no scale “{str(criterion)[:40]}”, and it is not the question that finds"
                " errors."
            )
        if not isinstance(metric, str) or len(metric) > LONGEST_METRIC:
            raise _invalid(f"The metric of “{role}” is not the name of a metric.")
        found[role] = {"criterion": criterion, "metric": metric}
    return found


def metric_choices(stream: Stream | None) -> list[tuple[str, str]]:
    """The metrics that can stand beside people's figure: computed ones, and those that the stream has."""
    names = {
        **{name: METRICS[name].label for name in COMPUTED},
        _METRICS[KeyFigureRole.SATISFACTION]: "Thumb",
    }
    if stream is not None:
        own = stream.daily_metrics.filter(stratum=ALL).exclude(metric=EVENTS)
        names |= labels_of(stream, own.values_list("metric", flat=True).distinct())
    return sorted(names.items(), key=lambda pair: pair[1])


def _invalid(message: str) -> InvalidError:
    return InvalidError(message, field="key_figures")
