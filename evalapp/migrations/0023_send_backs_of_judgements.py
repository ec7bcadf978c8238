"""Judgements are sent back to their reviewers, as reviews are."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("evalapp", "0022_rollups"),
    ]

    operations = [
        migrations.CreateModel(
            name="JudgementSendBack",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("revision", models.PositiveIntegerField()),
                ("reason", models.TextField()),
                ("resubmitted_revision", models.PositiveIntegerField(blank=True, null=True)),
                ("is_withdrawn", models.BooleanField(default=False)),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                ("judgement", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="send_backs", to="evalapp.judgement")),
                ("sent_by", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "constraints": [models.UniqueConstraint(condition=models.Q(("resolved_at__isnull", True)), fields=("judgement",), name="judgement_send_back_one_open"), models.CheckConstraint(condition=models.Q(models.Q(("is_withdrawn", False), ("resolved_at__isnull", True), ("resubmitted_revision__isnull", True)), models.Q(("is_withdrawn", False), ("resolved_at__isnull", False), ("resubmitted_revision__isnull", False)), models.Q(("is_withdrawn", True), ("resolved_at__isnull", False), ("resubmitted_revision__isnull", True)), _connector="OR"), name="judgement_send_back_ends_one_way")],
            },
        ),
    ]
