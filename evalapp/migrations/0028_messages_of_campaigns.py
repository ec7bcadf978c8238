"""A message names its campaign, by which it goes with the project."""

import django.db.models.deletion
from django.db import migrations, models

NAME_CAMPAIGNS = """
UPDATE evalapp_discussionmessage message SET campaign_id = item.campaign_id
FROM evalapp_item item
WHERE item.id = coalesce(
    (SELECT item_id FROM evalapp_itemoutput WHERE id = message.item_output_id),
    (SELECT item_id FROM evalapp_comparison WHERE id = message.comparison_id)
);
-- A table with checks that wait for the end cannot be altered.
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(migrations.Migration):

    dependencies = [
        ("evalapp", "0027_evidence_views"),
    ]

    operations = [
        migrations.AddField(
            model_name="discussionmessage",
            name="campaign",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="messages",
                to="evalapp.campaign",
            ),
        ),
        migrations.RunSQL(NAME_CAMPAIGNS, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="discussionmessage",
            name="campaign",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="messages", to="evalapp.campaign"
            ),
        ),
    ]
