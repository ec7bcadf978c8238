"""Hints about reviewers, each with its numbers and the cases behind it. A hint asks a person to check; it
changes nothing by itself.

`HINTS` lists all hints about ratings: to add one, add a function of `Quality`; `comparison_hints` has those
about comparisons.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple, cast

from django.utils import timezone

from evalapp.analysis.pairwise.pairs import Preferences
from evalapp.analysis.quality.reading import ReadingSpeed
from evalapp.analysis.scores.campaign_scores import Answer, CampaignScores
from evalapp.campaigns.models import CampaignState
from evalapp.core.number_format import MINUS
from evalapp.measure import Measure
from evalapp.reviews.checks import ReviewerChecks
from evalapp.reviews.preferences.checks import ComparisonChecks
from evalapp.reviews.progress import TeamMember, TeamProgress
from evalapp.rubrics.models import Criterion
from evalapp.stats.panel import DistantShares, concentration, distant_shares
from evalapp.stats.proportions import wilson
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import reviewer_offsets

# Below these counts, a number about a person is chance.
LEAST_REVIEWS = 10
LEAST_SHARED = 10
LEAST_FOR_SAMENESS = 20
# Wider intervals than for a single test, because several reviewers and criteria are examined.
LEVEL = 0.99
# Behind: less than half of an even share.
BEHIND_SHARE = 0.5
# A third of the others' time, and faster than 600 words a minute: silent reading takes 240 on average
# (Brysbaert 2019), nobody reads whole texts at 600 (Rayner et al. 2016), and rating comes on top.
FAST_SHARE = 1 / 3
FAST_SECONDS_PER_WORD = 0.1
MOST_WORDS_PER_MINUTE = 600
SAME_SHARE = 0.9
# An eighth of the scale: half a point on 1 to 5.
NOTABLE_OFFSET = 1 / 8
# Answers more than a quarter of the scale apart are far apart: two points on 1 to 5.
FAR_SHARE_OF_SCALE = 1 / 4
NOTABLE_DISTANT_SHARE = 0.15
LEAST_CHECKS = 10
LEAST_FOR_DRIFT = 20

Checks = ReviewerChecks | ComparisonChecks


class Hint(NamedTuple):
    """``evidence``: a sentence with the numbers. ``cases``: the URL filter of the cases behind it; empty if
    the progress page or, with ``is_of_checks``, the page of gold and repeats shows them. ``other_id``: the
    second reviewer of a hint about two.
    """

    kind: str
    title: str
    reviewer_id: int
    evidence: str
    cases: dict[str, Any]
    is_of_checks: bool = False
    other_id: int | None = None


@dataclass(frozen=True)
class Quality:
    """The data of all hints; ``preferences``: in campaigns of comparisons."""

    scores: CampaignScores
    team: TeamProgress
    reading: dict[int, ReadingSpeed]
    checks: Sequence[Checks] = ()
    preferences: Preferences | None = None

    @property
    def numbers(self) -> Mapping[int, int]:
        return self.scores.numbers if self.preferences is None else self.preferences.numbers

    def number(self, reviewer_id: int) -> int:
        return self.numbers[reviewer_id]


HintFunction = Callable[[Quality], Iterator[Hint]]


def behind_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers who will not do an even share: by the deadline at their pace, or without one compared with
    the others.
    """
    campaign = quality.scores.campaign
    if campaign.state != CampaignState.OPEN:
        return
    forecast = quality.team.forecast
    for member in quality.team.members:
        others = [
            each.progress.reviews
            for each in quality.team.members
            if each is not member and each.share is not None
        ]
        if not member.left or not others:
            continue
        if forecast is not None and campaign.deadline is not None:
            evidence = _behind_deadline(member, (campaign.deadline - timezone.now()).total_seconds() / 86400)
        else:
            evidence = _behind_others(member, median(others))
        if evidence:
            yield Hint("behind", "Behind", member.progress.campaign_reviewer.user_id, evidence, {})


def _behind_deadline(member: TeamMember, days: float) -> str:
    share = f"{member.progress.reviews} of a quota of {member.share} done"
    if days <= 0:
        return f"{share}; the deadline has passed."
    if member.pace.value is None:
        return ""
    needed = member.left / days
    needed_words = f"{needed:.1f} a day are needed until the deadline."
    if not member.pace.value:
        return f"{share}; nothing in the last {member.pace.n} days, {needed_words}"
    upper = member.pace.high if member.pace.high is not None else member.pace.value
    if upper >= needed:
        return ""
    recent = f"{member.pace.value:.1f} a day over {member.pace.n} days (at most {upper:.1f}, 95%)"
    return f"{share}; {recent}, {needed_words}"


