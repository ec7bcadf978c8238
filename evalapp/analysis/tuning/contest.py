"""Is tuning better than a good prompt? A tuned candidate against prompts over the same base, in one campaign.

The numbers are the comparison's own, filtered to these candidates and to the items that they share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import QueryDict

from evalapp.accounts.models import Project
from evalapp.analysis.comparison.candidates import OVER_ITEMS, CandidateRow, Comparison
from evalapp.analysis.comparison.differences import ComparedPair
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.filters import ComparisonFilter, is_filter, read_filter
from evalapp.analysis.tuning.answer import Answer, answer_of
from evalapp.campaigns.models import Campaign, CampaignCandidate, CampaignReviewer, CampaignState, Method
from evalapp.core.errors import MissingError
from evalapp.measure import Measure, signature
from evalapp.metrics.metric import MetricDescription
from evalapp.registry.models import TUNED_KINDS, ModelKind, ModelVersion
from evalapp.runs.queries import position_among_tried
from evalapp.stats.differences import holm
from evalapp.stats.ratings import Ratings
from evalapp.stats.scores import mean_over_items

PairsOf = Callable[[CandidateRow], Sequence[ComparedPair]]

_DONE = (
    CampaignReviewer.objects.filter(campaign=OuterRef("pk"))
    .order_by()
    .values("campaign")
    .annotate(done=Sum("reviews_done"))
    .values("done")
)


def tuned_candidates(project: Project) -> QuerySet[ModelVersion]:
    """The project's trained candidates, newest first."""
    tuned = ModelVersion.objects.filter(project=project, kind__in=TUNED_KINDS)
    return tuned.select_related("model", "base__model").order_by("-pk")


def prompts_over_base_of(tuned: ModelVersion) -> QuerySet[ModelVersion]:
    """The prompts over the base that the candidate was tuned from, newest first."""
    prompts = ModelVersion.objects.filter(base=tuned.base_id, kind=ModelKind.PROMPT)
    return prompts.select_related("model").order_by("-pk")


def imported_candidates(project: Project) -> QuerySet[ModelVersion]:
    """Candidates with imported outputs that people reviewed beside others, newest first. Their origin is
    unknown here, so a person has to say which was tuned and which is a prompt.
    """
    reviewed = CampaignCandidate.objects.filter(
        campaign__project=project, campaign__picked_because="", campaign__method=Method.POINTWISE
    ).exclude(campaign__state=CampaignState.DRAFT)
    imported = ModelVersion.objects.filter(project=project, kind=ModelKind.IMPORTED)
    return imported.filter(pk__in=reviewed.values("model_version")).select_related("model").order_by("-pk")


def imported_pair(project: Project, tuned: str, prompt: str) -> tuple[ModelVersion, ModelVersion]:
    """The imported candidates with these ids. Raises MissingError for other ids, or two equal ones."""
    imported = {str(each.pk): each for each in imported_candidates(project)}
    if tuned == prompt or tuned not in imported or prompt not in imported:
        raise MissingError("Choose two different candidates whose answers were imported.")
    return imported[tuned], imported[prompt]


def campaigns_between(tuned: ModelVersion, prompt: ModelVersion | None = None) -> QuerySet[Campaign]:
    """Campaigns that compare the tuned candidate with a prompt over its base, or with ``prompt``; most
    reviewed first, with ``review_count``. Without campaigns over items picked for their scores, which say
    nothing about candidates.
    """
    prompts = ModelVersion.objects.filter(pk=prompt.pk) if prompt else prompts_over_base_of(tuned)
    with_prompt = CampaignCandidate.objects.filter(model_version__in=prompts.order_by().values("pk")).values(
        "campaign"
    )
    return (
        Campaign.objects.filter(project=tuned.project_id, candidates__model_version=tuned, pk__in=with_prompt)
        .exclude(state=CampaignState.DRAFT)
        .filter(picked_because="")
        .select_related("project", "rubric_version__rubric", "dataset_version__dataset")
        .annotate(review_count=Coalesce(Subquery(_DONE), 0))
        .order_by("-review_count", "-pk")
    )


