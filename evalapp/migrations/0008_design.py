"""Campaigns that choose their items, share out their places, and take more while they run."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

# What was launched before: every item had the campaign's overlap.
COUNT_WHAT_IS_THERE = """
UPDATE evalapp_item i SET overlap = c.overlap FROM evalapp_campaign c WHERE c.id = i.campaign_id;
UPDATE evalapp_campaign SET places_total = items_total * overlap;
"""

PURPOSE = models.CharField(
    choices=[("review", "Review"), ("gold", "Gold"), ("repeat", "Repeat"), ("calibration", "Calibration")],
    db_default="review",
    default="review",
    max_length=11,
)


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0007_text_criteria")]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="item_choice",
            field=models.CharField(
                choices=[
                    ("all", "All of them"),
                    ("random", "Some, at random"),
                    ("stratified", "Some, in proportion by a field of the data"),
                ],
                db_default="all",
                default="all",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="items_wanted",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="campaign",
            name="strata_field",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.AddField(
            model_name="campaign",
            name="overlap_share",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="campaign",
            name="overlap_more",
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="campaign",
            name="assignment",
            field=models.CharField(
                choices=[
                    ("pull", "Open pull: everybody takes the next free item"),
                    ("assigned", "Assigned: each item belongs to named people from the start"),
                ],
                db_default="pull",
                default="pull",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="campaign", name="quota", field=models.PositiveIntegerField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="campaign",
            name="places_total",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="campaignreviewer",
            name="quota",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="item",
            name="overlap",
            field=models.PositiveSmallIntegerField(db_default=1, default=1),
        ),
        migrations.AddField(
            model_name="place",
            name="assigned_to",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        *(
            migrations.AddField(model_name=model, name="purpose", field=PURPOSE.clone())
            for model in ("item", "place", "review")
        ),
        *(
            migrations.AddField(
                model_name="campaign",
                name=name,
                field=models.PositiveSmallIntegerField(db_default=0, default=0),
            )
            for name in ("gold_share", "repeat_share", "calibration_items")
        ),
        migrations.AddField(
            model_name="campaign",
            name="checks_total",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="campaignreviewer",
            name="checks_done",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="campaignreviewer",
            name="admitted_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="GoldAnswer",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("value", models.SmallIntegerField()),
                ("tolerance", models.PositiveSmallIntegerField(default=0)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="gold_answers",
                        to="evalapp.campaign",
                    ),
                ),
                (
                    "candidate",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="evalapp.modelversion",
                    ),
                ),
                (
                    "criterion",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="evalapp.criterion",
                    ),
                ),
                (
                    "example",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="evalapp.example"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("campaign", "example", "candidate", "criterion"),
                        name="gold_answer_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CalibrationNote",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("text", models.TextField()),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="calibration_notes",
                        to="evalapp.item",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.AddField(
            model_name="place", name="is_added", field=models.BooleanField(db_default=False, default=False)
        ),
        migrations.RunSQL(COUNT_WHAT_IS_THERE, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=Q(overlap_share=0, overlap_more__isnull=True)
                | Q(overlap_share__range=(1, 99), overlap_more__gt=F("overlap")),
                name="campaign_overlap_share",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=Q(item_choice="all", items_wanted__isnull=True, strata_field="")
                | Q(item_choice="random", items_wanted__gte=1, strata_field="")
                | (Q(item_choice="stratified", items_wanted__gte=1) & ~Q(strata_field="")),
                name="campaign_item_choice_is_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=Q(quota__isnull=True) | Q(quota__gte=1), name="campaign_quota"
            ),
        ),
        migrations.AddConstraint(
            model_name="campaignreviewer",
            constraint=models.CheckConstraint(
                condition=Q(quota__isnull=True) | Q(quota__gte=1), name="campaign_reviewer_quota"
            ),
        ),
        migrations.AddConstraint(
            model_name="place",
            constraint=models.UniqueConstraint(
                fields=("item", "assigned_to"),
                condition=Q(assigned_to__isnull=False) & ~Q(purpose="repeat"),
                name="place_one_assigned_per_item",
            ),
        ),
        migrations.AddConstraint(
            model_name="place",
            constraint=models.CheckConstraint(
                condition=Q(purpose="review") | Q(assigned_to__isnull=False), name="place_check_is_somebodys"
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=Q(gold_share__lte=50, repeat_share__lte=50), name="campaign_check_shares"
            ),
        ),
        migrations.RemoveConstraint(model_name="place", name="place_one_per_reviewer_and_item"),
        migrations.AddConstraint(
            model_name="place",
            constraint=models.UniqueConstraint(
                fields=("item", "reviewer"),
                condition=Q(reviewer__isnull=False) & ~Q(purpose="repeat"),
                name="place_one_per_reviewer_and_item",
            ),
        ),
        migrations.RemoveConstraint(model_name="review", name="review_once_per_reviewer_and_output"),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.UniqueConstraint(
                fields=("reviewer", "item_output"),
                condition=~Q(purpose="repeat"),
                name="review_once_per_reviewer_and_output",
            ),
        ),
        migrations.RemoveIndex(model_name="place", name="place_free"),
        migrations.AddIndex(
            model_name="place",
            index=models.Index(
                fields=["campaign", "rank"],
                name="place_free",
                condition=Q(state="free", assigned_to__isnull=True),
            ),
        ),
        migrations.AddIndex(
            model_name="place",
            index=models.Index(
                fields=["campaign", "assigned_to", "rank"],
                name="place_assigned",
                condition=Q(state="free", assigned_to__isnull=False, purpose="review"),
            ),
        ),
        migrations.AddIndex(
            model_name="place",
            index=models.Index(
                fields=["campaign", "assigned_to", "rank"],
                name="place_check",
                condition=Q(state="free") & ~Q(purpose="review"),
            ),
        ),
    ]
