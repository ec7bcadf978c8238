import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0006_criteria_with_conditions")]

    operations = [
        migrations.AlterField(
            model_name="criterion",
            name="kind",
            field=models.CharField(
                choices=[
                    ("scale", "Scale"),
                    ("yes_no", "Yes / no"),
                    ("category", "Category"),
                    ("text", "Text"),
                ],
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="TextAnswer",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("text", models.TextField()),
                (
                    "criterion",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="evalapp.criterion",
                    ),
                ),
                (
                    "review",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="texts",
                        to="evalapp.review",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("review", "criterion"), name="text_once_per_criterion"
                    )
                ],
            },
        ),
    ]
