"""Deleted data stays deleted, whatever was under way at the same moment."""

from django.db import migrations

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
DROP_AUDIT_NAMES_NO_FORMER_MEMBER = """
DROP TRIGGER audit_names_no_former_member ON evalapp_auditevent;
DROP FUNCTION evalapp_audit_name_no_former_member();
"""

# A page that was open saves what it had read: name and address must not come back by that.
FORMER_MEMBER_STAYS_FORMER = """
CREATE TRIGGER user_former_member_stays BEFORE UPDATE ON evalapp_user FOR EACH ROW
    WHEN (OLD.anonymised_at IS NOT NULL AND (OLD.anonymised_at, OLD.name, OLD.email, OLD.is_active)
        IS DISTINCT FROM (NEW.anonymised_at, NEW.name, NEW.email, NEW.is_active))
    EXECUTE FUNCTION evalapp_refuse_change();
"""
DROP_FORMER_MEMBER_STAYS_FORMER = "DROP TRIGGER user_former_member_stays ON evalapp_user;"


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0003_one_export_of_a_name")]

    operations = [
        migrations.RunSQL(AUDIT_NAMES_NO_FORMER_MEMBER, DROP_AUDIT_NAMES_NO_FORMER_MEMBER),
        migrations.RunSQL(FORMER_MEMBER_STAYS_FORMER, DROP_FORMER_MEMBER_STAYS_FORMER),
    ]
