"""Ratings that were given elsewhere: uploaded files, what is wrong with them, and whom they name."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

CASCADE = django.db.models.deletion.CASCADE
SET_NULL = django.db.models.deletion.SET_NULL


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0013_spans")]

    operations = [
        migrations.AddField(
            model_name="campaign", name="is_imported", field=models.BooleanField(default=False)
        ),
        migrations.CreateModel(
            name="RecordedReviewer",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=CASCADE, related_name="recorded_reviewers", to="evalapp.project"
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=CASCADE, related_name="recorded_reviewer", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="RatingsImport",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("file_name", models.CharField(max_length=200)),
                ("stored_name", models.CharField(max_length=80, unique=True)),
                ("size_bytes", models.BigIntegerField()),
                ("content_hash", models.CharField(max_length=64)),
                ("options", models.JSONField(default=dict)),
                ("census", models.JSONField(default=dict)),
                ("records_read", models.BigIntegerField(default=0)),
                ("records_imported", models.BigIntegerField(default=0)),
                ("records_refused", models.BigIntegerField(default=0)),
                ("problems_found", models.BigIntegerField(default=0)),
                ("spans_missing", models.BigIntegerField(default=0)),
                (
                    "campaign",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=SET_NULL,
                        related_name="ratings_import",
                        to="evalapp.campaign",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True, on_delete=SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "job",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=SET_NULL,
                        related_name="ratings_import",
                        to="evalapp.job",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=CASCADE, related_name="ratings_imports", to="evalapp.project"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["project", "-id"], name="ratings_import_latest")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(campaign__isnull=False),
                        fields=("project", "content_hash"),
                        name="ratings_file_imported_once",
                    ),
                    models.CheckConstraint(
                        condition=Q(campaign__isnull=True)
                        | Q(records_read=F("records_imported") + F("records_refused")),
                        name="ratings_records_add_up",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RatingsProblem",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("row", models.PositiveIntegerField()),
                ("field", models.CharField(max_length=200)),
                ("problem", models.TextField()),
                ("mend", models.TextField(blank=True)),
                ("is_refusal", models.BooleanField(default=True)),
                (
                    "ratings_import",
                    models.ForeignKey(
                        on_delete=CASCADE, related_name="problems", to="evalapp.ratingsimport"
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["ratings_import", "id"], name="ratings_problem_order")]},
        ),
    ]
