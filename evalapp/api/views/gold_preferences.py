from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import named, operation
from evalapp.api.serializers.preferences import GoldPreferencesBody, GoldPreferenceSerializer
from evalapp.campaigns.api.campaigns import CampaignView
from evalapp.campaigns.api.gold import StoredSerializer
from evalapp.campaigns.gold import remove_known
from evalapp.core.http import get_or_missing
from evalapp.reviews.preferences.gold import GoldPreferenceRow, set_gold_preferences


class CampaignGoldPreferences(CampaignView):
    # Who sees them could not be checked by them.
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("List known preferences", result=GoldPreferenceSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Of a campaign that compares answers: what is known of its gold items, by which reviewers are checked."""
        preferences = self.campaign(campaign_id).gold_preferences
        return self.page(preferences.select_related("example", "candidate", "against"))

    @operation("Store known preferences", body=GoldPreferencesBody, result=StoredSerializer)
    def post(self, campaign_id: int) -> object:
        """All or nothing; what is known already is replaced. An open campaign takes no new examples; 409 for
        one that rates answers one by one.
        """
        campaign = self.campaign(campaign_id)
        rows = [
            GoldPreferenceRow(
                f"preferences[{number}]",
                str(given["row"]),
                given["candidate"],
                given["against"],
                given["outcome"],
                "yes" if given["tie_counts"] else "",
            )
            for number, given in enumerate(self.body()["preferences"])
        ]
        with named(rows="preferences"):
            return {"stored": set_gold_preferences(campaign=campaign, rows=rows, by=self.person)}


class CampaignGoldPreference(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Remove a known preference", status=204)
    def delete(self, campaign_id: int, preference: int) -> object:
        """Of an open campaign the example stays a gold item. 409 once it is closed."""
        preferences = self.campaign(campaign_id).gold_preferences.select_related("campaign__project")
        remove_known(known=get_or_missing(preferences, pk=preference), by=self.person)
        return Response(status=204)
