"""Differences between a tuned candidate and a prompt besides quality: decoding settings and cost."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from evalapp.analysis.comparison.usage import ANSWERS_A_COST, Usage
from evalapp.campaigns.models import Campaign, CampaignCandidate, ItemOutput
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.registry.prices import machine_price_of
from evalapp.runs.models import Run, RunKind

NAMES = {
    "max_tokens": "longest answer",
    "temperature": "temperature",
    "top_p": "top p",
    "top_k": "top k",
    "repetition_penalty": "repetition penalty",
    "stop": "stop texts",
    "seed": "seed",
    "json_schema": "JSON schema",
    "samples": "answers to each row",
    "engine": "engine",
    "dtype": "number format",
}
Settings = Mapping[str, Any]


class DecodingDifference(NamedTuple):
    """A setting that differs; ``values`` by candidate, in their order."""

    name: str
    values: list[tuple[CampaignCandidate, str]]


class Decoding(NamedTuple):
    """How the compared outputs were generated. ``unknown``: candidates with imported outputs. ``shared``: the
    common settings of all others, in words.
    """

    differences: list[DecodingDifference]
    unknown: list[CampaignCandidate]
    shared: str
    runs: int

    @property
    def is_same(self) -> bool:
        return not self.differences and not self.unknown


class TrainingCost(NamedTuple):
    """Time and cost of the trainings behind a candidate; ``unknown``: why there is no number."""

    seconds: float
    trainings: int
    cost: Decimal | None
    currency: str
    unknown: str


class EarnedBack(NamedTuple):
    """``answers``: the number after which a training has cost less than a prompt's longer inputs; None if the
    tuned candidate's answers cost as much as the prompt's, or more.
    """

    candidate: CampaignCandidate
    answers: int | None


def decoding_of(campaign: Campaign, candidates: Sequence[CampaignCandidate]) -> Decoding:
    """Compare the settings of the runs behind the campaign's outputs of these candidates."""
    made: dict[int, set[int]] = defaultdict(set)
    entries = ItemOutput.objects.filter(item__campaign=campaign, candidate__in=candidates)
    for candidate_id, run_id in entries.values_list("candidate", "output__run").distinct():
        made[candidate_id].add(run_id)
    wanted = {run for of in made.values() for run in of}
    runs = {run.pk: run for run in Run.objects.filter(pk__in=wanted).select_related("job")}
    settings = {each.pk: [_settings(runs[run]) for run in sorted(made[each.pk])] for each in candidates}
    unknown = [each for each in candidates if not settings[each.pk] or None in settings[each.pk]]
    known = [each for each in candidates if each not in unknown]
    differences, shared = [], []
    for name, words in NAMES.items():
        values = [(each, _setting_words(name, settings[each.pk])) for each in known]
        distinct = {value for _, value in values}
        if len(distinct) > 1:
            differences.append(DecodingDifference(words, values))
        elif distinct and (value := distinct.pop()):
            shared.append(f"{words} {value}")
    return Decoding(differences, unknown, ", ".join(shared), len(runs))


def _settings(run: Run) -> Settings | None:
    """The run's generation settings; None for imported outputs."""
    if run.kind != RunKind.GENERATION or "sampling" not in run.spec:
        return None
    dtype = run.result.get("device", {}).get("dtype") or run.spec.get("dtype", "")
    samples = run.job.params.get("samples", 1)
    return {**run.spec["sampling"], "samples": samples, "engine": run.engine, "dtype": dtype}


def _setting_words(name: str, settings: Sequence[Settings | None]) -> str:
    """The values of a setting in words, each once over several runs; empty if it was not set."""
    found = [each.get(name) for each in settings if each is not None]
    words = dict.fromkeys("" if value in (None, "", [], ()) else _value(value) for value in found)
    return ", ".join(word or "none" for word in words) if any(words) else ""


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(f"“{each}”" for each in value) if isinstance(value, list | tuple) else str(value)


def training_cost(tuned: ModelVersion) -> TrainingCost:
    """The candidate's training, those that it was continued from, and those that made its base."""
    seconds, trainings, unknown = 0.0, 0, ""
    current: ModelVersion | None = tuned
    while current is not None:
        if current.is_tuned:
            run = Run.objects.filter(produced=current, kind=RunKind.TRAINING).first()
            taken = run.result.get("seconds") if run is not None else None
            if taken is None:
                unknown = f"how long {current.label} was trained is not known here"
            else:
                seconds, trainings = seconds + float(taken), trainings + 1
        elif current.kind == ModelKind.IMPORTED:
            unknown = f"how {current.label} was created is not known here"
        current = current.parent or current.base
    price = machine_price_of(tuned.project)
    if price is None and not unknown:
        unknown = "no price is set for an hour of training"
    cost = Decimal(str(seconds)) / 3600 * price.hour_price if price is not None and not unknown else None
    return TrainingCost(seconds, trainings, cost, price.currency if price is not None else "", unknown)


def earned_back(cost: TrainingCost, tuned: Usage, others: Sequence[Usage]) -> list[EarnedBack]:
    """For each other candidate whose answers are priced in the training's currency."""
    if cost.cost is None or tuned.cost.value is None or tuned.currency != cost.currency:
        return []
    found = []
    for other in others:
        if other.cost.value is None or other.currency != cost.currency:
            continue
        saved = (other.cost.value - tuned.cost.value) / ANSWERS_A_COST
        found.append(EarnedBack(other.candidate, round(float(cost.cost) / saved) if saved > 0 else None))
    return found
