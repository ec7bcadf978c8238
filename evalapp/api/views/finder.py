from typing import Any

from evalapp.accounts.permissions import Permission
from evalapp.analysis.case_lists import cases_at
from evalapp.analysis.finder import Finder, finder_from
from evalapp.analysis.picked import pick_found
from evalapp.analysis.scores import CampaignScores
from evalapp.api.operations import operation
from evalapp.api.serializers.analysis import FinderQuery, FoundSerializer
from evalapp.api.serializers.campaigns import CampaignSerializer
from evalapp.api.views.analysis import AnalysisView
from evalapp.campaigns.queries import campaigns_of
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing


class FinderDetail(AnalysisView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.EDIT_CAMPAIGNS

    @operation("Find where a metric and people disagree", query=FinderQuery, result=FoundSerializer)
    def get(self, campaign_id: int) -> object:
        """How many outputs of the view meet both conditions, what chance would give, and their items."""
        cases = cases_at(self.view(campaign_id), {}, reviewer_type=self.reviewer_type())
        wanted, url = self._wanted(cases.scores)
        found = cases.found(wanted)
        names = ("count", "expected", "outputs", "by_metric", "by_people", "reason")
        return {
            "words": wanted.describe(),
            **{name: getattr(found, name) for name in names},
            "coverage": cases.coverage,
            "cases": cases.with_filters_of(url).items(),
        }

    @operation("Make a campaign over what is found", query=FinderQuery, result=CampaignSerializer, status=201)
    def post(self, campaign_id: int) -> object:
        """A draft, marked as picked: its items never enter a candidate's mean."""
        view = self.view(campaign_id)
        cases = cases_at(view, {}, reviewer_type=self.reviewer_type())
        wanted, _ = self._wanted(cases.scores)
        self.body()
        picked = pick_found(wanted=wanted, found=cases.found(wanted), view=view, by=self.person)
        return get_or_missing(campaigns_of(self.project), pk=picked.pk)

    def _wanted(self, scores: CampaignScores) -> tuple[Finder, dict[str, str]]:
        given: dict[str, Any] = self.query
        # Looked for after the campaign, so that a foreign one is not there whatever else is sent.
        if missing := [name for name in ("find", "criterion", "score") if name not in given]:
            message = f"The URL lacks {', '.join(missing)}."
            raise InvalidError(message, fields={name: ["This parameter is needed."] for name in missing})
        url = {name: str(value) for name, value in given.items() if name not in ("reviewer_type", "view")}
        wanted = finder_from(scores, url)
        assert wanted is not None
        return wanted, url
