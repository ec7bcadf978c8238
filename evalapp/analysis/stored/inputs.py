"""The inputs of a comparison besides reviews, and whether they have changed since it was computed."""

from collections.abc import Mapping

from django.db import connection

from evalapp.analysis.models import AnalysisKind
from evalapp.campaigns.models import Campaign
from evalapp.scoring.services import SCORE_TASK

#: By name, as a sentence calls it: "… have changed since".
INPUTS = {
    "adjudications": "adjudications",
    "metrics": "metrics",
    "imported_scores": "imported scores",
    "rule_checks": "rule checks",
    "labels": "the reading of labels",
    "prices": "prices",
    "closing_answers": "answers to the closing question",
}
_OF_KIND: Mapping[str, frozenset[str]] = {
    AnalysisKind.COMPARISON: frozenset(INPUTS),
    AnalysisKind.METRICS: frozenset(("metrics", "imported_scores")),
}
# Each is a text that changes whenever its source does.
_VERSIONS = """
SELECT
    (SELECT concat(count(*), ' ', max(decided_at)) FROM evalapp_adjudication WHERE campaign_id = c.id)
        AS adjudications,
    (SELECT concat(max(j.id)) FROM evalapp_job j JOIN evalapp_run r ON r.id::text = j.params ->> 'run'
        WHERE j.project_id = c.project_id AND j.task = %(task)s AND j.state = 'succeeded'
        AND r.dataset_version_id = c.dataset_version_id) AS metrics,
    (SELECT concat(max(id)) FROM evalapp_auditevent
        WHERE object_type = 'externalmetric' AND project_id = c.project_id) AS imported_scores,
    (SELECT md5(string_agg(concat_ws(' ', id, name, kind, params, is_active), ',' ORDER BY id))
        FROM evalapp_rulecheck WHERE project_id = c.project_id) AS rule_checks,
    (SELECT md5(concat_ws(' ', p.kind, p.pattern, p.field, p.ignore_case, p.labels))
        FROM evalapp_labelparser p JOIN evalapp_datasetversion v ON v.dataset_id = p.dataset_id
        WHERE v.id = c.dataset_version_id) AS labels,
    (SELECT md5(string_agg(concat_ws(' ', model_version_id, input_price, output_price, currency), ','
        ORDER BY id)) FROM evalapp_tokenprice WHERE project_id = c.project_id) AS prices,
    (SELECT concat(count(closing_at)) FROM evalapp_campaignreviewer WHERE campaign_id = c.id)
        AS closing_answers
FROM evalapp_campaign c WHERE c.id = %(campaign)s
"""


def input_versions(campaign: Campaign) -> dict[str, str]:
    """By the names of `INPUTS`: a text that changes whenever that source does; empty for a campaign deleted
    meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute(_VERSIONS, {"campaign": campaign.pk, "task": SCORE_TASK})
        row = cursor.fetchone()
        names = [column.name for column in cursor.description]
    return {name: value or "" for name, value in zip(names, row or (), strict=row is not None)}


def changed_inputs(kind: str, then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The names of inputs of this kind of analysis that have changed since."""
    wanted = _OF_KIND.get(kind, frozenset())
    return [name for name in INPUTS if name in wanted and then.get(name) != now.get(name)]
