"""No column that can hold text is forgotten: an erasure goes through it, or it is here with the reason."""

from collections import defaultdict

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from evalapp.data_protection.places import NAMED, REPLACED

TEXT = (models.CharField, models.TextField, models.JSONField, SearchVectorField, models.GenericIPAddressField)
CHOSEN = "one of the product's words"
ACCOUNT = "of an account, which its holder deletes on the profile"
HASH = "a hash or a secret"
MACHINE = "written by the product from numbers, names and states"
NUMBERS = "numbers, ids and the product's words"
FILES = "paths and hashes of files"
HUB = "what things are called at a hub or a server"

EXCEPTIONS: dict[str, dict[str, str]] = {
    "User": {"password": HASH, "review_keys": CHOSEN},
    "Project": {"slug": "the URL, made from the name once", "retention": NUMBERS, "population": CHOSEN},
    "Membership": {"role": CHOSEN},
    "Invitation": {"email": ACCOUNT, "role": CHOSEN, "token_hash": HASH},
    "OneTimeLink": {"purpose": CHOSEN, "token_hash": HASH},
    "ApiToken": {"name": ACCOUNT, "prefix": HASH, "token_hash": HASH, "scope": CHOSEN},
    "Job": dict.fromkeys(("task", "queue", "state", "left_by", "worker", "device"), MACHINE),
    "JobEvent": {"level": CHOSEN},
    "DatasetVersion": {"state": CHOSEN, "content_hash": HASH, "counts": NUMBERS, "source": MACHINE},
    "Example": {"split": CHOSEN, "prompt_hash": HASH, "content_hash": HASH},
    "VaultEntry": {"sealed": "opened, erased from and sealed again"},
    "RowText": {"words": "computed again from the row"},
    "DatasetImport": {"stored_name": MACHINE},
    "Endpoint": {"url": HUB, "sealed_key": HASH},
    "ModelVersion": {"kind": CHOSEN, "path": FILES, "content_hash": HASH, "alias": CHOSEN},
    "TokenPrice": {"currency": CHOSEN},
    "MachinePrice": {"currency": CHOSEN},
    "Criterion": {"key": "made from the name, and named by scores", "kind": CHOSEN, "visible_if": NUMBERS},
    "ReasonTag": {"key": "made from the label, and named by reviews"},
    "ContaminationDecision": {"rows": NUMBERS, "rows_hash": HASH},
    "Sweep": {"axes": NUMBERS},
    "Run": {"kind": CHOSEN, "splits": CHOSEN, "engine": CHOSEN, "device": MACHINE},
    "RunCandidate": {"key": "the label of a model version"},
    "Output": {"finish_reason": CHOSEN},
    "TrainingPoint": {"values": NUMBERS},
    "SampleAnswer": {"row": NUMBERS},
    "DrawnRows": {"rows": NUMBERS},
    "Campaign": {
        **dict.fromkeys(("split", "method", "state", "item_choice", "distribution"), CHOSEN),
        "stratify_by": "the name of a field of the rows",
    },
    "Item": {"purpose": CHOSEN},
    "Assignment": {"state": CHOSEN, "purpose": CHOSEN},
    "Review": {"body_hash": HASH, "purpose": CHOSEN},
    "ReviewCount": {"purpose": CHOSEN},
    "Preference": {"choice": CHOSEN},
    "GoldPreference": {"outcome": CHOSEN},
    "ComparisonAdjudication": {"choice": CHOSEN},
    "ComparisonAdjudicationRevision": {"choice": CHOSEN},
    "Appeal": {"outcome": CHOSEN},
    "StoredAnalysis": {
        **dict.fromkeys(("kind", "reviewer_type", "score_source", "population"), CHOSEN),
        "part": MACHINE,
    },
    "MergedExport": {"dtype": CHOSEN, "folder": FILES, "result": FILES},
    "HubDownload": dict.fromkeys(("name", "hub", "repository", "revision", "chat_template"), HUB),
    "DatasetPush": {"hub": HUB, "repository": HUB, "splits": CHOSEN, "commit": HASH, "url": HUB},
    "SetAside": {"kind": CHOSEN, "path": FILES},
    "AuditEvent": {"action": CHOSEN, "object_type": CHOSEN},
    "HealthCheck": {"counts": NUMBERS, "unchecked": MACHINE},
    "Finding": {"kind": CHOSEN, "other_rows": NUMBERS, "spans": NUMBERS, "proposal": CHOSEN},
    "DatasetDraft": {"state": CHOSEN},
    "RowEdit": {"operation": CHOSEN, "kind": CHOSEN},
    "Gate": {"population": CHOSEN, "conditions": NUMBERS, "body_hash": HASH},
    "Ledger": {"split": CHOSEN},
    "GateEvaluation": {"verdict": CHOSEN, "body_hash": HASH, "reviews_digest": HASH},
    "Decision": {"verdict": CHOSEN, "seal": HASH},
    "LeftFiles": {"files": FILES},
    "Demonstration": {"track": CHOSEN, "objects_made": NUMBERS},
    "Export": {"state": CHOSEN, "files": FILES},
    "ExportRow": {"kind": CHOSEN, "decision": CHOSEN},
    "LLMJudge": {"url": HUB, "model": HUB, "model_version": HUB, "sealed_key": HASH},
    "LLMScore": {"state": CHOSEN, "reported_model": HUB},
    "Stream": {
        "stratify_by": "the name of a field of the events", "sampling": CHOSEN,
        "error_criterion": "the key of a criterion",
        "thresholds": NUMBERS,
        "daily_thresholds": "names of metrics and numbers",
        "key_figures": "names of criteria and metrics",
        "site": HUB,
    },
    "DailyMetric": {
        "metric": MACHINE, "stratum": "a value of the field that a sample is stratified by",
        "buckets": NUMBERS,
    },
    "DailyAlert": dict.fromkeys(("metric", "label", "message"), MACHINE),
    "Deployment": {"origin": CHOSEN, "served_as": "what production calls the model"},
    "EventKey": {"content_hash": HASH},
    "ProductionEvent": {"model_version": "what production calls the model"},
    "Assessment": {"digest": HASH},
    "WaitingAssessment": {"digest": HASH},
    "SampledOutput": {
        "model_version": "what production calls the model", "role": CHOSEN,
        "stratum": "a value of the field that a sample is stratified by",
    },
    "WeeklySample": {
        "state": CHOSEN, "note": MACHINE,
        "strata": "values of the field that a sample is stratified by",
    },
    "WeeklyMetric": dict.fromkeys(
        ("criterion_key", "criterion_name", "reason", "note", "signature", "narrowed_by"), MACHINE
    ),
    "Alert": dict.fromkeys(
        ("criterion_key", "criterion_name", "kind", "cause", "cause_reason", "evidence", "message"), MACHINE
    ),
    "Incident": {"state": CHOSEN, "weeks": NUMBERS},
    "Notice": {"kind": CHOSEN, "mail_state": CHOSEN, "mail_note": MACHINE},
    "RatingsImport": {"stored_name": MACHINE, "content_hash": HASH},
    "Report": {"state": CHOSEN, "reviewer_type": CHOSEN, "files": FILES, "data_digest": HASH},
    "RuleCheck": {"kind": CHOSEN},
    "ExternalMetric": {"better": CHOSEN},
    "LabelParser": {"kind": CHOSEN},
    "MetricResult": dict.fromkeys(("metric", "signature", "reason"), MACHINE),
    "CorpusMetric": dict.fromkeys(("split", "metric", "signature", "reason"), MACHINE),
    "WebhookEndpoint": {
        "url": HUB, "site": HUB, "events": CHOSEN, "secret_salt": HASH, "disabled_because": MACHINE,
    },
    "WebhookDelivery": {"event": CHOSEN, "state": CHOSEN},
    "Erasure": {
        "state": CHOSEN, "text_hashes": HASH, "sealed_texts": "emptied once it is over", "counts": NUMBERS,
        "remaining": "written when everything is erased",
    },
}  # fmt: skip


