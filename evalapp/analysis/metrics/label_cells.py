"""A cell of the confusion matrix as a URL filter of outputs."""

from collections.abc import Mapping
from dataclasses import dataclass

from evalapp.analysis.metrics.classification import has_labels
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.core.errors import MissingError

LABEL_PARTS = ("true", "predicted", "unparsed")
"""The parameters of a URL that `label_cell_from` reads, besides the candidate."""


@dataclass(frozen=True)
class LabelCell:
    """``true``: the example's label; ``predicted``: the output's; None: any. ``unparsed``: outputs without a
    label.
    """

    true: str | None
    predicted: str | None
    unparsed: bool

    def describe(self) -> str:
        parts = [
            f"true label “{self.true}”" if self.true is not None else "",
            f"predicted label “{self.predicted}”" if self.predicted is not None else "",
            "unparsed" if self.unparsed else "",
        ]
        return ", ".join(part for part in parts if part)


def label_cell_from(scores: CampaignScores, query: Mapping[str, str]) -> LabelCell | None:
    """Read a cell from a URL; None if it names no label. Raises MissingError for a label of no output."""
    true, predicted, unparsed = (
        query.get("true") or None,
        query.get("predicted") or None,
        query.get("unparsed") == "1",
    )
    if true is None and predicted is None and not unparsed:
        return None
    given = {"true": true, "predicted": predicted}
    if not has_labels(scores, {name: label for name, label in given.items() if label is not None}):
        raise MissingError("No output here has such a label. Open the list again from the labels page.")
    return LabelCell(true, predicted, unparsed)
