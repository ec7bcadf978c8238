"""Scores with adjudicated values in place of the reviewers' scores."""

from dataclasses import replace
from typing import NamedTuple

from evalapp.adjudication.models import Adjudication
from evalapp.analysis.scores.campaign_scores import CampaignScores


class AdjudicatedScores(NamedTuple):
    """``decided``: how many criteria of outputs, of those that the scores hold answers to."""

    scores: CampaignScores
    decided: int


def with_adjudicated(scores: CampaignScores) -> AdjudicatedScores:
    """Every answer to a decided criterion of an output becomes what was decided, N/A included.

    So the output's mean there is the adjudicated value, it weighs as before, and reviewers no longer differ
    on it: agreement and numbers by reviewer are therefore always of the originals.
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
