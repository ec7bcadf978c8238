"""F1 of the candidates' predicted labels against the examples' labels, in a campaign."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import QuerySet

from evalapp.analysis.agreement.measures import REPLICATES
from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate, ItemOutput, Purpose
from evalapp.measure import Measure
from evalapp.scoring.labels import LABEL
from evalapp.scoring.models import LabelParser, MetricResult
from evalapp.stats.classification import Classification, classify

LABEL_COLUMNS = ("Macro F1", "Weighted F1", "Micro F1")


class PredictedLabel(NamedTuple):
    """An output's true and predicted label; the latter is None if the output is unparsed."""

    item_id: int
    true: str
    predicted: str | None


@dataclass(frozen=True)
class CandidateLabels:
    """``unparsed``: outputs without a predicted label. ``missing``: outputs whose example has no label, or
    that the current parser has not read.
    """

    candidate: CampaignCandidate
    found: Classification
    unparsed: int
    missing: int

    @property
    def columns(self) -> list[Measure]:
        """Values for the comparison's table, in the order of `LABEL_COLUMNS`."""
        return [self.found.macro, self.found.weighted, self.found.micro]

    @property
    def rows(self) -> list[tuple[str, list[tuple[str | None, int]]]]:
        """The confusion matrix: for each true label the counts of the predicted labels, with None for
        unparsed.
        """
        labels = self.found.labels
        return [
            (true, list(zip(labels, counts, strict=True)))
            for true, counts in zip(labels, self.found.matrix, strict=True)
            if true is not None
        ]


def parser_of(scores: CampaignScores) -> LabelParser | None:
    return LabelParser.objects.filter(dataset__versions=scores.campaign.dataset_version_id).first()


def label_columns(scores: CampaignScores) -> dict[int, list[Measure]]:
    """The comparison's label columns, by campaign candidate id."""
    return {each.candidate.pk: each.columns for each in classification_of(scores)}


def classification_of(scores: CampaignScores) -> list[CandidateLabels]:
    """The labels of each candidate; empty if the dataset has no label parser."""
    parser = parser_of(scores)
    if parser is None:
        return []
    predicted = predicted_labels(scores, parser)
    found = []
    for candidate in scores.candidates:
        outputs = scores.outputs_of(candidate)
        labels = [predicted[output.output_id] for output in outputs if output.output_id in predicted]
        result = classify(
            [each.item_id for each in labels],
            [each.true for each in labels],
            [each.predicted for each in labels],
            labels=parser.labels,
            seed=SEED,
            replicates=REPLICATES,
        )
        unparsed = sum(each.predicted is None for each in labels)
        found.append(CandidateLabels(candidate, result, unparsed, len(outputs) - len(labels)))
    return found


def has_labels(scores: CampaignScores, labels: Mapping[str, str]) -> bool:
    """Whether some output has each of these as its "true" label, or as its "predicted" one."""
    parser = parser_of(scores)
    read = _read(scores, parser) if parser is not None else MetricResult.objects.none()
    return all(read.filter(**{f"detail__{name}": label}).exists() for name, label in labels.items())


def _read(scores: CampaignScores, parser: LabelParser) -> QuerySet[MetricResult]:
    entries = ItemOutput.objects.filter(item__campaign=scores.campaign, item__purpose=Purpose.REVIEW)
    return MetricResult.objects.filter(
        output__in=entries.values("output"), metric=LABEL, signature=parser.signature, value__isnull=False
    )


def predicted_labels(
    scores: CampaignScores, parser: LabelParser | None = None
) -> Mapping[int, PredictedLabel]:
    """The label read from each output, by output id; ``parser`` saves a query for the dataset's. Empty
    without one.
    """
    parser = parser or parser_of(scores)
    if parser is None:
        return {}
    items = {output.output_id: output.item_id for output in scores.outputs}
    rows = _read(scores, parser).values_list("output_id", "detail")
    return {
        output_id: PredictedLabel(items[output_id], detail["true"], detail["predicted"])
        for output_id, detail in rows.iterator(chunk_size=5_000)
        if output_id in items
    }
