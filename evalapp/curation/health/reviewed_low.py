"""Rows whose reference reviewers scored low, or lower than a candidate's output, or whose outputs they
corrected, in closed campaigns of the project. A row is known by its prompt, whichever version was reviewed.
"""

from collections.abc import Iterator

from django.db import connection

from evalapp.curation.health.rows import Found
from evalapp.curation.kinds import FindingKind, Proposal
from evalapp.datasets.models import DatasetVersion

SURPASSED_BY = 0.25
"""By so much of its scale an output must be rated higher: a point of five levels."""

_REVIEWED = """
FROM evalapp_example own
JOIN evalapp_example reviewed ON reviewed.prompt_hash = own.prompt_hash
JOIN evalapp_datasetversion version ON version.id = reviewed.version_id
JOIN evalapp_dataset dataset ON dataset.id = version.dataset_id AND dataset.project_id = %(project)s
JOIN evalapp_item item ON item.example_id = reviewed.id
JOIN evalapp_campaign campaign ON campaign.id = item.campaign_id AND campaign.state = 'closed'
JOIN evalapp_itemoutput item_output ON item_output.item_id = item.id
JOIN evalapp_output output ON output.id = item_output.output_id
JOIN evalapp_review review ON review.item_output_id = item_output.id
    AND (%(simulated)s OR NOT review.is_simulated)
"""
_LOW = f"""
SELECT own.row_number, count(DISTINCT review.id), array_agg(DISTINCT criterion.name)
{_REVIEWED}
JOIN evalapp_score score ON score.review_id = review.id AND NOT score.is_not_applicable
JOIN evalapp_criterion criterion ON criterion.id = score.criterion_id AND NOT criterion.lower_is_better
    AND (score.value <= criterion.low_threshold OR score.value = criterion.undesired)
WHERE own.version_id = %(version)s AND output.text = own."references"->>0
GROUP BY own.row_number ORDER BY own.row_number
"""
# Levels as shares of their scales (1 is best), so that criteria of different scales can be averaged.
_SURPASSED = f"""
WITH rated AS (
    SELECT own.row_number, item_output.item_id, model_version.label, output.text,
           own."references" ->> 0 AS reference, count(DISTINCT review.id) AS reviews,
           avg(CASE WHEN criterion.lower_is_better THEN score.maximum - score.value
                    ELSE score.value - score.minimum END
               / (score.maximum - score.minimum)::float) AS level
    {_REVIEWED}
    JOIN evalapp_score score ON score.review_id = review.id AND score.value IS NOT NULL
        AND score.maximum > score.minimum
    JOIN evalapp_criterion criterion ON criterion.id = score.criterion_id
    JOIN evalapp_modelversion model_version ON model_version.id = output.candidate_id
    WHERE own.version_id = %(version)s
    GROUP BY own.row_number, item_output.item_id, model_version.label, output.text, reference
)
SELECT DISTINCT ON (lost.row_number) lost.row_number, better.label, better.reviews
FROM rated lost JOIN rated better USING (row_number, item_id)
WHERE lost.text = lost.reference AND better.text <> lost.reference AND better.level - lost.level >= %(gap)s
ORDER BY lost.row_number, better.level DESC, better.label
"""  # noqa: S608 - constants
_CORRECTED = f"""
SELECT own.row_number, (array_agg(correction.text ORDER BY correction.id DESC))[1], count(*)
{_REVIEWED}
JOIN evalapp_correction correction ON correction.review_id = review.id
WHERE own.version_id = %(version)s AND own.split <> 'test'
    AND NOT own."references" @> jsonb_build_array(correction.text)
GROUP BY own.row_number ORDER BY own.row_number
"""


def reviewed_low(version: DatasetVersion) -> Iterator[Found]:
    """A correction is proposed as the row's first reference; the latest, where there are several."""
    project = version.dataset.project
    parameters = {
        "version": version.pk,
        "project": project.pk,
        "simulated": version.is_simulated or project.is_demonstration,
        "gap": SURPASSED_BY,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CORRECTED, parameters)
        corrected = {row: (text, count) for row, text, count in cursor.fetchall()}
        cursor.execute(_LOW, parameters)
        low = {row: (count, names) for row, count, names in cursor.fetchall()}
        cursor.execute(_SURPASSED, parameters)
        surpassed = {row: (label, count) for row, label, count in cursor.fetchall()}
    for row in sorted({*corrected, *low, *surpassed}):
        evidence = []
        if row in low:
            count, names = low[row]
            times = "by a reviewer" if count == 1 else f"in {count:,} reviews"
            evidence.append(f"The reference was scored low {times}: {', '.join(sorted(names))}.")
        if row in surpassed:
            label, count = surpassed[row]
            times = "a reviewer" if count == 1 else f"{count:,} reviewers"
            evidence.append(f"The output of {label} was rated higher than the reference by {times}.")
        changes = {}
        if row in corrected:
            text, count = corrected[row]
            which = "A reviewer's correction" if count == 1 else f"The latest of {count:,} corrections"
            evidence.append(f"{which} differs from the reference.")
            changes = {"references.0": text}
        yield Found(
            FindingKind.REVIEWED_LOW,
            row,
            " ".join(evidence),
            Proposal.CHANGE if changes else Proposal.DECIDE,
            changes=changes,
        )
