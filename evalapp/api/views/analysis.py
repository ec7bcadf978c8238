from typing import Any

from evalapp.accounts.permissions import Permission
from evalapp.analysis.adjudicated import with_adjudicated
from evalapp.analysis.agreement import agreement_rows, correlation_rows
from evalapp.analysis.case import load_case
from evalapp.analysis.case_lists import CaseList as CaseSequence
from evalapp.analysis.case_lists import cases_at
from evalapp.analysis.cases import LONGEST_NUMBER, CaseRow
from evalapp.analysis.compared_case import comparisons_of_item
from evalapp.analysis.comparison import compare
from evalapp.analysis.differences import ComparedPair, compare_pairs, find_contradiction
from evalapp.analysis.filtered_scores import FilteredScores, load_filtered
from evalapp.analysis.filters import ComparisonFilter, read_filter
from evalapp.analysis.keeping import Standing, Wanted, is_large, standings, start_analysis, view_of
from evalapp.analysis.kept_comparison import LargeComparison, large_comparison
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.quality import quality_of
from evalapp.analysis.usage import usage_of
from evalapp.api.fields import Paging
from evalapp.api.operations import ProjectView, operation
from evalapp.api.serializers.analysis import (
    AgreementQuery,
    AgreementSerializer,
    CaseQuery,
    CaseRowSerializer,
    ComparisonQuery,
    ComparisonSerializer,
    ComputeBody,
    ComputedAnalysisSerializer,
    DifferenceQuery,
    DifferenceSerializer,
)
from evalapp.api.serializers.cases import CaseSerializer
from evalapp.api.serializers.jobs import JobSerializer
from evalapp.api.serializers.quality import QualitySerializer
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import InvalidError, MissingError
from evalapp.core.http import get_or_missing
from evalapp.ratings.queries import imported_records
from evalapp.rubrics.models import Criterion

_FLAGS = ("low", "na", "differ", "broken", "unsaid")


def not_computed(kind: AnalysisKind) -> InvalidError:
    """A list of which a job has not computed anything yet; where to ask for it."""
    return InvalidError(
        "This has not been computed yet of so large a campaign. Ask for it at analysis/computations/ with the kind "
        f"“{kind}”."
    )


def require_no_problem(wanted: ComparisonFilter) -> ComparisonFilter:
    """The filter. Raises InvalidError where it names what is not there."""
    if wanted.problems:
        fields: dict[str, list[str]] = {}
        for problem in wanted.problems:
            fields.setdefault(problem.part or "non_field_errors", []).append(problem.message)
        raise InvalidError("The filter names what is not there; see beside each part.", fields=fields)
    return wanted


class AnalysisView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    def campaign(self, campaign_id: int) -> Campaign:
        """Of a draft there is nothing to compare, so it is not there."""
        opened = self.project.campaigns.exclude(state=CampaignState.DRAFT)
        return get_or_missing(opened.select_related("project", "rubric_version"), pk=campaign_id)

    def reviewer_type(self) -> str:
        """Whose reviews count; a choice only where simulated ones are read at all."""
        return str(self.query["reviewer_type"]) if self.project.is_demonstration else "all"

    def view(self, campaign_id: int) -> ComparisonFilter:
        """What the URL filters to. Raises InvalidError for what is not there."""
        return require_no_problem(read_filter(self.campaign(campaign_id), self.query["view"]))

    def filtered(self, campaign_id: int) -> FilteredScores:
        """The scores of the view that the URL filters to."""
        return load_filtered(self.view(campaign_id), reviewer_type=self.reviewer_type())

    def stored_comparison(self, campaign_id: int, score_source: str = "original") -> LargeComparison | None:
        """What is stored of a campaign that is too large to compute while a program waits, or of a view of it;
        None where it is not so large.
        """
        view = self.view(campaign_id)
        if not is_large(view.campaign, reviewer_type=self.reviewer_type()):
            return None
        wanted = Wanted(AnalysisKind.COMPARISON, self.reviewer_type(), score_source, view.view)
        return large_comparison(view.campaign, wanted, reader_id=self.person.pk)


class ComparisonDetail(AnalysisView):
    @operation("Compare a campaign's candidates", query=ComparisonQuery, result=ComparisonSerializer)
    def get(self, campaign_id: int) -> object:
        """Human means per criterion with 95% intervals over items and reviewers, beside the metrics.

        Of a campaign with more than 20,000 scores the counts are of now, and all else as ``standing`` says; of a
        filtered view of it the counts, too, once compute/ was asked for it.
        """
        if (found := self.stored_comparison(campaign_id, self.query["score_source"])) is not None:
            return self._stored(found)
        scores, coverage, _ = self.filtered(campaign_id)
        adjudicated, count = with_adjudicated(scores)
        if self.query["score_source"] == "adjudicated":
            scores = adjudicated
        comparison = compare(scores)
        return {
            "campaign": campaign_id,
            "reviewer_type": self.reviewer_type(),
            "score_source": self.query["score_source"],
            "adjudicated": count,
            "is_reviewing": is_reviewing_blind(scores.campaign, self.person),
            "design": comparison.design,
            "records": imported_records(scores.campaign),
            "rubric_version": scores.campaign.rubric_version_id,
            "coverage": coverage,
            "usage": usage_of(scores),
            "candidates": comparison.rows,
            "contradiction": find_contradiction(scores, comparison),
            "standing": None,
        }

    def _stored(self, found: LargeComparison) -> dict[str, Any]:
        campaign = found.campaign
        return {
            "campaign": campaign.pk,
            "reviewer_type": self.reviewer_type(),
            "score_source": self.query["score_source"],
            "adjudicated": found.stored.decided,
            "is_reviewing": is_reviewing_blind(campaign, self.person),
            "design": found.comparison.design,
            "records": imported_records(campaign),
            "rubric_version": campaign.rubric_version_id,
            "coverage": found.stored.coverage,
            "usage": found.stored.usage,
            "candidates": found.comparison.rows,
            "contradiction": found.stored.contradiction,
            "standing": found.standing,
        }


