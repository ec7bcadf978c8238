"""A database is made by the migrations alone, and one of another release is refused by name."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.databases import temporary_database

MIGRATE_TWICE = """
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from evalapp.embedded import preparation
from evalapp.embedded.problems import ServiceProblem

assert preparation.migrate() and preparation.is_current() and not preparation.migrate()
call_command("makemigrations", check=True, dry_run=True, verbosity=0)
recorder = MigrationRecorder(connection)


def refusal():
    try:
        preparation.migrate()
    except ServiceProblem as problem:
        return problem


recorder.record_applied("evalapp", "9999_tomorrow")
print(refusal())
assert not preparation.is_current()
recorder.record_unapplied("evalapp", "9999_tomorrow")
recorder.record_unapplied("evalapp", preparation.FIRST_MIGRATION)
recorder.record_applied("evalapp", "0046_output_reasoning")
print(refusal())
"""


@pytest.fixture
def new_database() -> Iterator[str]:
    with temporary_database(os.environ["DATABASE_URL"]) as url:
        yield url


def test_a_new_database_is_current_and_one_of_another_release_is_refused(new_database: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MIGRATE_TWICE],
        env={**os.environ, "DATABASE_URL": new_database, "DJANGO_SETTINGS_MODULE": "evalapp.settings"},
        check=True,
        capture_output=True,
        text=True,
    )
    newer, older = done.stdout.splitlines()
    assert newer.startswith(
        "The database was written by a newer release (it has the migration 9999_tomorrow)"
    )
    assert "development version" in older and "0046_output_reasoning" in older
    assert "empty EVALAPP_HOME" in older


def test_the_database_holds_the_rules_that_models_cannot_express(db: None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text ~ '^evalapp_'"
        )
        triggers = {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT conname FROM pg_constraint WHERE conname ~ 'range_is_the_criterions$'")
        ranges = {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT relname FROM pg_class WHERE reloptions = ARRAY['fillfactor=60']")
        roomy = {name for (name,) in cursor.fetchall()}
    assert ranges == {"score_range_is_the_criterions", "adjudication_range_is_the_criterions"}
    assert roomy == {"evalapp_reviewcount", "evalapp_scorecount"}
    assert triggers == TRIGGERS


TRIGGERS = {
    "campaign_not_of_deleted_version",
    "contaminationdecision_not_of_deleted_version",
    "datasetpush_not_of_deleted_version",
    "ledger_not_of_deleted_version",
    "run_not_of_deleted_version",
    "assessment_immutable",
    "event_immutable",
    "adjudication_not_ones_own",
    "audit_append_only",
    "audit_names_no_former_member",
    "campaign_gate_before_first_review",
    "campaign_gate_immutable",
    "comparison_adjudication_not_ones_own",
    "contamination_decision_immutable",
    "criterion_frozen",
    "dataset_version_immutable",
    "example_immutable",
    "example_not_into_ready_version",
    "gate_evaluation_immutable",
    "gate_frozen",
    "reason_tag_frozen",
    "report_immutable",
    "review_counted_when_changed",
    "review_counted_when_gone",
    "review_counted_when_new",
    "rubric_version_frozen",
    "sampled_output_immutable",
    "score_counted_when_changed",
    "score_counted_when_gone",
    "score_counted_when_new",
    "signed_decision_immutable",
    "training_data_attestation_immutable",
    "user_former_member_stays",
    "webhook_assignment_completed",
    "webhook_audited",
    "weekly_metric_immutable",
}
