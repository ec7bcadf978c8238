"""Watch: streams of production outputs, their weekly draws and figures, alerts and proposals; picked campaigns."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


# What a week was judged by, and how likely each output was drawn, is what its alerts rest on.
IMMUTABLE = """
CREATE TRIGGER kpi_immutable BEFORE UPDATE ON evalapp_kpi FOR EACH ROW
    EXECUTE FUNCTION evalapp_refuse_change();
CREATE TRIGGER sampled_output_immutable BEFORE UPDATE ON evalapp_sampledoutput FOR EACH ROW
    EXECUTE FUNCTION evalapp_refuse_change();
"""
NOT_IMMUTABLE = """
DROP TRIGGER sampled_output_immutable ON evalapp_sampledoutput;
DROP TRIGGER kpi_immutable ON evalapp_kpi;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("evalapp", "0020_more_metrics"),
    ]

    operations = [
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("criterion_key", models.CharField(max_length=40)),
                ("criterion_name", models.CharField(max_length=80)),
                (
                    "cause",
                    models.CharField(choices=[("drift", "Drift"), ("threshold", "Threshold")], max_length=9),
                ),
                ("value", models.FloatField()),
                ("limit", models.FloatField()),
                ("words", models.CharField(max_length=400)),
                (
                    "mail_state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sending", "Sending"),
                            ("sent", "Sent"),
                            ("failed", "Not sent"),
                            ("off", "Not set up"),
                        ],
                        default="waiting",
                        max_length=7,
                    ),
                ),
                ("mail_attempts", models.PositiveSmallIntegerField(default=0)),
                ("mail_note", models.CharField(blank=True, max_length=300)),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Draw",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("number", models.PositiveIntegerField()),
                ("begins_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("due", "Being drawn"),
                            ("empty", "Nothing to draw"),
                            ("open", "In review"),
                            ("judged", "Judged"),
                        ],
                        default="due",
                        max_length=6,
                    ),
                ),
                ("population", models.PositiveIntegerField(default=0)),
                ("drawn", models.PositiveIntegerField(default=0)),
                ("note", models.CharField(blank=True, max_length=300)),
                ("judged_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Kpi",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("criterion_key", models.CharField(max_length=40)),
                ("criterion_name", models.CharField(max_length=80)),
                ("is_rate", models.BooleanField(default=False)),
                ("value", models.FloatField(blank=True, null=True)),
                ("low", models.FloatField(blank=True, null=True)),
                ("high", models.FloatField(blank=True, null=True)),
                ("error", models.FloatField(blank=True, null=True)),
                ("reviews", models.PositiveIntegerField(default=0)),
                ("items", models.PositiveIntegerField(default=0)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("note", models.CharField(blank=True, max_length=200)),
                ("signature", models.CharField(max_length=200)),
            ],
            options={
                "ordering": ["draw_id", "pk"],
            },
        ),
        migrations.CreateModel(
            name="ProductionOutput",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("external_id", models.CharField(max_length=200)),
                ("messages", models.JSONField()),
                ("context", models.TextField(blank=True)),
                ("text", models.TextField()),
                ("model_version", models.CharField(blank=True, max_length=120)),
                ("happened_at", models.DateTimeField()),
                ("strata", models.JSONField(blank=True, default=dict)),
                ("content_hash", models.CharField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="RetrainProposal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "To decide"),
                            ("accepted", "Accepted"),
                            ("dismissed", "Dismissed"),
                        ],
                        default="proposed",
                        max_length=9,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SampledOutput",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("inclusion_probability", models.FloatField()),
            ],
        ),
        migrations.CreateModel(
            name="Stream",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("name", models.CharField(max_length=80)),
                ("description", models.TextField(blank=True)),
                ("outputs_a_week", models.PositiveIntegerField()),
                ("overlap", models.PositiveSmallIntegerField(default=1)),
                ("strata_field", models.CharField(blank=True, max_length=100)),
                ("seed", models.BigIntegerField()),
                ("error_criterion", models.CharField(blank=True, max_length=40)),
                ("thresholds", models.JSONField(blank=True, default=dict)),
                ("baseline_weeks", models.PositiveSmallIntegerField(default=12)),
                ("next_draw_at", models.DateTimeField()),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                ("site", models.CharField(max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name="StreamReviewer",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="webhookendpoint",
            name="webhook_known_events",
        ),
        migrations.AddField(
            model_name="campaign",
            name="picked_because",
            field=models.CharField(blank=True, db_default="", default="", max_length=300),
        ),
        migrations.AddField(
            model_name="campaign",
            name="picked_examples",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), blank=True, null=True, size=None
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("picked_because", ""), ("picked_examples__isnull", True)),
                    models.Q(
                        ("picked_examples__len__gte", 1), models.Q(("picked_because", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="campaign_picked_has_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookendpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "events__contained_by",
                        [
                            "review.submitted",
                            "judgement.submitted",
                            "item.completed",
                            "campaign.opened",
                            "campaign.completed",
                            "campaign.closed",
                            "alert.raised",
                        ],
                    ),
                    ("events__len__gte", 1),
                ),
                name="webhook_known_events",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="acknowledged_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="draw",
            name="campaign",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="draw",
                to="evalapp.campaign",
            ),
        ),
        migrations.AddField(
            model_name="draw",
            name="job",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="evalapp.job",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="draw",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="alerts", to="evalapp.draw"
            ),
        ),
        migrations.AddField(
            model_name="kpi",
            name="draw",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="kpis", to="evalapp.draw"
            ),
        ),
        migrations.AddField(
            model_name="retrainproposal",
            name="alert",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="proposal", to="evalapp.alert"
            ),
        ),
        migrations.AddField(
            model_name="retrainproposal",
            name="dataset_version",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="evalapp.datasetversion",
            ),
        ),
        migrations.AddField(
            model_name="retrainproposal",
            name="decided_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="sampledoutput",
            name="draw",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="samples", to="evalapp.draw"
            ),
        ),
        migrations.AddField(
            model_name="sampledoutput",
            name="output",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="sample", to="evalapp.output"
            ),
        ),
        migrations.AddField(
            model_name="sampledoutput",
            name="production_output",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sample",
                to="evalapp.productionoutput",
            ),
        ),
        migrations.AddField(
            model_name="stream",
            name="candidate",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="stream", to="evalapp.modelversion"
            ),
        ),
        migrations.AddField(
            model_name="stream",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="stream",
            name="dataset",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="stream", to="evalapp.dataset"
            ),
        ),
        migrations.AddField(
            model_name="stream",
            name="project",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="streams", to="evalapp.project"
            ),
        ),
        migrations.AddField(
            model_name="stream",
            name="rubric_version",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="evalapp.rubricversion"
            ),
        ),
        migrations.AddField(
            model_name="retrainproposal",
            name="stream",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="proposals", to="evalapp.stream"
            ),
        ),
        migrations.AddField(
            model_name="productionoutput",
            name="stream",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="outputs", to="evalapp.stream"
            ),
        ),
        migrations.AddField(
            model_name="draw",
            name="stream",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="draws", to="evalapp.stream"
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="stream",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="alerts", to="evalapp.stream"
            ),
        ),
        migrations.AddField(
            model_name="streamreviewer",
            name="stream",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="seats", to="evalapp.stream"
            ),
        ),
        migrations.AddField(
            model_name="streamreviewer",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="stream",
            name="reviewers",
            field=models.ManyToManyField(
                related_name="+", through="evalapp.StreamReviewer", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="kpi",
            constraint=models.UniqueConstraint(fields=("draw", "criterion_key"), name="kpi_once_a_week"),
        ),
        migrations.AddConstraint(
            model_name="kpi",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("error__isnull", True),
                        ("high__isnull", True),
                        ("low__isnull", True),
                        ("value__isnull", True),
                        models.Q(("reason", ""), _negated=True),
                    ),
                    models.Q(("reason", ""), ("value__isnull", False)),
                    _connector="OR",
                ),
                name="kpi_value_or_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="sampledoutput",
            constraint=models.CheckConstraint(
                condition=models.Q(("inclusion_probability__gt", 0), ("inclusion_probability__lte", 1)),
                name="sampled_with_probability",
            ),
        ),
        migrations.AddConstraint(
            model_name="retrainproposal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "proposed")), fields=("stream",), name="proposal_one_to_decide"
            ),
        ),
        migrations.AddConstraint(
            model_name="retrainproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at__isnull", True), ("state", "proposed")),
                    models.Q(models.Q(("state", "proposed"), _negated=True), ("decided_at__isnull", False)),
                    _connector="OR",
                ),
                name="proposal_decided_has_date",
            ),
        ),
        migrations.AddConstraint(
            model_name="retrainproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "dismissed"), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="proposal_dismissed_has_reason",
            ),
        ),
        migrations.AddIndex(
            model_name="productionoutput",
            index=models.Index(fields=["stream", "happened_at"], name="production_output_week"),
        ),
        migrations.AddConstraint(
            model_name="productionoutput",
            constraint=models.UniqueConstraint(
                fields=("stream", "external_id"), name="production_output_once"
            ),
        ),
        migrations.AddIndex(
            model_name="draw",
            index=models.Index(
                condition=models.Q(("state", "judged"), _negated=True), fields=["state"], name="draw_going"
            ),
        ),
        migrations.AddConstraint(
            model_name="draw",
            constraint=models.UniqueConstraint(fields=("stream", "number"), name="draw_number"),
        ),
        migrations.AddConstraint(
            model_name="draw",
            constraint=models.UniqueConstraint(fields=("stream", "ends_at"), name="draw_once_a_week"),
        ),
        migrations.AddConstraint(
            model_name="draw",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("begins_at"))), name="draw_order"
            ),
        ),
        migrations.AddConstraint(
            model_name="draw",
            constraint=models.CheckConstraint(
                condition=models.Q(("drawn__lte", models.F("population"))), name="draw_within_population"
            ),
        ),
        migrations.AddConstraint(
            model_name="draw",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("campaign__isnull", False), ("state__in", ["open", "judged"])),
                    models.Q(("campaign__isnull", True), ("state__in", ["due", "empty"])),
                    _connector="OR",
                ),
                name="draw_open_has_campaign",
            ),
        ),
        migrations.AddConstraint(
            model_name="draw",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("judged_at__isnull", False), ("state", "judged")),
                    models.Q(models.Q(("state", "judged"), _negated=True), ("judged_at__isnull", True)),
                    _connector="OR",
                ),
                name="draw_judged_has_date",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("mail_state", "waiting")), fields=["mail_state"], name="alert_mail_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                fields=("draw", "criterion_key", "cause"), name="alert_once_a_week"
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                condition=models.Q(("acknowledged_at__isnull", True)),
                fields=("stream", "criterion_key", "cause"),
                name="alert_one_unanswered",
            ),
        ),
        migrations.AddConstraint(
            model_name="streamreviewer",
            constraint=models.UniqueConstraint(fields=("stream", "user"), name="stream_reviewer_once"),
        ),
        migrations.AddIndex(
            model_name="stream",
            index=models.Index(
                condition=models.Q(("paused_at__isnull", True)), fields=["next_draw_at"], name="stream_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="stream",
            constraint=models.UniqueConstraint(fields=("project", "name"), name="stream_name_in_project"),
        ),
        migrations.AddConstraint(
            model_name="stream",
            constraint=models.CheckConstraint(
                condition=models.Q(("outputs_a_week__gte", 1), ("overlap__gte", 1)),
                name="stream_draws_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="stream",
            constraint=models.CheckConstraint(
                condition=models.Q(("baseline_weeks__range", (8, 52))), name="stream_baseline"
            ),
        ),
        migrations.RunSQL(IMMUTABLE, NOT_IMMUTABLE),
    ]