def _behind_others(member: TeamMember, usual: float) -> str:
    if usual < LEAST_REVIEWS or member.progress.reviews >= BEHIND_SHARE * usual:
        return ""
    pace = member.pace
    recent = f"; {pace.value:.1f} a day over the last {pace.n} days" if pace.value is not None else ""
    return (
        f"{member.progress.reviews} of a quota of {member.share} done; the others have done"
        f" {usual:.0f} (median){recent}."
    )


def too_fast_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers whose time is far below the others' and below what reading takes; or, whatever the others'
    speed, faster than anybody reads.
    """
    for reviewer_id, own in quality.reading.items():
        others = [
            each
            for other, each in quality.reading.items()
            if other != reviewer_id and each.reviews >= LEAST_REVIEWS
        ]
        if own.reviews < LEAST_REVIEWS:
            continue
        texts = "the answer, and of its context where it was new"
        if quality.preferences is not None:
            texts = "answers and context that were new"
        evidence = _faster_than_others(own, others) or _faster_than_reading(own, texts)
        if evidence:
            cases = {"reviewer": quality.number(reviewer_id)}
            yield Hint("too_fast", "Very fast", reviewer_id, evidence, cases)


def _faster_than_others(own: ReadingSpeed, others: Sequence[ReadingSpeed]) -> str:
    if not others or own.seconds_per_word >= FAST_SECONDS_PER_WORD:
        return ""
    usual = median(each.seconds for each in others)
    if own.seconds >= FAST_SHARE * usual:
        return ""
    per_word = median(each.seconds_per_word for each in others)
    return (
        f"{own.seconds:.1f} active seconds a review (median of the latest {own.reviews}), the others"
        f" {usual:.1f}; {own.seconds_per_word:.2f} s a word, the others {per_word:.2f}. Reading alone takes"
        " about 0.25 s a word."
    )


def _faster_than_reading(own: ReadingSpeed, texts: str) -> str:
    if own.words_per_minute <= MOST_WORDS_PER_MINUTE:
        return ""
    return (
        f"{own.words_per_minute:,.0f} words a minute of {texts} (median of the latest {own.reviews} reviews,"
        f" {own.seconds:.1f} active seconds each). Silent reading is about 240; above"
        f" {MOST_WORDS_PER_MINUTE} a text is only skimmed."
    )


def same_answer_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers who give nearly always one answer where others vary."""
    for criterion in quality.scores.criteria:
        given: dict[int, list[Answer]] = {}
        for answer in quality.scores.answers_to(criterion):
            if answer.value is not None:
                given.setdefault(answer.reviewer_id, []).append(answer)
        for reviewer_id, own in given.items():
            if len(own) < LEAST_FOR_SAMENESS:
                continue
            outputs = {answer.item_output_id for answer in own}
            others = Counter(
                answer.value
                for other, answers in given.items()
                if other != reviewer_id
                for answer in answers
                if answer.item_output_id in outputs
            )
            evidence = _sameness(criterion, [float(answer.value or 0) for answer in own], others)
            if evidence is not None:
                level, sentence = evidence
                cases = {"reviewer": quality.number(reviewer_id), "criterion": criterion.key, "level": level}
                yield Hint("same_answer", "Always the same answer", reviewer_id, sentence, cases)


def _sameness(
    criterion: Criterion, own: list[float], others: "Counter[int | None]"
) -> tuple[int, str] | None:
    found = concentration(own, level=LEVEL)
    if found is None or (found.share.value or 0) < SAME_SHARE or others.total() < LEAST_SHARED:
        return None
    level = int(found.answer)
    theirs = wilson(others[level], others.total(), level=LEVEL)
    if theirs.high is None or found.share.low is None or found.share.low <= theirs.high:
        return None
    usual = concentration([float(value or 0) for value in others.elements()])
    entropy = usual.entropy if usual else 0.0
    return (
        level,
        (
            f"{criterion.name}: “{criterion.level_words(level)}” in"
            f" {round(len(own) * (found.share.value or 0))} of {len(own)} answers; others gave it in"
            f" {others[level]} of {others.total()} about the same outputs (entropy {found.entropy:.2f}"
            f" against {entropy:.2f} bits)."
        ),
    )


