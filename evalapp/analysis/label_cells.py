"""Outputs of a cell of the confusion matrix, as a filter in an address."""

from collections.abc import Mapping
from dataclasses import dataclass

from evalapp.analysis.classification import has_labels, said_labels
from evalapp.analysis.scores import CampaignScores
from evalapp.core.errors import MissingError

LABEL_PARTS = ("true", "said", "unsaid")
"""What `label_cell_from` reads of an address, beside the candidate."""


@dataclass(frozen=True)
class LabelCell:
    """``true``: the example's label; ``said``: the one that the output says. None: any. ``unsaid``: it says none."""

    true: str | None
    said: str | None
    unsaid: bool

    def describe(self) -> str:
        parts = [
            f"truly “{self.true}”" if self.true is not None else "",
            f"“{self.said}” said" if self.said is not None else "",
            "no label said" if self.unsaid else "",
        ]
        return ", ".join(part for part in parts if part)


def label_cell_from(scores: CampaignScores, query: Mapping[str, str]) -> LabelCell | None:
    """Read a cell from an address; None where it names no label. MissingError for a label that no output has."""
    true, said, unsaid = query.get("true") or None, query.get("said") or None, query.get("unsaid") == "1"
    if true is None and said is None and not unsaid:
        return None
    given = {"true": true, "said": said}
    if not has_labels(scores, {name: label for name, label in given.items() if label is not None}):
        raise MissingError("No output here has such a label. Open the list again from the page of labels.")
    return LabelCell(true, said, unsaid)


def outputs_in(scores: CampaignScores, cell: LabelCell) -> set[int]:
    """The outputs, of those whose label was read, that lie in the cell."""
    read = said_labels(scores)
    return {
        output.item_output_id
        for output in scores.outputs
        if (label := read.get(output.output_id)) is not None
        and cell.true in (None, label.true)
        and cell.said in (None, label.said)
        and not (cell.unsaid and label.said is not None)
    }