def proposed_candidate(project: Project) -> ModelVersion | None:
    """The newest tuned candidate that was reviewed beside a prompt; else the newest."""
    tuned = list(tuned_candidates(project)[:50])
    reviewed = (
        each for each in tuned if campaigns_between(each).filter(reviewers__reviews_done__gt=0).exists()
    )
    return next(reviewed, tuned[0] if tuned else None)


def chosen_tuned(project: Project, candidate_id: str) -> ModelVersion | None:
    """The tuned candidate with this id, or without one the proposed candidate. Raises MissingError."""
    if not candidate_id:
        return proposed_candidate(project)
    # Only ASCII digits, and no more than the database's integer allows.
    known = candidate_id.isascii() and candidate_id.isdigit() and len(candidate_id) < 19
    found = tuned_candidates(project).filter(pk=int(candidate_id)).first() if known else None
    if found is None:
        raise MissingError("There is no tuned candidate at this URL.")
    return found


def chosen_campaign(campaigns: Sequence[Campaign], campaign_id: str) -> Campaign | None:
    """The campaign with this id among `campaigns_between`, else the most reviewed one that rates outputs.
    Raises MissingError.
    """
    rating = [each for each in campaigns if not each.compares]
    if not campaign_id:
        return rating[0] if rating else None
    found = next((each for each in rating if str(each.pk) == campaign_id), None)
    if found is None:
        raise MissingError("There is no campaign at this URL that compares the candidate with a prompt.")
    return found


def contest_filter(
    campaign: Campaign, tuned: ModelVersion, query: QueryDict, prompt: ModelVersion | None = None
) -> ComparisonFilter:
    """The URL's filter with the tuned candidate added. If it names no "candidates", the base and all prompts
    over it, or ``prompt``, are compared with the tuned one.
    """
    entries = list(campaign.candidates.select_related("model_version").order_by("position"))
    baselines = [
        str(entry.pk)
        for entry in entries
        if (entry.model_version == prompt if prompt else is_baseline_of(tuned, entry.model_version))
        and not query.getlist("candidates")
    ]
    own = [str(entry.pk) for entry in entries if entry.model_version_id == tuned.pk]
    filtered = QueryDict(mutable=True)
    for name, values in query.lists():
        if is_filter(name):
            filtered.setlist(name, values)
    filtered.setlist("candidates", [*own, *query.getlist("candidates"), *baselines])
    return read_filter(campaign, filtered)


def is_baseline_of(tuned: ModelVersion, other: ModelVersion) -> bool:
    """Whether the other is the base of the tuned candidate, or a prompt over it."""
    return other.pk == tuned.base_id or (other.kind == ModelKind.PROMPT and other.base_id == tuned.base_id)


class MetricDifference(NamedTuple):
    """A metric's means of the tuned candidate and of the other, and their paired difference over items."""

    metric: MetricDescription
    tuned: Measure
    other: Measure
    difference: Measure | None


@dataclass(frozen=True)
class BaselineDifference:
    """The tuned candidate minus one baseline. ``tries``: its number among the prompts tried on the base, and
    how many there are; None for the base itself.
    """

    row: CandidateRow
    pairs: list[ComparedPair]
    metrics: list[MetricDifference]
    tries: tuple[int, int] | None

    @property
    def is_prompt(self) -> bool:
        return self.tries is not None

    @property
    def named_tries(self) -> dict[str, int] | None:
        """``tries`` for the API."""
        return None if self.tries is None else {"number": self.tries[0], "of": self.tries[1]}


@dataclass(frozen=True)
class Contest:
    """``against``: every baseline, prompts first; ``answer``: to the page's question."""

    tuned: CandidateRow
    against: list[BaselineDifference]
    answer: Answer

    @property
    def prompts(self) -> list[BaselineDifference]:
        return [each for each in self.against if each.is_prompt]

    @property
    def candidates(self) -> list[CampaignCandidate]:
        return [self.tuned.candidate, *(each.row.candidate for each in self.against)]


