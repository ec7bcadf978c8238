"""Rules that Django's constraints cannot express; the database itself holds them."""

from django.db import migrations

# One change of what never changes is lawful: while a person is erased, their texts give way in the columns
# that the trigger names.
APPEND_ONLY_AUDIT = """
CREATE FUNCTION evalapp_is_erasing() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('evalapp.erasing', true), '') = 'on'
$$;
CREATE FUNCTION evalapp_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS > 0 AND evalapp_is_erasing()
        AND to_jsonb(NEW) - TG_ARGV = to_jsonb(OLD) - TG_ARGV
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% rows are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
-- One change is lawful: a deleted person's name gives way to "Former member 12".
CREATE FUNCTION evalapp_audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND to_jsonb(NEW) - 'actor_label' - 'object_label' = to_jsonb(OLD) - 'actor_label' - 'object_label'
        AND (NEW.actor_label = OLD.actor_label OR NEW.actor_label ~ '^Former member [0-9]+$')
        AND (NEW.object_label = OLD.object_label OR NEW.object_label ~ '^Former member [0-9]+$')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit rows are never changed' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON evalapp_auditevent
    FOR EACH ROW EXECUTE FUNCTION evalapp_audit_refuse_change();
CREATE TRIGGER example_immutable BEFORE UPDATE ON evalapp_example FOR EACH ROW
    WHEN (OLD.row_key IS NOT NULL
        OR (OLD.id, OLD.version_id, OLD.row_number, OLD.split, OLD.messages, OLD."references", OLD.label,
            OLD.context, OLD.metadata, OLD.group_key, OLD.prompt_hash, OLD.content_hash, OLD.provenance,
            OLD.pairs, OLD.rated, OLD.conversation)
        IS DISTINCT FROM (NEW.id, NEW.version_id, NEW.row_number, NEW.split, NEW.messages, NEW."references",
            NEW.label, NEW.context, NEW.metadata, NEW.group_key, NEW.prompt_hash, NEW.content_hash,
            NEW.provenance, NEW.pairs, NEW.rated, NEW.conversation))
    EXECUTE FUNCTION evalapp_refuse_change('messages', 'references', 'label', 'context', 'metadata', 'group_key',
        'provenance', 'pairs', 'rated', 'conversation');
"""

# Whoever writes an event has read the person's name some time before. The lock makes the two orders the
# only ones: the event is there when a deletion relabels the audit, or the deletion is seen here.
AUDIT_NAMES_NO_FORMER_MEMBER = """
CREATE FUNCTION evalapp_audit_name_no_former_member() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone timestamptz;
BEGIN
    SELECT anonymised_at INTO gone FROM evalapp_user WHERE id = NEW.actor_id FOR KEY SHARE;
    IF gone IS NOT NULL THEN
        NEW.actor_label := 'Former member ' || NEW.actor_id;
    END IF;
    IF NEW.object_type = 'user' THEN
        SELECT anonymised_at INTO gone FROM evalapp_user WHERE id = NEW.object_id FOR KEY SHARE;
        IF gone IS NOT NULL THEN
            NEW.object_label := 'Former member ' || NEW.object_id;
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_names_no_former_member BEFORE INSERT ON evalapp_auditevent
    FOR EACH ROW EXECUTE FUNCTION evalapp_audit_name_no_former_member();
"""

# A page that was open saves what it had read: name and address must not come back by that.
FORMER_MEMBER_STAYS_FORMER = """
CREATE TRIGGER user_former_member_stays BEFORE UPDATE ON evalapp_user FOR EACH ROW
    WHEN (OLD.anonymised_at IS NOT NULL AND (OLD.anonymised_at, OLD.name, OLD.email, OLD.is_active)
        IS DISTINCT FROM (NEW.anonymised_at, NEW.name, NEW.email, NEW.is_active))
    EXECUTE FUNCTION evalapp_refuse_change();
"""