def severity_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers whose scores differ from their co-reviewers' on the same outputs, significantly and by half a
    point on 1 to 5; or two reviewers so far apart, without a third to compare with.
    """
    for criterion in quality.scores.scales:
        for reviewer_id, offset, other_id in _far_offsets(quality.scores.ratings(criterion), criterion):
            number = criterion.rules.number
            value = number(offset.value or 0.0)
            interval = "the same on each"
            if offset.low is not None and offset.high is not None:
                interval = f"{number(offset.low):+.1f} to {number(offset.high):+.1f}, 99%".replace("-", MINUS)
            on = f"on {offset.n} shared outputs ({interval}), on {criterion.axis_label}."
            cases = {"criterion": criterion.key, "differ": 1}
            if other_id is not None:
                evidence = (
                    f"{criterion.name}: these two differ by {abs(value):.1f}, the first being higher, {on}"
                    " With two reviewers, nobody can tell which one is severe."
                )
                yield Hint("severity", "Apart", reviewer_id, evidence, cases, other_id=other_id)
                continue
            yield Hint(
                "severity",
                "Lenient" if value > 0 else "Severe",
                reviewer_id,
                f"{criterion.name}: {abs(value):.1f} {'above' if value > 0 else 'below'} the co-reviewers"
                f" {on}",
                {"reviewer": quality.number(reviewer_id), **cases},
            )


def _far_offsets(ratings: Ratings, criterion: Criterion) -> Iterator[tuple[int, Measure, int | None]]:
    """Notable offsets, largest first. Each is measured without the reviewers found before, because one severe
    reviewer makes the others look lenient. With two reviewers it is unknown which one is off: they are
    reported once, the higher one first.
    """
    least = NOTABLE_OFFSET * criterion.rules.span
    while len(ratings.reviewers) > 1:
        offsets = cast(dict[int, Measure], reviewer_offsets(ratings, level=LEVEL))
        notable = {
            reviewer_id: offset for reviewer_id, offset in offsets.items() if _is_notable(offset, least)
        }
        if not notable:
            return
        if len(ratings.reviewers) == 2:
            lower, higher = sorted(offsets, key=lambda reviewer_id: offsets[reviewer_id].value or 0.0)
            yield higher, offsets[higher], lower
            return
        farthest = max(notable, key=lambda reviewer_id: abs(notable[reviewer_id].value or 0.0))
        yield farthest, notable[farthest], None
        ratings = _without(ratings, farthest)


def _is_notable(offset: Measure, least: float) -> bool:
    if offset.value is None or offset.n < LEAST_SHARED or abs(offset.value) < least:
        return False
    # Without an interval, the gap is the same on every output.
    return offset.low is None or offset.high is None or not offset.low <= 0 <= offset.high


def _without(ratings: Ratings, reviewer_id: int) -> Ratings:
    kept = [
        (item, reviewer, score)
        for item, reviewer, score in zip(
            ratings.item.tolist(), ratings.reviewer.tolist(), ratings.score.tolist(), strict=True
        )
        if ratings.reviewers[reviewer] != reviewer_id
    ]
    return Ratings.from_columns(
        [item for item, _, _ in kept],
        [ratings.reviewers[reviewer] for _, reviewer, _ in kept],
        [score for _, _, score in kept],
    )


def disagreement_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers whose answers are far from their co-reviewers' more often than those are from each other."""
    for criterion in quality.scores.criteria:
        rules = criterion.rules
        tolerance = FAR_SHARE_OF_SCALE * rules.span if rules.has_mean else 0.0
        ratings = quality.scores.ratings(criterion)
        if not len(ratings):
            continue
        panel = cast(dict[int, DistantShares], distant_shares(ratings, tolerance=tolerance, level=LEVEL))
        for reviewer, found in panel.items():
            own, rest = found.own, found.rest
            if own.value is None or rest.value is None or own.low is None or rest.high is None:
                continue
            is_notable = own.value - rest.value >= NOTABLE_DISTANT_SHARE and own.low > rest.value
            if own.n < LEAST_SHARED or rest.n < LEAST_SHARED or not is_notable:
                continue
            words = "far from" if rules.has_mean else "other than"
            yield Hint(
                "disagreement",
                "Disagrees",
                reviewer,
                f"{criterion.name}: {words} a co-reviewer's answer {own.value:.0%} of the time on {own.n}"
                f" shared outputs ({own.low:.0%}–{own.high:.0%}, 99%); the others among themselves"
                f" {rest.value:.0%} on {rest.n}.",
                {
                    "reviewer": quality.number(reviewer),
                    "criterion": criterion.key,
                    "differ": 1,
                },
            )


