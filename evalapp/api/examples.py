"""Examples of every request and answer in the OpenAPI document, from one value per field."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
_PATCHED = "Patched"

_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_SIGNATURE = "mean|version:1|interval:bootstrap|samples:2000|seed:0"

TEXTS: Mapping[str, str | list[str]] = {
    "Alert.cause_reason": "New outputs moved, and more than anchors did.",
    "Alert.cause_reviewer": "Reviewer 3",
    "Deployment.served_as": "claims-letters-3",
    "DeploymentBody.served_as": "claims-letters-3",
    "AllSeries.stratum": "",
    "DailyMetricBody.day": "2026-03-02",
    "DailyMetricBody.stratum": "loans",
    "Day.day": "2026-03-02",
    "Refused.hashes": ["9f86d081884c7d65", "60303ae22b998861"],
    "PartialSuccess.errorMessage": "2 spans are of no model call, and passed over.",
    "PartialSuccess.rejectedSpans": "0",
    "Refused.id": "a-17",
    "Alert.message": "Correctness fell to 3.1; its limit is 3.5.",
    "Artifact.path": "models/claims-letters-3",
    "ArtifactBody.path": "models/claims-letters-3",
    "Attestation.statement": "The vendor trained it on letters of 2023; these questions are of 2026.",
    "AttestationBody.statement": "The vendor trained it on letters of 2023; these questions are of 2026.",
    "BaseBody.name": "Qwen3 1.7B",
    "Calibrating.name": "Reviewer 3",
    "CalibrationNote.name": "Reviewer 3",
    "Criterion.help_text": "Does the letter state the decision and its reason?",
    "Criterion.name": "Correctness",
    "CriterionBody.help_text": "Does the letter state the decision and its reason?",
    "CriterionBody.name": "Correctness",
    "Dataset.name": "Claims letters",
    "DatasetBody.name": "Claims letters",
    "DatasetPush.commit": "3f2c9a7b51e04d8896ab0cf7d21e5b6890fa4c13",
    "DatasetPush.repository": "example-insurance/claims-letters",
    "DatasetPush.url": "https://huggingface.co/datasets/example-insurance/claims-letters/tree/3f2c9a7b51e0",
    "PushBody.repository": "example-insurance/claims-letters",
    "DrawnRows.rows": ["row-12", "row-31"],
    "Endpoint.name": "Company gateway",
    "EndpointBody.name": "Company gateway",
    "ExternalMetric.name": "readability",
    "ExternalMetricBody.name": "readability",
    "Folder.label": "qwen3-1.7b",
    "Gate.name": "Release of letters",
    "GateBody.name": "Release of letters",
    "Given.answers": ["4", "not applicable"],
    "Given.name": "Reviewer 3",
    "Heartbeat.name": "gpu@machine-1",
    "Hint.kind": "fast",
    "Hint.title": "Answers come fast",
    "LLMJudge.name": "Correctness by a larger model",
    "LLMJudge.prompt": "Question: {prompt}\nAnswer: {answer}\nHow correct is it?",
    "LLMJudgeBody.name": "Correctness by a larger model",
    "LLMJudgeBody.prompt": "Question: {prompt}\nAnswer: {answer}\nHow correct is it?",
    "Me.name": "Maria Sommer",
    "MeasureChoice.label": "Correctness",
    "Member.name": "Maria Sommer",
    "RowChange.old_split": "validation",
    "BulkEditBody.pattern": "(?i)kind regards.*",
    "BulkEditBody.replacement": "Yours sincerely",
    "BulkEditBody.only_split": "train",
    "BulkEditBody.to_split": "",
    "SourceAccount.dataset_name": "Claims letters",
    "SourceBody.per_field": "client",
    "RowEdit.edited_by": "Maria Sommer",
    "RowEdit.kind": "broken_answer",
    "Health.state": "succeeded",
    "FindingSpan.field": "messages.0",
    "FindingSpan.type": "NAME",
    "KindSummary.unchecked": "",
    "Finding.evidence": "E-mail address, name.",
    "DatasetDraft.state": "open",
    "NamedContaminationPair.kind": "exact",
    "Option.label": "Covered",
    "Output.finish_reason": "stop",
    "PackedFile.name": "adapter_model.safetensors",
    "PersonProgress.name": "Reviewer 3",
    "Project.name": "Claims letters",
    "ProjectBody.name": "Claims letters",
    "ProjectSettings.name": "Claims letters",
    "ProjectSettingsBody.name": "Claims letters",
    "Queue.name": "gpu",
    "ReportFile.name": "report.pdf",
    "ReviewerAgreement.name": "Reviewer 3",
    "ReviewerChecks.name": "Reviewer 3",
    "Rubric.name": "Letters to customers",
    "RubricBody.name": "Letters to customers",
    "RubricFileBody.name": "Letters to customers",
    "RubricHint.message": "Say what a 3 means.",
    "RubricTemplate.name": "Letters to customers",
    "RuleCheck.kind": "required_text",
    "RuleCheck.name": "Says what happens next",
    "RuleCheckBody.name": "Says what happens next",
    "RuleCheckChange.name": "Says what happens next",
    "SampleAnswer.row": "row-12",
    "SavedView.name": "Retail customers",
    "SavedViewBody.name": "Retail customers",
    "SavedViewChange.name": "Retail customers",
    "Stream.name": "Letters in production",
    "StreamBody.name": "Letters in production",
    "Tag.label": "Wrong amount",
    "TagBody.label": "Wrong amount",
    "TagCount.label": "Wrong amount",
    "Webhook.secret": "",
    "WrittenFile.name": "train.jsonl",
    "acknowledged_by": "Maria Sommer",
    "closed_by": "Maria Sommer",
    "action": "campaign.opened",
    "actor_label": "Maria Sommer",
    "against": "decision:correctness",
    "answer": "Your claim is covered. We pay €840 within ten days.",
    "answers": "Your claim is covered. We pay €840 within ten days.",
    "appealed": "correctness: 2",
    "appellant": "Reviewer 3",
    "archive": "adapter.zip",
    "assumption": "the rated items are a random draw of all",
    "author": "Reviewer 3",
    "based_on": _HASH,
    "body": '{"event": "campaign.opened", "campaign": 4}',
    "body_hash": _HASH,
    "candidate": "claims-letters adapter 3",
    "candidate_groups": "a",
    "card": "# claims-letters adapter 3\n",
    "caution": "",
    "chat_template": "{% for message in messages %}{{ message.content }}{% endfor %}",
    "choice": "a",
    "chosen_text": "Your claim is covered. We pay €840 within ten days.",
    "client_id": "0b8f1f6e-9b1e-4d1a-8f0e-2f6d3f3c7a11",
    "code": "invalid",
    "columns": "correctness",
    "comment": "States the amount, but not the date.",
    "content": "Write to the customer about claim 12-884.",
    "content_hash": _HASH,
    "context": "Policy 77-120 covers storm damage.",
    "correction": "Your claim is covered. We pay €840 by 12 March.",
    "created_by": "Maria Sommer",
    "criterion": "correctness",
    "criterion_key": "correctness",
    "criterion_name": "Correctness",
    "currency": "EUR",
    "data_digest": _HASH,
    "decided": "correctness: 4",
    "decided_by": "Maria Sommer",
    "description": "Letters to customers about their claims",
    "device": "cuda",
    "differ_on": "correctness",
    "disabled_because": "",
    "edited_text": "Your claim is covered. We pay €840 by 12 March.",
    "email": "reviewer@example.org",
    "engine": "vllm",
    "engine_reason": "a GPU with enough memory is free",
    "error": "",
    "error_criterion": "correctness",
    "attested_by": "Maria Sommer",
    "evaluated_by": "Maria Sommer",
    "evaluation_hash": _HASH,
    "event": "campaign.opened",
    "evidence": "median of 4 seconds; the others' is 31",
    "excerpt": "Write to the customer about claim 12-884.",
    "field": "prompt",
    "file": "letters.jsonl",
    "file_name": "letters.jsonl",
    "fingerprint": _HASH,
    "first_name": "Reviewer 1",
    "folder": "/srv/models/qwen3-1.7b",
    "group_field": "customer",
    "group_key": "customer-31",
    "heading": "Candidate A",
    "hub": "https://huggingface.co",
    "instructions": "Rate each letter as its customer would read it.",
    "item": "12-884",
    "item_field": "claim",
    "reference_candidate": "human",
    "json_schema": '{"type": "object"}',
    "key": "correctness",
    "kind": "adapter",
    "label": "claims-letters adapter 3",
    "labels": "covered",
    "lacks": "machine-1 lacks the base model.",
    "letter": "A",
    "level": "info",
    "link": "https://evalapp.example.org/invitations/2f6d3f3c/",
    "lower_description": "Wrong in a detail",
    "mail_note": "",
    "may": "view_runs",
    "fix": "Give the row a prompt.",
    "message": "name: This field is required.",
    "method": "pairwise",
    "metric": "chrf",
    "model": "claims-letters",
    "model_version": "2026-03-01",
    "name": "Letters, March",
    "needs": "claims-letters adapter 3",
    "next": "https://evalapp.example.org/api/v1/projects/?after=12",
    "note": "Second draft of the letters",
    "object_label": "Letters, March",
    "object_type": "campaign",
    "oldest_waits": "2026-03-02T09:30:00Z",
    "only_after": "tone",
    "only_before": "style",
    "owner": "Maria Sommer",
    "path": "/srv/models/qwen3-1.7b",
    "pattern": "^Decision: (.+)$",
    "paused_by": "",
    "picked_because": "",
    "problem": "The prompt is missing.",
    "problems": "rows.3: there is no item 12-999.",
    "project": "Claims letters",
    "prompt": "Write to the customer about claim 12-884.",
    "prompt_hash": _HASH,
    "prompt_template": "Answer as a claims handler.\n\n{prompt}",
    "query": "with=3&field.segment=retail",
    "question": "Which candidate is the tuned one?",
    "queue": "gpu",
    "reason": "The policy covers storm damage.",
    "reasoning": "Storm damage is covered, so the claim is.",
    "reference": "We pay €840 for the storm damage.",
    "references": "We pay €840 for the storm damage.",
    "rejected_text": "Your claim is not covered.",
    "reported_models": "judge-large-2026-02",
    "repository": "Qwen/Qwen3-1.7B",
    "request": "Write to the customer about claim 12-884.",
    "reviewer": "Reviewer 3",
    "reviewer_groups": "a",
    "reviewer_type": "all",
    "reviews_digest": _HASH,
    "revision": "main",
    "row": "row-12",
    "rows": "row-12",
    "rows_hash": _HASH,
    "rubric_instructions": "Rate each letter as its customer would read it.",
    "seal": _HASH,
    "second_name": "Reviewer 2",
    "secret": "whsec_0b8f1f6e9b1e4d1a",
    "sentence": "chrf follows people on correctness.",
    "sentences": "2 training rows have the prompt of a test row.",
    "setting": "temperature",
    "placeholder": "⟨EMAIL 1⟩",
    "licence": "CC BY 4.0",
    "Loss.what": "citations",
    "Original.texts": "a.first@example.org",
    "confirmed_by": "Ada Owner",
    "Erasure.text_hashes": _HASH,
    "ErasureBody.texts": "Annabell Wexford",
    "place": "dataset rows",
    "masking_allowed": "@example.org",
    "masking_patterns": "CLAIM NUMBER",
    "settings": "learning rate 0.0002",
    "sha256": _HASH,
    "shared": "max_tokens 256",
    "signature": _SIGNATURE,
    "skipped": "The letter is about somebody I know.",
    "slug": "claims-letters",
    "source": "letters.jsonl",
    "spans": "€840",
    "split": "test",
    "split_field": "split",
    "splits": "test",
    "stage": "training",
    "stop": "\n\n",
    "stratify_by": "segment",
    "GivenOutputBody.stratum": "families",
    "narrowed_by": "unsupported_numbers",
    "subgroup": "institutional",
    "system_prompt": "You answer customers of an insurer.",
    "tags": "wrong_amount",
    "template": "letters",
    "text": "Your claim is covered. We pay €840 within ten days.",
    "title": "Training of claims-letters adapter 3",
    "training_hash": _HASH,
    "unknown": "",
    "unscored": "tone",
    "unvaried": "tone",
    "upper_description": "Right in everything",
    "url": "https://gateway.example.org/v1",
    "value": "retail",
    "values": "0.7",
    "view": "split=test&reviewers=2",
    "view_words": "split test",
    "why": "it was queued first",
    "why_beside_ledger": "",
    "why_no_best": "",
    "words": "correctness is at least 3.5",
    "worker": "gpu@machine-1",
    "yaml": "name: Letters\ncriteria:\n  - key: correctness\n    name: Correctness\n    kind: scale\n",
}
"""By field, or by component and field. A list has one such text, or is written out."""

_EVENT = {
    "id": "a-17",
    "prompt": "Write about claim 12-884.",
    "output": "Your claim is covered.",
    "assessments": {"latency_seconds": 0.8},
}
OBJECTS: Mapping[str, Any] = {
    "TracesBody.resourceSpans": {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "claims"}}]},
        "scopeSpans": [{"spans": []}],
    },
    "conversation": {
        "v": 1,
        "origin": {"format": "openai.chat", "version": ""},
        "messages": [{"role": "user", "content": "Is my bicycle covered?"}],
    },
    "EditBody.changes": {"references.0": "The policy pays within 14 days."},
    "Finding.changes": {"label": "billing"},
    "RowEdit.changes": {"references.0": "The policy pays within 14 days."},
    "Answers.texts": {"next_step": "Name the date of payment."},
    "AuditEvent.data": {"name": "Letters, March"},
    "Criterion.examples": {"5": "We pay €840 by 12 March."},
    "Criterion.level_descriptions": {"5": "Right in everything"},
    "CriterionBody.examples": {"5": "We pay €840 by 12 March."},
    "AssessmentsBody.assessments": {"event": "a-17", "name": "thumb", "value": 1},
    "CriterionBody.level_descriptions": {"5": "Right in everything"},
    "DatasetImport.options": {"mapping": {"letter": "prompt"}},
    "Erasure.remaining": {"versions": [12], "runs": [{"run": 3, "paths": ["runs/9/rows.jsonl"]}]},
    "EventsBody.events": _EVENT,
    "GivenOutputBody.event": _EVENT,
    "Export.settings": {"answer_floor": 4.5, "pair_gap": 1.0, "pair_floor": 4.0},
    "ExportDetail.settings": {"answer_floor": 4.5, "pair_gap": 1.0, "pair_floor": 4.0},
    "ImportBody.mapping": {"letter": "prompt"},
    "ImportBody.shares": {"train": 80, "validation": 10, "test": 10},
    "Job.result": {"rows": 120},
    "JobEvent.data": {"step": 10},
    "MergedExport.result": {"files": 6},
    "ProblemDetail.fields": {"name": ["This field is required."]},
    "RatingsImport.options": {"mapping": {"letter": "item"}},
    "RatingsImportBody.criteria": {"Correctness": {"use": "correctness"}},
    "RatingsImportBody.mapping": {"letter": "item"},
    "ReviewKeys.keys": {"skip": "s"},
    "ReviewKeysBody.keys": {"skip": "s"},
    "Run.result": {"leaks": []},
    "Run.rows": {"train": {"in": 120, "used": 118, "truncated": 2, "dropped": 0}},
    "Run.settings": {"learning_rate": 0.0002},
    "SourceBody.where": {"segment": ["retail"]},
    "SourceAccount.left_out": {"held_out": 2},
    "TrainingPoint.values": {"loss": 1.24, "learning_rate": 0.0002},
    "VersionBody.rows": {"prompt": "Write about claim 12-884.", "references": ["We pay €840."]},
    "answers": {
        "scores": {"correctness": 4},
        "tags": {"correctness": ["wrong_amount"]},
        "texts": {},
        "correction": "",
    },
    "axes": {"learning_rate": [0.0001, 0.0002]},
    "cases": {"reviewers": "2"},
    "census": {"records": 240},
    "combination": {"learning_rate": 0.0002},
    "config": {"rank": 16},
    "earlier": {"correctness": 3},
    "evidence": {"correctness": {"value": 4.1, "n": 60}},
    "hyperparameters": {"learning_rate": 0.0002, "epochs": 3},
    "json_schema": {"type": "object", "properties": {"decision": {"type": "string"}}},
    "metadata": {"claim": "12-884", "segment": "retail"},
    "params": {"texts": ["Next step"], "ignore_case": True, "whole_words": False},
    "request": {"top_k": 40},
    "scores": {"correctness": 4},
}
"""Of what has no fields of its own, by field, or by component and field."""

NUMBERS: Mapping[str, float] = {
    "alpha": 0.72,
    "attempt": 1,
    "high": 4.4,
    "items": 60,
    "level": 4,
    "low": 3.8,
    "low_threshold": 2,
    "maximum": 5,
    "mean": 4.1,
    "minimum": 1,
    "n": 60,
    "number": 1,
    "overlap": 2,
    "percent": 40,
    "position": 1,
    "ranks": 1,
    "revision": 1,
    "seconds": 31,
    "seconds_active": 31,
    "size_bytes": 1_048_576,
    "slot": 1,
    "status": 200,
    "threshold": 3.5,
    "value": 4,
    "week": 1,
    "weight": 1,
}
"""Of some fields; any other is 12, or 0.8."""

LEFT_OUT = {"CriterionBody.options", "CriterionBody.visible_if", "RubricBody.template"}
"""Fields that another of the same example excludes."""

_OF_FORMAT = {
    "date-time": "2026-03-02T09:30:00Z",
    "uri": "https://evalapp.example.org/",
    "uuid": "0b8f1f6e-9b1e-4d1a-8f0e-2f6d3f3c7a11",
    "email": "reviewer@example.org",
    "decimal": "1.20",
}


class NoExampleError(LookupError):
    """A field of the API has no example."""


def with_examples(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A post-processing hook: every request and every answer has an example. Raises NoExampleError."""
    schemas = result["components"]["schemas"]
    examples = result["components"].setdefault("examples", {})
    for name, schema in schemas.items():
        if name.startswith(_PATCHED):
            # What a PATCH leaves out stays as it is.
            for field in schema["properties"].values():
                field.pop("default", None)
    for methods in result["paths"].values():
        for described in methods.values():
            answers = described["responses"].values()
            for body in filter(None, [described.get("requestBody"), *answers]):
                for media_type, content in body.get("content", {}).items():
                    if media_type != "application/octet-stream":
                        name = content["schema"]["$ref"].rpartition("/")[2]
                        examples.setdefault(name, {"value": _Maker(schemas).of(content["schema"])})
                        content["examples"] = {"example": {"$ref": f"#/components/examples/{name}"}}
    return result


