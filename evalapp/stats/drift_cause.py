"""Why weekly scores changed: the model, one reviewer, all reviewers together, or other inputs.

Two trailing windows, the last two weeks and the last four (as far as they lie after the baseline), are each
compared with the baseline (:mod:`evalapp.stats.drift_evidence`); they share the verdict's level.
`tests/stats/test_drift_cause.py` measures how soon a cause is found: for a change of 0.8 with 9 anchors among
60 outputs a week, within two weeks in 90% of cases and within four in 98%.
"""

import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from evalapp.stats.drift_evidence import NO_ANCHORS, Evidence, evidence_of
from evalapp.stats.resampling import require_level
from evalapp.stats.weekly_scores import WeeklyScores

#: Lengths of the trailing windows, in weeks.
WINDOWS = (2, 4)
#: Chance that a verdict names a cause that is not there, over both windows.
LEVEL = 0.02
#: How much better, as a chi-square, the scores must fit a change of the named reviewer than of any other.
APART = 6.0
#: Power of finding a change within the number of weeks that a verdict states.
POWER = 0.8


class Cause(StrEnum):
    MODEL = "model"
    ONE_REVIEWER = "one reviewer"
    ALL_REVIEWERS = "all reviewers"
    INPUT_MIX = "input mix"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Most likely cause of a change, with its evidence.

    ``evidence``: of the window that shows ``cause``; of the longest window if none does; None without a
    window.
    ``reviewer``: who changed, for one reviewer. ``possible_reviewers``: two reviewers of whom one changed.
    ``also``: further causes that the same window shows, or that it cannot separate from ``cause``.
    ``weeks_until_found``: weeks after which a change of the model as large as ``evidence.adjusted`` is found
    in four of five cases with as many anchors; None if that is longer than the longest window, and without
    anchors.
    """

    cause: Cause
    evidence: Evidence | None
    reason: str
    reviewer: Hashable | None = None
    possible_reviewers: tuple[Hashable, ...] = ()
    also: tuple[Cause, ...] = ()
    weeks_until_found: int | None = None


def cause_of_change(
    scores: WeeklyScores,
    *,
    baseline: Collection[int],
    other_inputs: bool = False,
    level: float = LEVEL,
) -> Verdict:
    """Why scores after the ``baseline`` weeks differ from those in it.

    ``baseline``: weeks that are assumed to be alike, such as those of the control chart, or all without an
    alert. Only anchors from these weeks give information about reviewers, so in a long stream the baseline
    should extend to just before the weeks in question.

    *model* needs anchors; it is the change of new outputs that neither strata nor the reviewers' scoring of
    anchors explains. *one reviewer* moved away from the others, who stayed the same. *all reviewers* score
    anchors differently than before, all in the same way. *input mix*: changed shares of strata explain most
    of the change of the mean; or the cause would be *model*, but with ``other_inputs`` (words, length or
    languages beyond their limits, :mod:`evalapp.stats.input_mix`) the model cannot be separated from its
    inputs. Everything else is *cannot tell*, with the reason.

    ``level``: the two-sided chance, over both windows, of finding a change of the model that is not there;
    the same for each other cause. Raises ValueError if the baseline has no week.
    """
    require_level(1 - level)
    if not baseline:
        raise ValueError("a change is one from a baseline; give its weeks")
    later = sorted({int(week) for week in scores.week.tolist() if week > max(baseline)})
    if not later:
        return Verdict(cause=Cause.CANNOT_TELL, evidence=None, reason="no week after the baseline")
    windows = dict.fromkeys(tuple(later[-size:]) for size in WINDOWS)
    alpha = level / len(WINDOWS)
    found = [evidence_of(scores, baseline=baseline, window=each, level=1 - alpha) for each in windows]
    usable = [each for each in found if not isinstance(each, str)]
    if not usable:
        return Verdict(cause=Cause.CANNOT_TELL, evidence=None, reason=str(found[-1]))
    verdicts = [_verdict_of_window(each, alpha, other_inputs=other_inputs) for each in usable]
    found_causes = [each for each in verdicts if each[1].cause is not Cause.CANNOT_TELL]
    return min(found_causes, key=_precedence)[1] if found_causes else verdicts[-1][1]


def _precedence(p_and_verdict: tuple[float, Verdict]) -> tuple[bool, float]:
    """If the windows name different causes, the one with the smaller p wins. Input mix alone wins only if no
    window shows more: a short window may not show it yet.
    """
    p, verdict = p_and_verdict
    return verdict.cause is Cause.INPUT_MIX and Cause.MODEL not in verdict.also, p


def _verdict_of_window(evidence: Evidence, alpha: float, *, other_inputs: bool) -> tuple[float, Verdict]:
    """Verdict of one window, and its p."""
    p, reviewer, unclear, possible_reviewers = _one_reviewer(evidence, alpha)
    cause, reason = Cause.CANNOT_TELL, unclear
    also: tuple[Cause, ...] = ()
    if evidence.model.is_shown(alpha):
        p, cause, reason = (
            evidence.model.p,
            Cause.MODEL,
            "scores of new outputs changed more than those of anchors",
        )
        also = (Cause.ONE_REVIEWER,) if reviewer is not None else ()
        if other_inputs:
            cause, also = Cause.INPUT_MIX, (Cause.MODEL, *also)
            reason = (
                "scores of new outputs changed more than those of anchors, but the inputs changed as well"
            )
    elif reviewer is not None:
        cause, reason = (
            Cause.ONE_REVIEWER,
            "moved away from the other reviewers, whose scoring stayed the same",
        )
    elif not unclear and evidence.together.is_shown(alpha):
        p, cause = evidence.together.p, Cause.ALL_REVIEWERS
        reason = "all reviewers score the same texts differently than before"
    elif not unclear and _is_mix(evidence, alpha):
        p, cause = evidence.mix_p, Cause.INPUT_MIX
        reason = "the change of the mean comes mostly from the shares of strata"
    elif not unclear:
        reason = _why_no_cause(evidence, alpha)
    return p, Verdict(
        cause=cause,
        evidence=evidence,
        reason=reason,
        reviewer=reviewer if cause is Cause.ONE_REVIEWER or Cause.ONE_REVIEWER in also else None,
        possible_reviewers=possible_reviewers if cause is Cause.CANNOT_TELL else (),
        also=also,
        weeks_until_found=weeks_until_model_change_found(evidence, alpha),
    )


def _one_reviewer(
    evidence: Evidence, alpha: float
) -> tuple[float, Hashable | None, str, tuple[Hashable, ...]]:
    """The reviewer who alone changed, and the p; or why it is unclear who did, and between which two."""
    if any(each.tested is None for each in evidence.apart.values()):
        return 1.0, None, "", ()
    differences = [each.p for each in evidence.apart.values()]
    # Two reviewers have one distance between them; for more, Bonferroni's correction.
    p = min(1.0, (len(differences) if len(differences) > 2 else 1) * min(differences, default=1.0))
    if p >= alpha:
        return p, None, "", ()
    has_anchors = evidence.together.tested is not None
    misfit = evidence.fit.misfit_of_one(has_anchors=has_anchors)
    best, second, *_ = sorted(misfit, key=misfit.__getitem__)
    others = evidence.fit.contrast_if_estimable(evidence.fit.weights(reviewers=evidence.fit.others(best)))
    if has_anchors and others is not None and others.p < alpha:
        if others.value * evidence.reviewers[best].value > 0:
            return p, None, "", ()
        return p, None, "more than one reviewer changed, in different ways", ()
    if misfit[second] - misfit[best] < APART:
        return p, None, "reviewers moved apart, and it is unclear which of them changed", (best, second)
    return p, best, "", ()


def _is_mix(evidence: Evidence, alpha: float) -> bool:
    """Whether shares of strata changed, and explain at least half of a change of the mean."""
    mix, raw = evidence.mix, evidence.raw
    is_most = mix.value * raw.value > 0 and 2 * abs(mix.value) >= abs(raw.value)
    is_shown = evidence.mix_p < alpha and mix.is_shown(alpha)
    return is_shown and is_most and not evidence.adjusted.is_shown(alpha)


def _why_no_cause(evidence: Evidence, alpha: float) -> str:
    if not evidence.adjusted.is_shown(alpha):
        return "no change beyond chance"
    if evidence.model.tested is None:
        return f"{evidence.model.measure.reason or NO_ANCHORS}: the model or all reviewers may have changed"
    return "scores of new outputs changed, and it is not yet clear whether reviewers changed too"


def weeks_until_model_change_found(evidence: Evidence, alpha: float) -> int | None:
    """Length of window, up to the longest, after which the model's change would be found in four of five
    cases.

    Assumes a change as large as ``evidence.adjusted`` and as many anchors and new outputs each week. The
    variance has a part from the baseline, which stays, and a part from the window, which shrinks with its
    weeks.
    """
    if evidence.model.tested is None or evidence.adjusted.tested is None:
        return None
    size = abs(evidence.adjusted.value)
    whole, weeks = evidence.model.tested.error**2, len(evidence.weeks)
    kept = min(evidence.baseline_variance, whole)
    wanted = NormalDist().inv_cdf(1 - alpha / 2) + NormalDist().inv_cdf(POWER)
    for number in range(1, max(WINDOWS) + 1):
        error = math.sqrt(kept + (whole - kept) * weeks / number)
        if size >= wanted * error:
            return number
    return None
