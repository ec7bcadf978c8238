"""Every place where a project's rows may contain text by people: the one table that an erasure processes.

Columns of text or JSON that are not listed are in the exceptions of `tests/data_protection/test_places.py`,
with the reason. Models are named, not imported: some belong to packages beside or above this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.apps import apps
from django.db import models


class Holds(StrEnum):
    """How a column contains text."""

    TEXT = "text"
    VALUES = "values"  # JSON with field names of the product
    NAMED_VALUES = "named values"  # JSON that also has field names of others
    MESSAGES = "messages"
    CONVERSATION = "conversation"
    QUERY = "query"  # query of a URL
    UNIQUE = "unique"  # text that identifies a row and is unique


@dataclass(frozen=True)
class Place:
    """A model whose columns may contain a person's texts.

    ``holds``: the columns. ``path``: lookups from the model to its project. ``rows``: name of its rows, for
    people.
    ``without``: condition for rows that contain nothing.
    """

    model: str
    path: str
    rows: str
    holds: Mapping[str, Holds]
    without: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model_class(self) -> type[models.Model]:
        return apps.get_model("evalapp", self.model)


T, V, N, Q = Holds.TEXT, Holds.VALUES, Holds.NAMED_VALUES, Holds.QUERY
_VERSION = "version__dataset__project"
_RUN, _CAMPAIGN, _REVIEW = "run__project", "campaign__project", "review__campaign__project"

ROWS = Place(
    "Example",
    _VERSION,
    "dataset rows",
    {
        "messages": Holds.MESSAGES,
        "references": V,
        "label": T,
        "context": T,
        "metadata": N,
        "group_key": T,
        "provenance": N,
        "pairs": V,
        "rated": V,
        "conversation": Holds.CONVERSATION,
    },
)
OUTPUTS = Place("Output", _RUN, "outputs", {"text": T, "reasoning": T})
EVALUATIONS = Place(
    "GateEvaluation", "campaign_gate__campaign__project", "gate evaluations", {"record": V, "reviews": T}
)
DECISIONS = Place("Decision", "project", "decisions", {"note": T, "evidence": V})

VAULT = "VaultEntry"
VAULT_ROWS = "originals of masked data"
"""Vault entries are not in the table below, because they are encrypted: they are opened and sealed again."""

REPLACED: tuple[Place, ...] = (
    ROWS,
    OUTPUTS,
    Place("EventKey", "stream__project", "ids of production events", {"external_id": Holds.UNIQUE}),
    Place("ProductionEvent", "stream__project", "production events", {
        "messages": Holds.MESSAGES, "conversation": Holds.CONVERSATION, "context": T, "text": T,
        "fields": N}),
    Place("Deployment", "stream__project", "deployments", {"note": T}, {"note": ""}),
    Place("Assessment", "stream__project", "assessments", {"text": T, "name": T, "source": T}),
    Place("WaitingAssessment", "stream__project", "waiting assessments",
          {"external_id": T, "text": T, "name": T, "source": T}),
    Place("Review", _CAMPAIGN, "reviews", {"comment": T}, {"comment": ""}),
    Place("TextAnswer", _REVIEW, "text answers", {"text": T}),
    Place("SpanAnswer", _REVIEW, "span labels", {"comment": T}, {"comment": ""}),
    Place("Correction", _REVIEW, "corrections", {"text": T}),
    Place("ReviewRevision", _REVIEW, "earlier revisions of reviews", {"body": V}),
    Place("Draft", _CAMPAIGN, "drafts of reviews", {"body": V}),
    Place("ChangeRequest", _REVIEW, "change requests", {"reason": T}),
    Place("Flag", _CAMPAIGN, "flags", {"note": T}),
    Place("Skip", _CAMPAIGN, "skipped items", {"reason": T}),
    Place("CalibrationNote", "item__campaign__project", "calibration notes", {"text": T}),
    Place("DiscussionMessage", _CAMPAIGN, "discussion messages", {"text": T}),
    Place("Adjudication", _CAMPAIGN, "adjudications", {"reason": T}),
    Place("AdjudicationRevision", "adjudication__campaign__project", "earlier adjudications", {"reason": T}),
    Place("ComparisonAdjudication", _CAMPAIGN, "adjudications of comparisons", {"reason": T}),
    Place("ComparisonAdjudicationRevision", "adjudication__campaign__project",
          "earlier adjudications of comparisons", {"reason": T}),
    Place("Appeal", _CAMPAIGN, "appeals", {"reason": T, "answer": T}),
    Place("RowEdit", "draft__base__dataset__project", "edits of drafts", {"changes": V, "reason": T}),
    Place("DatasetDraft", "base__dataset__project", "drafts", {"note": T}),
    Place("Finding", "health_check__version__dataset__project", "findings", {"evidence": T, "changes": V}),
    Place("ExportRow", "export__project", "proposed rows",
          {"chosen_text": T, "edited_text": T, "reason": T}),
    Place("Export", "project", "exports", {"settings": V}),
    Place("LLMScore", "judge__project", "LLM scores", {"answer": T, "problem": T}),
    Place("LLMJudge", "project", "LLM judges", {"prompt": T}),
    Place("MetricResult", "output__run__project", "metrics of outputs", {"detail": N}, {"detail": {}}),
    Place("SampleAnswer", _RUN, "answers during training", {"text": T}),
    Place("Run", "project", "runs", {"spec": V, "rows": V, "result": V, "engine_reason": T}),
    Place("RunShard", _RUN, "parts of generations", {"report": V}),
    Place("Job", "project", "jobs", {"title": T, "stage": T, "params": V, "result": V, "error": T}),
    Place("JobEvent", "job__project", "lines of job logs", {"text": T, "data": V}),
    Place("Dataset", "project", "descriptions of datasets", {"description": T, "licence": T}),
    Place("DatasetVersion", "dataset__project", "notes of dataset versions", {"note": T}),
    Place("DatasetRecipe", "dataset__project", "dataset recipes", {"settings": V}),
    Place("RecipeVersion", "version__dataset__project", "recipes of versions",
          {"settings": V, "sources": V}),
    Place("DatasetImport", "dataset__project", "imports of rows",
          {"file_name": T, "options": N, "row_errors": V}),
    Place("RatingsImport", "project", "imports of ratings", {"file_name": T, "options": N, "census": N}),
    Place("RatingsProblem", "ratings_import__project", "problems of imports",
          {"field": T, "problem": T, "fix": T}),
    EVALUATIONS,
    DECISIONS,
    Place("TrainingDataAttestation", _CAMPAIGN, "attestations", {"statement": T}),
    Place("ContaminationDecision", "project", "contamination decisions", {"reason": T}),
    Place("Incident", "stream__project", "incidents", {"reason": T}),
    Place("Report", "project", "reports", {"view": Q, "view_words": T}),
    Place("SavedView", "project", "saved views", {"query": Q}),
    Place("StoredAnalysis", _CAMPAIGN, "stored results", {"view": Q, "inputs": V, "result": V}),
    Place("Campaign", "project", "campaigns", {"instructions": T, "picked_because": T}),
    Place("Rubric", "project", "descriptions of rubrics", {"description": T}),
    Place("RubricVersion", "rubric__project", "instructions of rubrics", {"instructions": T}),
    Place("Criterion", "version__rubric__project", "criteria",
          {"help_text": T, "level_descriptions": V, "examples": V}),
    Place("Model", "project", "descriptions of models", {"description": T}),
    Place("Stream", "project", "descriptions of streams", {"description": T}),
    Place("Project", "pk", "descriptions of projects", {"description": T}),
    Place("WebhookDelivery", "endpoint__project", "webhook deliveries", {"facts": V, "body": T}),
    Place("WebhookAttempt", "delivery__endpoint__project", "answers to webhooks",
          {"answer": T, "problem": T}),
    Place("Erasure", "project", "reasons of erasures", {"reason": T}),
)  # fmt: skip
"""Places in which the person's texts are replaced."""

