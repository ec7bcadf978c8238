"""Candidates that are the reference itself, such as human summaries beside the models'.

A metric that compares with the reference has its extreme value for them, which says nothing, so correlations
of such metrics with people leave them out.
"""

from collections import defaultdict
from statistics import fmean
from typing import NamedTuple

from evalapp.analysis.scores.campaign_scores import CampaignScores, ReviewedOutput
from evalapp.metrics.metric import MetricDescription

EQUALS_REFERENCE, WORDS = "exact_match", "words"
#: A candidate whose outputs equal the reference for at least this share of its items is the reference.
SHARE = 0.5
#: A correct label or number equals the reference; a text of more words does not by chance.
FEWEST_WORDS = 5


class ComparedOutputs(NamedTuple):
    """The ``outputs`` on which a metric is compared with people; ``note`` names the candidates left out as
    the reference, and is empty without any.
    """

    outputs: list[ReviewedOutput]
    note: str


def compared_outputs(scores: CampaignScores, metric: MetricDescription) -> ComparedOutputs:
    """All outputs, without those of candidates that are the reference if the metric compares with it."""
    if metric.needs != "references":
        return ComparedOutputs(scores.outputs, "")
    left_out = [each for each in scores.candidates if _is_reference(scores.outputs_of(each))]
    if not left_out:
        return ComparedOutputs(scores.outputs, "")
    ids = {each.pk for each in left_out}
    labels = ", ".join(f"“{each.model_version.label}”" for each in left_out)
    kept = [output for output in scores.outputs if output.candidate_id not in ids]
    return ComparedOutputs(kept, f"without {labels}, whose outputs are the reference")


def _is_reference(outputs: list[ReviewedOutput]) -> bool:
    found: dict[str, list[float]] = defaultdict(list)
    for output in outputs:
        for name in (EQUALS_REFERENCE, WORDS):
            if name in output.metrics:
                found[name].append(output.metrics[name])
    if not found[EQUALS_REFERENCE] or not found[WORDS]:
        return False
    return fmean(found[EQUALS_REFERENCE]) >= SHARE and fmean(found[WORDS]) >= FEWEST_WORDS
