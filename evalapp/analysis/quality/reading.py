"""How fast reviewers read and rate."""

from typing import NamedTuple

from django.db import connection

from evalapp.campaigns.models import Campaign

LATEST_REVIEWS_READ = 100

# Less than a millisecond is not a real time, and cannot be divided by. Counting spaces takes a fraction of
# the time of splitting long contexts into words.
_READING = """
SELECT each.reviewer_id, count(*),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY each.seconds),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY each.seconds / greatest(each.words, 1)),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY 60 * (each.new_words + each.context_words) / each.seconds)
FROM evalapp_campaignreviewer campaign_reviewer CROSS JOIN LATERAL ({latest}) AS each
WHERE campaign_reviewer.campaign_id = %(campaign)s GROUP BY each.reviewer_id
"""

# A reviewer sees an item's answers in sequence, each with the context, which is new only with the first.
_REVIEWS = """
    SELECT review.reviewer_id, review.seconds_active AS seconds, said.words, said.words AS new_words,
           CASE WHEN example.context = '' OR EXISTS (
               SELECT 1 FROM evalapp_review earlier
               WHERE earlier.assignment_id = review.assignment_id AND earlier.id < review.id
           ) THEN 0 ELSE 1 + length(example.context) - length(replace(example.context, ' ', '')) END
               AS context_words
    FROM evalapp_review review
    JOIN evalapp_itemoutput item_output ON item_output.id = review.item_output_id
    JOIN evalapp_item item ON item.id = item_output.item_id
    JOIN evalapp_example example ON example.id = item.example_id
    JOIN evalapp_output output ON output.id = item_output.output_id
    CROSS JOIN LATERAL (SELECT cardinality(regexp_split_to_array(btrim(output.text), '\\s+')) AS words)
        AS said
    WHERE review.campaign_id = campaign_reviewer.campaign_id
        AND review.reviewer_id = campaign_reviewer.user_id
      AND review.purpose = 'review' AND review.seconds_active >= 0.001
    ORDER BY review.id DESC LIMIT %(latest)s
"""
# Of three answers compared in pairs, each is seen twice.
_COMPARISONS = """
    SELECT review.reviewer_id, review.seconds_active AS seconds, read.words, read.new_words,
           CASE WHEN example.context = '' OR EXISTS (
               SELECT 1 FROM evalapp_review earlier
               WHERE earlier.assignment_id = review.assignment_id AND earlier.id < review.id
           ) THEN 0 ELSE 1 + length(example.context) - length(replace(example.context, ' ', '')) END
               AS context_words
    FROM evalapp_review review
    JOIN evalapp_preference preference ON preference.review_id = review.id
    JOIN evalapp_comparison comparison ON comparison.id = review.comparison_id
    JOIN evalapp_item item ON item.id = comparison.item_id
    JOIN evalapp_example example ON example.id = item.example_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(each.words), 0) AS words,
               coalesce(sum(each.words) FILTER (WHERE NOT each.is_known), 0) AS new_words
        FROM (
            SELECT cardinality(regexp_split_to_array(btrim(output.text), '\\s+')) AS words, EXISTS (
                SELECT 1 FROM evalapp_review earlier
                JOIN evalapp_preference said ON said.review_id = earlier.id
                WHERE earlier.assignment_id = review.assignment_id AND earlier.id < review.id
                  AND item_output.id = ANY(said.outputs)
            ) AS is_known
            FROM evalapp_itemoutput item_output JOIN evalapp_output output
                ON output.id = item_output.output_id
            WHERE item_output.id = ANY(preference.outputs)
        ) AS each
    ) AS read
    WHERE review.campaign_id = campaign_reviewer.campaign_id
        AND review.reviewer_id = campaign_reviewer.user_id
      AND review.purpose = 'review' AND review.seconds_active >= 0.001
    ORDER BY review.id DESC LIMIT %(latest)s
"""
_READING_OF_REVIEWS = _READING.format(latest=_REVIEWS)
_READING_OF_COMPARISONS = _READING.format(latest=_COMPARISONS)


class ReadingSpeed(NamedTuple):
    """Medians over a reviewer's latest 100 timed reviews or comparisons: active seconds, active seconds per
    word of the answer (of all answers compared), and words per minute that were new to them, in context and
    answers.
    """

    reviews: int
    seconds: float
    seconds_per_word: float
    words_per_minute: float


def reading_times(campaign: Campaign) -> dict[int, ReadingSpeed]:
    """Each reviewer's speed of reading and rating, or comparing; reviews without a time are left out."""
    query = _READING_OF_COMPARISONS if campaign.compares else _READING_OF_REVIEWS
    with connection.cursor() as database:
        database.execute(query, {"campaign": campaign.pk, "latest": LATEST_REVIEWS_READ})
        return {row[0]: ReadingSpeed(row[1], *map(float, row[2:])) for row in database.fetchall()}
