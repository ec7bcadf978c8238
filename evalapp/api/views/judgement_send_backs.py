"""Judgements sent back, by machine: ask for another look, see what came of it, and what I am asked for."""

from evalapp.accounts.permissions import Permission
from evalapp.adjudication.rights import STILL_REVIEWING
from evalapp.api.fields import Nothing
from evalapp.api.operations import ApiView, chosen, operation
from evalapp.api.serializers.judgement_send_backs import (
    JudgementSendBackBody,
    JudgementSendBackSerializer,
    OwnJudgementSendBackSerializer,
)
from evalapp.api.views.analysis import AnalysisView
from evalapp.campaigns.models import Campaign, Purpose
from evalapp.campaigns.queries import is_reviewing
from evalapp.core.errors import NotAllowedError
from evalapp.core.http import get_or_missing
from evalapp.judgements.models import JudgementSendBack
from evalapp.judgements.send_backs import (
    judgement_send_backs_of,
    judgements_sent_back_to,
    send_back_judgement,
    withdraw_judgement,
)
from evalapp.reviews.send_backs import WAITING_FIRST


class JudgementSendBackView(AnalysisView):
    required_permission = Permission.ADJUDICATE

    def done_campaign(self, campaign_id: int) -> Campaign:
        """One that this person does not still judge in: they would see what others said."""
        campaign = self.campaign(campaign_id)
        if is_reviewing(campaign, self.person):
            raise NotAllowedError(STILL_REVIEWING)
        return campaign


class JudgementSendBackList(JudgementSendBackView):
    order = WAITING_FIRST

    @operation("List judgements sent back", result=JudgementSendBackSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Those that wait for their reviewer first."""
        return self.page(judgement_send_backs_of(self.done_campaign(campaign_id)))

    @operation(
        "Send a judgement back",
        body=JudgementSendBackBody,
        result=JudgementSendBackSerializer,
        status=201,
    )
    def post(self, campaign_id: int) -> object:
        """Its reviewer is asked to look again. It counts as it is until they amend it. 409 after the end."""
        campaign = self.done_campaign(campaign_id)
        values = self.body()
        judgements = campaign.judgements.filter(purpose=Purpose.REVIEW)
        judgement = chosen(judgements, values["judgement"], "judgement", "judgement with id")
        return send_back_judgement(judgement=judgement, by=self.person, reason=values["reason"])


class JudgementSendBackWithdrawal(JudgementSendBackView):
    @operation("Withdraw a request to judge again", body=Nothing, status=204)
    def post(self, campaign_id: int, send_back_id: int) -> object:
        """409 where the judgement was resubmitted, or the request withdrawn already."""
        sent_back = JudgementSendBack.objects.filter(judgement__campaign=self.done_campaign(campaign_id))
        sent = get_or_missing(sent_back.select_related("judgement__campaign__project"), pk=send_back_id)
        self.body()
        withdraw_judgement(sent=sent, by=self.person)
        return None


class OwnJudgementSendBacks(ApiView):
    order = ("id",)

    @operation("List my judgements that were sent back", result=OwnJudgementSendBackSerializer, paged=True)
    def get(self) -> object:
        """Those that I can still amend, oldest first."""
        return self.page(judgements_sent_back_to(self.person))
