from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0005_left_files")]

    operations = [
        migrations.AddField(
            model_name="criterion", name="examples", field=models.JSONField(blank=True, default=dict)
        ),
        migrations.AddField(
            model_name="criterion", name="options", field=models.JSONField(blank=True, default=list)
        ),
        migrations.AddField(
            model_name="criterion", name="visible_if", field=models.JSONField(blank=True, null=True)
        ),
        migrations.AlterField(
            model_name="criterion",
            name="kind",
            field=models.CharField(
                choices=[("scale", "Scale"), ("yes_no", "Yes / no"), ("category", "Category")], max_length=10
            ),
        ),
    ]
