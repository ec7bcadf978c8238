"""Analyses of large campaigns: computed by a job, stored with the version of the data, and read by pages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.http import QueryDict
from django.utils import timezone
from django.utils.text import get_text_list

from evalapp.accounts.models import User
from evalapp.analysis.agreement.severity import severity_of
from evalapp.analysis.comparison.candidates import NOBODY
from evalapp.analysis.models import AnalysisKind, ReviewerType, ScoreSource, StoredAnalysis
from evalapp.analysis.scores.filtered_scores import load_filtered
from evalapp.analysis.scores.filters import ComparisonFilter, read_filter
from evalapp.analysis.stored.computed_comparison import ComputedComparison
from evalapp.analysis.stored.inputs import INPUTS, changed_inputs, input_versions
from evalapp.analysis.stored.serialisation import Subjects, as_json, format_number
from evalapp.analysis.stored.stored_agreement import agreement_parts
from evalapp.analysis.stored.stored_comparison import (
    CriterionAgainstMetric,
    StoredComparison,
    comparison_parts,
)
from evalapp.analysis.stored.stored_metrics import metrics_parts
from evalapp.campaigns.design import MOST_CANDIDATES
from evalapp.campaigns.models import Campaign, CampaignCandidate, CampaignState
from evalapp.charts.chart import Chart
from evalapp.core.errors import InvalidError
from evalapp.jobs.models import FINAL_STATES, Job, JobState
from evalapp.jobs.services import create_job
from evalapp.jobs.work import Work
from evalapp.reviews.counts import CampaignCounts, data_version, scores_given
from evalapp.reviews.models import ScoreCount
from evalapp.reviews.pseudonyms import ReviewerNames
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.rubrics.kinds import answered_by
from evalapp.rubrics.models import Criterion

COMPUTE_TASK = "evalapp.analysis.tasks.compute"
# The most scores that a page computes while its reader waits: about a second.
MOST_AT_REQUEST = 20_000
# Recomputed automatically when this many reviews, and this share of them, have changed.
LEAST_CHANGES, LEAST_SHARE = 200, 0.02
LEAST_PAUSE = timedelta(minutes=5)
# For one campaign; older views are recomputed when asked for.
MOST_VIEWS = 20
FORMAT = format_number([StoredComparison, CriterionAgainstMetric, Chart])


class AnalysisRequest(NamedTuple):
    """One analysis of a campaign: its kind, whose reviews, which score values, and which view
    (`ComparisonFilter.view`; empty for the whole campaign).
    """

    kind: AnalysisKind
    reviewer_type: str = ReviewerType.ALL
    score_source: str = ScoreSource.ORIGINAL
    view: str = ""

    @property
    def where(self) -> dict[str, str]:
        return {
            "kind": self.kind,
            "reviewer_type": self.reviewer_type,
            "score_source": self.score_source,
            "view": self.view,
        }


_SUBJECTS: dict[AnalysisKind, str] = {
    AnalysisKind.COMPARISON: "Means, intervals, differences, agreement and charts",
    AnalysisKind.SEVERITY: "Severities and adjusted scores",
    AnalysisKind.AGREEMENT: "Agreement measures",
    AnalysisKind.METRICS: "Metrics against people",
}


class Freshness(NamedTuple):
    """How far the stored numbers are behind. ``computed_at``: None without readable numbers.

    ``reviews_since`` and ``changes_since``: numbers since then; ``job``: the newest that computes them,
    unless it succeeded. ``inputs_changed``: what else has changed, by the names of `INPUTS`.
    """

    request: AnalysisRequest
    computed_at: datetime | None
    reviews_since: int
    changes_since: int
    job: Job | None
    inputs_changed: Sequence[str] = ()

    @property
    def inputs_words(self) -> str:
        """The changed inputs in words: "adjudications and prices"."""
        return get_text_list([INPUTS[name] for name in self.inputs_changed], "and")

    @property
    def subject(self) -> str:
        """The subject of a sentence about the analysis, in the plural."""
        if self.request.view and self.request.kind != AnalysisKind.SEVERITY:
            return "The results of this view"
        return _SUBJECTS[self.request.kind]

    @property
    def is_current(self) -> bool:
        """Whether nothing has changed since the numbers were computed."""
        has_changed = self.reviews_since or self.changes_since or self.inputs_changed
        return self.computed_at is not None and not has_changed

    @property
    def is_being_computed(self) -> bool:
        return self.job is not None and not self.job.is_over


def is_large(campaign: Campaign, *, reviewer_type: str = "all") -> bool:
    """Whether a job must compute the comparison, not a request: it has many scores, or more candidates than
    reviewers compare.
    """
    if scores_given(campaign, reviewer_type=reviewer_type) > MOST_AT_REQUEST:
        return True
    return campaign.candidates.count() > MOST_CANDIDATES


def large_among(campaigns: Sequence[Campaign]) -> set[int]:
    """The ids of one project's large campaigns, in two queries."""
    if not campaigns:
        return set()
    counts = ScoreCount.objects.filter(of_reviewer_type(campaigns[0].project), campaign__in=campaigns)
    totals = counts.order_by().values("campaign").annotate(total=Sum("scores"))
    large = set(totals.filter(total__gt=MOST_AT_REQUEST).values_list("campaign", flat=True))
    ids = [campaign.pk for campaign in campaigns]
    wide = Campaign.objects.filter(pk__in=ids).annotate(compared=Count("candidates"))
    return large.union(wide.filter(compared__gt=MOST_CANDIDATES).values_list("pk", flat=True))


