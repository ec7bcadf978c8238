from evalapp.accounts.permissions import Permission
from evalapp.analysis.scores import load_scores
from evalapp.api.operations import operation
from evalapp.api.serializers.corrections import CorrectionQuery, CorrectionReportSerializer
from evalapp.api.serializers.jobs import JobSerializer
from evalapp.api.views.analysis import AnalysisView
from evalapp.core.errors import InvalidError
from evalapp.exports.correction_report import correction_report
from evalapp.exports.correction_scoring import start_measuring


class CorrectionDetail(AnalysisView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.START_RUNS

    @operation("Read what corrections say", query=CorrectionQuery, result=CorrectionReportSerializer)
    def get(self, campaign_id: int) -> object:
        """Edit rates, and each metric against the corrections: blind metric or stale reference."""
        scores = load_scores(self.campaign(campaign_id))
        wanted = self.query.get("criterion")
        scales = {criterion.key: criterion for criterion in scores.scales}
        if wanted is not None and wanted not in scales:
            message = f"There is no scale “{wanted}”. Known: {', '.join(scales) or 'none'}."
            raise InvalidError(message, fields={"criterion": [message]})
        return correction_report(scores, scales[wanted] if wanted else next(iter(scales.values()), None))

    @operation("Measure corrections", result=JobSerializer, status=202)
    def post(self, campaign_id: int) -> object:
        """Measures what is not measured yet. 400 where no correction is accepted."""
        campaign = self.campaign(campaign_id)
        self.body()
        return start_measuring(campaign=campaign, by=self.person)
