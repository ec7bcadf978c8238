import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0010_adjudication")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="method",
            field=models.CharField(
                choices=[
                    ("pointwise", "Rate each answer"),
                    ("pairwise", "Compare two answers"),
                    ("ranking", "Put three to five answers in order"),
                ],
                default="pointwise",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="baseline",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="evalapp.modelversion",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("method", "pairwise"), ("baseline__isnull", True), _connector="OR"),
                name="campaign_baseline_of_pairs",
            ),
        ),
        migrations.AddField(
            model_name="place", name="arrangement", field=models.PositiveSmallIntegerField(db_default=0, default=0)
        ),
        migrations.CreateModel(
            name="Comparison",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("number", models.PositiveSmallIntegerField()),
                (
                    "outputs",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="comparisons",
                        to="evalapp.item",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("item", "number"), name="comparison_number"),
                    models.CheckConstraint(
                        condition=models.Q(("outputs__len__gte", 2), ("outputs__len__lte", 5)),
                        name="comparison_two_to_five",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Judgement",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("client_id", models.UUIDField(unique=True)),
                ("body_hash", models.CharField(max_length=64)),
                ("revision", models.PositiveIntegerField(default=1)),
                (
                    "outputs",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
                (
                    "choice",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("a", "A is better"),
                            ("b", "B is better"),
                            ("tie", "Equally good"),
                            ("both_bad", "Both bad"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "ranks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(), blank=True, null=True, size=None
                    ),
                ),
                ("comment", models.TextField(blank=True)),
                ("seconds_active", models.FloatField(default=0)),
                ("is_simulated", models.BooleanField(default=False)),
                ("submitted_at", models.DateTimeField(auto_now_add=True)),
                ("revised_at", models.DateTimeField(blank=True, null=True)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="judgements",
                        to="evalapp.campaign",
                    ),
                ),
                (
                    "comparison",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="judgements",
                        to="evalapp.comparison",
                    ),
                ),
                (
                    "place",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="judgements",
                        to="evalapp.place",
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="judgements",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["campaign", "reviewer", "-id"], name="judgement_mine"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("place", "comparison"), name="judgement_once_per_place"
                    ),
                    models.UniqueConstraint(
                        fields=("reviewer", "comparison"), name="judgement_once_per_reviewer"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("seconds_active__gte", 0)), name="judgement_time_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("choice__in", ["a", "b", "tie", "both_bad"]),
                                ("outputs__len", 2),
                                ("ranks__isnull", True),
                            ),
                            models.Q(
                                ("choice", ""),
                                ("outputs__len__gte", 3),
                                ("ranks__len", models.F("outputs__len")),
                            ),
                            _connector="OR",
                        ),
                        name="judgement_choice_or_ranks",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ranks__isnull", True),
                            models.Q(("ranks__contains", [1, 2, 3]), ("ranks__len", 3)),
                            models.Q(("ranks__contains", [1, 2, 3, 4]), ("ranks__len", 4)),
                            models.Q(("ranks__contains", [1, 2, 3, 4, 5]), ("ranks__len", 5)),
                            _connector="OR",
                        ),
                        name="judgement_ranks_are_an_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="JudgementRevision",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("revision", models.PositiveIntegerField()),
                ("body", models.JSONField()),
                (
                    "judgement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="revisions",
                        to="evalapp.judgement",
                    ),
                ),
                (
                    "replaced_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("judgement", "revision"), name="judgement_revision_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="JudgementDraft",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "outputs",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
                ("body", models.JSONField()),
                ("revision", models.PositiveIntegerField(default=1)),
                ("saved_at", models.DateTimeField(auto_now=True)),
                (
                    "comparison",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drafts",
                        to="evalapp.comparison",
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("reviewer", "comparison"), name="judgement_draft_once"
                    )
                ],
            },
        ),
    ]
