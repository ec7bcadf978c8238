"""Who agrees with whom, and what turns round inside strata."""

from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Paging
from evalapp.api.serializers.analysis import ViewQuery
from evalapp.api.serializers.common import MeasureSerializer


class AgreementMeasuresSerializer(serializers.Serializer[Any]):
    """Every measure of agreement; the signature holds the seed and how the interval was made."""

    alpha = MeasureSerializer()
    kappa = MeasureSerializer()
    ac2 = MeasureSerializer()
    icc_1 = MeasureSerializer()
    icc_2_1 = MeasureSerializer()
    icc_2_k = MeasureSerializer()
    exact = MeasureSerializer()
    within_one = MeasureSerializer()


class CriterionAgreementSerializer(serializers.Serializer[Any]):
    """The whole panel on one criterion; ``kappa`` is the mean over its pairs."""

    criterion = serializers.CharField(source="criterion.key")
    scores = serializers.IntegerField()
    measures = AgreementMeasuresSerializer()


class ReviewerAgreementSerializer(serializers.Serializer[Any]):
    """One reviewer beside the others, on what they share."""

    reviewer = serializers.IntegerField(source="number", help_text="The pseudonym's number.")
    name = serializers.CharField()
    measures = AgreementMeasuresSerializer()


class PairAgreementSerializer(serializers.Serializer[Any]):
    """Two reviewers, by their pseudonyms' numbers."""

    first = serializers.IntegerField()
    second = serializers.IntegerField()
    first_name = serializers.CharField()
    second_name = serializers.CharField()
    measures = AgreementMeasuresSerializer()


class ConfusionSerializer(serializers.Serializer[Any]):
    """``counts[i][j]``: outputs that the first gave ``levels[i]`` and the second ``levels[j]``."""

    first = serializers.IntegerField()
    second = serializers.IntegerField()
    items = serializers.IntegerField()
    levels = serializers.ListField(child=serializers.IntegerField())
    counts = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class ConfusedLevelsSerializer(serializers.Serializer[Any]):
    """Two neighbouring levels that reviewers are not shown to tell apart: the share of pairs of scores that
    differ reaches what chance would give.
    """

    lower = serializers.IntegerField(source="found.lower")
    upper = serializers.IntegerField(source="found.upper")
    lower_description = serializers.CharField(allow_blank=True)
    upper_description = serializers.CharField(allow_blank=True)
    pairs = serializers.IntegerField(source="found.pairs")
    apart = serializers.IntegerField(source="found.apart")
    share = MeasureSerializer(source="found.share")
    by_chance = serializers.FloatField(source="found.by_chance")
    items = serializers.SerializerMethodField(
        help_text="Items with an output that splits people, first ones."
    )

    def get_items(self, row: Any) -> list[int]:
        return [item for _, item, _ in row.item_outputs]


class StratumSerializer(serializers.Serializer[Any]):
    stratum = serializers.CharField(source="name")
    items = serializers.IntegerField()
    difference = serializers.FloatField()
    p = MeasureSerializer()


class ReversalSerializer(serializers.Serializer[Any]):
    """``higher`` less ``lower`` is above 0 overall, and below it where the ``strata`` say."""

    criterion = serializers.CharField(source="criterion.key")
    higher = serializers.IntegerField(source="higher.pk")
    lower = serializers.IntegerField(source="lower.pk")
    field = serializers.CharField()
    kind = serializers.ChoiceField(choices=["stratum", "most", "all"], source="reversal.kind")
    overall = serializers.FloatField()
    items = serializers.IntegerField(source="reversal.stratified.items")
    adjusted_p = serializers.FloatField(source="reversal.adjusted_p", allow_null=True)
    strata = StratumSerializer(many=True, source="reversal.telling")
    sentence = serializers.CharField()
    view = serializers.CharField(source="query", help_text="The surest stratum as a filter.")


class OfCriterionQuery(ViewQuery):
    criterion = serializers.CharField(
        max_length=40, required=False, default="", help_text="Its key; the first scale where it is left out."
    )


class OfCriterionPage(Paging, OfCriterionQuery):
    pass


class AgreementPage(Paging, ViewQuery):
    pass


class ConfusionQuery(OfCriterionQuery):
    first = serializers.IntegerField(
        min_value=1, required=False, help_text="A pseudonym's number; the first two reviewers without both."
    )
    second = serializers.IntegerField(min_value=1, required=False, help_text="A pseudonym's number.")


class ReversalQuery(Paging, ViewQuery):
    pass
