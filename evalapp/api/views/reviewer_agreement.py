"""Who agrees with whom, which levels are confused, and what turns round inside strata."""

from evalapp.analysis.choosing import chosen_criterion, chosen_pair
from evalapp.analysis.reversals import FoundReversal, find_reversals
from evalapp.analysis.reviewer_agreement import (
    AgreementOn,
    LevelsToClarify,
    ReviewerAgreement,
    agreement_of,
    agreement_on,
    by_reviewer,
    confusion_of,
    levels_to_clarify,
    pairs_of,
)
from evalapp.analysis.scores import CampaignScores
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
from evalapp.api.views.analysis import AnalysisView
from evalapp.core.errors import InvalidError
from evalapp.reviews.pseudonyms import ReviewerNames, shown_names
from evalapp.rubrics.models import Criterion


class OfCriterionView(AnalysisView):
    names: ReviewerNames

    def chosen(self, campaign_id: int) -> tuple[CampaignScores, Criterion]:
        scores = self.narrowed(campaign_id).scores
        self.names = shown_names(scores.campaign, numbers=scores.numbers, reader_id=self.person.pk)
        criterion = chosen_criterion(scores, self.query["criterion"])
        if criterion is None:
            message = "This campaign's rubric has no criterion with levels."
            raise InvalidError(message, fields={"criterion": [message]})
        return scores, criterion


class CriterionAgreementList(AnalysisView):
    @operation(
        "Read agreement by criterion", query=AgreementPage, result=CriterionAgreementSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """The base overlap alone: reviews that were added because people differed are left out."""
        scores = self.narrowed(campaign_id).scores
        return self.page(
            scores.criteria, dress=lambda chosen: [agreement_on(scores, each) for each in chosen]
        )

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
        scores, criterion = self.chosen(campaign_id)
        return self.page(by_reviewer(scores, criterion, self.names))

    def key_of(self, row: ReviewerAgreement) -> str:
        return str(row.number)


class PairAgreementList(OfCriterionView):
    @operation(
        "Read the agreement of pairs", query=OfCriterionPage, result=PairAgreementSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """Every two reviewers with a score on the criterion, on the outputs both scored."""
        scores, criterion = self.chosen(campaign_id)
        return self.page(
            pairs_of(scores, criterion),
            dress=lambda pairs: [agreement_of(scores, criterion, pair, self.names) for pair in pairs],
        )

    def key_of(self, row: tuple[int, int]) -> str:
        # By number: an address must not tell who somebody is.
        first, second = (self.names.numbers[person] for person in row)
        return f"{first}.{second}"


class ConfusionDetail(OfCriterionView):
    @operation("Read two reviewers' confusion table", query=ConfusionQuery, result=ConfusionSerializer)
    def get(self, campaign_id: int) -> object:
        """How often the first gave each level where the second gave each."""
        scores, criterion = self.chosen(campaign_id)
        asked = (str(self.query.get(name, "")) for name in ("first", "second"))
        pair = chosen_pair(scores, criterion, *asked)
        if pair is None:
            raise InvalidError(f"No two reviewers have scored {criterion.name} here yet.")
        found = confusion_of(scores, criterion, pair)
        if found is None:
            message = f"The scale of {criterion.name} is too wide for a table of levels."
            raise InvalidError(message, fields={"criterion": [message]})
        return {
            "first": self.names.numbers[pair[0]],
            "second": self.names.numbers[pair[1]],
            "items": found.items,
            "levels": [int(level) for level in found.levels],
            "counts": found.counts,
        }


class ConfusedLevelsList(OfCriterionView):
    @operation("List levels to clarify", query=OfCriterionPage, result=ConfusedLevelsSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Neighbouring levels that reviewers are not shown to tell apart, those with most pairs apart first."""
        return self.page(levels_to_clarify(*self.chosen(campaign_id)))

    def key_of(self, row: LevelsToClarify) -> str:
        return f"{row.found.lower:g}"


class ReversalList(AnalysisView):
    @operation("List reversals inside strata", query=ReversalQuery, result=ReversalSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Where two candidates' difference points the other way for some value of a metadata field."""
        found = find_reversals(self.narrowed(campaign_id).scores)
        if found.reason and not found.fields and "more than" in found.reason:
            raise InvalidError(f"Reversals were not looked for: {found.reason}. Narrow the view first.")
        return self.page(found.found)

    def key_of(self, row: FoundReversal) -> str:
        return f"{row.criterion.key}.{row.higher.pk}.{row.lower.pk}.{row.field}"
