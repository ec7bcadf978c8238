"""Usage of a candidate's answers: tokens, time, and cost at the price that is set."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from evalapp.analysis.comparison.candidates import OVER_ITEMS
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate, ItemOutput
from evalapp.measure import Measure, signature
from evalapp.registry.models import TokenPrice
from evalapp.registry.prices import prices_of
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import mean_over_items

NO_TOKENS = "not counted"
NO_SECONDS = "not timed"
NO_PRICE = "no price is set"
ANSWERS_A_COST = 1_000


class Usage(NamedTuple):
    """Means over a candidate's outputs, one for each item; ``cost``: of 1,000 answers in ``currency``.
    ``seconds`` per answer: for an endpoint the time until it arrived, else its share of the batch's time.
    """

    candidate: CampaignCandidate
    prompt_tokens: Measure
    completion_tokens: Measure
    seconds: Measure
    cost: Measure
    currency: str

    @property
    def lacks_price(self) -> bool:
        return self.cost.reason == NO_PRICE


class _Taken(NamedTuple):
    prompt: int | None
    completion: int | None
    seconds: float | None


def usage_of(scores: CampaignScores) -> list[Usage]:
    """Tokens and cost of every candidate on the outputs in view; two queries whatever their number."""
    counted = {
        item_output_id: _Taken(prompt, completion, seconds)
        for item_output_id, prompt, completion, seconds in ItemOutput.objects.filter(
            item__campaign=scores.campaign
        ).values_list("pk", "output__prompt_tokens", "output__completion_tokens", "output__seconds")
    }
    prices = prices_of(scores.campaign.project)
    return [_usage(scores, candidate, counted, prices) for candidate in scores.candidates]


def _usage(
    scores: CampaignScores,
    candidate: CampaignCandidate,
    counted: Mapping[int, _Taken],
    prices: Mapping[int | None, TokenPrice],
) -> Usage:
    tokens = [counted[output.item_output_id] for output in scores.outputs_of(candidate)]
    price = prices.get(candidate.model_version_id) or prices.get(None)
    return Usage(
        candidate=candidate,
        prompt_tokens=_mean([each.prompt for each in tokens], "prompt-tokens"),
        completion_tokens=_mean([each.completion for each in tokens], "completion-tokens"),
        seconds=_mean([each.seconds for each in tokens], "seconds", missing_words=NO_SECONDS),
        cost=_cost(tokens, price),
        currency=price.currency if price is not None else "",
    )


def _cost(tokens: Sequence[_Taken], price: TokenPrice | None) -> Measure:
    if price is None:
        return Measure.undefined(NO_PRICE, signature=signature("cost-per-thousand"))
    costs = [
        None
        if each.prompt is None or each.completion is None
        else ANSWERS_A_COST * float(price.cost_of(each.prompt, each.completion))
        for each in tokens
    ]
    found = _mean(costs, "cost-per-thousand")
    return replace(
        found,
        signature=signature(
            "cost-per-thousand",
            input=f"{price.input_price:f}",
            output=f"{price.output_price:f}",
            currency=price.currency,
            interval="items",
            level=0.95,
        ),
    )


def _mean(values: Sequence[float | None], name: str, *, missing_words: str = NO_TOKENS) -> Measure:
    """Mean with Student's interval over items; the note counts outputs without a value."""
    label = signature(f"mean-{name}", interval="items", level=0.95)
    known = [value for value in values if value is not None]
    if not known:
        return Measure.undefined(missing_words if values else "no outputs", signature=label)
    mean = mean_over_items(
        Ratings.from_columns(range(len(known)), ["count"] * len(known), known), bounds=(0, float("inf"))
    )
    missing = len(values) - len(known)
    left_out = f"; not known for {missing} of {len(values)} outputs" if missing else ""
    note = OVER_ITEMS if mean.low is not None else mean.note
    return replace(mean, signature=label, note=note + left_out)
