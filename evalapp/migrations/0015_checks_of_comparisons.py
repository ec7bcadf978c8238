import django.db.models.deletion
import django.db.models.functions.comparison
from django.db import migrations, models
from django.db.models import F, Q

PURPOSE = models.CharField(
    choices=[
        ("review", "Review"),
        ("gold", "Gold"),
        ("repeat", "Repeat"),
        ("calibration", "Calibration"),
    ],
    db_default="review",
    default="review",
    max_length=11,
)


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0014_ratings")]

    operations = [
        migrations.AddField(model_name="judgement", name="purpose", field=PURPOSE),
        migrations.RemoveConstraint(model_name="judgement", name="judgement_once_per_reviewer"),
        migrations.AddConstraint(
            model_name="judgement",
            constraint=models.UniqueConstraint(
                fields=("reviewer", "comparison"),
                condition=~Q(purpose="repeat"),
                name="judgement_once_per_reviewer",
            ),
        ),
        migrations.CreateModel(
            name="GoldVerdict",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("better", "Better"),
                            ("tie", "Equally good"),
                            ("both_bad", "Both bad"),
                        ],
                        default="better",
                        max_length=8,
                    ),
                ),
                ("admits_tie", models.BooleanField(default=False)),
                (
                    "against",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="evalapp.modelversion",
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="gold_verdicts",
                        to="evalapp.campaign",
                    ),
                ),
                (
                    "candidate",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="evalapp.modelversion",
                    ),
                ),
                (
                    "example",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="evalapp.example",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        "campaign",
                        "example",
                        django.db.models.functions.comparison.Least("candidate", "against"),
                        django.db.models.functions.comparison.Greatest("candidate", "against"),
                        condition=Q(against__isnull=False),
                        name="gold_verdict_once_per_pair",
                    ),
                    models.UniqueConstraint(
                        fields=("campaign", "example"),
                        condition=Q(against__isnull=True),
                        name="gold_verdict_once_per_ranking",
                    ),
                    models.CheckConstraint(
                        condition=Q(against__isnull=True) | ~Q(against=F("candidate")),
                        name="gold_verdict_of_two",
                    ),
                    models.CheckConstraint(
                        condition=Q(outcome__in=["better", "tie", "both_bad"], against__isnull=False)
                        | Q(outcome="better", against__isnull=True),
                        name="gold_verdict_outcome",
                    ),
                    models.CheckConstraint(
                        condition=Q(admits_tie=False) | Q(outcome="better", against__isnull=False),
                        name="gold_verdict_tie_of_better",
                    ),
                ],
            },
        ),
    ]
