import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

CASCADE, PROTECT = django.db.models.deletion.CASCADE, django.db.models.deletion.PROTECT

# As of a score: no decision can leave the scale of its criterion.
RANGE = """
ALTER TABLE evalapp_adjudication ADD CONSTRAINT adjudication_range_is_the_criterions
    FOREIGN KEY (criterion_id, minimum, maximum)
    REFERENCES evalapp_criterion (id, minimum, maximum) DEFERRABLE INITIALLY DEFERRED;
"""
DROP_RANGE = "ALTER TABLE evalapp_adjudication DROP CONSTRAINT adjudication_range_is_the_criterions;"

# Nobody decides about an output that they reviewed themselves.
NOT_ONES_OWN = """
CREATE FUNCTION evalapp_refuse_own_adjudication() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM evalapp_review
               WHERE item_output_id = NEW.item_output_id AND reviewer_id = NEW.decided_by_id) THEN
        RAISE EXCEPTION 'who reviewed an output does not adjudicate it' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER adjudication_not_ones_own BEFORE INSERT OR UPDATE ON evalapp_adjudication
    FOR EACH ROW EXECUTE FUNCTION evalapp_refuse_own_adjudication();
"""
DROP_NOT_ONES_OWN = """
DROP TRIGGER adjudication_not_ones_own ON evalapp_adjudication;
DROP FUNCTION evalapp_refuse_own_adjudication();
"""


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0009_quality")]

    operations = [
        migrations.CreateModel(
            name="SendBack",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("revision", models.PositiveIntegerField()),
                ("reason", models.TextField()),
                ("resubmitted_revision", models.PositiveIntegerField(blank=True, null=True)),
                ("is_withdrawn", models.BooleanField(default=False)),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                (
                    "review",
                    models.ForeignKey(on_delete=CASCADE, related_name="send_backs", to="evalapp.review"),
                ),
                (
                    "sent_by",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("resolved_at__isnull", True)),
                        fields=("review",),
                        name="send_back_one_open_per_review",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("is_withdrawn", False), ("resolved_at__isnull", True), ("resubmitted_revision__isnull", True))
                        | models.Q(("is_withdrawn", False), ("resolved_at__isnull", False), ("resubmitted_revision__isnull", False))
                        | models.Q(("is_withdrawn", True), ("resolved_at__isnull", False), ("resubmitted_revision__isnull", True)),
                        name="send_back_ends_one_way",
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="Adjudication",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("value", models.SmallIntegerField(null=True)),
                ("is_not_applicable", models.BooleanField(default=False)),
                ("minimum", models.SmallIntegerField()),
                ("maximum", models.SmallIntegerField()),
                ("reason", models.TextField()),
                ("revision", models.PositiveIntegerField(default=1)),
                ("decided_at", models.DateTimeField()),
                (
                    "campaign",
                    models.ForeignKey(on_delete=CASCADE, related_name="adjudications", to="evalapp.campaign"),
                ),
                ("criterion", models.ForeignKey(on_delete=PROTECT, related_name="+", to="evalapp.criterion")),
                (
                    "decided_by",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
                (
                    "item_output",
                    models.ForeignKey(
                        on_delete=CASCADE, related_name="adjudications", to="evalapp.itemoutput"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["campaign"], name="adjudication_of_campaign")],
                "constraints": [
                    models.UniqueConstraint(fields=("item_output", "criterion"), name="adjudication_once"),
                    models.CheckConstraint(
                        condition=models.Q(("value__gte", models.F("minimum")), ("value__lte", models.F("maximum")))
                        | models.Q(("value__isnull", True)),
                        name="adjudication_within_scale",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("is_not_applicable", True), ("value__isnull", True))
                        | models.Q(("is_not_applicable", False), ("value__isnull", False)),
                        name="adjudication_value_or_not_applicable",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AdjudicationRevision",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("revision", models.PositiveIntegerField()),
                ("value", models.SmallIntegerField(null=True)),
                ("reason", models.TextField()),
                ("decided_at", models.DateTimeField()),
                (
                    "adjudication",
                    models.ForeignKey(on_delete=CASCADE, related_name="revisions", to="evalapp.adjudication"),
                ),
                (
                    "decided_by",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("adjudication", "revision"), name="adjudication_revision_once"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="DiscussionMessage",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("text", models.TextField()),
                (
                    "author",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
                (
                    "item_output",
                    models.ForeignKey(on_delete=CASCADE, related_name="messages", to="evalapp.itemoutput"),
                ),
            ],
            options={"indexes": [models.Index(fields=["item_output", "id"], name="message_of_output")]},
        ),
        migrations.CreateModel(
            name="Appeal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("revision", models.PositiveIntegerField(default=1)),
                ("reason", models.TextField()),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("upheld", "Upheld: it stands"), ("changed", "Changed")],
                        max_length=8,
                    ),
                ),
                ("answer", models.TextField(blank=True)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "adjudication",
                    models.ForeignKey(
                        null=True, on_delete=CASCADE, related_name="appeals", to="evalapp.adjudication"
                    ),
                ),
                (
                    "answered_by",
                    models.ForeignKey(
                        null=True, on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "appellant",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
                (
                    "decided_by",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
                (
                    "campaign",
                    models.ForeignKey(on_delete=CASCADE, related_name="appeals", to="evalapp.campaign"),
                ),
                (
                    "send_back",
                    models.ForeignKey(
                        null=True, on_delete=CASCADE, related_name="appeals", to="evalapp.sendback"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("answered_at__isnull", True)),
                        fields=["campaign"],
                        name="appeal_waiting",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("send_back",), name="appeal_once_per_send_back"),
                    models.UniqueConstraint(
                        fields=("adjudication", "revision", "appellant"), name="appeal_once_per_adjudication"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("adjudication__isnull", True), ("send_back__isnull", False))
                        | models.Q(("adjudication__isnull", False), ("send_back__isnull", True)),
                        name="appeal_against_one_thing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("answered_at__isnull", True), ("answered_by__isnull", True), ("outcome", ""))
                        | models.Q(("answered_at__isnull", False), ("answered_by__isnull", False), ("outcome__in", ["upheld", "changed"])),
                        name="appeal_answer_is_whole",
                    ),
                ],
            },
        ),
        migrations.RunSQL(RANGE, DROP_RANGE),
        migrations.RunSQL(NOT_ONES_OWN, DROP_NOT_ONES_OWN),
    ]