# A ready dataset version keeps its content: its own columns, and no row is added to it. It can be deleted: its
# rows go, and it says so for good.
DATASET_VERSION_IMMUTABLE = """
CREATE TRIGGER dataset_version_immutable BEFORE UPDATE ON evalapp_datasetversion FOR EACH ROW
    WHEN (OLD.state IN ('ready', 'deleted') AND (NEW.state NOT IN (OLD.state, 'deleted')
        OR (OLD.dataset_id, OLD.number, OLD.content_hash, OLD.counts, OLD.skipped_rows, OLD.is_simulated)
        IS DISTINCT FROM (NEW.dataset_id, NEW.number, NEW.content_hash, NEW.counts, NEW.skipped_rows,
        NEW.is_simulated)))
    EXECUTE FUNCTION evalapp_refuse_change();
CREATE FUNCTION evalapp_refuse_rows_of_ready_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM (SELECT DISTINCT version_id FROM added) AS versions
               JOIN evalapp_datasetversion AS version ON version.id = versions.version_id
               WHERE version.state <> 'importing') THEN
        RAISE EXCEPTION 'a ready dataset version takes no more rows' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER example_not_into_ready_version AFTER INSERT ON evalapp_example
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT
    EXECUTE FUNCTION evalapp_refuse_rows_of_ready_version();
"""

# Nothing new refers to a deleted dataset version. The lock waits for a deletion that has begun; the error is the
# one of a key without a row, which requests answer with 409.
NO_USE_OF_DELETED_VERSION = """
CREATE FUNCTION evalapp_refuse_deleted_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    current_state text;
BEGIN
    SELECT state INTO current_state FROM evalapp_datasetversion
        WHERE id = (to_jsonb(NEW) ->> TG_ARGV[0])::bigint FOR KEY SHARE;
    IF current_state = 'deleted' THEN
        RAISE EXCEPTION 'the dataset version was deleted' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;
""" + "".join(
    f"""
CREATE TRIGGER {table}_not_of_deleted_version BEFORE INSERT ON evalapp_{table}
    FOR EACH ROW EXECUTE FUNCTION evalapp_refuse_deleted_version('{column}');
"""
    for table, column in [
        ("campaign", "dataset_version_id"),
        ("contaminationdecision", "dataset_version_id"),
        ("datasetpush", "version_id"),
        ("ledger", "dataset_version_id"),
        ("run", "dataset_version_id"),
    ]
)

# What the search of rows looks through. PostgreSQL takes at most a megabyte of words for one row.
WORDS_OF_ROW = """
CREATE FUNCTION evalapp_words_of_row(messages jsonb, answers jsonb, metadata jsonb, others text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector('simple', left(concat_ws(' ',
        (SELECT string_agg(message ->> 'content', ' ') FROM jsonb_array_elements(messages) AS message),
        (SELECT string_agg(answer, ' ') FROM jsonb_array_elements_text(answers) AS answer),
        (SELECT string_agg(value, ' ') FROM jsonb_each_text(metadata)),
        others), 200000))
$$;
"""

# What was decided on, by whom and why stays as it is. Who decided may leave.
CONTAMINATION_DECISION_IMMUTABLE = """
CREATE TRIGGER contamination_decision_immutable BEFORE UPDATE ON evalapp_contaminationdecision FOR EACH ROW
    WHEN (to_jsonb(OLD) - 'decided_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'decided_by_id')
    EXECUTE FUNCTION evalapp_refuse_change('reason');
"""

