"""Scores with adjudicated values in place of the reviewers' scores."""

from dataclasses import replace
from typing import NamedTuple

from evalapp.adjudication.models import Adjudication
from evalapp.analysis.scores.campaign_scores import CampaignScores


class AdjudicatedScores(NamedTuple):
    """``decided``: number of adjudicated criteria of outputs, among those with answers in the scores."""

    scores: CampaignScores
    decided: int


def with_adjudicated(scores: CampaignScores) -> AdjudicatedScores:
    """Replace every answer to an adjudicated criterion of an output by the adjudicated value, N/A included.

    The output's mean there becomes the adjudicated value, its weight stays, and reviewers no longer differ on
    it. So agreement and numbers by reviewer must always use the original scores.
    """
    decided = {
        (output_id, criterion_id): value
        for output_id, criterion_id, value in Adjudication.objects.filter(
            campaign=scores.campaign
        ).values_list("item_output_id", "criterion_id", "value")
    }
    present = {(answer.item_output_id, answer.criterion_id) for answer in scores.answers} & decided.keys()
    answers = [
        answer._replace(value=decided[key])
        if (key := (answer.item_output_id, answer.criterion_id)) in present
        else answer
        for answer in scores.answers
    ]
    return AdjudicatedScores(replace(scores, answers=answers), len(present))
