"""Rules that Django's constraints cannot express; the database itself holds them."""

from django.db import migrations

APPEND_ONLY_AUDIT = """
CREATE FUNCTION evalapp_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
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
CREATE TRIGGER example_immutable BEFORE UPDATE ON evalapp_example
    FOR EACH ROW EXECUTE FUNCTION evalapp_refuse_change();
"""
DROP_APPEND_ONLY_AUDIT = """
DROP TRIGGER example_immutable ON evalapp_example;
DROP TRIGGER audit_append_only ON evalapp_auditevent;
DROP FUNCTION evalapp_audit_refuse_change();
DROP FUNCTION evalapp_refuse_change();
"""

# A score's range is its criterion's: with the check on the value, no score can leave its scale.
SCORE_RANGE = """
ALTER TABLE evalapp_score ADD CONSTRAINT score_range_is_the_criterions
    FOREIGN KEY (criterion_id, minimum, maximum)
    REFERENCES evalapp_criterion (id, minimum, maximum) DEFERRABLE INITIALLY DEFERRED;
"""
DROP_SCORE_RANGE = "ALTER TABLE evalapp_score DROP CONSTRAINT score_range_is_the_criterions;"

# A ready dataset version keeps its content: its own columns, and no row is added to it.
DATASET_VERSION_IMMUTABLE = """
CREATE TRIGGER dataset_version_immutable BEFORE UPDATE ON evalapp_datasetversion FOR EACH ROW
    WHEN (OLD.state = 'ready' AND (OLD.state, OLD.dataset_id, OLD.number, OLD.content_hash, OLD.counts,
        OLD.skipped_rows, OLD.is_simulated) IS DISTINCT FROM (NEW.state, NEW.dataset_id, NEW.number,
        NEW.content_hash, NEW.counts, NEW.skipped_rows, NEW.is_simulated))
    EXECUTE FUNCTION evalapp_refuse_change();
CREATE FUNCTION evalapp_refuse_rows_of_ready_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM (SELECT DISTINCT version_id FROM added) AS versions
               JOIN evalapp_datasetversion AS version ON version.id = versions.version_id
               WHERE version.state = 'ready') THEN
        RAISE EXCEPTION 'a ready dataset version takes no more rows' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER example_not_into_ready_version AFTER INSERT ON evalapp_example
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT
    EXECUTE FUNCTION evalapp_refuse_rows_of_ready_version();
"""
DROP_DATASET_VERSION_IMMUTABLE = """
DROP TRIGGER example_not_into_ready_version ON evalapp_example;
DROP FUNCTION evalapp_refuse_rows_of_ready_version();
DROP TRIGGER dataset_version_immutable ON evalapp_datasetversion;
"""

# A rubric version that was used stays as the reviewers saw it.
FROZEN_RUBRIC = """
CREATE TRIGGER rubric_version_frozen BEFORE UPDATE ON evalapp_rubricversion FOR EACH ROW
    WHEN (OLD.frozen_at IS NOT NULL AND (OLD.frozen_at, OLD.rubric_id, OLD.number, OLD.instructions)
        IS DISTINCT FROM (NEW.frozen_at, NEW.rubric_id, NEW.number, NEW.instructions))
    EXECUTE FUNCTION evalapp_refuse_change();
CREATE FUNCTION evalapp_refuse_change_of_frozen_rubric() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner bigint;
BEGIN
    IF TG_TABLE_NAME = 'evalapp_criterion' THEN
        owner := NEW.version_id;
    ELSE
        SELECT version_id INTO owner FROM evalapp_criterion WHERE id = NEW.criterion_id;
    END IF;
    IF EXISTS (SELECT 1 FROM evalapp_rubricversion WHERE id = owner AND frozen_at IS NOT NULL) THEN
        RAISE EXCEPTION 'a frozen rubric version is never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER criterion_frozen BEFORE INSERT OR UPDATE ON evalapp_criterion
    FOR EACH ROW EXECUTE FUNCTION evalapp_refuse_change_of_frozen_rubric();
CREATE TRIGGER reason_tag_frozen BEFORE INSERT OR UPDATE ON evalapp_reasontag
    FOR EACH ROW EXECUTE FUNCTION evalapp_refuse_change_of_frozen_rubric();
"""
DROP_FROZEN_RUBRIC = """
DROP TRIGGER reason_tag_frozen ON evalapp_reasontag;
DROP TRIGGER criterion_frozen ON evalapp_criterion;
DROP FUNCTION evalapp_refuse_change_of_frozen_rubric();
DROP TRIGGER rubric_version_frozen ON evalapp_rubricversion;
"""


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0001_initial")]

    operations = [
        migrations.RunSQL(APPEND_ONLY_AUDIT, DROP_APPEND_ONLY_AUDIT),
        migrations.RunSQL(SCORE_RANGE, DROP_SCORE_RANGE),
        migrations.RunSQL(DATASET_VERSION_IMMUTABLE, DROP_DATASET_VERSION_IMMUTABLE),
        migrations.RunSQL(FROZEN_RUBRIC, DROP_FROZEN_RUBRIC),
    ]
