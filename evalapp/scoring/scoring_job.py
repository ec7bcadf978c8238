"""The scoring job: all metrics and rules on every output of a run, in batches."""

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import transaction

from evalapp.conversations.text import Conversation, other_texts, without_answer
from evalapp.core.errors import InvalidError
from evalapp.jobs.models import Job
from evalapp.jobs.work import Work
from evalapp.measure import Measure
from evalapp.metrics.automatic.rouge import LONGEST_CHECKED, check_against_oracle, rouge_options
from evalapp.metrics.batch import Scorer
from evalapp.metrics.metric import NOT_COMPUTED
from evalapp.metrics.registry import METRICS
from evalapp.metrics.rows import Row
from evalapp.metrics.rules import Rule, RuleResult
from evalapp.runs.models import Output, Run
from evalapp.scoring.labels import LabelReader, reader_for
from evalapp.scoring.models import CorpusMetric, MetricResult, RuleCheck
from evalapp.scoring.services import read_rule

logger = logging.getLogger(__name__)

BATCH = 500
BATCH_CHARACTERS = 20_000_000
FETCH_CHUNK = 50
"""Few at once: each output comes with its example, which may have megabytes."""
ORACLE_SAMPLE = 50
SHOWN_SPANS = 20


def score_run(work: Work) -> dict[str, Any]:
    """Score the run named in the job's parameters; new results replace earlier ones.

    The job's result records its progress and the rules applied, so that an attempt after a lost worker
    resumes after the last stored batch.
    """
    run = Run.objects.select_related("project").get(pk=work.job.params["run"])
    rules = list(_readable_rules(work, run))
    scorer = Scorer(_scored_metrics())
    _score_outputs(work, run, scorer, rules, reader_for(run))
    work.progress(work.job.result["outputs"], work.job.result["outputs"], "Scoring whole sets")
    corpus = _score_corpora(run, work)
    checked = _check_sample(work, run, scorer)
    for difference in checked["differences"]:
        work.log(f"ROUGE differs from its reference: {difference}", level="warning")
    return {
        "outputs": work.job.result["outputs"],
        "rules": len(rules),
        "corpus_metrics": corpus,
        "rouge_check": checked,
    }


def _scored_metrics() -> list[str]:
    return [name for name, each in METRICS.items() if each.is_scored]


def _readable_rules(work: Work, run: Run) -> Iterator[tuple[RuleCheck, Rule]]:
    for rule_check in run.project.rule_checks.filter(is_active=True):
        try:
            yield rule_check, read_rule(rule_check.name, rule_check.kind, rule_check.params)
        except InvalidError as error:
            # Saved under an earlier release's limits; must not stop the other rules and the metrics.
            work.log(f"The rule “{rule_check.name}” was left out: {error.message}", level="warning")


def _score_outputs(
    work: Work,
    run: Run,
    scorer: Scorer,
    rules: Sequence[tuple[RuleCheck, Rule]],
    reader: LabelReader | None,
) -> None:
    signatures = [rule.signature for rule, _ in rules] + ([reader.signature] if reader else [])
    so_far = work.job.result
    if so_far.get("rules") != signatures:
        so_far = {"outputs": 0, "last_output": 0, "rules": signatures}
    work.job.result = so_far
    total = run.outputs.count()
    work.progress(so_far["outputs"], total, "Scoring outputs")
    for outputs in _batches(run, after=so_far["last_output"]):
        results: list[MetricResult] = []
        for scored, found in enumerate(_results(outputs, scorer, rules), start=1):
            results += found
            work.progress(so_far["outputs"] + scored, total)
        if reader is not None:
            results += map(reader.result, outputs)
        so_far = {
            "outputs": so_far["outputs"] + len(outputs),
            "last_output": outputs[-1].pk,
            "rules": signatures,
        }
        with transaction.atomic():
            MetricResult.objects.bulk_create(
                results,
                update_conflicts=True,
                unique_fields=["output", "metric"],
                update_fields=["signature", "value", "reason", "detail"],
            )
            Job.objects.filter(pk=work.job.pk, attempt=work.job.attempt).update(result=so_far)
            work.fence()
        work.job.result = so_far
        work.progress(so_far["outputs"], total)


def _batches(run: Run, *, after: int) -> Iterator[list[Output]]:
    outputs = run.outputs.filter(pk__gt=after).select_related("example").order_by("pk")
    batch: list[Output] = []
    characters = 0
    for output in outputs.iterator(chunk_size=FETCH_CHUNK):
        batch.append(output)
        characters += len(output.text) + len(output.example.context)
        if len(batch) == BATCH or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _results(
    outputs: Sequence[Output], scorer: Scorer, rules: Sequence[tuple[RuleCheck, Rule]]
) -> Iterator[list[MetricResult]]:
    """Yields the results of one output after the other."""
    rows = [metric_row(output) for output in outputs]
    for output, row, measures in zip(outputs, rows, scorer.score(rows), strict=True):
        yield [
            *(_metric_result(output, name, measure) for name, measure in measures.items()),
            *(_rule_result(output, row, rule_check, rule) for rule_check, rule in rules),
        ]


