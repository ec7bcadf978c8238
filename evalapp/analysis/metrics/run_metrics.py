"""Automatic metrics, rule checks and labels over all outputs of a run, reviewed or not."""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalapp.analysis.agreement.measures import REPLICATES
from evalapp.analysis.comparison.candidates import metric_mean, rule_share
from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.metrics.counterfactual_metrics import (
    MetricChange,
    counterfactual_examples,
    metric_changes,
)
from evalapp.analysis.scores.campaign_scores import ReviewedOutput
from evalapp.datasets.models import Split
from evalapp.measure import Measure
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import COMPARED_METRICS, METRICS
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Output, Run
from evalapp.scoring.labels import LABEL
from evalapp.scoring.models import CorpusMetric, LabelParser, MetricResult, RuleCheck
from evalapp.stats.classification import Classification, classify

#: Larger runs are sampled down to this number, because a reader waits.
MOST_OUTPUTS = 20_000
CHUNK = 5_000


@dataclass(frozen=True)
class RunLabels:
    """``missing``: outputs whose example has no label, or that the current parser has not read."""

    found: Classification
    unparsed: int
    missing: int


@dataclass(frozen=True)
class CandidateMetrics:
    """``metrics`` and ``rules`` in the order of `RunMetrics`; ``corpus`` by split and metric name."""

    candidate: ModelVersion
    outputs: int
    metrics: list[Measure]
    rules: list[Measure]
    corpus: dict[tuple[str, str], CorpusMetric]
    labels: RunLabels | None


@dataclass(frozen=True)
class RunMetrics:
    """``drawn_of``: the number of outputs from which `MOST_OUTPUTS` were sampled; 0 if all are used.
    ``metrics`` and ``rules`` are empty without scored outputs. ``counterfactuals``: set if the rows are
    counterfactual pairs.
    """

    metrics: list[MetricDescription]
    rules: list[RuleCheck]
    candidates: list[CandidateMetrics]
    drawn_of: int
    counterfactuals: list[MetricChange]

    @property
    def metric_rows(self) -> list[tuple[MetricDescription, list[Measure]]]:
        """Each metric with its mean for every candidate."""
        columns = [each.metrics for each in self.candidates]
        return list(zip(self.metrics, (list(row) for row in zip(*columns, strict=True)), strict=True))

    @property
    def rule_rows(self) -> list[tuple[RuleCheck, list[Measure]]]:
        """Each rule with the share of every candidate's outputs that pass it."""
        columns = [each.rules for each in self.candidates]
        return list(zip(self.rules, (list(row) for row in zip(*columns, strict=True)), strict=True))

    @property
    def corpus_rows(self) -> list[tuple[str, str, list[CorpusMetric | None]]]:
        """Each whole-split metric, with the split's name and every candidate's value."""
        keys = sorted({key for each in self.candidates for key in each.corpus})
        return [
            (
                METRICS[metric].label,
                Split(split).label,
                [each.corpus.get((split, metric)) for each in self.candidates],
            )
            for split, metric in keys
        ]

    @property
    def changes_found(self) -> list[MetricChange]:
        """The counterfactual changes that are tested or, without a test, not 0: these are equal in every
        pair.
        """
        return [
            each
            for each in self.counterfactuals
            if each.adjusted_p is not None or each.difference.difference.value
        ]

    @property
    def has_labels(self) -> bool:
        return any(each.labels is not None and each.labels.found.labels for each in self.candidates)


def run_metrics(run: Run) -> RunMetrics:
    """The metrics of each candidate over the run's outputs, with intervals over examples or their groups."""
    external = [each.description for each in run.project.external_metrics.order_by("pk")]
    described = {**COMPARED_METRICS, **{each.name: each for each in external}}
    rules = list(run.project.rule_checks.order_by("pk"))
    outputs, groups, drawn_of = _outputs(run, [*described, *(rule.metric for rule in rules)])
    every = [output for found in outputs.values() for output in found]
    scored = {name for output in every for name in (*output.metrics, *output.undefined)}
    metrics = [metric for name, metric in described.items() if name in scored]
    rules = [rule for rule in rules if rule.metric in scored]
    labels = _labels(run, every)
    corpus: dict[int, dict[tuple[str, str], CorpusMetric]] = defaultdict(dict)
    for each in CorpusMetric.objects.filter(run=run):
        corpus[each.candidate_id][each.split, each.metric] = each
    candidates = list(ModelVersion.objects.filter(pk__in=outputs).select_related("model").order_by("pk"))
    pairs = counterfactual_examples(run)
    return RunMetrics(
        metrics,
        rules,
        [
            CandidateMetrics(
                candidate,
                len(outputs[candidate.pk]),
                [metric_mean(outputs[candidate.pk], metric, groups) for metric in metrics],
                [rule_share(outputs[candidate.pk], rule) for rule in rules],
                corpus[candidate.pk],
                labels.get(candidate.pk),
            )
            for candidate in candidates
        ],
        drawn_of,
        metric_changes(pairs, outputs, candidates, metrics, groups),
    )


