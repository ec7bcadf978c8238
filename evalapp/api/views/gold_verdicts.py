from evalapp.accounts.permissions import Permission
from evalapp.api.operations import operation
from evalapp.api.serializers.campaigns import StoredSerializer
from evalapp.api.serializers.judgements import GoldVerdictsBody, GoldVerdictSerializer
from evalapp.api.views.campaigns import CampaignView
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
        return {"stored": set_gold_verdicts(campaign=campaign, rows=rows, by=self.person)}
