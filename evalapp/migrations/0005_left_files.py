from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0004_former_members")]

    operations = [
        migrations.CreateModel(
            name="LeftFiles",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("files", models.JSONField()),
            ],
            options={"abstract": False},
        ),
    ]