def subjects_of(campaign: Campaign) -> Subjects:
    """The subjects of the campaign's stored numbers, with their current names."""
    candidates = CampaignCandidate.objects.filter(campaign=campaign).select_related("model_version")
    criteria = Criterion.objects.filter(version=campaign.rubric_version_id)
    return Subjects.of(
        candidates.order_by("position"),
        criteria.filter(kind__in=answered_by("level")).order_by("position"),
        campaign.project.rule_checks.all(),
    )


def stored_of(campaign: Campaign, request: AnalysisRequest) -> StoredAnalysis | None:
    """The stored part for all readers, if it has this release's format."""
    return _stored(campaign, request).filter(format=FORMAT, part="").first()


def stored_values_of(campaign: Campaign, request: AnalysisRequest, *parts: str) -> dict[str, Any]:
    """The numbers of other stored parts, by name."""
    rows = _stored(campaign, request).filter(format=FORMAT, part__in=parts)
    return dict(rows.values_list("part", "result"))


def _current(campaign: Campaign) -> QuerySet[StoredAnalysis]:
    """The results stored for the population that the project uses; those for the other are kept until the
    project switches back.
    """
    return campaign.stored_analyses.filter(population=campaign.project.population)


def _stored(campaign: Campaign, request: AnalysisRequest) -> QuerySet[StoredAnalysis]:
    """The stored parts of one analysis."""
    return _current(campaign).filter(**request.where)


def freshness_of(
    campaign: Campaign, request: AnalysisRequest, stored: StoredAnalysis | None, counts: CampaignCounts
) -> Freshness:
    """How far stored results are behind. ``stored``: the part for all readers, if any; ``counts``: the
    current ones.
    """
    changes, reviews = counts.changes, counts.reviews
    job = newest_job(campaign, request)
    if job is not None and job.state == JobState.SUCCEEDED:
        job = None
    if stored is None:
        return Freshness(request, None, reviews, changes, job)
    changed = changed_inputs(request.kind, stored.inputs, input_versions(campaign))
    return Freshness(
        request, stored.computed_at, max(reviews - stored.reviews, 0), changes - stored.changes, job, changed
    )


def stored_freshness(campaign: Campaign) -> list[Freshness]:
    """The freshness of every stored or running analysis of the campaign, latest stored first."""
    rows = _current(campaign).filter(part="", format=FORMAT).defer("result").order_by("-computed_at", "-id")
    jobs = campaign.project.jobs.filter(task=COMPUTE_TASK, params__campaign=campaign.pk)
    going = {_request_of(job): job for job in jobs.exclude(state__in=FINAL_STATES)}
    versions = {
        reviewer_type: data_version(campaign, reviewer_type=reviewer_type)
        for reviewer_type in ReviewerType.values
    }
    found, inputs = [], input_versions(campaign)
    for row in rows:
        request = AnalysisRequest(AnalysisKind(row.kind), row.reviewer_type, row.score_source, row.view)
        changes, reviews = versions[row.reviewer_type]
        since = (max(reviews - row.reviews, 0), changes - row.changes)
        changed = changed_inputs(row.kind, row.inputs, inputs)
        found.append(Freshness(request, row.computed_at, *since, going.pop(request, None), changed))
    for request, job in going.items():
        changes, reviews = versions[request.reviewer_type]
        found.append(Freshness(request, None, reviews, changes, job))
    return found


