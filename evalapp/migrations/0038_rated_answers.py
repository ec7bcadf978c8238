"""Rated answers are rows of the tray, decided on like corrections and pairs."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evalapp', '0037_machine_price'),
    ]

    operations = [
        migrations.AddField(
            model_name='exportrow',
            name='is_good',
            field=models.BooleanField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='exportrow',
            name='kind',
            field=models.CharField(choices=[('sft', 'Training answer'), ('preference', 'Preference pair'), ('rated', 'Rated answer')], max_length=10),
        ),
        migrations.AddConstraint(
            model_name='exportrow',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'rated'), models.Q(('is_included', False), ('is_good__isnull', False), _connector='OR')), models.Q(models.Q(('kind', 'rated'), _negated=True), ('is_good__isnull', True)), _connector='OR'), name='export_row_rated_is_judged'),
        ),
    ]
