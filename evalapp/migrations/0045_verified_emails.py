"""What is known of the emails of accounts from before it was kept: the server's own, and those of an identity."""

from django.db import migrations

KNOWN = """
UPDATE evalapp_user person SET email_verified_at = now()
WHERE person.anonymised_at IS NULL AND NOT person.is_simulated AND (
    person.is_superuser
    OR EXISTS (SELECT FROM socialaccount_socialaccount identity WHERE identity.user_id = person.id)
    OR EXISTS (SELECT FROM evalapp_auditevent event WHERE event.action = 'person.created'
               AND event.object_type = 'user' AND event.object_id = person.id AND event.actor_id IS NULL)
    OR (person.email LIKE '%@demo.example' AND EXISTS (
        SELECT FROM evalapp_membership membership JOIN evalapp_project project ON project.id = membership.project_id
        WHERE membership.user_id = person.id AND project.is_demonstration)));
UPDATE evalapp_user person SET password_link_by_id = invitation.created_by_id
FROM (SELECT DISTINCT ON (accepted_by_id) accepted_by_id, created_by_id FROM evalapp_invitation
      WHERE accepted_by_id IS NOT NULL ORDER BY accepted_by_id, accepted_at) invitation
WHERE person.email_verified_at IS NULL AND person.anonymised_at IS NULL
    AND invitation.accepted_by_id = person.id;
"""


class Migration(migrations.Migration):
    dependencies = [("evalapp", "0044_one_time_links"), ("socialaccount", "0001_initial")]

    operations = [migrations.RunSQL(KNOWN, migrations.RunSQL.noop)]