def newest_job(campaign: Campaign, request: AnalysisRequest) -> Job | None:
    return _jobs_of(campaign, request).select_related("created_by").order_by("-id").first()


def _jobs_of(campaign: Campaign, request: AnalysisRequest) -> QuerySet[Job]:
    return campaign.project.jobs.filter(task=COMPUTE_TASK, params__contains=_params(campaign, request))


def _params(campaign: Campaign, request: AnalysisRequest) -> dict[str, Any]:
    return {
        "campaign": campaign.pk,
        "kind": str(request.kind),
        "reviewer_type": str(request.reviewer_type),
        "score_source": str(request.score_source),
        "view": request.view,
    }


def _request_of(job: Job) -> AnalysisRequest:
    params = job.params
    # Jobs queued by an earlier release have no view.
    return AnalysisRequest(
        AnalysisKind(params["kind"]), params["reviewer_type"], params["score_source"], params.get("view", "")
    )


def view_of(campaign: Campaign, query: str) -> ComparisonFilter:
    """The filter in URL parameters. Raises InvalidError for unknown values."""
    found = read_filter(campaign, QueryDict(query))
    if found.problems:
        raise InvalidError(" ".join(each.message for each in found.problems))
    return found


@transaction.atomic
def start_analysis(*, campaign: Campaign, request: AnalysisRequest, by: User | None) -> Job:
    """Queue the computation, or return the job that is queued or running already.

    Raises InvalidError for a draft, which has nothing to analyse.
    """
    if campaign.state == CampaignState.DRAFT:
        raise InvalidError(f"{campaign.name} has not been opened, so there is nothing to analyse.")
    # Serialises simultaneous requests, without blocking submissions.
    Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    going = _jobs_of(campaign, request).exclude(state__in=FINAL_STATES).first()
    if going is not None:
        return going
    return create_job(
        project=campaign.project,
        task=COMPUTE_TASK,
        title=f"{_TITLES[request.kind]} {campaign.name}{', a filtered view' if request.view else ''}",
        by=by,
        params=_params(campaign, request),
    )


def compute(work: Work) -> dict[str, Any]:
    """The job: read the campaign's reviews, compute every part, and store all of them at once."""
    campaigns = Campaign.objects.select_related("project", "rubric_version")
    campaign, request = campaigns.get(pk=work.job.params["campaign"]), _request_of(work.job)
    work.enter("Reading the reviews")
    # Read before the reviews, so that those arriving in between count as not yet computed.
    changes, reviews = data_version(campaign, reviewer_type=request.reviewer_type)
    inputs = input_versions(campaign)
    parts = list(_PARTS[request.kind](campaign, request, work))
    computed_at = timezone.now()
    with transaction.atomic():
        _stored(campaign, request).delete()
        StoredAnalysis.objects.bulk_create(
            StoredAnalysis(
                campaign=campaign,
                **request.where,
                population=campaign.project.population,
                part=name,
                format=FORMAT,
                changes=changes,
                reviews=reviews,
                inputs=inputs,
                result=result,
                computed_at=computed_at,
            )
            for name, result in parts
        )
        _forget_views(campaign)
        work.fence()
    return {"reviews": reviews}


def _forget_views(campaign: Campaign) -> None:
    """Keep only the latest computed views; their possible number is unlimited."""
    views = campaign.stored_analyses.exclude(view="").filter(part="").order_by("-computed_at", "-id")
    for row in views.defer("result")[MOST_VIEWS:]:
        old = AnalysisRequest(AnalysisKind(row.kind), row.reviewer_type, row.score_source, row.view)
        campaign.stored_analyses.filter(**old.where, population=row.population).delete()


def _comparison(campaign: Campaign, request: AnalysisRequest, work: Work) -> Iterator[tuple[str, Any]]:
    filtered = load_filtered(view_of(campaign, request.view), reviewer_type=request.reviewer_type)
    work.raise_if_cancelled()
    # Displayed names are decided when the result is read.
    scores = replace(filtered.scores, names=ReviewerNames(filtered.scores.numbers))
    computed = ComputedComparison(
        filtered._replace(scores=scores),
        reviewer_type=request.reviewer_type, score_source=request.score_source, reader_id=NOBODY,
    )  # fmt: skip
    return comparison_parts(computed, step=work.progress)


