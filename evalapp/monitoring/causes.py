"""Why a criterion of a stream got worse, judged from anchors, reviewers and the mix of inputs."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from evalapp.accounts.models import User
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.metrics.automatic.languages import FEWEST_LETTERS, READ, language_of, letters
from evalapp.monitoring.models import (
    Alert,
    Cause,
    SampledOutput,
    SampleRole,
    WeeklySample,
    WeeklySampleState,
)
from evalapp.monitoring.week_scores import ratings_of
from evalapp.rubrics.models import Criterion
from evalapp.stats import drift_cause
from evalapp.stats.drift_cause import Verdict, cause_of_change
from evalapp.stats.drift_evidence import Change, Evidence
from evalapp.stats.input_mix import InputMix, Inputs, input_mix
from evalapp.stats.weekly_scores import WeeklyScores

WINDOW = 4
"""The longest window of weeks that a verdict looks at; the baseline ends so many weeks before an alert."""
MOST_WEEKS = 30
CAUSE_RETRY_WEEKS = 8
"""The number of weeks in which the cause of an alert is looked for again."""
CAUSES_FIXED_BY_TRAINING = (Cause.MODEL, Cause.INPUT_MIX)
CAUSE_FIELDS = ["cause", "cause_reason", "cause_reviewer", "evidence", "told_week"]
_CAUSES = {
    drift_cause.Cause.MODEL: Cause.MODEL,
    drift_cause.Cause.ONE_REVIEWER: Cause.ONE_REVIEWER,
    drift_cause.Cause.ALL_REVIEWERS: Cause.ALL_REVIEWERS,
    drift_cause.Cause.INPUT_MIX: Cause.INPUT_MIX,
    drift_cause.Cause.CANNOT_TELL: Cause.CANNOT_TELL,
}
_INPUT_ASPECT_NAMES = {
    "strata": "shares of strata",
    "languages": "languages",
    "length": "length",
    "texts": "words",
}


class _Row(NamedTuple):
    week: int
    reviewer: Hashable
    item: int
    is_anchor: bool
    stratum: str
    score: float


def set_cause(alert: Alert, week: WeeklySample) -> None:
    """Set the alert's cause from the weeks up to this one, without saving the alert."""
    stream = alert.stream
    weeks = list(
        stream.weekly_samples.filter(
            state=WeeklySampleState.EVALUATED,
            number__lte=week.number,
            number__gt=week.number - MOST_WEEKS,
        ).select_related("campaign", "stream")
    )
    last_of_baseline = max(1, alert.weekly_sample.number - WINDOW)
    baseline = [each for each in weeks if each.number <= last_of_baseline]
    alert.told_week = week.number
    scores = _scores(alert, weeks)
    if not baseline or scores is None:
        alert.cause = Cause.CANNOT_TELL
        alert.cause_reason = "There are too few reviewed weeks before the alert."
        alert.evidence = []
        return
    mix = _input_mix_change(baseline, week)
    verdict = cause_of_change(
        scores,
        baseline=[each.number for each in baseline],
        other_inputs=any(name != "strata" for name in mix.far),
    )
    _set_verdict(alert, verdict, mix)


def _scores(alert: Alert, weeks: Sequence[WeeklySample]) -> WeeklyScores | None:
    rows = [row for week in weeks for row in _rows(alert, week)]
    if not rows:
        return None
    return WeeklyScores.from_columns(
        weeks=[row.week for row in rows],
        reviewers=[row.reviewer for row in rows],
        items=[row.item for row in rows],
        anchors=[row.is_anchor for row in rows],
        strata=[row.stratum for row in rows],
        scores=[row.score for row in rows],
    )


