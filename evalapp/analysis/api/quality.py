"""The quality of a campaign while it runs."""

from typing import Any

from rest_framework import serializers

from evalapp.analysis.api.agreement import AgreementRowSerializer
from evalapp.analysis.api.cases import CaseRowSerializer
from evalapp.analysis.api.shared import AnalysisView, SampledItemsSerializer
from evalapp.analysis.quality.campaign_quality import quality_of
from evalapp.api.fields import MeasureSerializer
from evalapp.api.operations import operation, route
from evalapp.rubrics.models import Criterion


class AgreementSoFarSerializer(AgreementRowSerializer):
    """``is_early``: too few outputs for an estimate of agreement; the values are mostly chance."""

    criterion = serializers.CharField(source="row.criterion.key")
    alpha = MeasureSerializer(source="row.alpha")
    exact = MeasureSerializer(source="row.exact")
    within_one = MeasureSerializer(source="row.within_one", allow_null=True)
    outputs = serializers.IntegerField(help_text="Outputs rated by two or more reviewers.")
    is_early = serializers.BooleanField()


class HintSerializer(serializers.Serializer[Any]):
    """A hint to look at; it proves nothing by itself. ``cases`` are parameters for the list of cases or, in
    campaigns that compare answers, for the page of preferences.
    """

    kind = serializers.CharField(source="hint.kind")
    title = serializers.CharField(source="hint.title")
    reviewer = serializers.CharField(source="name", help_text="Reviewer's name as on the pages.")
    evidence = serializers.CharField(source="hint.evidence")
    cases = serializers.DictField(source="hint.cases")


class ReviewerPreferencesSerializer(serializers.Serializer[Any]):
    """``first_side`` is the share of preferences for the answer shown first; 0.5 is expected."""

    reviewer = serializers.CharField(source="name", help_text="Reviewer's name as on the pages.")
    preferences = serializers.IntegerField(source="given.preferences")
    ties = serializers.IntegerField(source="given.ties")
    both_bad = serializers.IntegerField(source="given.both_bad")
    first_side = MeasureSerializer(source="given.first_side")
    seconds = serializers.FloatField(
        source="given.seconds", allow_null=True, help_text="Median active seconds of the latest 100 reviews."
    )


class AbandonedItemSerializer(serializers.Serializer[Any]):
    item = serializers.IntegerField(source="item_id")
    row_number = serializers.IntegerField()
    lapses = serializers.IntegerField(help_text="How often a lease on one of its assignments expired.")


class UnblindingSerializer(serializers.Serializer[Any]):
    """Bang's blinding index: 0 is guessing, 1 means all were recognised. ``overall`` is the mean over both
    kinds of output.
    """

    overall = MeasureSerializer(source="indices.overall")
    tuned = MeasureSerializer(source="indices.tuned")
    other = MeasureSerializer(source="indices.other")
    answers = serializers.IntegerField()
    reviewers = serializers.IntegerField()
    declined = serializers.IntegerField()
    sure = serializers.IntegerField()
    sure_right = serializers.IntegerField()


class QualitySerializer(serializers.Serializer[Any]):
    """``unblinding`` is null until reviewers were asked, and for anybody who still reviews the campaign
    blind.
    """

    is_reviewing = serializers.BooleanField(
        help_text="You still review this campaign blind; its results and cases would unblind you."
    )
    sample = SampledItemsSerializer(
        allow_null=True,
        help_text=(
            "For a large campaign: the sample of items behind agreement, differences and hints about "
            "scores; otherwise null."
        ),
    )
    agreement = AgreementSoFarSerializer(many=True)
    differing = CaseRowSerializer(many=True, help_text="The outputs on which reviewers differ most.")
    differing_total = serializers.IntegerField()
    hints = HintSerializer(many=True)
    preferences = ReviewerPreferencesSerializer(
        many=True, help_text="In campaigns that compare answers: each reviewer's preferences."
    )
    abandoned_items = AbandonedItemSerializer(many=True)
    unblinding = UnblindingSerializer(allow_null=True)


@route("campaigns/<int:campaign_id>/quality/", "api_quality")
class QualityDetail(AnalysisView):
    criteria: list[Criterion]

    @operation("Read the quality of a campaign so far", result=QualitySerializer)
    def get(self, campaign_id: int) -> object:
        """Agreement, the outputs on which reviewers differ most, hints about reviewers, and the blinding
        index.
        """
        quality = quality_of(self.campaign(campaign_id), reader=self.person.pk)
        self.criteria = quality.scores.criteria
        return quality
