from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import named, operation
from evalapp.api.serializers.judgements import GoldVerdictsBody, GoldVerdictSerializer
from evalapp.campaigns.api.campaigns import CampaignView
from evalapp.campaigns.api.gold import StoredSerializer
from evalapp.campaigns.gold import remove_known
from evalapp.core.http import get_or_missing
from evalapp.judgements.gold import VerdictRow, set_gold_verdicts


class CampaignGoldVerdicts(CampaignView):
    # Who sees them could not be checked by them.
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("List known verdicts", result=GoldVerdictSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Of a campaign that compares answers: what is known of its gold items, by which reviewers are checked."""
        verdicts = self.campaign(campaign_id).gold_verdicts
        return self.page(verdicts.select_related("example", "candidate", "against"))

    @operation("Store known verdicts", body=GoldVerdictsBody, result=StoredSerializer)
    def post(self, campaign_id: int) -> object:
        """All or nothing; what is known already is replaced. An open campaign takes no new examples; 409 for
        one that rates answers one by one.
        """
        campaign = self.campaign(campaign_id)
        rows = [
            VerdictRow(
                f"verdicts[{number}]",
                str(given["row"]),
                given["candidate"],
                given["against"],
                given["outcome"],
                "yes" if given["tie_counts"] else "",
            )
            for number, given in enumerate(self.body()["verdicts"])
        ]
        with named(rows="verdicts"):
            return {"stored": set_gold_verdicts(campaign=campaign, rows=rows, by=self.person)}


class CampaignGoldVerdict(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Remove a known verdict", status=204)
    def delete(self, campaign_id: int, verdict: int) -> object:
        """Of an open campaign the example stays a gold item. 409 once it is closed."""
        verdicts = self.campaign(campaign_id).gold_verdicts.select_related("campaign__project")
        remove_known(known=get_or_missing(verdicts, pk=verdict), by=self.person)
        return Response(status=204)