class DifferenceList(AnalysisView):
    @operation("Compare candidates in pairs", query=DifferenceQuery, result=DifferenceSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Every other candidate less ``against``, paired by item and reviewer, with wins, ties and losses."""
        against = self.query.get("against")
        if (found := self.stored_comparison(campaign_id)) is not None:
            chosen = next((row for row in found.comparison.rows if against in (None, row.candidate.pk)), None)
            if chosen is None:
                raise MissingError("There is no such candidate in this comparison.")
            return self.page(found.chosen(reference=chosen).differences.pairs)
        scores = self.filtered(campaign_id).scores
        comparison = compare(scores)
        candidates = (row for row in comparison.rows if against in (None, row.candidate.pk))
        reference = next(candidates, None)
        if reference is None:
            raise MissingError("There is no such candidate in this comparison.")
        return self.page(compare_pairs(scores, comparison, reference, everything=True))

    def key_of(self, row: ComparedPair) -> str:
        of = "" if row.is_total else row.criterion.key
        return f"{of}.{row.challenger.candidate.pk}"


class AgreementDetail(AnalysisView):
    @operation("Read how far people agree", query=AgreementQuery, result=AgreementSerializer)
    def get(self, campaign_id: int) -> object:
        """Krippendorff's alpha and shares of equal answers; correlation of a metric with people."""
        if (found := self.stored_comparison(campaign_id)) is not None:
            name = self.query["metric"]
            metric = next((each for each in found.comparison.metrics if each.name == name), None)
            correlations = found.chosen(metric=metric).correlations
            return {"metric": name, "agreement": found.stored.agreement, "correlations": correlations}
        scores = self.filtered(campaign_id).scores
        described = scores.metric_named(self.query["metric"])
        return {
            "metric": described.name,
            "agreement": agreement_rows(scores),
            "correlations": correlation_rows(scores, described),
        }


class AnalysisCompute(AnalysisView):
    @operation(
        "List what is computed of a large campaign",
        query=Paging,
        result=ComputedAnalysisSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """Every analysis that is stored or being computed: from when it is, and how much has come in since."""
        return self.page(standings(self.campaign(campaign_id)))

    def key_of(self, row: Standing) -> str:
        return ".".join(row.wanted)

    @operation("Compute an analysis of a large campaign", body=ComputeBody, result=JobSerializer, status=202)
    def post(self, campaign_id: int) -> object:
        """A job; one that computes the same already is answered instead. Its result stands in the analysis."""
        campaign, given = self.campaign(campaign_id), self.body()
        reviewer_type = given["reviewer_type"] if self.project.is_demonstration else "all"
        view = view_of(campaign, given["view"]).view
        wanted = Wanted(AnalysisKind(given["kind"]), reviewer_type, given["score_source"], view)
        return start_analysis(campaign=campaign, wanted=wanted, by=self.person)


class QualityDetail(AnalysisView):
    criteria: list[Criterion]

    @operation("Read a campaign's quality so far", result=QualitySerializer)
    def get(self, campaign_id: int) -> object:
        """Agreement, where reviewers differ most, hints about reviewers, and the unblinding index."""
        quality = quality_of(self.campaign(campaign_id), reader=self.person.pk)
        self.criteria = quality.scores.criteria
        return quality


class CaseList(AnalysisView):
    criteria: list[Criterion]

    @operation("List the cases behind a number", query=CaseQuery, result=CaseRowSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """The filters are those of the comparison's numbers."""
        found = cases_at(self.view(campaign_id), self._as_address(), reviewer_type=self.reviewer_type())
        self.criteria = found.scores.criteria
        return self.page(found)

    def place_of(self, found: CaseSequence, after: str) -> int | None:
        """Where the output with this key stands in the list."""
        item_id, _, candidate_id = after.partition(".")
        is_key = item_id.isdecimal() and candidate_id.isdecimal() and len(after) <= LONGEST_NUMBER
        return found.place_of(int(item_id), int(candidate_id)) if is_key else None

    def key_of(self, row: CaseRow) -> str:
        return f"{row.item_id}.{row.candidate.pk}"

    def _as_address(self) -> dict[str, str]:
        """The filter as the pages' URLs hold it."""
        given: dict[str, Any] = {
            name: value
            for name, value in self.query.items()
            if name not in ("after", "limit", "reviewer_type", "view", *_FLAGS)
        }
        flags = {name: "1" for name in _FLAGS if self.query[name]}
        return {**{name: str(value) for name, value in given.items()}, **flags}


class CaseDetail(AnalysisView):
    @operation("Read a case", result=CaseSerializer)
    def get(self, campaign_id: int, item_id: int) -> object:
        """Prompt, candidates, scores, reasons, corrections and metrics of one item, what reviewers preferred, and
        what was decided beside them. Reviewers by pseudonym, unless the project shows names.
        """
        campaign = self.campaign(campaign_id)
        return {
            "case": load_case(campaign, item_id, reader_id=self.person.pk),
            "comparisons": comparisons_of_item(campaign, item_id, reader=self.person),
            "is_reviewing": is_reviewing_blind(campaign, self.person),
        }