def holds_text(field: models.Field) -> bool:
    inner = field.base_field if isinstance(field, ArrayField) else field
    return isinstance(inner, TEXT)


def test_every_column_that_can_hold_text_is_in_the_table_or_has_a_reason() -> None:
    known: dict[str, set[str]] = defaultdict(set)
    for place in (*REPLACED, *NAMED):
        known[place.model] |= set(place.holds)
    for model, fields in EXCEPTIONS.items():
        assert not known[model] & set(fields), f"{model} is in the table and among the exceptions"
        known[model] |= set(fields)
    missing = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_app_config("evalapp").get_models()
        for field in model._meta.concrete_fields
        if holds_text(field) and field.name not in known[model.__name__]
    ]
    assert missing == []


def test_nothing_is_named_that_is_not_there() -> None:
    named = {(place.model, name) for place in (*REPLACED, *NAMED) for name in place.holds}
    named |= {(model, name) for model, fields in EXCEPTIONS.items() for name in fields}
    there = {
        (model.__name__, field.name)
        for model in apps.get_app_config("evalapp").get_models()
        for field in model._meta.concrete_fields
    }
    assert named - there == set()


def test_each_place_leads_to_its_project(db: None) -> None:
    for place in (*REPLACED, *NAMED):
        assert list(place.model_class._default_manager.filter(**{place.path: 1})) == []
