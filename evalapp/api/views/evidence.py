"""What a campaign's numbers are worth: severity."""

from evalapp.analysis.severity import severity_of
from evalapp.api.operations import operation
from evalapp.api.serializers.analysis import PeopleQuery
from evalapp.api.serializers.evidence import SeveritySerializer
from evalapp.api.views.analysis import AnalysisView
from evalapp.reviews.pseudonyms import shown_names


class SeverityDetail(AnalysisView):
    criterion_keys: dict[int, str]

    @operation("Read scores adjusted for severity", query=PeopleQuery, result=SeveritySerializer)
    def get(self, campaign_id: int) -> object:
        """Candidates as if every reviewer had scored all their answers, and how severe each reviewer is.

        Where nothing can be fitted, or there are more than 3,000 scores, the lists are empty and ``reason``
        says why.
        """
        scores = self.scores(campaign_id)
        self.criterion_keys = {criterion.pk: criterion.key for criterion in scores.scales}
        names = shown_names(scores.campaign, numbers=scores.numbers, reader_id=self.person.pk)
        return severity_of(scores, names=names)
