"""Scores from elsewhere, label parsers, and criteria asked of models. Their values need no change of what there is."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("evalapp", "0019_reports"),
    ]

    operations = [
        migrations.CreateModel(
            name="ModelJudge",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("key", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=60)),
                ("address", models.TextField()),
                ("model", models.CharField(max_length=200)),
                ("model_version", models.CharField(blank=True, max_length=100)),
                ("temperature", models.FloatField(default=0)),
                ("prompt", models.TextField()),
                ("sealed_key", models.TextField(blank=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "criterion",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="evalapp.criterion"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="model_judges",
                        to="evalapp.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ModelVerdict",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("answered", "Answered"),
                            ("not_applicable", "N/A"),
                            ("unparsed", "Not an answer"),
                            ("failed", "Failed"),
                        ],
                        max_length=14,
                    ),
                ),
                ("value", models.SmallIntegerField(null=True)),
                ("answer", models.TextField(blank=True)),
                ("problem", models.CharField(blank=True, max_length=300)),
                ("reported_model", models.CharField(blank=True, max_length=200)),
                ("asked_at", models.DateTimeField(auto_now=True)),
                (
                    "judge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="verdicts",
                        to="evalapp.modeljudge",
                    ),
                ),
                (
                    "output",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="model_verdicts",
                        to="evalapp.output",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ExternalMetric",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("name", models.CharField(max_length=60)),
                (
                    "better",
                    models.CharField(
                        choices=[
                            ("higher", "More is better"),
                            ("lower", "Less is better"),
                            ("none", "Neither is better"),
                        ],
                        default="higher",
                        max_length=6,
                    ),
                ),
                ("smallest", models.FloatField(blank=True, null=True)),
                ("largest", models.FloatField(blank=True, null=True)),
                ("source", models.CharField(blank=True, max_length=300)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="external_metrics",
                        to="evalapp.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("project"),
                        django.db.models.functions.text.Lower("name"),
                        name="external_metric_name",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("better__in", ["higher", "lower", "none"])),
                        name="external_metric_known_direction",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("smallest__isnull", True),
                            ("largest__isnull", True),
                            ("smallest__lt", models.F("largest")),
                            _connector="OR",
                        ),
                        name="external_metric_scale",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LabelParser",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("exact", "The whole answer"),
                            ("first_line", "The first line that is not empty"),
                            ("pattern", "What a regular expression finds"),
                            ("json_field", "A field of a JSON object"),
                        ],
                        max_length=10,
                    ),
                ),
                ("pattern", models.CharField(blank=True, max_length=500)),
                ("field", models.CharField(blank=True, max_length=100)),
                ("ignore_case", models.BooleanField(default=True)),
                (
                    "labels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200), default=list, size=None
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "dataset",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="label_parser",
                        to="evalapp.dataset",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["exact", "first_line", "pattern", "json_field"])),
                        name="label_parser_known_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "pattern"), models.Q(("pattern", ""), _negated=True)),
                            models.Q(models.Q(("kind", "pattern"), _negated=True), ("pattern", "")),
                            _connector="OR",
                        ),
                        name="label_parser_pattern",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "json_field"), models.Q(("field", ""), _negated=True)),
                            models.Q(models.Q(("kind", "json_field"), _negated=True), ("field", "")),
                            _connector="OR",
                        ),
                        name="label_parser_field",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="modeljudge",
            constraint=models.UniqueConstraint(fields=("project", "name"), name="model_judge_name"),
        ),
        migrations.AddConstraint(
            model_name="modeljudge",
            constraint=models.CheckConstraint(
                condition=models.Q(("temperature__gte", 0), ("temperature__lte", 2)),
                name="model_judge_temperature",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelverdict",
            constraint=models.UniqueConstraint(fields=("judge", "output"), name="model_verdict_once"),
        ),
        migrations.AddConstraint(
            model_name="modelverdict",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["answered", "not_applicable", "unparsed", "failed"])),
                name="model_verdict_known_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelverdict",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "answered"), ("value__isnull", False)),
                    models.Q(models.Q(("state", "answered"), _negated=True), ("value__isnull", True)),
                    _connector="OR",
                ),
                name="model_verdict_value",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelverdict",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "failed"), models.Q(("problem", ""), _negated=True)),
                    models.Q(models.Q(("state", "failed"), _negated=True), ("problem", "")),
                    _connector="OR",
                ),
                name="model_verdict_problem",
            ),
        ),
    ]
