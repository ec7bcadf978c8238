"""Owners' decisions to train on rows that also evaluate, and the trainings that went on by them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


# What was decided on, by whom and why stays as it is. Who decided may leave.
IMMUTABLE = """
CREATE TRIGGER contamination_decision_immutable BEFORE UPDATE ON evalapp_contaminationdecision FOR EACH ROW
    WHEN (to_jsonb(OLD) - 'decided_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'decided_by_id')
    EXECUTE FUNCTION evalapp_refuse_change();
"""
NOT_IMMUTABLE = "DROP TRIGGER contamination_decision_immutable ON evalapp_contaminationdecision;"


class Migration(migrations.Migration):

    dependencies = [
        ('evalapp', '0035_queue_turns_and_pauses'),
    ]

    operations = [
        migrations.CreateModel(
            name='ContaminationDecision',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('reason', models.TextField()),
                ('rows', models.JSONField()),
                ('rows_hash', models.CharField(max_length=64)),
                ('dataset_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='contamination_decisions', to='evalapp.datasetversion')),
                ('decided_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='contamination_decisions', to='evalapp.project')),
            ],
        ),
        migrations.AddField(
            model_name='run',
            name='contamination_decision',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='evalapp.contaminationdecision'),
        ),
        migrations.AddConstraint(
            model_name='contaminationdecision',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='contamination_decision_reason'),
        ),
        migrations.AddConstraint(
            model_name='contaminationdecision',
            constraint=models.UniqueConstraint(fields=('dataset_version', 'rows_hash'), name='contamination_decision_once'),
        ),
        migrations.RunSQL(IMMUTABLE, NOT_IMMUTABLE),
    ]
