import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0012_hooks")]

    operations = [
        migrations.AlterField(
            model_name="criterion",
            name="kind",
            field=models.CharField(
                choices=[
                    ("scale", "Scale"),
                    ("yes_no", "Yes / no"),
                    ("category", "Category"),
                    ("text", "Text"),
                    ("spans", "Span labels"),
                ],
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="SpanAnswer",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("label", models.PositiveSmallIntegerField()),
                ("start", models.IntegerField()),
                ("end", models.IntegerField()),
                ("comment", models.TextField(blank=True)),
                (
                    "criterion",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="evalapp.criterion",
                    ),
                ),
                (
                    "review",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="spans",
                        to="evalapp.review",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("review", "criterion", "label", "start", "end"), name="span_once"
                    ),
                    models.CheckConstraint(condition=Q(start__gte=0, end__gt=F("start")), name="span_not_empty"),
                    models.CheckConstraint(condition=Q(label__gte=1), name="span_label_from_one"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Flag",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("note", models.CharField(max_length=500)),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="flags",
                        to="evalapp.campaign",
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="flags", to="evalapp.item"
                    ),
                ),
                (
                    "resolved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["campaign", "-id"], name="flag_open", condition=Q(resolved_at=None))
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("item", "reviewer"), condition=Q(resolved_at=None), name="flag_open_once"
                    ),
                    models.CheckConstraint(
                        condition=Q(resolved_at__isnull=True, resolved_by__isnull=True)
                        | Q(resolved_at__isnull=False, resolved_by__isnull=False),
                        name="flag_resolved_by_somebody",
                    ),
                ],
            },
        ),
    ]
