"""Why the weekly scores moved: the model, one reviewer, all reviewers together, or other inputs.

Two trailing windows, of the last two weeks and of the last four as far as they lie after the baseline, are
each compared with it (:mod:`evalapp.stats.drift_evidence`) and share the level of the verdict. How soon a
cause is told says `tests/stats/test_drift_cause.py`: of a change of 0.8 where 9 of 60 outputs a week are
anchors, within two weeks in nine of ten cases, within four in 98 of 100.
"""

import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from evalapp.stats.drift_evidence import NO_ANCHORS, Evidence, evidence_of
from evalapp.stats.resampling import require_level
from evalapp.stats.weekly_scores import WeeklyScores

#: Of the trailing windows, in weeks.
WINDOWS = (2, 4)
#: The chance that a verdict names a cause that is not there, over both windows.
LEVEL = 0.02
#: By how much, as a chi-square, the scores must fit better if the named reviewer moved than if another did.
APART = 6.0
#: With which a change is told within the weeks that a verdict promises.
POWER = 0.8


class Cause(StrEnum):
    MODEL = "model"
    ONE_REVIEWER = "one reviewer"
    ALL_REVIEWERS = "all reviewers"
    INPUT_MIX = "input mix"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``cause`` with the ``evidence`` of the window that tells it (of the longest one where none does; None
    where there is none), and why in ``reason``. ``reviewer``: who, of one reviewer; ``perhaps``: two of whom
    one moved, where it is not told which. ``also``: causes that the same window shows beside it, or that it
    cannot be told from. ``told_in``: after so many weeks of a window a change of the model as large as
    ``evidence.adjusted`` is told in four of five cases, if anchors are as many as they were; None where that
    is later than the longest window, or without anchors.
    """

    cause: Cause
    evidence: Evidence | None
    reason: str
    reviewer: Hashable | None = None
    perhaps: tuple[Hashable, ...] = ()
    also: tuple[Cause, ...] = ()
    told_in: int | None = None


def cause_of_change(
    scores: WeeklyScores,
    *,
    baseline: Collection[int],
    other_inputs: bool = False,
    level: float = LEVEL,
) -> Verdict:
    """Why scores after the ``baseline`` weeks differ from those in it.

    ``baseline``: weeks that are taken to be alike, such as those of the control chart, or all that raised no
    alert. Only anchors that come from these tell of reviewers, so in a long stream it should go on up to the
    weeks that are asked about.

    *model* takes anchors, and is the change of new outputs that neither strata nor what reviewers made of
    anchors explains. *one reviewer* moved away from the others, who stayed; *all reviewers* score anchors
    otherwise, alike. *input mix*: shares of strata moved the mean, and little else did; or what would be
    *model*, where there are ``other_inputs``: words, length or languages that strata do not show lie past
    their limits (:mod:`evalapp.stats.input_mix`), so the model cannot be told from what it is asked. Anything
    else is *cannot tell*, with the reason.

    ``level``: the two-sided chance, over both windows, of a model's change that is not there; the same for
    each other cause. Raises ValueError without a week in the baseline.
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
    verdicts = [_verdict(each, alpha, other_inputs=other_inputs) for each in usable]
    told = [each for each in verdicts if each[1].cause is not Cause.CANNOT_TELL]
    return min(told, key=_rank)[1] if told else verdicts[-1][1]


def _rank(said: tuple[float, Verdict]) -> tuple[bool, float]:
    """Where windows name different causes the surer one is believed; shares alone, where no window sees more:
    a short one may not yet.
    """
    p, verdict = said
    return verdict.cause is Cause.INPUT_MIX and Cause.MODEL not in verdict.also, p


def _verdict(evidence: Evidence, alpha: float, *, other_inputs: bool) -> tuple[float, Verdict]:
    """What a window says, and with which p."""
    p, reviewer, unclear, perhaps = _one_reviewer(evidence, alpha)
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
        reason = _nothing(evidence, alpha)
    return p, Verdict(
        cause=cause,
        evidence=evidence,
        reason=reason,
        reviewer=reviewer if cause is Cause.ONE_REVIEWER or Cause.ONE_REVIEWER in also else None,
        perhaps=perhaps if cause is Cause.CANNOT_TELL else (),
        also=also,
        told_in=weeks_to_tell(evidence, alpha),
    )


def _one_reviewer(
    evidence: Evidence, alpha: float
) -> tuple[float, Hashable | None, str, tuple[Hashable, ...]]:
    """Who alone moved, with the p of that; or why somebody moved and it is not told who, and of which two."""
    if any(each.tested is None for each in evidence.apart.values()):
        return 1.0, None, "", ()
    apart = [each.p for each in evidence.apart.values()]
    # Of two reviewers there is one distance; of more Bonferroni's correction.
    p = min(1.0, (len(apart) if len(apart) > 2 else 1) * min(apart, default=1.0))
    if p >= alpha:
        return p, None, "", ()
    has_anchors = evidence.together.tested is not None
    misfit = evidence.fit.misfit_of_one(has_anchors=has_anchors)
    best, second, *_ = sorted(misfit, key=misfit.__getitem__)
    others = evidence.fit.told(evidence.fit.weights(reviewers=evidence.fit.others(best)))
    if has_anchors and others is not None and others.p < alpha:
        if others.value * evidence.reviewers[best].value > 0:
            return p, None, "", ()
        return p, None, "more than one reviewer changed, in different ways", ()
    if misfit[second] - misfit[best] < APART:
        return p, None, "reviewers moved apart, and it is unclear which of them changed", (best, second)
    return p, best, "", ()


def _is_mix(evidence: Evidence, alpha: float) -> bool:
    """Whether shares changed, moved the mean, and are most of what it moved by."""
    mix, raw = evidence.mix, evidence.raw
    is_most = mix.value * raw.value > 0 and 2 * abs(mix.value) >= abs(raw.value)
    is_shown = evidence.mix_p < alpha and mix.is_shown(alpha)
    return is_shown and is_most and not evidence.adjusted.is_shown(alpha)


def _nothing(evidence: Evidence, alpha: float) -> str:
    if not evidence.adjusted.is_shown(alpha):
        return "no change beyond chance"
    if evidence.model.tested is None:
        return f"{evidence.model.measure.reason or NO_ANCHORS}: the model or all reviewers may have changed"
    return "scores of new outputs changed, and it is not yet clear whether reviewers changed too"


def weeks_to_tell(evidence: Evidence, alpha: float) -> int | None:
    """The length of window, up to the longest, after which the model's change would be told in four of five
    cases, if it is as large as ``evidence.adjusted`` and each week brings as many anchors and new outputs.

    The error of the model's change is a baseline's part, which stays, and the window's, which shrinks with
    its weeks.
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
