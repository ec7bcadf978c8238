"""Who agrees with whom, which levels are confused, and what turns round inside strata."""

from evalapp.analysis.choosing import chosen_criterion, chosen_pair
from evalapp.analysis.kept_agreement import agreement_shown
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.reversals import FoundReversal, find_reversals
from evalapp.analysis.reviewer_agreement import (
    AgreementOn,
    LevelsToClarify,
    PairAgreement,
    Panel,
    ReviewerAgreement,
    why_no_pair,
)
from evalapp.api.operations import operation
from evalapp.api.serializers.reviewer_agreement import (
    AgreementPage,
    ConfusedLevelsSerializer,
    ConfusionQuery,
    ConfusionSerializer,
    CriterionAgreementSerializer,
    OfCriterionPage,
    PairAgreementSerializer,
    ReversalQuery,
    ReversalSerializer,
    ReviewerAgreementSerializer,
)
from evalapp.api.views.analysis import AnalysisView, not_computed
from evalapp.core.errors import InvalidError
from evalapp.reviews.pseudonyms import ReviewerNames
from evalapp.rubrics.models import Criterion


class PanelView(AnalysisView):
    def panel(self, campaign_id: int) -> Panel:
        """What the URL filters to. Raises InvalidError where a job has not computed it yet."""
        view = self.view(campaign_id)
        panel = agreement_shown(view, reviewer_type=self.reviewer_type(), reader_id=self.person.pk).panel
        if panel is None:
            raise not_computed(AnalysisKind.AGREEMENT)
        return panel


class OfCriterionView(PanelView):
    names: ReviewerNames

    def chosen(self, campaign_id: int) -> tuple[Panel, Criterion]:
        panel = self.panel(campaign_id)
        self.names = panel.names
        criterion = chosen_criterion(panel.criteria, self.query["criterion"])
        if criterion is None:
            message = "This campaign's rubric has no criterion with levels."
            raise InvalidError(message, fields={"criterion": [message]})
        return panel, criterion


class CriterionAgreementList(PanelView):
    @operation(
        "Read agreement by criterion", query=AgreementPage, result=CriterionAgreementSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """The base overlap alone: reviews that were added because people differed are left out.

        Of a campaign with more than 20,000 scores all lists of agreement are what computations/ was last asked for;
        it tells when that was.
        """
        panel = self.panel(campaign_id)
        return self.page(panel.criteria, dress=lambda chosen: [panel.overall(each) for each in chosen])

    def key_of(self, row: Criterion | AgreementOn) -> str:
        return row.key if isinstance(row, Criterion) else row.criterion.key


class ReviewerAgreementList(OfCriterionView):
    @operation(
        "Read each reviewer's agreement with the others",
        query=OfCriterionPage,
        result=ReviewerAgreementSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """On the outputs that they share with somebody; an output counts once however many others there are."""
        panel, criterion = self.chosen(campaign_id)
        return self.page(panel.reviewers(criterion))

    def key_of(self, row: ReviewerAgreement) -> str:
        return str(row.number)


class PairAgreementList(OfCriterionView):
    @operation(
        "Read the agreement of pairs", query=OfCriterionPage, result=PairAgreementSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """Every two reviewers with a score on the criterion, on the outputs both scored."""
        panel, criterion = self.chosen(campaign_id)

        def measured(pairs: list[tuple[int, int]]) -> list[PairAgreement]:
            panel.prepare(criterion, pairs)
            return [panel.pair(criterion, pair) for pair in pairs]

        return self.page(panel.pairs(criterion), dress=measured)

    def key_of(self, row: tuple[int, int]) -> str:
        # By number: a URL must not tell who somebody is.
        first, second = (self.names.numbers[person] for person in row)
        return f"{first}.{second}"


class ConfusionDetail(OfCriterionView):
    @operation("Read two reviewers' confusion table", query=ConfusionQuery, result=ConfusionSerializer)
    def get(self, campaign_id: int) -> object:
        """How often the first gave each level where the second gave each."""
        panel, criterion = self.chosen(campaign_id)
        asked = (str(self.query.get(name, "")) for name in ("first", "second"))
        pair = chosen_pair(panel, criterion, *asked)
        if pair is None:
            raise InvalidError(f"{why_no_pair(panel, criterion)}.")
        agreement = panel.pair(criterion, pair)
        found = agreement.confusion
        if found is None:
            message = f"The scale of {criterion.name} is too wide for a table of levels."
            raise InvalidError(message, fields={"criterion": [message]})
        return {
            "first": agreement.first,
            "second": agreement.second,
            "items": found.items,
            "levels": [int(level) for level in found.levels],
            "counts": found.counts,
        }


class ConfusedLevelsList(OfCriterionView):
    @operation("List levels to clarify", query=OfCriterionPage, result=ConfusedLevelsSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Neighbouring levels that reviewers are not shown to tell apart, those with most pairs apart first."""
        panel, criterion = self.chosen(campaign_id)
        return self.page(panel.clarify(criterion))

    def key_of(self, row: LevelsToClarify) -> str:
        return f"{row.found.lower:g}"


class ReversalList(AnalysisView):
    @operation("List reversals inside strata", query=ReversalQuery, result=ReversalSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Where two candidates' difference points the other way for some value of a metadata field."""
        if (stored := self.stored_comparison(campaign_id)) is None:
            return self.page(find_reversals(self.filtered(campaign_id).scores).found)
        if stored.standing.computed_at is None:
            raise not_computed(AnalysisKind.COMPARISON)
        return self.page(stored.stored.reversals.found)

    def key_of(self, row: FoundReversal) -> str:
        return f"{row.criterion.key}.{row.higher.pk}.{row.lower.pk}.{row.field}"
