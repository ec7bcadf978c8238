"""Agreement, and what metrics are worth, of a large campaign are stored as its comparison is."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("evalapp", "0029_kpi_direction"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="storedanalysis",
            name="stored_analysis_known",
        ),
        migrations.AlterField(
            model_name="storedanalysis",
            name="kind",
            field=models.CharField(
                choices=[
                    ("comparison", "Comparison"),
                    ("severity", "Severity"),
                    ("agreement", "Agreement"),
                    ("metrics", "Metrics and people"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="storedanalysis",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["comparison", "severity", "agreement", "metrics"])),
                name="stored_analysis_known",
            ),
        ),
    ]
