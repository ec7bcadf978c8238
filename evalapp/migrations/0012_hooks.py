"""Webhooks, and the triggers that write a delivery in the transaction of the event itself."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Whatever stores the event (a page, the API, an import) audits it; so the audit's own row brings the
# delivery with it, at no query more, and both are there or neither is.
TELL_OF_AUDITED_EVENTS = """
CREATE FUNCTION evalapp_webhook_tell(in_project bigint, of_event text, with_facts jsonb)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO evalapp_webhookdelivery
        (endpoint_id, key, event, facts, body, state, attempts, next_attempt_at, created_at)
    SELECT id, gen_random_uuid(), of_event, with_facts, '', 'waiting', 0, now(), now()
    FROM evalapp_webhookendpoint
    WHERE project_id = in_project AND disabled_at IS NULL AND of_event = ANY(events)
$$;
CREATE FUNCTION evalapp_webhook_audited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Nobody listens in most projects; this look costs far less than an insertion of nothing.
    IF NOT EXISTS (SELECT 1 FROM evalapp_webhookendpoint
                   WHERE project_id = NEW.project_id AND disabled_at IS NULL) THEN
        RETURN NULL;
    END IF;
    IF NEW.action IN ('review.submitted', 'judgement.submitted') THEN
        PERFORM evalapp_webhook_tell(NEW.project_id, NEW.action,
            jsonb_build_object('campaign', NEW.data -> 'campaign', NEW.object_type, NEW.object_id));
    ELSE
        PERFORM evalapp_webhook_tell(NEW.project_id, NEW.action,
            jsonb_build_object('campaign', NEW.object_id));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER webhook_audited AFTER INSERT ON evalapp_auditevent FOR EACH ROW
    WHEN (NEW.action IN ('review.submitted', 'judgement.submitted', 'campaign.opened', 'campaign.closed'))
    EXECUTE FUNCTION evalapp_webhook_audited();
"""
NOT_OF_AUDITED_EVENTS = """
DROP TRIGGER webhook_audited ON evalapp_auditevent;
DROP FUNCTION evalapp_webhook_audited();
DROP FUNCTION evalapp_webhook_tell(bigint, text, jsonb);
"""

# An item is complete with its last place, a campaign with its last item. Two people may fill the last two
# at one moment, and neither sees the other's: so the second waits for the first, and then looks.
TELL_OF_COMPLETION = """
CREATE FUNCTION evalapp_webhook_place_completed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    its_project bigint;
    asked_for_items boolean;
    asked_for_campaigns boolean;
BEGIN
    SELECT project_id INTO its_project FROM evalapp_campaign WHERE id = NEW.campaign_id;
    SELECT bool_or('item.completed' = ANY(events)), bool_or('campaign.completed' = ANY(events))
        INTO asked_for_items, asked_for_campaigns
        FROM evalapp_webhookendpoint WHERE project_id = its_project AND disabled_at IS NULL;
    IF asked_for_items THEN
        -- Not FOR UPDATE: rows that refer to the item may be added meanwhile.
        PERFORM 1 FROM evalapp_item WHERE id = NEW.item_id FOR NO KEY UPDATE;
        IF NOT EXISTS (SELECT 1 FROM evalapp_place WHERE item_id = NEW.item_id AND purpose = 'review'
                         AND state <> 'complete') THEN
            PERFORM evalapp_webhook_tell(its_project, 'item.completed',
                jsonb_build_object('campaign', NEW.campaign_id, 'item', NEW.item_id));
        END IF;
    END IF;
    -- Only near the end can this place be the last; more are never under way at one moment.
    IF asked_for_campaigns AND (SELECT count(*) FROM (
            SELECT 1 FROM evalapp_place WHERE campaign_id = NEW.campaign_id AND purpose = 'review'
                AND state IN ('free', 'held') LIMIT 200) AS few) < 200 THEN
        PERFORM pg_advisory_xact_lock(20002, (NEW.campaign_id % 2147483647)::integer);
        IF NOT EXISTS (SELECT 1 FROM evalapp_place
                       WHERE campaign_id = NEW.campaign_id AND purpose = 'review' AND state IN ('free', 'held')) THEN
            PERFORM evalapp_webhook_tell(its_project, 'campaign.completed',
                jsonb_build_object('campaign', NEW.campaign_id));
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER webhook_place_completed AFTER UPDATE OF state ON evalapp_place FOR EACH ROW
    WHEN (NEW.purpose = 'review' AND NEW.state = 'complete' AND OLD.state <> 'complete')
    EXECUTE FUNCTION evalapp_webhook_place_completed();
"""
NOT_OF_COMPLETION = """
DROP TRIGGER webhook_place_completed ON evalapp_place;
DROP FUNCTION evalapp_webhook_place_completed();
"""

EVENTS = [
    "review.submitted",
    "judgement.submitted",
    "item.completed",
    "campaign.opened",
    "campaign.completed",
    "campaign.closed",
]


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0011_pairs")]

    operations = [
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("key", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("address", models.TextField()),
                ("site", models.CharField(max_length=300)),
                (
                    "events",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), size=None
                    ),
                ),
                ("includes_text", models.BooleanField(default=False)),
                ("secret_salt", models.CharField(max_length=64)),
                ("failures_in_row", models.PositiveIntegerField(default=0)),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                ("disabled_at", models.DateTimeField(blank=True, null=True)),
                ("disabled_because", models.CharField(blank=True, max_length=400)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhook_endpoints",
                        to="evalapp.project",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("disabled_at__isnull", True)),
                        fields=["project"],
                        name="webhook_enabled",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "address"), name="webhook_address_in_project"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("events__contained_by", EVENTS), ("events__len__gte", 1)),
                        name="webhook_known_events",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("failing_since__isnull", True), ("failures_in_row", 0)),
                            models.Q(("failing_since__isnull", False), ("failures_in_row__gt", 0)),
                            _connector="OR",
                        ),
                        name="webhook_failing_has_date",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("key", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("event", models.CharField(max_length=40)),
                ("facts", models.JSONField(default=dict)),
                ("body", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sending", "Sending"),
                            ("delivered", "Delivered"),
                            ("failed", "Given up"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField(blank=True, null=True)),
                ("delivered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "endpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="evalapp.webhookendpoint",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "sending"])),
                        fields=["next_attempt_at"],
                        name="delivery_due",
                    ),
                    models.Index(fields=["endpoint", "-id"], name="delivery_latest"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("next_attempt_at__isnull", False), ("state__in", ["waiting", "sending"])
                            ),
                            models.Q(
                                models.Q(("state__in", ["waiting", "sending"]), _negated=True),
                                ("next_attempt_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="delivery_going_is_due",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("delivered_at__isnull", False), ("state", "delivered")),
                            models.Q(
                                models.Q(("state", "delivered"), _negated=True),
                                ("delivered_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="delivery_delivered_has_date",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookAttempt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("answer", models.TextField(blank=True)),
                ("problem", models.CharField(blank=True, max_length=400)),
                ("seconds", models.FloatField(default=0)),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="log",
                        to="evalapp.webhookdelivery",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["delivery", "id"], name="attempt_order")]},
        ),
        migrations.RunSQL(TELL_OF_AUDITED_EVENTS, NOT_OF_AUDITED_EVENTS),
        migrations.RunSQL(TELL_OF_COMPLETION, NOT_OF_COMPLETION),
    ]
