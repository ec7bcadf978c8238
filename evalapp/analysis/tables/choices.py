"""The criterion, metric and pair that an analysis shows: from its URL, or the most informative ones."""

from collections.abc import Collection, Sequence

from django.db.models import F

from evalapp.analysis.agreement.reviewer_agreement import MEASURES, Panel
from evalapp.analysis.comparison.candidates import CandidateRow, Comparison
from evalapp.analysis.comparison.differences import Contradiction
from evalapp.campaigns.models import CampaignCandidate
from evalapp.core.errors import InvalidError
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import HEADLINE_METRIC
from evalapp.registry.models import ModelAlias
from evalapp.rubrics.models import Criterion


def chosen_scale(scales: list[Criterion], key: str, contradiction: Contradiction | None) -> Criterion | None:
    """The chosen scale, else the one on which people contradict the metric, else the first."""
    named = next((criterion for criterion in scales if criterion.key == key), None)
    if named is None and contradiction is not None:
        return contradiction.cell.criterion
    return named or (scales[0] if scales else None)


def chosen_metric(comparison: Comparison, name: str) -> MetricDescription | None:
    """The chosen metric, else of those with a value the headline metric or the first one."""
    found = {metric.name: metric for metric in comparison.metrics}
    defined = [each for each in found if any(row.metrics[each].defined for row in comparison.rows)]
    headline = [HEADLINE_METRIC] if HEADLINE_METRIC in defined else []
    return next((found[each] for each in (name, *headline, *defined) if each in found), None)


def chosen_reference(
    comparison: Comparison, chosen: str, contradiction: Contradiction | None
) -> CandidateRow | None:
    """The chosen reference candidate, else the champion of the campaign's gate, else the project's champion,
    else the metric's first.
    """
    by_candidate = {row.candidate.pk: row for row in comparison.rows}
    for row in comparison.rows:
        if str(row.candidate.pk) == chosen:
            return row
    if (champion := _champion_of_gate(by_candidate)) is not None:
        return by_candidate[champion]
    for row in comparison.rows:
        if row.candidate.model_version.alias == ModelAlias.CHAMPION:
            return row
    if contradiction is not None:
        return contradiction.metric_first
    return comparison.rows[0] if comparison.rows else None


def _champion_of_gate(candidates: Collection[int]) -> int | None:
    gates = "campaign__applied_gates"
    return (
        CampaignCandidate.objects.filter(pk__in=candidates, **{f"{gates}__champion": F("model_version")})
        .order_by(f"{gates}__is_exploratory", f"-{gates}__id")
        .values_list("pk", flat=True)
        .first()
    )


def chosen_criterion(criteria: Sequence[Criterion], key: str) -> Criterion | None:
    """The criterion of that key, else the first scale. Raises InvalidError for an unknown key."""
    if key:
        named = next((each for each in criteria if each.key == key), None)
        if named is None:
            known = ", ".join(each.key for each in criteria)
            raise InvalidError(
                f"This campaign’s rubric has no criterion “{key[:60]}” with levels; it has {known}."
            )
        return named
    scales = [each for each in criteria if each.rules.has_mean]
    return next(iter([*scales, *criteria]), None)


def chosen_measure(name: str) -> str:
    """The measure of agreement of that name, else alpha. Raises InvalidError for an unknown name."""
    if name and name not in MEASURES:
        raise InvalidError(f"There is no measure “{name[:40]}”; there are {', '.join(MEASURES)}.")
    return name or "alpha"


def chosen_pair(panel: Panel, criterion: Criterion, first: str, second: str) -> tuple[int, int] | None:
    """Two reviewers by number, else the first pair; None without a pair.

    Raises InvalidError for a number without a score here, and for two equal numbers.
    """
    pairs = panel.pairs(criterion)
    if not first and not second:
        return pairs[0] if pairs else None
    present = {str(panel.names.numbers[person]): person for pair in pairs for person in pair}
    for number in (first, second):
        if number not in present:
            known = ", ".join(sorted(present, key=int)) or "nobody"
            raise InvalidError(
                f"No reviewer “{number[:20]}” has scored {criterion.name} here; there are the numbers"
                f" {known}."
            )
    if first == second:
        raise InvalidError("Choose two different reviewers.")
    return present[first], present[second]
