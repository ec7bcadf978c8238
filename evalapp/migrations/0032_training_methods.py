"""Whole models that were trained, and what a run's specification calls its method."""

from django.db import migrations, models

# Every training before was LoRA by supervised fine-tuning, which its specification called its method.
NAMED_METHODS = """
UPDATE evalapp_run SET spec = spec || '{"method": "lora", "objective": "sft"}'::jsonb
WHERE kind = 'training' AND spec->>'method' = 'sft';
"""


class Migration(migrations.Migration):

    dependencies = [
        ('evalapp', '0031_endpoints'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='modelversion',
            name='model_version_needs_base',
        ),
        migrations.RemoveConstraint(
            model_name='modelversion',
            name='model_version_known_kind',
        ),
        migrations.AlterField(
            model_name='modelversion',
            name='kind',
            field=models.CharField(choices=[('base', 'Base'), ('prompt', 'Prompt'), ('lora', 'LoRA'), ('full', 'Whole model'), ('endpoint', 'At an address'), ('imported', 'Imported answers')], max_length=10),
        ),
        migrations.AddConstraint(
            model_name='modelversion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind__in', ['prompt', 'lora', 'full']), _negated=True), ('base__isnull', False), _connector='OR'), name='model_version_needs_base'),
        ),
        migrations.AddConstraint(
            model_name='modelversion',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['base', 'prompt', 'lora', 'full', 'endpoint', 'imported'])), name='model_version_known_kind'),
        ),
        migrations.RunSQL(NAMED_METHODS, migrations.RunSQL.noop),
    ]
