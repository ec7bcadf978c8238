"""Filtered views of large campaigns are kept, too; a scale may say that lower is better."""

import django.db.models.functions.text
from django.db import migrations, models

# Places in an order that were imported before: their rubrics are frozen, and did not say which end is the better.
DIRECT_PLACES = """
ALTER TABLE evalapp_criterion DISABLE TRIGGER criterion_frozen;
UPDATE evalapp_criterion SET lower_is_better = true
WHERE kind = 'scale' AND name ILIKE 'ranks%' AND minimum = 1 AND weight = 0 AND low_threshold IS NULL
  AND NOT is_critical
  AND version_id IN (SELECT rubric_version_id FROM evalapp_campaign WHERE is_imported);
ALTER TABLE evalapp_criterion ENABLE TRIGGER criterion_frozen;
"""


class Migration(migrations.Migration):

    dependencies = [
        ("evalapp", "0026_report_view"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="storedanalysis", name="stored_analysis_once"),
        migrations.AddField(
            model_name="storedanalysis",
            name="view",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.AddConstraint(
            model_name="storedanalysis",
            constraint=models.UniqueConstraint(
                models.F("campaign"),
                models.F("kind"),
                models.F("people"),
                models.F("reviewed_values"),
                models.F("part"),
                django.db.models.functions.text.MD5("view"),
                name="stored_analysis_once",
            ),
        ),
        migrations.AddField(
            model_name="criterion",
            name="lower_is_better",
            field=models.BooleanField(default=False),
        ),
        migrations.RunSQL(DIRECT_PLACES, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="criterion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("lower_is_better", False),
                    models.Q(
                        ("is_critical", False),
                        ("kind", "scale"),
                        ("low_threshold__isnull", True),
                        ("weight", 0),
                    ),
                    _connector="OR",
                ),
                name="criterion_lower_is_better",
            ),
        ),
    ]