def contest_of(
    comparison: Comparison, tuned: ModelVersion, pairs_of: PairsOf, scores: CampaignScores | None = None
) -> Contest | None:
    """The tuned candidate against each other candidate of the comparison; None if it or every other is
    missing.

    ``pairs_of``: returns the differences of the others from the row that it gets. Without ``scores``, which a
    large campaign's page does not read, metrics' paired differences are left out.
    """
    own = next((row for row in comparison.rows if row.candidate.model_version_id == tuned.pk), None)
    if own is None or len(comparison.rows) < 2:
        return None
    others = [row for row in comparison.rows if row is not own]
    pairs = [
        [pair for pair in pairs_of(row) if pair.challenger.candidate.pk == own.candidate.pk] for row in others
    ]
    against = [
        BaselineDifference(
            row=row,
            pairs=adjusted,
            metrics=[_metric_difference(scores, metric, own, row) for metric in comparison.metrics],
            tries=_tries_of_prompt(row.candidate.model_version),
        )
        for row, adjusted in zip(others, _adjusted_over_tables(pairs), strict=True)
    ]
    against.sort(
        key=lambda each: (not each.is_prompt, -(each.row.total.value or 0.0), each.row.candidate.position)
    )
    contested = [each for each in against if each.is_prompt] or against
    return Contest(
        own,
        against,
        answer_of(
            own,
            [(each.row, each.pairs) for each in contested],
            raters=_raters(comparison, own.candidate.campaign),
        ),
    )


def _raters(comparison: Comparison, campaign: Campaign) -> str:
    if campaign.is_imported:
        # Whether people or a program gave external scores is unknown here.
        return "The raters of the imported file"
    design = comparison.design
    if design.is_mixed:
        return "People and simulated reviewers"
    return "Simulated reviewers" if design.is_simulated else "People"


def _adjusted_over_tables(tables: list[list[ComparedPair]]) -> list[list[ComparedPair]]:
    """Holm's adjustment over the rows of all tables together, because they are on one page."""
    p_values = {
        f"{table} {position}": pair.difference.p.value
        for table, pairs in enumerate(tables)
        for position, pair in enumerate(pairs)
        if pair.difference.p.value is not None
    }
    adjusted = holm(p_values)
    return [
        [replace(pair, adjusted_p=adjusted.get(f"{table} {position}")) for position, pair in enumerate(pairs)]
        for table, pairs in enumerate(tables)
    ]


def _tries_of_prompt(version: ModelVersion) -> tuple[int, int] | None:
    return position_among_tried(version) if version.kind == ModelKind.PROMPT else None


def _metric_difference(
    scores: CampaignScores | None, metric: MetricDescription, own: CandidateRow, other: CandidateRow
) -> MetricDifference:
    difference = None
    if scores is not None:
        first, second = (
            {
                output.item_id: output.metrics[metric.name]
                for output in scores.outputs_of(row.candidate)
                if metric.name in output.metrics
            }
            for row in (own, other)
        )
        difference = _mean_difference(
            metric, [first[item] - second[item] for item in first if item in second]
        )
    return MetricDifference(metric, own.metrics[metric.name], other.metrics[metric.name], difference)


def _mean_difference(metric: MetricDescription, differences: list[float]) -> Measure:
    """Mean of the items' differences, with Student's interval over items."""
    name = signature(f"paired-difference-{metric.name}", interval="items", level=0.95)
    if not differences:
        return Measure.undefined("no item has it of both", signature=name)
    ratings = Ratings.from_columns(range(len(differences)), ["metric"] * len(differences), differences)
    mean = mean_over_items(ratings)
    return replace(mean, signature=name, note=OVER_ITEMS if mean.low is not None else mean.note)
