"""Campaigns of counterfactual pairs, for tests: rows with marks, outputs and reviews."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import CandidateRow
from evalapp.analysis.comparison.counterfactuals import differences_of_candidate
from evalapp.analysis.scores.campaign_scores import Answer, CampaignScores
from evalapp.analysis.scores.counterfactual_items import CounterfactualItems, pair_items
from evalapp.campaigns.design import CampaignDesign
from evalapp.campaigns.models import Campaign, CampaignCandidate
from evalapp.campaigns.services import create_campaign, open_campaign
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.measure import Measure, signature
from evalapp.rubrics.models import Criterion
from tests.factories import (
    GOOD,
    PLAIN,
    answers,
    example_row,
    make_candidates,
    make_outputs,
    make_rubric,
    review_all,
)

VARIANTS = (("name", "black"), ("gender", "male"))
ORIGINAL = ("", "original")


def mark_of(pair: int, perturbation: str, variant: str) -> dict[str, Any]:
    mark = {"pair": str(pair), "variant": variant}
    return {"counterfactual": {**mark, **({"perturbation": perturbation} if perturbation else {})}}


def kinds_of(pairs: int, few: int = 0) -> list[tuple[int, str, str]]:
    """What each row is, in order: pair, perturbation, variant. ``few`` pairs have a dialect variant, too."""
    found = []
    for pair in range(1, pairs + 1):
        found += [(pair, *each) for each in (ORIGINAL, *VARIANTS)]
        if pair <= few:
            found.append((pair, "dialect", "other"))
    return found


def make_counterfactual_version(
    project: Project, *, pairs: int = 12, few: int = 3, split: str = "test", name: str = "Pairs"
) -> DatasetVersion:
    rows = [
        example_row(number, split=split, metadata=mark_of(*kind), group_key=f"row {kind[0]}")
        for number, kind in enumerate(kinds_of(pairs, few), start=1)
    ]
    dataset = create_dataset(project=project, name=name, by=None)
    return create_version(dataset=dataset, rows=iter(rows), by=None)


def make_counterfactual_campaign(
    project: Project,
    reviewers: Sequence[User],
    *,
    pairs: int = 12,
    few: int = 3,
    name: str = "Fairness",
    is_open: bool = True,
) -> Campaign:
    """Of "formal" and "plain" on the pairs, each row by every reviewer."""
    version = make_counterfactual_version(project, pairs=pairs, few=few, name=f"Pairs of {name}")
    formal, plain = make_candidates(project, [f"formal {name}", f"plain {name}"])
    make_outputs(version, {formal: GOOD, plain: PLAIN}, split="test")
    campaign = create_campaign(
        project=project,
        design=CampaignDesign(
            name=name,
            rubric_version=make_rubric(project, f"Rubric of {name}"),
            dataset_version=version,
            split="test",
            candidates=[formal, plain],
            overlap=len(reviewers),
            reviewers=reviewers,
        ),
        by=project.created_by,
    )
    return open_campaign(campaign=campaign, by=project.created_by) if is_open else campaign


def review_unfairly(
    campaign: Campaign, reviewers: Sequence[User], *, pairs: int = 12, few: int = 3, loss: int = 2
) -> None:
    """The second candidate answers the name variant worse on tone, by ``loss`` and in pair 7 by one more; of
    a pair all other scores are the same.
    """
    label = campaign.candidates.get(position=1).model_version.label
    for turn, reviewer in enumerate(reviewers):
        said = {}
        for row, (pair, perturbation, _) in enumerate(kinds_of(pairs, few), start=1):
            tone = 4 + (pair + turn) % 2
            if perturbation == "name":
                tone -= loss + (pair == 7)
            said[label, row] = answers(tone=tone, clarity=3 + (pair + turn) % 3)
        review_all(campaign, reviewer, said)


TONE = Criterion(pk=1, key="tone", name="Tone", kind="scale", minimum=1, maximum=5, low_threshold=2, weight=1)
CLARITY = Criterion(
    pk=2, key="clarity", name="Clarity", kind="scale", minimum=1, maximum=5, low_threshold=2, weight=1
)
CANDIDATE = CampaignCandidate(pk=1, position=0)


class _Of:
    """What the scores of a campaign read of it."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def drawn_scores(
    draw: np.random.Generator,
    *,
    pairs: int,
    variants: int,
    truth: Callable[[int], float],
    reviewers: int = 2,
    overlap: int | None = None,
) -> tuple[CampaignScores, CounterfactualItems]:
    """Scores of one candidate on two criteria: ``truth`` is what each variant adds to its original's. All
    rows of a pair share a difficulty. ``overlap`` of the reviewers, by chance, rate each row; None: all do.
    """
    given, rows = [], []
    severity = draw.normal(0, 0.3, reviewers)
    for pair in range(pairs):
        base = 3.0 + draw.normal(0, 0.6)
        for variant in range(variants + 1):
            item = pair * (variants + 1) + variant
            rows.append(
                (item, str(pair), "name" if variant else "", f"v{variant}" if variant else "original")
            )
            raters = draw.permutation(reviewers)[: overlap or reviewers]
            for criterion in (TONE, CLARITY):
                effect = draw.normal(0, 0.5) + (truth(variant) if variant else 0.0)
                for reviewer in raters.tolist():
                    latent = base + effect + severity[reviewer] + draw.normal(0, 0.5)
                    value = int(np.clip(np.rint(latent), 1, 5))
                    given.append(Answer(item, item, CANDIDATE.pk, reviewer, criterion.pk, value, False))
    nothing: Any = None
    campaign: Any = _Of(project=_Of(population="panel"), picked_because="")
    scores = CampaignScores(
        campaign=campaign,
        candidates=[CANDIDATE],
        criteria=[TONE, CLARITY],
        rules=[],
        answers=given,
        tags=[],
        outputs=[],
        corpus={},
        assignments={},
        names=nothing,
    )
    return scores, pair_items(rows)


def false_alarms(simulations: int, *, seed: int, pairs: int = 20, variants: int = 5, **design: int) -> int:
    """In how many campaigns without any difference one of all variants and criteria is significant."""
    draw = np.random.default_rng(seed)
    none = Measure.undefined("not asked", signature=signature("none"))
    row = CandidateRow(CANDIDATE, [], none, {}, {}, {}, [])
    found = 0
    for _ in range(simulations):
        scores, items = drawn_scores(
            draw, pairs=pairs, variants=variants, truth=lambda variant: 0.0, **design
        )
        found += any(each.pair.is_significant for each in differences_of_candidate(scores, row, items))
    return found


def found_worst(simulations: int, *, seed: int, effect: float) -> int:
    """In how many campaigns the variant that is worse by ``effect`` is the worst that is found."""
    draw = np.random.default_rng(seed)
    none = Measure.undefined("not asked", signature=signature("none"))
    row = CandidateRow(CANDIDATE, [], none, {}, {}, {}, [])
    found = 0
    for _ in range(simulations):
        scores, items = drawn_scores(
            draw, pairs=30, variants=5, truth=lambda variant: -effect if variant == 3 else 0.0
        )
        worse = [
            each.value
            for each in differences_of_candidate(scores, row, items)
            if each.pair.verdict == "worse"
        ]
        found += "v3" in worse
    return found
