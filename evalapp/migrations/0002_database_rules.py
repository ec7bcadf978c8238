"""Rules that Django's constraints cannot express; the database itself holds them."""

from django.db import migrations

APPEND_ONLY_AUDIT = """
CREATE FUNCTION evalapp_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON evalapp_auditevent
    FOR EACH ROW EXECUTE FUNCTION evalapp_refuse_change();
CREATE TRIGGER example_immutable BEFORE UPDATE ON evalapp_example
    FOR EACH ROW EXECUTE FUNCTION evalapp_refuse_change();
"""
DROP_APPEND_ONLY_AUDIT = """
DROP TRIGGER example_immutable ON evalapp_example;
DROP TRIGGER audit_append_only ON evalapp_auditevent;
DROP FUNCTION evalapp_refuse_change();
"""

# A score's range is its criterion's: with the check on the value, no score can leave its scale.
SCORE_RANGE = """
ALTER TABLE evalapp_score ADD CONSTRAINT score_range_is_the_criterions
    FOREIGN KEY (criterion_id, minimum, maximum)
    REFERENCES evalapp_criterion (id, minimum, maximum) DEFERRABLE INITIALLY DEFERRED;
"""
DROP_SCORE_RANGE = "ALTER TABLE evalapp_score DROP CONSTRAINT score_range_is_the_criterions;"


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0001_initial")]

    operations = [
        migrations.RunSQL(APPEND_ONLY_AUDIT, DROP_APPEND_ONLY_AUDIT),
        migrations.RunSQL(SCORE_RANGE, DROP_SCORE_RANGE),
    ]
