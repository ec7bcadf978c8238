"""How likely a design is to show what is expected, from a campaign's own variances."""

from typing import Any

from evalapp.analysis.planner import design_of_campaign, detectable, plan, variances_of
from evalapp.analysis.planner_forms import PARTS, PlanForm
from evalapp.analysis.sampled import sampled_scores
from evalapp.analysis.scores import CampaignScores
from evalapp.api.operations import operation
from evalapp.api.serializers.plans import DetectionSerializer, PlanBody, PlanSerializer
from evalapp.api.views.analysis import AnalysisView
from evalapp.core.errors import InvalidError


class CampaignPlan(AnalysisView):
    @operation("Read what a campaign can detect", result=DetectionSerializer)
    def get(self, campaign_id: int) -> object:
        """Its variances by criterion, and the smallest difference that its design finds with 80% power. Of a
        campaign with more than 20,000 scores the variances are those of a ``sample`` of its items.
        """
        campaign = self.campaign(campaign_id)
        scores, sample = sampled_scores(campaign)
        variances = variances_of(scores)
        design = design_of_campaign(campaign)
        return {
            "design": design,
            "variances": variances,
            "sample": sample,
            "detectable": detectable(variances, design) if design is not None else [],
        }

    @operation("Plan a design", body=PlanBody, result=PlanSerializer)
    def post(self, campaign_id: int) -> object:
        """Power of each aim and of all together; nothing is kept."""
        scores = sampled_scores(self.campaign(campaign_id)).scores
        given = self.body()
        form = PlanForm(
            _as_form(scores, given),
            criteria=scores.scales,
            variances={each.criterion.key: each for each in variances_of(scores)},
        )
        if not form.is_valid():
            fields = {name: [str(text) for text in texts] for name, texts in form.errors.items()}
            first = next(iter(fields.items()))
            raise InvalidError(f"{first[0]}: {first[1][0]}", fields=fields)
        return plan(form.aims, form.design, level=form.cleaned_data["level"])


def _as_form(scores: CampaignScores, given: dict[str, Any]) -> dict[str, Any]:
    """The page's own fields, so that both refuse the same."""
    known = [criterion.key for criterion in scores.scales]
    data = {name: given[name] for name in ("items", "reviewers", "overlap", "level")}
    for aim in given["aims"]:
        key = aim["criterion"]
        if key not in known or f"{key}-kind" in data:
            problem = "is there twice" if key in known else "is no scale of this campaign"
            message = f"“{key}” {problem}. Its scales: {', '.join(known) or 'none'}."
            raise InvalidError(message, fields={"aims": [message]})
        data |= {f"{key}-{name}": aim[name] for name in ("kind", "expected", "bound", "champion", *PARTS)}
    return data
