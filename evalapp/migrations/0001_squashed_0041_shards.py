"""What the first 41 migrations leave, made in one step: a new database is ready in seconds.

One operation after the other, Django builds every related model class anew after each, and that takes ten times
as long as the database does. Here the history is only read: its operations on the models give the tables, and its
statements follow in their order, on tables that are empty. A database that has some of the 41 takes the others
one by one, as before.
"""

from importlib import import_module

from django.db import migrations
from django.db.migrations.operations.base import Operation

HISTORY = (
    "0001_initial",
    "0002_database_rules",
    "0003_one_export_of_a_name",
    "0004_former_members",
    "0005_left_files",
    "0006_criteria_with_conditions",
    "0007_text_criteria",
    "0008_design",
    "0009_quality",
    "0010_adjudication",
    "0011_pairs",
    "0012_hooks",
    "0013_spans",
    "0014_ratings",
    "0015_checks_of_comparisons",
    "0016_offers",
    "0017_gates",
    "0018_views",
    "0019_reports",
    "0020_more_metrics",
    "0021_watch",
    "0022_rollups",
    "0023_send_backs_of_judgements",
    "0024_comparison_rulings",
    "0025_stream_ended",
    "0026_report_view",
    "0027_evidence_views",
    "0028_messages_of_campaigns",
    "0029_kpi_direction",
    "0030_more_stored_analyses",
    "0031_endpoints",
    "0032_training_methods",
    "0033_preferences",
    "0034_looks_before_trainings",
    "0035_queue_turns_and_pauses",
    "0036_contamination_decisions",
    "0037_machine_price",
    "0038_rated_answers",
    "0039_artifacts",
    "0040_sweeps",
    "0041_shards",
)
PAST = [import_module(f"evalapp.migrations.{name}").Migration(name, "evalapp") for name in HISTORY]


class CreateModelsOf(Operation):
    """Create every model as a history of migrations leaves it; it is not undone."""

    reversible = False

    def __init__(self, history):
        self.history = history

    def state_forwards(self, app_label, state):
        # Without model classes none is built anew; the next that asks for them builds each once.
        state.__dict__.pop("apps", None)
        for migration in self.history:
            migration.mutate_state(state, preserve=False)

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        for model in to_state.apps.get_app_config(app_label).get_models():
            schema_editor.create_model(model)

    def describe(self):
        return "Create all models"


class Migration(migrations.Migration):
    initial = True
    dependencies = PAST[0].dependencies
    replaces = [("evalapp", name) for name in HISTORY]
    operations = [
        CreateModelsOf(PAST),
        *(
            operation
            for migration in PAST
            for operation in migration.operations
            if isinstance(operation, migrations.RunSQL)
        ),
    ]
