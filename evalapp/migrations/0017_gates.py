"""Gates: conditions that freeze, the looks at them and the ledger they are spent in, and signed decisions."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

CASCADE = django.db.models.deletion.CASCADE
PROTECT = django.db.models.deletion.PROTECT
SET_NULL = django.db.models.deletion.SET_NULL
VERDICTS = [("ship", "Ship"), ("do_not_ship", "Do not ship"), ("not_yet", "Not yet")]
SPLITS = [
    ("train", "Training"),
    ("validation", "Validation"),
    ("test", "Test (sealed)"),
    ("feedback", "Feedback"),
]

# A gate that a campaign has taken, a look and a decision stay as they are. Who made them may leave.
IMMUTABLE = """
CREATE TRIGGER gate_frozen BEFORE UPDATE ON evalapp_gate FOR EACH ROW
    WHEN (OLD.frozen_at IS NOT NULL
          AND to_jsonb(OLD) - 'created_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'created_by_id')
    EXECUTE FUNCTION evalapp_refuse_change();
CREATE TRIGGER campaign_gate_immutable BEFORE UPDATE ON evalapp_campaigngate FOR EACH ROW
    WHEN (to_jsonb(OLD) - 'taken_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'taken_by_id')
    EXECUTE FUNCTION evalapp_refuse_change();
CREATE TRIGGER gate_evaluation_immutable BEFORE UPDATE ON evalapp_gateevaluation FOR EACH ROW
    WHEN (to_jsonb(OLD) - 'evaluated_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'evaluated_by_id')
    EXECUTE FUNCTION evalapp_refuse_change();
CREATE TRIGGER signed_decision_immutable BEFORE UPDATE ON evalapp_decision FOR EACH ROW
    WHEN (OLD.seal <> ''
          AND to_jsonb(OLD) - 'decided_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'decided_by_id')
    EXECUTE FUNCTION evalapp_refuse_change();
"""
NOT_IMMUTABLE = """
DROP TRIGGER signed_decision_immutable ON evalapp_decision;
DROP TRIGGER gate_evaluation_immutable ON evalapp_gateevaluation;
DROP TRIGGER campaign_gate_immutable ON evalapp_campaigngate;
DROP TRIGGER gate_frozen ON evalapp_gate;
"""

# What is chosen after somebody may have seen a rating is exploratory, whoever says what.
BEFORE_THE_FIRST_REVIEW = """
CREATE FUNCTION evalapp_refuse_late_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM evalapp_review WHERE campaign_id = NEW.campaign_id AND purpose = 'review') THEN
        RAISE EXCEPTION 'a gate that is taken after the first review is exploratory'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER campaign_gate_before_first_review BEFORE INSERT ON evalapp_campaigngate FOR EACH ROW
    WHEN (NOT NEW.is_exploratory) EXECUTE FUNCTION evalapp_refuse_late_gate();
"""
NOT_BEFORE_THE_FIRST_REVIEW = """
DROP TRIGGER campaign_gate_before_first_review ON evalapp_campaigngate;
DROP FUNCTION evalapp_refuse_late_gate();
"""


def person() -> models.ForeignKey:
    return models.ForeignKey(null=True, on_delete=SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL)


def key() -> list:
    return [
        ("id", models.BigAutoField(primary_key=True, serialize=False)),
        ("created_at", models.DateTimeField(auto_now_add=True)),
    ]


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0016_offers")]

    operations = [
        migrations.CreateModel(
            name="Gate",
            fields=[
                *key(),
                ("name", models.CharField(max_length=120)),
                ("version", models.PositiveIntegerField(default=1)),
                ("alpha", models.FloatField(default=0.05)),
                ("planned_reviews", models.PositiveIntegerField(blank=True, null=True)),
                ("challengers", models.PositiveSmallIntegerField(default=5)),
                ("conditions", models.JSONField()),
                ("body_hash", models.CharField(max_length=64)),
                ("frozen_at", models.DateTimeField(blank=True, null=True)),
                ("created_by", person()),
                (
                    "project",
                    models.ForeignKey(on_delete=CASCADE, related_name="gates", to="evalapp.project"),
                ),
                ("rubric", models.ForeignKey(on_delete=PROTECT, related_name="+", to="evalapp.rubric")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("project", "name", "version"), name="gate_version"),
                    models.CheckConstraint(condition=Q(("alpha__gt", 0), ("alpha__lt", 0.5)), name="gate_alpha"),
                    models.CheckConstraint(
                        condition=Q(("challengers__gte", 1)), name="gate_plan"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CampaignGate",
            fields=[
                *key(),
                ("is_exploratory", models.BooleanField()),
                (
                    "campaign",
                    models.ForeignKey(on_delete=CASCADE, related_name="gates_taken", to="evalapp.campaign"),
                ),
                (
                    "champion",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=PROTECT, related_name="+", to="evalapp.modelversion"
                    ),
                ),
                ("gate", models.ForeignKey(on_delete=PROTECT, related_name="taken", to="evalapp.gate")),
                ("taken_by", person()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("campaign", "gate"), name="campaign_gate_once"),
                    models.UniqueConstraint(
                        condition=Q(("is_exploratory", False)),
                        fields=("campaign",),
                        name="campaign_one_frozen_gate",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Ledger",
            fields=[
                *key(),
                ("split", models.CharField(choices=SPLITS, max_length=10)),
                ("alpha", models.FloatField()),
                ("challengers", models.PositiveSmallIntegerField()),
                ("spent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "dataset_version",
                    models.ForeignKey(on_delete=CASCADE, related_name="ledgers", to="evalapp.datasetversion"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("dataset_version", "split"), name="ledger_of_split")
                ],
            },
        ),
        migrations.CreateModel(
            name="GateEvaluation",
            fields=[
                *key(),
                ("verdict", models.CharField(choices=VERDICTS, max_length=12)),
                ("challenger", models.PositiveSmallIntegerField(null=True)),
                ("look", models.PositiveSmallIntegerField(null=True)),
                ("planned", models.PositiveIntegerField(null=True)),
                ("share", models.FloatField(null=True)),
                ("level", models.FloatField()),
                ("is_exploratory", models.BooleanField(default=False)),
                ("is_simulated", models.BooleanField(default=False)),
                ("more_reviews", models.PositiveIntegerField(null=True)),
                ("record", models.JSONField()),
                ("body_hash", models.CharField(max_length=64)),
                ("reviews", models.TextField()),
                ("reviews_digest", models.CharField(max_length=64)),
                ("evaluated_at", models.DateTimeField()),
                (
                    "candidate",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="evalapp.modelversion"),
                ),
                ("evaluated_by", person()),
                (
                    "ledger",
                    models.ForeignKey(
                        null=True, on_delete=PROTECT, related_name="looks_taken", to="evalapp.ledger"
                    ),
                ),
                (
                    "taken",
                    models.ForeignKey(
                        on_delete=CASCADE, related_name="evaluations", to="evalapp.campaigngate"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["taken", "candidate", "-id"], name="gate_evaluation_latest")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("ledger", "challenger", "look"), name="gate_look_once"),
                    models.CheckConstraint(
                        condition=Q(("challenger__isnull", True), ("ledger__isnull", True), ("look__isnull", True), ("share__isnull", True))
                        | Q(
                            ("challenger__gte", 1),
                            ("is_exploratory", False),
                            ("is_simulated", False),
                            ("ledger__isnull", False),
                            ("look__gte", 1),
                            ("planned__gte", 1),
                            ("share__gt", 0),
                        ),
                        name="gate_look_is_whole",
                    ),
                    models.CheckConstraint(
                        condition=Q(("ledger__isnull", False))
                        | Q(("is_exploratory", True))
                        | Q(("is_simulated", True)),
                        name="gate_look_or_not_signed",
                    ),
                    models.CheckConstraint(
                        condition=Q(("verdict__in", ["ship", "do_not_ship", "not_yet"])),
                        name="gate_known_verdict",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="decision",
            name="evaluation",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=PROTECT,
                related_name="decisions",
                to="evalapp.gateevaluation",
            ),
        ),
        migrations.AddField(
            model_name="decision",
            name="seal",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.RunSQL(IMMUTABLE, NOT_IMMUTABLE),
        migrations.RunSQL(BEFORE_THE_FIRST_REVIEW, NOT_BEFORE_THE_FIRST_REVIEW),
    ]
