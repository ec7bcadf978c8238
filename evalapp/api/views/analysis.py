from evalapp.analysis.api.shared import AnalysisView
from evalapp.analysis.case import load_case
from evalapp.analysis.compared_case import comparisons_of_item
from evalapp.analysis.quality import quality_of
from evalapp.api.operations import operation
from evalapp.api.serializers.cases import CaseSerializer
from evalapp.api.serializers.quality import QualitySerializer
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.rubrics.models import Criterion


class QualityDetail(AnalysisView):
    criteria: list[Criterion]

    @operation("Read a campaign's quality so far", result=QualitySerializer)
    def get(self, campaign_id: int) -> object:
        """Agreement, where reviewers differ most, hints about reviewers, and the unblinding index."""
        quality = quality_of(self.campaign(campaign_id), reader=self.person.pk)
        self.criteria = quality.scores.criteria
        return quality


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
