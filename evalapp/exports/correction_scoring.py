"""The job that measures a campaign's accepted corrections: how much they changed, and the metrics against
them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.exports.corrections import AcceptedCorrection, corrections_mark, corrections_of
from evalapp.jobs.models import ACTIVE_STATES, Job, JobState
from evalapp.jobs.services import create_job
from evalapp.jobs.work import Work
from evalapp.measure import Measure
from evalapp.metrics.automatic.translation import edit_rate
from evalapp.metrics.batch import Scorer
from evalapp.metrics.registry import METRICS
from evalapp.metrics.rows import Row
from evalapp.runs.models import Output
from evalapp.scoring.models import MetricResult

MEASURE_TASK = "evalapp.exports.tasks.measure_corrections"
CORRECTION_METRICS = tuple(name for name, each in METRICS.items() if each.is_of_corrections)
# Stand before the name of a metric whose references were the accepted corrections of the example: all of
# them, or less those of the output itself, which stay close to it.
AGAINST_CORRECTIONS = "corrected"
AGAINST_OTHERS = "corrected-others"
NO_OTHER = "only the output itself was corrected"


def edit_rate_name(campaign_id: int) -> str:
    """Under which an output's edit rate is stored; an output may be in several campaigns."""
    return f"edit_rate:{campaign_id}"


def against_name(prefix: str, campaign_id: int, metric: str) -> str:
    """Under which a metric against corrections is stored."""
    return f"{prefix}:{campaign_id}:{metric}"


def start_measuring(*, campaign: Campaign, by: User | None) -> Job:
    """Measure what is not measured yet. One that waits or runs is returned instead of a new one.

    Raises InvalidError where no correction is accepted.
    """
    going = campaign.project.jobs.filter(
        task=MEASURE_TASK, params__campaign=campaign.pk, state__in=[JobState.QUEUED, *ACTIVE_STATES]
    ).first()
    if going is not None:
        return going
    if not corrections_of(campaign).accepted:
        raise InvalidError(
            f"No correction of “{campaign.name}” is accepted yet. Propose rows from the campaign's feedback"
            " under Data, Proposed rows, and accept the good ones first."
        )
    return create_job(
        project=campaign.project,
        task=MEASURE_TASK,
        title=f"Measure the corrections of {campaign.name}",
        by=by,
        params={"campaign": campaign.pk},
    )


def measure_corrections(work: Work) -> dict[str, Any]:
    """Measure every output to a corrected example; what stands there for the same corrections is kept."""
    campaign = Campaign.objects.select_related("project").get(pk=work.job.params["campaign"])
    by_example = corrections_of(campaign).by_example
    outputs = Output.objects.filter(item_outputs__item__campaign=campaign, example__in=by_example).distinct()
    total = outputs.count()
    scorer = Scorer(CORRECTION_METRICS)
    kept = 0
    work.progress(0, total, "Measuring outputs")
    for done, output in enumerate(outputs.order_by("pk").iterator(chunk_size=100), start=1):
        given = by_example[output.example_id]
        mark = corrections_mark(given)
        stored = MetricResult.objects.filter(
            output=output,
            metric=against_name(AGAINST_CORRECTIONS, campaign.pk, CORRECTION_METRICS[0]),
            signature__startswith=mark,
        )
        if stored.exists():
            kept += 1
        else:
            _store(work, campaign, output, list(_results(campaign, output, given, scorer, mark)))
        work.progress(done, total)
    return {"outputs": total, "measured": total - kept, "kept": kept}


def _store(work: Work, campaign: Campaign, output: Output, results: Sequence[MetricResult]) -> None:
    with transaction.atomic():
        # An edit rate of a correction that was rejected since must not stay.
        MetricResult.objects.filter(output=output, metric=edit_rate_name(campaign.pk)).delete()
        MetricResult.objects.bulk_create(
            results,
            update_conflicts=True,
            unique_fields=["output", "metric"],
            update_fields=["signature", "value", "reason", "detail"],
        )
        work.fence()


def _results(
    campaign: Campaign, output: Output, given: Sequence[AcceptedCorrection], scorer: Scorer, mark: str
) -> Iterator[MetricResult]:
    own = [each for each in given if each.output_id == output.pk]
    others = [each for each in given if each.output_id != output.pk]
    if own:
        yield _edits(campaign, output, own, mark)
    for prefix, references in ((AGAINST_CORRECTIONS, given), (AGAINST_OTHERS, others)):
        row = Row(output=output.text, references=tuple(each.text for each in references))
        for name, measure in next(iter(scorer.score([row]))).items():
            reason = NO_OTHER if not references else measure.reason
            yield _result(output, against_name(prefix, campaign.pk, name), measure, mark, reason)


def _edits(campaign: Campaign, output: Output, own: Sequence[AcceptedCorrection], mark: str) -> MetricResult:
    """The mean over the output's corrections; ``detail`` has each, by its review."""
    measures = {each.review_id: edit_rate(output.text, each.text) for each in own}
    rates = {review: measure.value for review, measure in measures.items() if measure.value is not None}
    first = next(iter(measures.values()))
    value = sum(rates.values()) / len(rates) if rates else None
    measure = Measure(
        value=value, n=len(rates), signature=first.signature, reason="" if rates else first.reason
    )
    result = _result(output, edit_rate_name(campaign.pk), measure, mark, measure.reason)
    result.detail = {"rates": {str(review): rate for review, rate in rates.items()}}
    return result


def _result(output: Output, metric: str, measure: Measure, mark: str, reason: str) -> MetricResult:
    return MetricResult(
        output=output,
        metric=metric,
        # The mark first, so that it is never what a long signature loses.
        signature=f"{mark}|{measure.signature}"[:200],
        value=measure.value,
        reason="" if measure.value is not None else reason[:120],
    )