class _Maker:
    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def of(self, schema: Schema, component: str = "", field: str = "") -> Any:
        """A value that the schema admits."""
        if reference := schema.get("$ref"):
            name = reference.rpartition("/")[2]
            return self.of(self._schemas[name], name.removeprefix(_PATCHED), field)
        for word in ("allOf", "oneOf", "anyOf"):
            if word in schema:
                return self.of(schema[word][0], component, field)
        if "enum" in schema:
            return next(each for each in schema["enum"] if each not in ("", None))
        if schema.get("default") not in (None, "", [], {}):
            return schema["default"]
        kinds = schema.get("type")
        kind = next((each for each in kinds if each != "null"), "") if isinstance(kinds, list) else kinds
        make = getattr(self, f"_{kind}", self._free)
        return make(schema, component, field)

    def _boolean(self, schema: Schema, component: str, field: str) -> bool:
        return bool(schema.get("default"))

    def _integer(self, schema: Schema, component: str, field: str) -> int:
        return int(_within(schema, NUMBERS.get(field, 12)))

    def _number(self, schema: Schema, component: str, field: str) -> float:
        return _within(schema, NUMBERS.get(field, 0.8))

    def _string(self, schema: Schema, component: str, field: str) -> Any:
        format_ = schema.get("format")
        if format_ in _OF_FORMAT and not (format_ == "uri" and field in TEXTS):
            return _OF_FORMAT[format_]
        return _found(TEXTS, component, field)

    def _array(self, schema: Schema, component: str, field: str) -> list[Any]:
        made = self.of(schema["items"], component, field)
        is_written_out = isinstance(made, list) and schema["items"].get("type") == "string"
        return made if is_written_out else [made] * max(1, schema.get("minItems", 1))

    def _object(self, schema: Schema, component: str, field: str) -> dict[str, Any]:
        if "properties" in schema:
            fields = schema["properties"].items()
            return {
                name: self.of(each, component, name)
                for name, each in fields
                if f"{component}.{name}" not in LEFT_OUT
            }
        of_values = schema.get("additionalProperties")
        if of_values in (True, {}, None) or f"{component}.{field}" in OBJECTS:
            return dict(_found(OBJECTS, component, field))
        return {"correctness": self.of(of_values, component, field)}

    def _free(self, schema: Schema, component: str, field: str) -> Any:
        return _found(OBJECTS, component, field)


def _within(schema: Schema, number: float) -> float:
    return float(max(schema.get("minimum", number), min(schema.get("maximum", number), number)))


def _found(values: Mapping[str, Any], component: str, field: str) -> Any:
    for name in (f"{component}.{field}", field):
        if name in values:
            return values[name]
    raise NoExampleError(f"{component}.{field} has no example. Add one to {__name__}.")
