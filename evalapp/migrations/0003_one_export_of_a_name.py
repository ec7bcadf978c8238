"""A name stands for one export of its project; of those that shared one, the later get their number."""

from django.db import migrations, models

NUMBER_THE_LATER = """
UPDATE evalapp_export AS later SET name = left(later.name, 100) || ' (' || later.id || ')'
WHERE EXISTS (SELECT 1 FROM evalapp_export AS earlier
              WHERE earlier.project_id = later.project_id AND earlier.name = later.name
                AND earlier.id < later.id);
"""


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0002_database_rules")]

    operations = [
        migrations.RunSQL(NUMBER_THE_LATER, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.UniqueConstraint(fields=("project", "name"), name="export_name_in_project"),
        ),
    ]