def _metric_result(output: Output, name: str, measure: Measure) -> MetricResult:
    return MetricResult(
        output=output,
        metric=name,
        signature=measure.signature[:200],
        value=measure.value,
        reason=measure.reason[:120],
    )


def _rule_result(output: Output, row: Row, rule_check: RuleCheck, rule: Rule) -> MetricResult:
    try:
        result = rule.check(row)
    except Exception:  # one output that breaks a rule must not cost the others their scores
        logger.exception("The rule %s failed on output %s", rule_check.pk, output.pk)
        result = RuleResult(passed=None, reason=NOT_COMPUTED)
    spans = [[span.start, span.end, span.text[:80]] for span in result.spans[:SHOWN_SPANS]]
    return MetricResult(
        output=output,
        metric=rule_check.metric,
        signature=rule_check.signature,
        value=None if result.passed is None else float(result.passed),
        reason=(result.reason or "not checked")[:120] if result.passed is None else "",
        detail={"spans": spans, "count": len(result.spans), "why": result.reason},
    )


def _score_corpora(run: Run, work: Work) -> int:
    scorer = Scorer(name for name in _scored_metrics() if METRICS[name].engine.has_whole_set)
    written = 0
    pairs = run.outputs.values_list("candidate", "example__split").distinct().order_by()
    for candidate_id, split in list(pairs):
        outputs = run.outputs.filter(candidate=candidate_id, example__split=split).select_related("example")
        measures: dict[str, Measure] = scorer.corpus(
            (metric_row(output) for output in outputs.iterator(FETCH_CHUNK)),
            on_progress=lambda _: work.raise_if_cancelled(),
        )
        with transaction.atomic():
            for name, measure in measures.items():
                CorpusMetric.objects.update_or_create(
                    run=run,
                    candidate_id=candidate_id,
                    split=split,
                    metric=name,
                    defaults={
                        "signature": measure.signature[:200],
                        "value": measure.value,
                        "reason": measure.reason[:120],
                        "n": measure.n,
                    },
                )
                written += 1
            work.fence()
    return written


def _check_sample(work: Work, run: Run, scorer: Scorer) -> dict[str, Any]:
    """Score a seeded sample again with rouge-score itself and list the differences."""
    options = rouge_options(scorer.metrics, scorer.options)
    if options is None:
        return {"checked": 0, "too_long": 0, "differences": []}
    ids = list(run.outputs.order_by("pk").values_list("pk", flat=True))
    # Reproducible; the seed need not be secret.
    drawn = random.Random(run.pk).sample(ids, min(ORACLE_SAMPLE, len(ids)))
    outputs = run.outputs.filter(pk__in=drawn).select_related("example").order_by("pk")
    rows = [metric_row(output) for output in outputs]
    check = check_against_oracle(
        [row.output for row in rows],
        [row.references for row in rows],
        options,
        seed=run.pk,
        sample=ORACLE_SAMPLE,
        before_each=work.raise_if_cancelled,
    )
    if check.too_long:
        work.log(
            f"ROUGE was checked against {check.oracle} on {check.checked} outputs; left out because "
            f"their texts have more than {LONGEST_CHECKED:,} characters: {check.too_long}."
        )
    return {
        "checked": check.checked,
        "too_long": check.too_long,
        "differences": list(check.differences),
        "oracle": check.oracle,
    }


def metric_row(output: Output) -> Row:
    """An output as the input of metrics; ``output.example`` must be loaded. Metadata values become text;
    nested ones are left out.
    """
    example = output.example
    return row_of(
        output.text,
        messages=example.messages,
        conversation=example.conversation,
        context=example.context,
        fields=example.metadata,
        references=example.references,
    )


def row_of(
    text: str,
    *,
    messages: Sequence[Mapping[str, Any]],
    conversation: Conversation | None,
    context: str,
    fields: Mapping[str, Any],
    references: Sequence[str] = (),
) -> Row:
    """An output with its prompt and context, as the input of metrics."""
    given = [context]
    if conversation is not None:
        # Outputs may rely on what tools and sources said.
        given += other_texts(without_answer(conversation)).values()
    return Row(
        output=text,
        references=tuple(str(reference) for reference in references),
        context="\n".join(given),
        prompt="\n".join(str(message["content"]) for message in messages),
        fields={key: str(value) for key, value in fields.items() if isinstance(value, str | int | float)},
    )
