"""Reports: a campaign's results as files that stay as they are."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

CASCADE = django.db.models.deletion.CASCADE
SET_NULL = django.db.models.deletion.SET_NULL

# Who asked for a report may leave, and its job may be tidied away; what it says stays.
IMMUTABLE = """
CREATE TRIGGER report_immutable BEFORE UPDATE ON evalapp_report FOR EACH ROW
    WHEN (OLD.state = 'done'
          AND to_jsonb(OLD) - 'created_by_id' - 'job_id'
              IS DISTINCT FROM to_jsonb(NEW) - 'created_by_id' - 'job_id')
    EXECUTE FUNCTION evalapp_refuse_change();
"""
NOT_IMMUTABLE = "DROP TRIGGER report_immutable ON evalapp_report;"


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0018_views")]

    operations = [
        migrations.CreateModel(
            name="Report",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "state",
                    models.CharField(
                        choices=[("writing", "Writing"), ("done", "Done")], default="writing", max_length=8
                    ),
                ),
                ("people", models.CharField(default="all", max_length=9)),
                ("files", models.JSONField(default=list)),
                ("data_digest", models.CharField(blank=True, default="", max_length=64)),
                ("is_simulated", models.BooleanField(default=False)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "campaign",
                    models.ForeignKey(on_delete=CASCADE, related_name="reports", to="evalapp.campaign"),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True, on_delete=SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=SET_NULL, related_name="+", to="evalapp.job"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(on_delete=CASCADE, related_name="reports", to="evalapp.project"),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["campaign", "-id"], name="report_latest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(("people__in", ["all", "human", "simulated"])), name="report_known_people"
                    ),
                    models.CheckConstraint(
                        condition=Q(("finished_at__isnull", True), ("state", "writing"))
                        | (Q(("finished_at__isnull", False), ("state", "done")) & ~Q(("data_digest", ""))),
                        name="report_done_is_whole",
                    ),
                ],
            },
        ),
        migrations.RunSQL(IMMUTABLE, NOT_IMMUTABLE),
    ]