ROWS_BY_MODEL: Mapping[str, str] = {VAULT: VAULT_ROWS, **{place.model: place.rows for place in REPLACED}}
"""Names for people of the places in an erasure's counts."""

NAMED: tuple[Place, ...] = (
    Place("Project", "pk", "project", {"name": T, "masking_rules": V}),
    Place("Dataset", "project", "dataset", {"name": T}),
    Place("DatasetRecipe", "dataset__project", "dataset recipe", {"name": T}),
    Place("Model", "project", "model", {"name": T}),
    Place("ModelVersion", "project", "model version",
          {"label": T, "system_prompt": T, "prompt_template": T, "config": V}),
    Place("Endpoint", "project", "endpoint", {"name": T}),
    Place("Rubric", "project", "rubric", {"name": T}),
    Place("Criterion", "version__rubric__project", "criterion", {"name": T, "options": V}),
    Place("ReasonTag", "criterion__version__rubric__project", "reason tag", {"label": T}),
    Place("Sweep", "project", "sweep", {"name": T}),
    Place("Run", "project", "run", {"name": T}),
    Place("Campaign", "project", "campaign", {"name": T}),
    Place("Gate", "project", "gate", {"name": T}),
    Place("SavedView", "project", "saved view", {"name": T}),
    Place("Export", "project", "export", {"name": T}),
    Place("LLMJudge", "project", "LLM judge", {"name": T}),
    Place("Stream", "project", "stream", {"name": T}),
    Place("RuleCheck", "project", "rule check", {"name": T, "params": V}),
    Place("ExternalMetric", "project", "external metric", {"name": T, "source": T}),
    Place("LabelParser", "dataset__project", "label parser", {"pattern": T, "field": T, "labels": V}),
    Place("User", "recorded_reviewer__project", "recorded reviewer", {"name": T, "email": T}),
    Place("AuditEvent", "project_id", "audit event",
          {"actor_label": T, "project_label": T, "object_label": T, "data": V}),
)  # fmt: skip
"""Names and settings that identify other things, and the audit log, which is immutable: these are only
searched, and the receipt lists them for a person to check.
"""
