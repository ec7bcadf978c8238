"""Counts that are kept while reviews come in, and analyses of large campaigns that a job has computed."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

CASCADE = django.db.models.deletion.CASCADE
PROTECT = django.db.models.deletion.PROTECT
PURPOSES = [("review", "Review"), ("gold", "Gold"), ("repeat", "Repeat"), ("calibration", "Calibration")]

# Whatever stores, amends, imports or deletes a review is counted by the database in the same transaction, so
# that no path can forget to. A row is one reviewer's: two people never wait for the same one. Reviews are
# counted before their scores on every path, so that one person's two windows take the rows in one order.
COUNT_REVIEWS = """
CREATE FUNCTION evalapp_count_reviews() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE evalapp_reviewcount AS kept
        SET reviews = kept.reviews - gone.reviews,
            changes = kept.changes + CASE TG_OP WHEN 'DELETE' THEN gone.reviews ELSE 0 END
        FROM (SELECT r.campaign_id, o.candidate_id, r.reviewer_id, r.purpose, r.is_simulated,
                     count(*) AS reviews
              FROM gone_rows r JOIN evalapp_itemoutput o ON o.id = r.item_output_id
              GROUP BY 1, 2, 3, 4, 5) AS gone
        WHERE (kept.campaign_id, kept.candidate_id, kept.reviewer_id, kept.purpose, kept.is_simulated)
            = (gone.campaign_id, gone.candidate_id, gone.reviewer_id, gone.purpose, gone.is_simulated);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO evalapp_reviewcount AS kept
            (campaign_id, candidate_id, reviewer_id, purpose, is_simulated, reviews, changes, first_review)
        SELECT r.campaign_id, o.candidate_id, r.reviewer_id, r.purpose, r.is_simulated,
               count(*), count(*), min(r.id)
        FROM new_rows r JOIN evalapp_itemoutput o ON o.id = r.item_output_id
        GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (campaign_id, candidate_id, reviewer_id, purpose, is_simulated) DO UPDATE
        SET reviews = kept.reviews + EXCLUDED.reviews, changes = kept.changes + EXCLUDED.changes,
            first_review = least(kept.first_review, EXCLUDED.first_review);
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION evalapp_count_scores() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE evalapp_scorecount AS kept SET scores = kept.scores - gone.scores
        FROM (SELECT r.campaign_id, o.candidate_id, s.criterion_id, r.reviewer_id, r.is_simulated,
                     s.is_not_applicable, coalesce(s.value, 0) AS value, count(*) AS scores
              FROM gone_rows s JOIN evalapp_review r ON r.id = s.review_id
              JOIN evalapp_itemoutput o ON o.id = r.item_output_id
              WHERE r.purpose = 'review' GROUP BY 1, 2, 3, 4, 5, 6, 7) AS gone
        WHERE (kept.campaign_id, kept.candidate_id, kept.criterion_id, kept.reviewer_id, kept.is_simulated,
               kept.is_not_applicable, kept.value)
            = (gone.campaign_id, gone.candidate_id, gone.criterion_id, gone.reviewer_id, gone.is_simulated,
               gone.is_not_applicable, gone.value);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO evalapp_scorecount AS kept
            (campaign_id, candidate_id, criterion_id, reviewer_id, is_simulated, is_not_applicable, value, scores)
        SELECT r.campaign_id, o.candidate_id, s.criterion_id, r.reviewer_id, r.is_simulated,
               s.is_not_applicable, coalesce(s.value, 0), count(*)
        FROM new_rows s JOIN evalapp_review r ON r.id = s.review_id
        JOIN evalapp_itemoutput o ON o.id = r.item_output_id
        WHERE r.purpose = 'review' GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (campaign_id, candidate_id, criterion_id, reviewer_id, is_simulated, is_not_applicable, value)
        DO UPDATE SET scores = kept.scores + EXCLUDED.scores;
    END IF;
    RETURN NULL;
END $$;
-- A connection keeps the plan of its first call, which may be of an import of a million rows or of one review;
-- a look per row through the keys is right for both.
ALTER FUNCTION evalapp_count_reviews() SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off;
ALTER FUNCTION evalapp_count_scores() SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off;
"""
TRIGGERS = "".join(
    f"""
CREATE TRIGGER {what}_counted_when_new AFTER INSERT ON evalapp_{what}
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION evalapp_count_{what}s();
CREATE TRIGGER {what}_counted_when_changed AFTER UPDATE ON evalapp_{what}
    REFERENCING OLD TABLE AS gone_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION evalapp_count_{what}s();
CREATE TRIGGER {what}_counted_when_gone AFTER DELETE ON evalapp_{what}
    REFERENCING OLD TABLE AS gone_rows FOR EACH STATEMENT EXECUTE FUNCTION evalapp_count_{what}s();
