"""The card of a version: what it is, where its rows come from, and what is known of them."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import Case, Count, F, TextField, Value, When

from evalapp.curation.drafts import DraftCounts, counts_of
from evalapp.curation.kinds import FindingKind
from evalapp.curation.models import DatasetDraft, Operation
from evalapp.curation.queries import KindSummary, check_of, kinds_of
from evalapp.datasets.diff import Statistics, statistics_of
from evalapp.datasets.models import DatasetVersion, RecipeVersion
from evalapp.datasets.recipes.queries import account_of
from evalapp.registry.models import ModelVersion

_MODELS_SHOWN = 20
_REASONS_SHOWN = 50
BY_HAND = "edited by hand"


class EditReason(NamedTuple):
    """A reason for which a draft edited ``rows`` of the base in the same way: a ``kind`` of finding, or an
    editor's own words.
    """

    operation: str
    kind: str
    reason: str
    rows: int

    @property
    def said(self) -> str:
        return FindingKind(self.kind).label if self.kind else self.reason or BY_HAND

    @property
    def done(self) -> str:
        return Operation(self.operation).label


class VersionCard(NamedTuple):
    """``draft`` with ``draft_counts`` and ``reasons``, or ``recipe``: what became of the rows that it was
    written from; None where it came from a file. ``findings`` of its latest health check, None without one.
    ``models``: trained on it, the latest.
    """

    version: DatasetVersion
    statistics: Statistics
    draft: DatasetDraft | None
    draft_counts: DraftCounts | None
    reasons: Sequence[EditReason]
    recipe: RecipeVersion | None
    findings: Sequence[KindSummary] | None
    models: Sequence[ModelVersion]


def card_of(version: DatasetVersion) -> VersionCard:
    draft = DatasetDraft.objects.filter(version=version).select_related("base__dataset", "created_by").first()
    check = check_of(version)
    models = ModelVersion.objects.filter(trained_by__dataset_version=version)
    return VersionCard(
        version=version,
        statistics=statistics_of(version),
        draft=draft,
        draft_counts=counts_of(draft) if draft is not None else None,
        reasons=_reasons(draft) if draft is not None else [],
        recipe=account_of(version),
        findings=kinds_of(check) if check is not None and check.checked_at else None,
        models=list(models.order_by("-pk")[:_MODELS_SHOWN]),
    )


def _reasons(draft: DatasetDraft) -> list[EditReason]:
    """The most frequent first. Findings are grouped by kind, because their evidence differs from row
    to row.
    """
    written = Case(When(kind="", then=F("reason")), default=Value(""), output_field=TextField())
    counted = draft.edits.values_list("operation", "kind", written).annotate(rows=Count("pk"))
    return [EditReason(*each) for each in counted.order_by("-rows", "operation", "kind")[:_REASONS_SHOWN]]
