"""How fast reviewers read and rate."""

from typing import NamedTuple

from django.db import connection

READ_OF_EACH = 100

# A reviewer meets the answers of an item one after another and its context with each: it is new with the
# first alone. Less than a millisecond is no time that anybody took, and nothing to divide by. Counting spaces takes a fraction of the time that splitting long contexts into words would.
_READING = """
SELECT each.reviewer_id, count(*),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY each.seconds),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY each.seconds / greatest(each.words, 1)),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY 60 * (each.words + each.context_words) / each.seconds)
FROM evalapp_campaignreviewer seat CROSS JOIN LATERAL (
    SELECT review.reviewer_id, review.seconds_active AS seconds,
           cardinality(regexp_split_to_array(btrim(output.text), '\\s+')) AS words,
           CASE WHEN example.context = '' OR EXISTS (
               SELECT 1 FROM evalapp_review earlier
               WHERE earlier.place_id = review.place_id AND earlier.id < review.id
           ) THEN 0 ELSE 1 + length(example.context) - length(replace(example.context, ' ', '')) END
           AS context_words
    FROM evalapp_review review
    JOIN evalapp_itemoutput item_output ON item_output.id = review.item_output_id
    JOIN evalapp_item item ON item.id = item_output.item_id
    JOIN evalapp_example example ON example.id = item.example_id
    JOIN evalapp_output output ON output.id = item_output.output_id
    WHERE review.campaign_id = seat.campaign_id AND review.reviewer_id = seat.user_id
      AND review.purpose = 'review' AND review.seconds_active >= 0.001
    ORDER BY review.id DESC LIMIT %(latest)s
) AS each
WHERE seat.campaign_id = %(campaign)s GROUP BY each.reviewer_id
"""


class Reading(NamedTuple):
    """Of a reviewer's latest 100 timed reviews: medians of active seconds, of those per word of the answer,
    and of the words a minute that were new to them, context and answer.
    """

    reviews: int
    seconds: float
    seconds_per_word: float
    words_per_minute: float


def reading_times(campaign_id: int) -> dict[int, Reading]:
    """How fast each reviewer reads and rates; reviews without a time are left out."""
    with connection.cursor() as database:
        database.execute(_READING, {"campaign": campaign_id, "latest": READ_OF_EACH})
        return {row[0]: Reading(row[1], *map(float, row[2:])) for row in database.fetchall()}
