"""The known answers of gold items."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, List, ReadOnlySerializer, Text, Whole
from evalapp.api.operations import named, operation, route
from evalapp.campaigns.api.campaigns import CampaignView
from evalapp.campaigns.gold import GoldRow, remove_known, set_gold
from evalapp.campaigns.models import GoldAnswer
from evalapp.core.http import get_or_missing


class GoldAnswerBody(Body):
    row = Whole(min_value=1, help_text="The row's number in the dataset version.")
    criterion = Text(max_length=120, help_text="The key of a criterion of the rubric.")
    value = Whole(min_value=-(2**15), max_value=2**15 - 1, help_text="The right level.")
    tolerance = Whole(default=0, help_text="How many levels off an answer may be and still count as right.")
    candidate = Text(
        max_length=200,
        allow_blank=True,
        default="",
        help_text="Label of the candidate; empty: every candidate.",
    )


class GoldBody(Body):
    answers = List(child=GoldAnswerBody(), min_length=1, max_length=1_000)


class GoldAnswerSerializer(ReadOnlySerializer):
    row = serializers.IntegerField(source="example.row_number")
    criterion = serializers.CharField(source="criterion.key")
    candidate = serializers.CharField(source="candidate.label", default="")

    class Meta:
        model = GoldAnswer
        fields = ("id", "row", "criterion", "value", "tolerance", "candidate")


class StoredSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField()


@route("campaigns/<int:campaign_id>/gold/", "api_campaign_gold")
class CampaignGold(CampaignView):
    # Who sees them could not be checked by them.
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("List known answers", result=GoldAnswerSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """The known answers of gold items, against which reviewers are checked."""
        campaign = self.campaign(campaign_id)
        return self.page(campaign.gold_answers.select_related("example", "criterion", "candidate"))

    @operation("Store known answers", body=GoldBody, result=StoredSerializer)
    def post(self, campaign_id: int) -> object:
        """Stores all or none; existing known answers are replaced. An open campaign takes no new examples."""
        campaign = self.campaign(campaign_id)
        rows = [
            GoldRow(
                f"answers[{number}]",
                str(given["row"]),
                given["criterion"],
                str(given["value"]),
                str(given["tolerance"]),
                given["candidate"],
            )
            for number, given in enumerate(self.body()["answers"])
        ]
        with named(rows="answers"):
            return {"stored": set_gold(campaign=campaign, rows=rows, by=self.person)}


@route("campaigns/<int:campaign_id>/gold/<int:answer>/", "api_campaign_gold_answer")
class CampaignGoldAnswer(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Remove a known answer", status=204)
    def delete(self, campaign_id: int, answer: int) -> object:
        """In an open campaign the example stays a gold item. 409 if the campaign is closed."""
        answers = self.campaign(campaign_id).gold_answers.select_related("campaign__project")
        remove_known(known=get_or_missing(answers, pk=answer), by=self.person)
        return Response(status=204)
