"""Scores from elsewhere and label parsers. Their values need no change of what there is."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("evalapp", "0017_gates"),
    ]

    operations = [
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
    ]