# A rubric version that was used stays as the reviewers saw it.
FROZEN_RUBRIC = """
CREATE TRIGGER rubric_version_frozen BEFORE UPDATE ON evalapp_rubricversion FOR EACH ROW
    WHEN (OLD.frozen_at IS NOT NULL AND (OLD.frozen_at, OLD.rubric_id, OLD.number, OLD.instructions)
        IS DISTINCT FROM (NEW.frozen_at, NEW.rubric_id, NEW.number, NEW.instructions))
    EXECUTE FUNCTION evalapp_refuse_change('instructions');
CREATE FUNCTION evalapp_refuse_change_of_frozen_rubric() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner bigint;
BEGIN
    IF TG_TABLE_NAME = 'evalapp_criterion' THEN
        owner := NEW.version_id;
    ELSE
        SELECT version_id INTO owner FROM evalapp_criterion WHERE id = NEW.criterion_id;
    END IF;
    IF TG_OP = 'UPDATE' AND TG_NARGS > 0 AND evalapp_is_erasing()
        AND to_jsonb(NEW) - TG_ARGV = to_jsonb(OLD) - TG_ARGV
    THEN
        RETURN NEW;
    END IF;
    IF EXISTS (SELECT 1 FROM evalapp_rubricversion WHERE id = owner AND frozen_at IS NOT NULL) THEN
        RAISE EXCEPTION 'a frozen rubric version is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER criterion_frozen BEFORE INSERT OR UPDATE ON evalapp_criterion
    FOR EACH ROW EXECUTE FUNCTION evalapp_refuse_change_of_frozen_rubric('help_text', 'level_descriptions', 'examples');
CREATE TRIGGER reason_tag_frozen BEFORE INSERT OR UPDATE ON evalapp_reasontag
    FOR EACH ROW EXECUTE FUNCTION evalapp_refuse_change_of_frozen_rubric();
"""

# A score's range is its criterion's: with the check on the value, no score can leave its scale.
SCORE_RANGE = """
ALTER TABLE evalapp_score ADD CONSTRAINT score_range_is_the_criterions
    FOREIGN KEY (criterion_id, minimum, maximum)
    REFERENCES evalapp_criterion (id, minimum, maximum) DEFERRABLE INITIALLY DEFERRED;
"""

# The same for an adjudicated score.
ADJUDICATION_RANGE = """
ALTER TABLE evalapp_adjudication ADD CONSTRAINT adjudication_range_is_the_criterions
    FOREIGN KEY (criterion_id, minimum, maximum)
    REFERENCES evalapp_criterion (id, minimum, maximum) DEFERRABLE INITIALLY DEFERRED;
"""

# Nobody decides about an output that they reviewed themselves.
NO_ADJUDICATION_OF_ONES_OWN = """
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

# Nobody decides about a comparison that they reviewed themselves.
NO_COMPARISON_ADJUDICATION_OF_ONES_OWN = """
CREATE FUNCTION evalapp_refuse_own_comparison_adjudication() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM evalapp_review
               WHERE comparison_id = NEW.comparison_id AND reviewer_id = NEW.decided_by_id) THEN
        RAISE EXCEPTION 'who reviewed a comparison does not adjudicate it' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER comparison_adjudication_not_ones_own BEFORE INSERT OR UPDATE ON evalapp_comparisonadjudication
    FOR EACH ROW EXECUTE FUNCTION evalapp_refuse_own_comparison_adjudication();