"""
    for what in ("review", "score")
)
NO_TRIGGERS = "".join(
    f"DROP TRIGGER {what}_counted_when_{event} ON evalapp_{what};\n"
    for what in ("review", "score")
    for event in ("new", "changed", "gone")
)
DO_NOT_COUNT = f"""{NO_TRIGGERS}
DROP FUNCTION evalapp_count_reviews();
DROP FUNCTION evalapp_count_scores();
"""
# Room on every page, so that a count grows in place and no index is touched.
ROOM = """
ALTER TABLE evalapp_reviewcount SET (fillfactor = 60);
ALTER TABLE evalapp_scorecount SET (fillfactor = 60);
"""
COUNT_WHAT_IS_THERE = """
INSERT INTO evalapp_reviewcount
    (campaign_id, candidate_id, reviewer_id, purpose, is_simulated, reviews, changes, first_review)
SELECT r.campaign_id, o.candidate_id, r.reviewer_id, r.purpose, r.is_simulated, count(*), count(*), min(r.id)
FROM evalapp_review r JOIN evalapp_itemoutput o ON o.id = r.item_output_id GROUP BY 1, 2, 3, 4, 5;
INSERT INTO evalapp_scorecount
    (campaign_id, candidate_id, criterion_id, reviewer_id, is_simulated, is_not_applicable, value, scores)
SELECT r.campaign_id, o.candidate_id, s.criterion_id, r.reviewer_id, r.is_simulated, s.is_not_applicable,
       coalesce(s.value, 0), count(*)
FROM evalapp_score s JOIN evalapp_review r ON r.id = s.review_id
JOIN evalapp_itemoutput o ON o.id = r.item_output_id
WHERE r.purpose = 'review' GROUP BY 1, 2, 3, 4, 5, 6, 7;
"""

# Where nobody listens "asked" is unknown, not false, and whoever completed a place paid for a look at 200 others:
# half a millisecond, and more while many places complete.
NO_LOOK_WHERE_NOBODY_LISTENS = """
CREATE OR REPLACE FUNCTION evalapp_webhook_place_completed() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF coalesce(asked_for_campaigns, false) AND (SELECT count(*) FROM (
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
"""


def to(model: str, on_delete: object = CASCADE) -> models.ForeignKey:
    # The unique constraint begins with the campaign; nothing is looked up by the others alone.
    return models.ForeignKey(on_delete=on_delete, related_name="+", to=model, db_index=False)


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0021_watch")]

    operations = [
        migrations.CreateModel(
            name="ReviewCount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("purpose", models.CharField(choices=PURPOSES, max_length=11)),
                ("is_simulated", models.BooleanField()),
                ("reviews", models.BigIntegerField()),
                ("changes", models.BigIntegerField()),
                ("first_review", models.BigIntegerField()),
                ("campaign", to("evalapp.campaign")),
                ("candidate", to("evalapp.campaigncandidate")),
                ("reviewer", to(settings.AUTH_USER_MODEL, PROTECT)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("campaign", "candidate", "reviewer", "purpose", "is_simulated"),
                        name="review_count_once",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ScoreCount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("is_simulated", models.BooleanField()),
                ("is_not_applicable", models.BooleanField()),
                ("value", models.SmallIntegerField()),
                ("scores", models.BigIntegerField()),
                ("campaign", to("evalapp.campaign")),
                ("candidate", to("evalapp.campaigncandidate")),
                ("criterion", to("evalapp.criterion", PROTECT)),
                ("reviewer", to(settings.AUTH_USER_MODEL, PROTECT)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "campaign",
                            "candidate",
                            "criterion",
                            "reviewer",
                            "is_simulated",
                            "is_not_applicable",
                            "value",
                        ),
                        name="score_count_once",
                    ),
                    models.CheckConstraint(
                        condition=Q(("is_not_applicable", False)) | Q(("value", 0)),
                        name="score_count_without_a_value",
                    ),
                ],
            },
        ),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
        migrations.RunSQL(COUNT_REVIEWS + TRIGGERS, DO_NOT_COUNT),
        migrations.RunSQL(NO_LOOK_WHERE_NOBODY_LISTENS, migrations.RunSQL.noop),
        migrations.RunSQL(COUNT_WHAT_IS_THERE, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="StoredAnalysis",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("comparison", "Comparison"), ("severity", "Severity")], max_length=10
                    ),
                ),
                (
                    "people",
                    models.CharField(
                        choices=[
                            ("all", "Everybody"),
                            ("human", "People only"),
                            ("simulated", "Simulated only"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "reviewed_values",
                    models.CharField(
                        choices=[("original", "As reviewers gave them"), ("adjudicated", "With adjudicated values")],
                        max_length=11,
                    ),
                ),
                ("part", models.CharField(blank=True, default="", max_length=120)),
                ("format", models.PositiveSmallIntegerField()),
                ("changes", models.BigIntegerField()),
                ("reviews", models.BigIntegerField()),
                ("figures", models.JSONField()),
                ("computed_at", models.DateTimeField()),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=CASCADE, related_name="stored_analyses", to="evalapp.campaign"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("campaign", "kind", "people", "reviewed_values", "part"),
                        name="stored_analysis_once",
                    ),
                    models.CheckConstraint(
                        condition=Q(("kind__in", ["comparison", "severity"])), name="stored_analysis_known"
                    ),
                ],
            },
        ),
    ]
