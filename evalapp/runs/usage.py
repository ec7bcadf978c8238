"""Tokens, time and cost of each candidate's answers in a run."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Aggregate, Avg, Count, FloatField, Q, Sum

from evalapp.registry.models import ModelVersion, TokenPrice
from evalapp.registry.prices import prices_of
from evalapp.runs.models import Run

REFUSED, CUT = "refused", "length"


class CandidateUsage(NamedTuple):
    """Counts and means over a candidate's ``answers``, which exclude refused ones. ``cut_reasoning`` counts
    those of ``cut`` that were cut off during reasoning and so have no answer. ``slow_seconds`` is the 95th
    percentile. ``cost`` is the sum in ``currency``; None without a price or token counts.
    """

    candidate: ModelVersion
    answers: int
    refused: int
    cut: int
    cut_reasoning: int
    prompt_tokens: float | None
    completion_tokens: float | None
    seconds: float | None
    slow_seconds: float | None
    cost: Decimal | None
    currency: str


class _Percentile95(Aggregate):
    function = "PERCENTILE_CONT"
    name = "percentile95"
    output_field = FloatField()
    template = "%(function)s(0.95) WITHIN GROUP (ORDER BY %(expressions)s)"


def candidate_usage(run: Run) -> list[CandidateUsage]:
    """Usage of every candidate in the run's order, aggregated by the database; empty before the run has
    answers.
    """
    given = ~Q(finish_reason=REFUSED)
    counted = (
        run.outputs.order_by()
        .values("candidate")
        .annotate(
            answers=Count("pk", filter=given),
            refused=Count("pk", filter=~given),
            cut=Count("pk", filter=Q(finish_reason=CUT)),
            cut_reasoning=Count("pk", filter=Q(finish_reason=CUT, text="") & ~Q(reasoning="")),
            counted=Count("completion_tokens", filter=given),
            mean_prompt=Avg("prompt_tokens", filter=given),
            mean_completion=Avg("completion_tokens", filter=given),
            all_prompt=Sum("prompt_tokens", filter=given),
            all_completion=Sum("completion_tokens", filter=given),
            mean_seconds=Avg("seconds", filter=given),
            slow_seconds=_Percentile95("seconds", filter=given),
        )
    )
    found = {each["candidate"]: each for each in counted}
    prices = prices_of(run.project)
    return [
        _usage(entry.model_version, found[entry.model_version_id], prices)
        for entry in run.candidates.all()
        if entry.model_version_id in found
    ]


def count_truncated_json(run: Run, usage: Iterable[CandidateUsage]) -> int:
    """Number of answers that should follow a JSON schema but were truncated, so that they cannot."""
    has_schema = bool(run.spec.get("sampling", {}).get("json_schema"))
    return sum(each.cut for each in usage) if has_schema else 0


def _usage(
    version: ModelVersion, counted: Mapping[str, Any], prices: Mapping[int | None, TokenPrice]
) -> CandidateUsage:
    price = prices.get(version.pk) or prices.get(None)
    is_counted = counted["answers"] and counted["counted"] == counted["answers"]
    cost = price.cost_of(counted["all_prompt"], counted["all_completion"]) if price and is_counted else None
    return CandidateUsage(
        candidate=version,
        answers=counted["answers"],
        refused=counted["refused"],
        cut=counted["cut"],
        cut_reasoning=counted["cut_reasoning"],
        prompt_tokens=counted["mean_prompt"],
        completion_tokens=counted["mean_completion"],
        seconds=counted["mean_seconds"],
        slow_seconds=counted["slow_seconds"],
        cost=cost,
        currency=price.currency if price is not None else "",
    )