def _severity(campaign: Campaign, request: AnalysisRequest, work: Work) -> Iterator[tuple[str, Any]]:
    filtered = load_filtered(view_of(campaign, request.view), reviewer_type=request.reviewer_type)
    scores = filtered.scores

    def fitted(rounds: int, most: int) -> None:
        work.progress(rounds, most, "Fitting the model")

    # Stored by pseudonym; displayed names are decided when the result is read.
    found = severity_of(scores, names=ReviewerNames(scores.numbers), progress=fitted)
    yield "", {"severity": as_json(found), "coverage": as_json(filtered.coverage)}


def _agreement(campaign: Campaign, request: AnalysisRequest, work: Work) -> Iterator[tuple[str, Any]]:
    filtered = load_filtered(view_of(campaign, request.view), reviewer_type=request.reviewer_type)
    work.raise_if_cancelled()
    return agreement_parts(filtered, step=work.progress)


def _metrics(campaign: Campaign, request: AnalysisRequest, work: Work) -> Iterator[tuple[str, Any]]:
    filtered = load_filtered(view_of(campaign, request.view), reviewer_type=request.reviewer_type)
    work.raise_if_cancelled()
    return metrics_parts(filtered, step=work.progress)


_PARTS: dict[AnalysisKind, Callable[[Campaign, AnalysisRequest, Work], Iterable[tuple[str, Any]]]] = {
    AnalysisKind.COMPARISON: _comparison,
    AnalysisKind.SEVERITY: _severity,
    AnalysisKind.AGREEMENT: _agreement,
    AnalysisKind.METRICS: _metrics,
}
_TITLES: dict[AnalysisKind, str] = {
    AnalysisKind.COMPARISON: "Compare",
    AnalysisKind.SEVERITY: "Severity in",
    AnalysisKind.AGREEMENT: "Agreement in",
    AnalysisKind.METRICS: "Metrics and reviewer scores in",
}


def refresh_analyses() -> None:
    """Queue outdated analyses again, and the first comparison of a campaign that has become large."""
    for campaign in _reviewed_campaigns():
        for request in _outdated(campaign):
            start_analysis(campaign=campaign, request=request, by=None)


def _reviewed_campaigns() -> list[Campaign]:
    grown = (
        ScoreCount.objects.values("campaign").annotate(total=Sum("scores")).filter(total__gt=MOST_AT_REQUEST)
    )
    stored = StoredAnalysis.objects.filter(part="", view="").values("campaign")
    campaigns = Campaign.objects.select_related("project").exclude(state=CampaignState.DRAFT)
    wide = Campaign.objects.annotate(compared=Count("candidates")).filter(compared__gt=MOST_CANDIDATES)
    return list(campaigns.filter(pk__in=grown.values("campaign").union(stored, wide.values("pk"))))


def _outdated(campaign: Campaign) -> Iterator[AnalysisRequest]:
    first = AnalysisRequest(AnalysisKind.COMPARISON)
    # A view is computed only on request.
    rows, inputs = list(_current(campaign).filter(part="", view="").defer("result")), input_versions(campaign)
    if is_large(campaign) and not any(row.format == FORMAT for row in rows if row.kind == first.kind):
        yield from () if _tried(campaign, first) else (first,)
    for row in rows:
        changes, reviews = data_version(campaign, reviewer_type=row.reviewer_type)
        moved = changes - row.changes
        rested = timezone.now() - row.computed_at >= LEAST_PAUSE
        request = AnalysisRequest(AnalysisKind(row.kind), row.reviewer_type, row.score_source)
        is_behind = moved >= max(LEAST_CHANGES, LEAST_SHARE * reviews)
        is_behind = is_behind or bool(changed_inputs(row.kind, row.inputs, inputs))
        if row.format == FORMAT and is_behind and rested and not _tried(campaign, request):
            yield request


def _tried(campaign: Campaign, request: AnalysisRequest) -> bool:
    """Whether the analysis is running, or failed recently: people should look at a failure before it is
    repeated.
    """
    job = newest_job(campaign, request)
    if job is None or job.state == JobState.SUCCEEDED:
        return False
    return job.finished_at is None or timezone.now() - job.finished_at < timedelta(days=1)
