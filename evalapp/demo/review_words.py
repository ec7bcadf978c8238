"""Texts of simulated reviewers: reason tags for low scores, and comments."""

from random import Random

from evalapp.demo.text_features import TextFeatures

REASON_TAGS = {
    "accuracy": ("wrong number", "numbers missing"),
    "clarity": ("hard to follow", "unfinished", "repeats itself", "too long"),
    "tone": ("too formal", "impersonal"),
    "personalization": ("goal not named", "no next step", "vague"),
}
"""The rubric's reason tags by criterion."""

NOTHING_TO_SAY = 0.3
"""Probability that a reviewer leaves no comment."""

_COMMENTS = {
    "wrong number": (
        "{number} is not in the client's file.",
        "Where does {number} come from?",
        "The number {number} is made up.",
    ),
    "too formal": (
        "Nobody talks like this.",
        "Reads like a form letter.",
        "Plain words, please.",
        "My client would need a dictionary.",
    ),
    "goal not named": (
        "The goal is never mentioned.",
        "It does not say what the money is for.",
        "Name the goal!",
    ),
    "no next step": (
        "What should the client do now?",
        "There is no clear next step.",
        "Ends without anything to do.",
    ),
    "impersonal": (
        "Speaks about the client, not to the client.",
        "Could be for anybody.",
    ),
    "unfinished": (
        "It breaks off.",
        "The last sentence is missing its end.",
    ),
    "repeats itself": (
        "Says the same thing twice.",
        "It goes round in circles.",
    ),
    "numbers missing": (
        "The main numbers are missing.",
        "I miss the amount and the split.",
    ),
    "good": (
        "I would send this.",
        "Clear and friendly.",
        "Good as it is.",
        "Short and to the point.",
    ),
}
_MIX_CONFUSED = (
    "The split between shares, bonds and cash is mixed up.",
    "Shares, bonds and cash have each other's numbers.",
)


def reason_tags(
    criterion: str,
    features: TextFeatures,
    random: Random,
    *,
    error_noticed: bool,
) -> tuple[str, ...]:
    """Tags for a low score: those that apply, except some that are forgotten, but at least one."""
    applying = [
        tag for tag in REASON_TAGS[criterion] if tag in _problems(features, error_noticed=error_noticed)
    ]
    if not applying:
        return (REASON_TAGS[criterion][-1],)
    kept = tuple(tag for tag in applying if random.random() < 0.85)
    return kept or (random.choice(applying),)


def comment_on(features: TextFeatures, random: Random, *, error_noticed: bool) -> str:
    """A comment of one or two sentences on the worst problems, or ""."""
    if random.random() < NOTHING_TO_SAY:
        return ""
    problems = [name for name in _problems(features, error_noticed=error_noticed) if name in _COMMENTS] or [
        "good"
    ]
    said = problems[: random.choice((1, 2))]
    return " ".join(_sentence(name, features, random) for name in said)


def _sentence(result: str, features: TextFeatures, random: Random) -> str:
    if result != "wrong number":
        return random.choice(_COMMENTS[result])
    if not features.unsupported_numbers:
        return random.choice(_MIX_CONFUSED)
    return random.choice(_COMMENTS[result]).format(number=features.unsupported_numbers[0])


def _problems(features: TextFeatures, *, error_noticed: bool) -> list[str]:
    """Names of the problems, worst first; includes every applicable reason tag but "vague"."""
    present = {
        "wrong number": error_noticed,
        "unfinished": not features.finished,
        "repeats itself": features.repeats_itself,
        "too formal": features.formal_words >= 2,
        "no next step": not features.has_one_next_step,
        "goal not named": not features.names_goal,
        "numbers missing": features.numbers_missing > 0.3,
        "impersonal": not features.addresses_reader,
        "hard to follow": features.words_per_sentence > 24 or features.formal_words >= 5,
        "too long": features.words > 130,
    }
    return [name for name, applies in present.items() if applies]