def _outputs(
    run: Run, names: list[str]
) -> tuple[dict[int, list[ReviewedOutput]], dict[Hashable, Hashable], int]:
    """Outputs by candidate, with the group of each example that has one."""
    rows = list(
        Output.objects.filter(run=run)
        .order_by("pk")
        .values_list("pk", "candidate_id", "example_id", "example__group_key")
    )
    drawn_of = len(rows) if len(rows) > MOST_OUTPUTS else 0
    if drawn_of:
        chosen = np.random.default_rng(SEED).choice(len(rows), MOST_OUTPUTS, replace=False)
        rows = [rows[place] for place in sorted(chosen.tolist())]
    wanted = {row[0] for row in rows}
    values: dict[int, dict[str, float]] = defaultdict(dict)
    undefined: dict[int, dict[str, str]] = defaultdict(dict)
    results = MetricResult.objects.filter(output__run=run, metric__in=names)
    for output_id, metric, value, reason in results.values_list(
        "output_id", "metric", "value", "reason"
    ).iterator(CHUNK):
        if output_id in wanted and value is None:
            undefined[output_id][metric] = reason
        elif output_id in wanted and value is not None:
            values[output_id][metric] = value
    found: dict[int, list[ReviewedOutput]] = defaultdict(list)
    for output_id, candidate_id, example_id, _ in rows:
        found[candidate_id].append(
            ReviewedOutput(
                output_id,
                example_id,
                candidate_id,
                output_id,
                run.pk,
                values.get(output_id, {}),
                undefined.get(output_id, {}),
            )
        )
    return found, {example: group for _, _, example, group in rows if group}, drawn_of


def macro_f1(run: Run) -> dict[int, float]:
    """Macro F1 over the declared labels, by candidate; empty if the dataset has no label parser."""
    parser = LabelParser.objects.filter(dataset__versions=run.dataset_version_id).first()
    if parser is None:
        return {}
    read = MetricResult.objects.filter(
        output__run=run, metric=LABEL, signature=parser.signature, value__isnull=False
    )
    by_candidate: dict[int, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for candidate, example, detail in read.values_list("output__candidate", "output__example", "detail"):
        by_candidate[candidate].append((example, detail))
    found = {}
    for candidate, told in by_candidate.items():
        result = classify(
            [example for example, _ in told],
            [detail["true"] for _, detail in told],
            [detail["predicted"] for _, detail in told],
            labels=parser.labels,
            seed=SEED,
            replicates=1,
        )
        if result.macro.value is not None:
            found[candidate] = result.macro.value
    return found


def _labels(run: Run, outputs: list[ReviewedOutput]) -> Mapping[int, RunLabels]:
    """Labels by candidate; empty if the dataset has no label parser."""
    parser = LabelParser.objects.filter(dataset__versions=run.dataset_version_id).first()
    if parser is None:
        return {}
    read = dict(
        MetricResult.objects.filter(
            output__run=run, metric=LABEL, signature=parser.signature, value__isnull=False
        ).values_list("output_id", "detail")
    )
    by_candidate: dict[int, list[ReviewedOutput]] = defaultdict(list)
    for output in outputs:
        by_candidate[output.candidate_id].append(output)
    found = {}
    for candidate, own in by_candidate.items():
        told = [(output.item_id, read[output.output_id]) for output in own if output.output_id in read]
        predicted = [detail["predicted"] for _, detail in told]
        result = classify(
            [item for item, _ in told],
            [detail["true"] for _, detail in told],
            predicted,
            labels=parser.labels,
            seed=SEED,
            replicates=REPLICATES,
        )
        found[candidate] = RunLabels(result, predicted.count(None), len(own) - len(told))
    return found