def gold_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers who miss known answers more often than the others do."""
    for each, sentence in _significantly_below_others(quality, lambda checks: (checks.hits, checks.answered)):
        evidence = f"Within the tolerance of the known answer in {sentence}"
        yield Hint("off_gold", "Off on gold", each.campaign_reviewer.user_id, evidence, {}, is_of_checks=True)


def gold_drift_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers who miss gold answers more often in their later than in their earlier work."""
    for each in quality.checks:
        half = len(each.golds) // 2
        if 2 * half < LEAST_FOR_DRIFT:
            continue
        early, late = each.golds[:half], each.golds[half:]
        before, after = (wilson(sum(part), len(part), level=LEVEL) for part in (early, late))
        if before.low is None or after.high is None or before.value is None or after.value is None:
            continue
        if after.high < before.value and after.value < before.low:
            evidence = (
                f"Of the first {len(early)} gold answers {before.value:.0%} were right, of the latest"
                f" {len(late)} {after.value:.0%} (at most {after.high:.0%}, 99%)."
            )
            yield Hint(
                "drifting", "Drifts on gold", each.campaign_reviewer.user_id, evidence, {}, is_of_checks=True
            )


def repeat_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers who answer repeats differently the second time, more often than the others; in comparisons,
    with another preference.
    """
    for each, sentence in _significantly_below_others(
        quality, lambda checks: (checks.close, checks.compared)
    ):
        evidence = f"{each.close_words} in {sentence}"
        yield Hint(
            "at_odds", "Unlike before", each.campaign_reviewer.user_id, evidence, {}, is_of_checks=True
        )


def _significantly_below_others(
    quality: Quality, counted: Callable[[Checks], tuple[int, int]]
) -> Iterator[tuple[Checks, str]]:
    """Reviewers whose share of right answers to checks is significantly below that of the others together,
    and by how much.
    """
    total = [sum(counts) for counts in zip(*map(counted, quality.checks), strict=True)] or [0, 0]
    for each in quality.checks:
        good, n = counted(each)
        others = wilson(total[0] - good, total[1] - n, level=LEVEL)
        own = wilson(good, n, level=LEVEL)
        if min(n, others.n) < LEAST_CHECKS or own.value is None or own.high is None or others.value is None:
            continue
        if own.high < others.value:
            yield (
                each,
                (
                    f"{own.value:.0%} of {n} (at most {own.high:.0%}, 99%); the others in {others.value:.0%}"
                    f" of {others.n}."
                ),
            )


def repeat_side_hints(quality: Quality) -> Iterator[Hint]:
    """Reviewers who keep to the position significantly more often than to the answer when answers change
    places.
    """
    for each in quality.checks:
        if not isinstance(each, ComparisonChecks):
            continue
        share = wilson(each.sides_kept, each.sides_compared, level=LEVEL)
        if share.n < LEAST_CHECKS or share.value is None or share.low is None or share.low <= 0.5:
            continue
        what = "The same ranks for the same positions" if each.is_ranking else "The same side"
        evidence = (
            f"{what} again in {share.value:.0%} of {share.n} repeats in which the answers had changed places"
            f" (at least {share.low:.0%}, 99%)."
        )
        yield Hint(
            "keeps_side",
            "Same side in repeats",
            each.campaign_reviewer.user_id,
            evidence,
            {},
            is_of_checks=True,
        )


HINTS: list[HintFunction] = [
    behind_hints,
    too_fast_hints,
    same_answer_hints,
    severity_hints,
    disagreement_hints,
    gold_hints,
    gold_drift_hints,
    repeat_hints,
    repeat_side_hints,
]
"""The hints about ratings, in the order of the page."""


def hints_of(quality: Quality, hint_functions: Sequence[HintFunction] | None = None) -> list[Hint]:
    """Every hint, grouped by reviewer in order of number. ``hint_functions``: by default `HINTS`."""
    found = [hint for find_hints in hint_functions or HINTS for hint in find_hints(quality)]
    return sorted(found, key=lambda hint: quality.numbers.get(hint.reviewer_id, len(found) + 1))
