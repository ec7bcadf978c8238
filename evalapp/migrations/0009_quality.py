import django.contrib.postgres.indexes
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0008_design")]

    operations = [
        migrations.AddField(
            model_name="project",
            name="shows_reviewer_names",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="campaignreviewer",
            name="closing_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="place",
            name="lapses",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddIndex(
            model_name="place",
            index=models.Index(
                condition=models.Q(("lapses__gte", 3)), fields=["campaign"], name="place_lapsing"
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["submitted_at"], name="review_when"
            ),
        ),
        migrations.CreateModel(
            name="ClosingAnswer",
            fields=[
                (
                    "id",
                    models.BigAutoField(primary_key=True, serialize=False),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "belief",
                    models.SmallIntegerField(
                        choices=[
                            (2, "Tuned model, sure"),
                            (1, "Tuned model, a guess"),
                            (0, "I cannot tell"),
                            (-1, "Another model, a guess"),
                            (-2, "Another model, sure"),
                        ]
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="closing_answers",
                        to="evalapp.campaign",
                    ),
                ),
                (
                    "item_output",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="closing_answers",
                        to="evalapp.itemoutput",
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("reviewer", "item_output"), name="closing_answer_once"),
                    models.CheckConstraint(
                        condition=models.Q(("belief__gte", -2), ("belief__lte", 2)),
                        name="closing_answer_known",
                    ),
                ],
            },
        ),
    ]
