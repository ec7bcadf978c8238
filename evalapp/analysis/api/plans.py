"""Statistical power of a design, from a campaign's own variances."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.models import ResultsApplyTo
from evalapp.analysis.api.shared import AnalysisView, SampledItemsSerializer
from evalapp.analysis.planning.forms import MOST_AIMS, PlanForm
from evalapp.analysis.planning.planner import design_of_campaign, detectable, plan, variances_of
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.stored.item_sample import sampled_scores
from evalapp.api.fields import Body, List, MeasureSerializer, Number, Text, Whole
from evalapp.api.operations import operation, route
from evalapp.core.errors import InvalidError
from evalapp.stats.planning import PARTS


class SpreadSerializer(serializers.Serializer[Any]):
    """Standard deviations between items, between reviewers, residual, and between groups of items."""

    item = serializers.FloatField()
    reviewer = serializers.FloatField()
    rest = serializers.FloatField()
    group = serializers.FloatField()


class VarianceSerializer(serializers.Serializer[Any]):
    spread = SpreadSerializer(allow_null=True)
    reason = serializers.CharField(help_text="Why the variance is unknown; empty if it is known.")
    note = serializers.CharField()


class CriterionVarianceSerializer(serializers.Serializer[Any]):
    """``scores`` are for planning a minimum mean, paired ``differences`` for planning a difference."""

    criterion = serializers.CharField(source="criterion.key")
    scores = VarianceSerializer()
    differences = VarianceSerializer()


class PlannedDesignSerializer(serializers.Serializer[Any]):
    items = serializers.IntegerField()
    reviewers = serializers.IntegerField()
    overlap = serializers.IntegerField(source="each", help_text="Number of reviewers of each item.")
    groups = serializers.IntegerField(
        allow_null=True, help_text="Number of groups of rows; null if each item is independent."
    )
    population = serializers.ChoiceField(choices=ResultsApplyTo.choices)


class DetectableSerializer(serializers.Serializer[Any]):
    """What the campaign detects with 80% power: the smallest true ``difference`` (two-sided 5%), and the
    smallest ``distance`` from a minimum by a gate's bound (one-sided 5%).
    """

    criterion = serializers.CharField(source="criterion.key")
    difference = MeasureSerializer()
    distance = MeasureSerializer()


class StatisticalPowerSerializer(serializers.Serializer[Any]):
    """``design`` is the campaign's design when all reviews are in; null with fewer than two items. ``sample``
    describes the items behind the variances; null if all items were used.
    """

    design = PlannedDesignSerializer(allow_null=True)
    variances = CriterionVarianceSerializer(many=True)
    sample = SampledItemsSerializer(allow_null=True)
    detectable = DetectableSerializer(many=True)


class AimBody(Body):
    criterion = Text(max_length=40, help_text="Key of a scale of the campaign's rubric.")
    kind = serializers.ChoiceField(choices=["difference", "floor"])
    expected = Number(help_text="The difference, or the mean, that you expect.")
    bound = Number(
        required=False,
        default=None,
        allow_null=True,
        help_text="Non-inferiority margin, or the minimum mean.",
    )
    champion = Number(
        required=False,
        default=None,
        allow_null=True,
        help_text="The champion's mean, for a margin; default: the mean of the campaign's first candidate.",
    )
    item = Number(
        required=False,
        default=None,
        allow_null=True,
        help_text="Standard deviation between items; default: estimated from the campaign.",
    )
    reviewer = Number(required=False, default=None, allow_null=True)
    rest = Number(required=False, default=None, allow_null=True)
    group = Number(required=False, default=None, allow_null=True)


class PlanBody(Body):
    items = Whole()
    reviewers = Whole()
    overlap = Whole(
        required=False,
        default=None,
        allow_null=True,
        help_text="If omitted, every reviewer reviews each item.",
    )
    groups = Whole(
        required=False,
        default=None,
        allow_null=True,
        help_text=(
            "Number of documents, clients or conversations that the items come from; if omitted, each "
            "item is independent."
        ),
    )
    population = serializers.ChoiceField(
        choices=ResultsApplyTo.choices,
        required=False,
        default=None,
        allow_null=True,
        help_text="Population that the results describe; default: the project's.",
    )
    level = Number(
        required=False, default=0.05, help_text="Chance of a false release for each criterion, one-sided."
    )
    aims = List(child=AimBody(), min_length=1, max_length=MOST_AIMS)


class PlannedAimSerializer(serializers.Serializer[Any]):
    criterion = serializers.CharField(source="aim.key")
    kind = serializers.CharField(source="aim.kind")
    power = MeasureSerializer()


class PlanSerializer(serializers.Serializer[Any]):
    """``joint`` is the chance that every aim passes; ``items`` is the number of items that makes it 80% with
    these reviewers.
    """

    aims = PlannedAimSerializer(many=True)
    joint = MeasureSerializer()
    items = MeasureSerializer()


@route("campaigns/<int:campaign_id>/analysis/plan/", "api_campaign_plan")
class CampaignPlan(AnalysisView):
    @operation("Read a campaign's statistical power", result=StatisticalPowerSerializer)
    def get(self, campaign_id: int) -> object:
        """Variances by criterion, and the smallest difference that the design detects with 80% power. For a
        campaign with more than 20,000 scores the variances come from a ``sample`` of its items.
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
        """The power of each aim, and of all aims together; nothing is stored."""
        campaign = self.campaign(campaign_id)
        scores = sampled_scores(campaign).scores
        given = self.body()
        form = PlanForm(
            _as_form(scores, given),
            criteria=scores.scales,
            variances={each.criterion.key: each for each in variances_of(scores)},
            population=campaign.project.population,
        )
        if not form.is_valid():
            fields = {name: [str(text) for text in texts] for name, texts in form.errors.items()}
            first = next(iter(fields.items()))
            raise InvalidError(f"{first[0]}: {first[1][0]}", fields=fields)
        return plan(form.aims, form.design, level=form.cleaned_data["level"])


def _as_form(scores: CampaignScores, given: dict[str, Any]) -> dict[str, Any]:
    """The page's own fields, so that both refuse the same."""
    known = [criterion.key for criterion in scores.scales]
    data = {name: given[name] for name in ("items", "reviewers", "overlap", "groups", "population", "level")}
    for aim in given["aims"]:
        key = aim["criterion"]
        if key not in known or f"{key}-kind" in data:
            problem = "is given twice" if key in known else "is not a scale of this campaign"
            raise InvalidError(f"“{key}” {problem}. Its scales: {', '.join(known) or 'none'}.", field="aims")
        data |= {f"{key}-{name}": aim[name] for name in ("kind", "expected", "bound", "champion", *PARTS)}
    return data
