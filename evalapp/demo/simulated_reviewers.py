"""Simulated reviewers, who rate a summary from its text, its facts and its reference.

They never learn which candidate wrote it. Each has their own severity, noise, attention to numbers and
writing habits. Everything they produce must be stored and shown as simulated. The same seed, reviewer, client
and text give the same review.
"""

from dataclasses import dataclass
from random import Random

from evalapp.demo.client_facts import ClientFacts
from evalapp.demo.house_style_text import WritingHabits, write_house_style
from evalapp.demo.review_words import comment_on, reason_tags
from evalapp.demo.row_length import fits
from evalapp.demo.text_features import TextFeatures, read_text

CRITERIA = ("accuracy", "clarity", "tone", "personalization")
LOW = 2
"""Scores up to this one get reason tags."""
DRAFTS = 10
"""Maximum drafts of a correction until one is short enough for training."""


@dataclass(frozen=True)
class SimulatedReviewer:
    """One reviewer. `severity` is added to every score before rounding: below 0 is strict."""

    key: str
    severity: float
    noise: float
    """Standard deviation of a single score."""
    attention: float
    """Probability of noticing a wrong number."""
    diligence: float
    """Probability of writing a correction where one is needed."""
    carelessness: float
    """Probability that a correction loses its last sentence."""
    habits: WritingHabits


REVIEWERS = (
    SimulatedReviewer("reviewer1", -0.20, 0.40, 0.98, 1.00, 0.00, WritingHabits("reviewer1", 0.7)),
    SimulatedReviewer("reviewer2", 0.00, 0.50, 0.92, 0.95, 0.03, WritingHabits("reviewer2", 0.7)),
    SimulatedReviewer("reviewer3", 0.25, 0.60, 0.85, 0.90, 0.06, WritingHabits("reviewer3", 0.7)),
)


@dataclass(frozen=True)
class SimulatedReview:
    """A reviewer's submission for one output."""

    scores: dict[str, int]
    """1 to 5 for each of `CRITERIA`."""
    material_error: bool
    tags: dict[str, tuple[str, ...]]
    """Reason tags of each criterion scored `LOW` or less; see `review_words.REASON_TAGS`."""
    comment: str
    correction: str | None
    """The summary as this reviewer would write it; None if no correction is made."""


def review(
    reviewer: SimulatedReviewer,
    output: str,
    *,
    facts: ClientFacts,
    reference: str,
    seed: int,
) -> SimulatedReview:
    """Rate `output`, a summary of `facts`; `reference` is a known acceptable summary."""
    random = Random(f"{seed} {reviewer.key} {facts.client} {output}")
    features = read_text(output, facts)
    # An item's difficulty is the same for all reviewers.
    item = Random(f"{seed} {facts.client}").gauss(0, 0.15)
    noticed = features.factual_error and random.random() < reviewer.attention
    expected = _expected_scores(features, reference, error_noticed=noticed)
    scores = {
        criterion: _to_scale(value + item + reviewer.severity + random.gauss(0, reviewer.noise))
        for criterion, value in expected.items()
    }
    tags = {
        criterion: reason_tags(criterion, features, random, error_noticed=noticed)
        for criterion, score in scores.items()
        if score <= LOW
    }
    return SimulatedReview(
        scores=scores,
        material_error=noticed,
        tags=tags,
        comment=comment_on(features, random, error_noticed=noticed),
        correction=_correction(reviewer, features, facts, random, error_noticed=noticed),
    )


def accepts_correction(correction: str, *, facts: ClientFacts) -> bool:
    """Whether the lead accepts this correction: house style and no factual error."""
    features = read_text(correction, facts)
    return features.house_style and not features.factual_error


def _expected_scores(features: TextFeatures, reference: str, *, error_noticed: bool) -> dict[str, float]:
    """Expected score of each criterion, before severity and noise."""
    accuracy = 4.7 - 1.5 * features.numbers_missing
    if error_noticed:
        accuracy -= 1.7 + 0.4 * min(2, len(features.unsupported_numbers))
    clarity = 4.6 - min(1.6, 0.22 * features.formal_words)
    clarity -= 0.06 * max(0.0, features.words_per_sentence - 20)
    clarity -= 1.2 * (not features.finished) + 1.4 * features.repeats_itself
    # Half as long again as the reference is too long.
    clarity -= 0.8 * (features.words > 1.5 * len(reference.split()))
    tone = 4.6 - min(1.2, 0.24 * features.formal_words)
    tone -= 0.9 * (not features.addresses_reader) + 0.25 * (not features.names_client)
    personalization = 1.7 + 1.0 * features.names_goal + 0.4 * features.names_client
    personalization += 0.5 * features.addresses_reader + 0.9 * features.has_one_next_step
    return {"accuracy": accuracy, "clarity": clarity, "tone": tone, "personalization": personalization}


def _correction(
    reviewer: SimulatedReviewer,
    features: TextFeatures,
    facts: ClientFacts,
    random: Random,
    *,
    error_noticed: bool,
) -> str | None:
    """The reviewer's own text, if the output breaks house style, repeats itself or has an error that they
    noticed.
    """
    if features.house_style and not error_noticed and not features.repeats_itself:
        return None
    if random.random() >= reviewer.diligence:
        return None
    drafts = [write_house_style(facts, random, reviewer.habits) for _ in range(DRAFTS)]
    prompt = facts.prompt()
    text = next((draft for draft in drafts if fits(prompt, draft)), min(drafts, key=len))
    if random.random() < reviewer.carelessness:
        text = text.rsplit(". ", 1)[0] + "."
    return text


def _to_scale(value: float) -> int:
    return min(5, max(1, round(value)))