def _rows(alert: Alert, week: WeeklySample) -> Iterator[_Row]:
    """Every score of the criterion in a week; for one that finds errors, 1 for an undesired answer."""
    if week.campaign is None:
        return
    criterion = Criterion.objects.filter(
        version=week.campaign.rubric_version_id, key=alert.criterion_key
    ).first()
    if criterion is None:
        return
    sampled = {
        item: (key, role, stratum)
        for item, key, role, stratum in SampledOutput.objects.filter(
            weekly_sample=week, output__item_outputs__item__campaign=week.campaign
        ).values_list("output__item_outputs__item", "key", "role", "stratum")
    }
    if not sampled:
        return
    ratings = ratings_of(week, load_scores(week.campaign), criterion)
    for item, reviewer, score in zip(
        ratings.item.tolist(), ratings.reviewer.tolist(), ratings.score.tolist(), strict=True
    ):
        key, role, stratum = sampled[ratings.items[item]]
        is_anchor = role == SampleRole.ANCHOR
        yield _Row(week.number, ratings.reviewers[reviewer], key, is_anchor, stratum, score)


def _input_mix_change(baseline: Sequence[WeeklySample], week: WeeklySample) -> InputMix:
    """How the week's inputs differ from the baseline's, judged by the sampled outputs."""
    return input_mix([_inputs_of_week(each) for each in baseline], _inputs_of_week(week), seed=week.number)


def _inputs_of_week(week: WeeklySample) -> Inputs:
    texts = [
        str(messages[-1]["content"])
        for messages in week.samples.filter(role=SampleRole.NEW)
        .order_by("pk")
        .values_list("output__example__messages", flat=True)
        if messages
    ]
    return Inputs(
        strata={str(name): int(count) for name, count in week.strata.items()},
        languages=Counter(_languages(texts)),
        lengths=[float(len(text.split())) for text in texts],
        texts=texts,
    )


def _languages(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if letters(text[:READ]) >= FEWEST_LETTERS:
            yield language_of(text)


def _set_verdict(alert: Alert, verdict: Verdict, mix: InputMix) -> None:
    who = verdict.possible_reviewers if verdict.reviewer is None else (verdict.reviewer,)
    people = list(User.objects.filter(pk__in=[each for each in who if isinstance(each, int)]).order_by("pk"))
    alert.cause = _CAUSES[verdict.cause]
    alert.cause_reviewer = None if verdict.possible_reviewers or not people else people[0]
    alert.cause_reason = _reason(verdict, mix, people)[:300]
    alert.evidence = list(_evidence(verdict.evidence, people)) if verdict.evidence else []


def _reason(verdict: Verdict, mix: InputMix, people: Sequence[User]) -> str:
    words = f"{verdict.reason[:1].upper()}{verdict.reason[1:]}."
    if verdict.possible_reviewers and people:
        words += f" It may have been {' or '.join(map(str, people))}."
    if mix.far:
        aspects = ", ".join(_INPUT_ASPECT_NAMES[name] for name in mix.far)
        words += f" The week’s inputs differ from usual: {aspects}."
    if verdict.cause is drift_cause.Cause.CANNOT_TELL and verdict.weeks_until_found is not None:
        words += (
            " The cause of a change of this size is usually found"
            f" {verdict.weeks_until_found} weeks after it began."
        )
    return words


def _evidence(evidence: Evidence, people: Sequence[User]) -> Iterator[dict[str, object]]:
    """``people``: the reviewers who moved, or may have moved."""
    yield _evidence_row("Scores of new outputs", evidence.raw)
    yield _evidence_row("Scores of new outputs, adjusted for strata and reviewers", evidence.adjusted)
    yield _evidence_row("Scores of anchors, all reviewers", evidence.together)
    for person in people:
        if person.pk in evidence.reviewers:
            of = {"reviewer": person.pk}
            yield _evidence_row(f"{person}, on the same outputs", evidence.reviewers[person.pk]) | of
            yield _evidence_row(f"{person}, against the other reviewers", evidence.apart[person.pk]) | of
    yield _evidence_row("Remaining change, due to the model", evidence.model)
    yield _evidence_row("Due to the shares of strata", evidence.mix)


def _evidence_row(name: str, change: Change) -> dict[str, object]:
    measure = change.measure

    def short(value: float | None) -> float | None:
        return None if value is None else round(value, 3)

    return {
        "name": name,
        "value": short(measure.value),
        "low": short(measure.low),
        "high": short(measure.high),
        "n": measure.n,
        "reason": measure.reason,
    }