"""

# An applied gate, an attestation, an evaluation and a decision stay as they are. Who made them may leave.
GATES_AND_DECISIONS_IMMUTABLE = """
CREATE TRIGGER gate_frozen BEFORE UPDATE ON evalapp_gate FOR EACH ROW
    WHEN (OLD.frozen_at IS NOT NULL
          AND to_jsonb(OLD) - 'created_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'created_by_id')
    EXECUTE FUNCTION evalapp_refuse_change();
CREATE TRIGGER campaign_gate_immutable BEFORE UPDATE ON evalapp_campaigngate FOR EACH ROW
    WHEN (to_jsonb(OLD) - 'applied_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'applied_by_id')
    EXECUTE FUNCTION evalapp_refuse_change();
CREATE TRIGGER training_data_attestation_immutable BEFORE UPDATE ON evalapp_trainingdataattestation FOR EACH ROW
    WHEN (to_jsonb(OLD) - 'attested_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'attested_by_id')
    EXECUTE FUNCTION evalapp_refuse_change('statement');
CREATE TRIGGER gate_evaluation_immutable BEFORE UPDATE ON evalapp_gateevaluation FOR EACH ROW
    WHEN (to_jsonb(OLD) - 'evaluated_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'evaluated_by_id')
    EXECUTE FUNCTION evalapp_refuse_change('record', 'reviews');
CREATE TRIGGER signed_decision_immutable BEFORE UPDATE ON evalapp_decision FOR EACH ROW
    WHEN (OLD.seal <> ''
          AND to_jsonb(OLD) - 'decided_by_id' IS DISTINCT FROM to_jsonb(NEW) - 'decided_by_id')
    EXECUTE FUNCTION evalapp_refuse_change('note', 'evidence');
"""

# What is chosen after somebody may have seen a rating is exploratory, whoever says what.
GATE_BEFORE_THE_FIRST_REVIEW = """
CREATE FUNCTION evalapp_refuse_late_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM evalapp_review WHERE campaign_id = NEW.campaign_id AND purpose = 'review') THEN
        RAISE EXCEPTION 'a gate that is applied after the first review is exploratory'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER campaign_gate_before_first_review BEFORE INSERT ON evalapp_campaigngate FOR EACH ROW
    WHEN (NOT NEW.is_exploratory) EXECUTE FUNCTION evalapp_refuse_late_gate();
"""

# Who asked for a report may leave, and its job may be tidied away; what it says stays.
REPORT_IMMUTABLE = """
CREATE TRIGGER report_immutable BEFORE UPDATE ON evalapp_report FOR EACH ROW
    WHEN (OLD.state = 'done'
          AND to_jsonb(OLD) - 'created_by_id' - 'job_id'
              IS DISTINCT FROM to_jsonb(NEW) - 'created_by_id' - 'job_id')
    EXECUTE FUNCTION evalapp_refuse_change('view', 'view_words');
"""

# What a week was judged by, and how likely each output was drawn, is what its alerts rest on.
WEEKLY_SAMPLE_IMMUTABLE = """
CREATE TRIGGER weekly_metric_immutable BEFORE UPDATE ON evalapp_weeklymetric FOR EACH ROW
    EXECUTE FUNCTION evalapp_refuse_change();
CREATE TRIGGER sampled_output_immutable BEFORE UPDATE ON evalapp_sampledoutput FOR EACH ROW
    EXECUTE FUNCTION evalapp_refuse_change();
"""

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

COUNTING_TRIGGERS = "".join(
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

# Room on every page, so that a count grows in place and no index is touched.
ROOM_FOR_COUNTS = """
ALTER TABLE evalapp_reviewcount SET (fillfactor = 60);
ALTER TABLE evalapp_scorecount SET (fillfactor = 60);
"""

# Whatever stores the event (a page, the API, an import) audits it; so the audit's own row brings the
# delivery with it, at no query more, and both are there or neither is.
WEBHOOKS_OF_AUDITED_EVENTS = """
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
    IF NEW.action = 'review.submitted' THEN
        PERFORM evalapp_webhook_tell(NEW.project_id, NEW.action,
            jsonb_build_object('campaign', NEW.data -> 'campaign', NEW.object_type, NEW.object_id));
    ELSE
        PERFORM evalapp_webhook_tell(NEW.project_id, NEW.action,
            jsonb_build_object('campaign', NEW.object_id));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER webhook_audited AFTER INSERT ON evalapp_auditevent FOR EACH ROW
    WHEN (NEW.action IN ('review.submitted', 'campaign.opened', 'campaign.closed'))
    EXECUTE FUNCTION evalapp_webhook_audited();
"""

# An item is complete with its last assignment, a campaign with its last item. Two people may fill the last two
# at one moment, and neither sees the other's: so the second waits for the first, and then looks.
WEBHOOKS_OF_COMPLETION = """
CREATE FUNCTION evalapp_webhook_assignment_completed() RETURNS trigger LANGUAGE plpgsql AS $$
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
        IF NOT EXISTS (SELECT 1 FROM evalapp_assignment WHERE item_id = NEW.item_id AND purpose = 'review'
                         AND state <> 'submitted') THEN
            PERFORM evalapp_webhook_tell(its_project, 'item.completed',
                jsonb_build_object('campaign', NEW.campaign_id, 'item', NEW.item_id));
        END IF;
    END IF;
    -- Where nobody listens, whether it was asked for is unknown, not false.
    -- Only near the end can this assignment be the last; more are never under way at one moment.
    IF coalesce(asked_for_campaigns, false) AND (SELECT count(*) FROM (
            SELECT 1 FROM evalapp_assignment WHERE campaign_id = NEW.campaign_id AND purpose = 'review'
                AND state IN ('available', 'in_progress') LIMIT 200) AS few) < 200 THEN
        PERFORM pg_advisory_xact_lock(20002, (NEW.campaign_id % 2147483647)::integer);
        IF NOT EXISTS (SELECT 1 FROM evalapp_assignment
                       WHERE campaign_id = NEW.campaign_id AND purpose = 'review' AND state IN ('available', 'in_progress')) THEN
            PERFORM evalapp_webhook_tell(its_project, 'campaign.completed',
                jsonb_build_object('campaign', NEW.campaign_id));
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER webhook_assignment_completed AFTER UPDATE OF state ON evalapp_assignment FOR EACH ROW
    WHEN (NEW.purpose = 'review' AND NEW.state = 'submitted' AND OLD.state <> 'submitted')
    EXECUTE FUNCTION evalapp_webhook_assignment_completed();
"""


# Events go by the month they were received in; the rest of their table is as the model has it.
EVENTS_BY_MONTH = """
ALTER TABLE evalapp_productionevent RENAME TO evalapp_productionevent_of_model;
CREATE TABLE evalapp_productionevent (LIKE evalapp_productionevent_of_model INCLUDING DEFAULTS)
    PARTITION BY RANGE (received_at);
DROP TABLE evalapp_productionevent_of_model;
ALTER TABLE evalapp_productionevent ADD PRIMARY KEY (key_id, received_at);
CREATE INDEX production_event_week ON evalapp_productionevent (stream_id, happened_at);
DO $$
DECLARE
    month timestamptz := date_trunc('month', now(), 'UTC');
    following timestamptz;
BEGIN
    FOR number IN 0..2 LOOP
        following := date_trunc('month', month + interval '32 days', 'UTC');
        EXECUTE format('CREATE TABLE evalapp_productionevent_%s PARTITION OF evalapp_productionevent'
            ' FOR VALUES FROM (%L) TO (%L)',
            to_char(month AT TIME ZONE 'UTC', 'YYYY_MM'), month, following);
        month := following;
    END LOOP;
END $$;
CREATE TRIGGER event_immutable BEFORE UPDATE ON evalapp_productionevent FOR EACH ROW
    EXECUTE FUNCTION evalapp_refuse_change('messages', 'conversation', 'context', 'text', 'fields');
CREATE TRIGGER assessment_immutable BEFORE UPDATE ON evalapp_assessment FOR EACH ROW
    EXECUTE FUNCTION evalapp_refuse_change('name', 'text', 'source');
"""


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0001_schema")]

    operations = [
        migrations.RunSQL(APPEND_ONLY_AUDIT),
        migrations.RunSQL(AUDIT_NAMES_NO_FORMER_MEMBER),
        migrations.RunSQL(FORMER_MEMBER_STAYS_FORMER),
        migrations.RunSQL(DATASET_VERSION_IMMUTABLE),
        migrations.RunSQL(NO_USE_OF_DELETED_VERSION),
        migrations.RunSQL(WORDS_OF_ROW),
        migrations.RunSQL(CONTAMINATION_DECISION_IMMUTABLE),
        migrations.RunSQL(FROZEN_RUBRIC),
        migrations.RunSQL(SCORE_RANGE),
        migrations.RunSQL(ADJUDICATION_RANGE),
        migrations.RunSQL(NO_ADJUDICATION_OF_ONES_OWN),
        migrations.RunSQL(NO_COMPARISON_ADJUDICATION_OF_ONES_OWN),
        migrations.RunSQL(GATES_AND_DECISIONS_IMMUTABLE),
        migrations.RunSQL(GATE_BEFORE_THE_FIRST_REVIEW),
        migrations.RunSQL(REPORT_IMMUTABLE),
        migrations.RunSQL(WEEKLY_SAMPLE_IMMUTABLE),
        migrations.RunSQL(EVENTS_BY_MONTH),
        migrations.RunSQL(COUNT_REVIEWS),
        migrations.RunSQL(COUNTING_TRIGGERS),
        migrations.RunSQL(ROOM_FOR_COUNTS),
        migrations.RunSQL(WEBHOOKS_OF_AUDITED_EVENTS),
        migrations.RunSQL(WEBHOOKS_OF_COMPLETION),
    ]
