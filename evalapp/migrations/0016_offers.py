import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0015_checks_of_comparisons")]

    operations = [
        migrations.AddField(
            model_name="place", name="held_since", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="place",
            name="last_holder",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
