"""Preferences among answers, in rows of datasets."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evalapp', '0032_training_methods'),
    ]

    operations = [
        migrations.AddField(
            model_name='example',
            name='pairs',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='example',
            name='rated',
            field=models.JSONField(default=list),
        ),
    ]
