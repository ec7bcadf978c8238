"""A weekly mean says which of its ends is the better one."""

from django.db import migrations, models

# As the rubric said by which the week was reviewed.
DIRECT_MEANS = """
UPDATE evalapp_kpi kpi SET lower_is_better = true
FROM evalapp_draw draw
JOIN evalapp_campaign campaign ON campaign.id = draw.campaign_id
JOIN evalapp_criterion criterion ON criterion.version_id = campaign.rubric_version_id
WHERE draw.id = kpi.draw_id AND criterion.key = kpi.criterion_key AND criterion.lower_is_better;
"""


class Migration(migrations.Migration):

    dependencies = [
        ("evalapp", "0028_messages_of_campaigns"),
    ]

    operations = [
        migrations.AddField(
            model_name="kpi",
            name="lower_is_better",
            field=models.BooleanField(default=False),
        ),
        migrations.RunSQL(DIRECT_MEANS, migrations.RunSQL.noop),
    ]
