"""The automatic columns of the comparison, in their order."""

from evalapp.metrics.catalogue import CATALOGUE

SEGMENT_METRICS = tuple(
    CATALOGUE[name]
    for name in (
        "rouge1", "rouge2", "rougeL", "bleu", "chrf", "token_f1", "exact_match", "words", "invented_figures",
    )
)  # fmt: skip
METRICS = {metric.name: metric for metric in SEGMENT_METRICS}
HEADLINE_METRIC = "rougeL"
