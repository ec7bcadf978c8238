"""What is sent back, by machine: ask for another look, see what came of it, and what I am asked for.

How it goes is the same for every kind; what may be sent back, and by whom, its ``desk`` says.
"""

from typing import ClassVar

from evalapp.accounts.permissions import Permission
from evalapp.adjudication.send_backs import JUDGEMENTS, REVIEWS, SendBackDesk
from evalapp.api.operations import ApiView, chosen, operation
from evalapp.api.serializers.send_backs import (
    JudgementSendBackBody,
    JudgementSendBackSerializer,
    OwnSendBackSerializer,
    SendBackBody,
    SendBackSerializer,
)
from evalapp.api.views.analysis import AnalysisView
from evalapp.campaigns.models import Campaign
from evalapp.core.http import get_or_missing
from evalapp.judgements.models import JudgementSendBack
from evalapp.reviews.models import SendBack, SentBack
from evalapp.reviews.send_backs import (
    WAITING_FIRST,
    send_back,
    send_backs_of,
    sent_back_to,
    withdraw_send_back,
)


class SentBackView(AnalysisView):
    required_permission = Permission.ADJUDICATE
    order = WAITING_FIRST
    desk: ClassVar[SendBackDesk]

    def campaign(self, campaign_id: int) -> Campaign:
        campaign = super().campaign(campaign_id)
        self.desk.require(self.person, campaign)
        return campaign

    def list_sent(self, campaign_id: int) -> object:
        """Those that wait for their reviewer first."""
        return self.page(send_backs_of(self.campaign(campaign_id), self.desk.kind))

    def send(self, campaign_id: int) -> object:
        """Its reviewer is asked to look again. It counts as it is until they amend it. 409 after the end."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        about = self.desk.kind.about
        given = chosen(self.desk.given(campaign), values[about], about, f"{about} with id")
        self.desk.require(self.person, campaign, given)
        return send_back(given=given, by=self.person, reason=values["reason"])

    def withdraw(self, campaign_id: int, send_back_id: int) -> object:
        """409 where it was resubmitted, or the request withdrawn, already."""
        sent = get_or_missing(send_backs_of(self.campaign(campaign_id), self.desk.kind), pk=send_back_id)
        self.body()
        withdraw_send_back(sent=sent, by=self.person)
        return None


class SendBackList(SentBackView):
    desk = REVIEWS
    get = operation("List reviews sent back", result=SendBackSerializer, paged=True)(SentBackView.list_sent)
    post = operation("Send a review back", body=SendBackBody, result=SendBackSerializer, status=201)(
        SentBackView.send
    )


class JudgementSendBackList(SentBackView):
    desk = JUDGEMENTS
    get = operation("List judgements sent back", result=JudgementSendBackSerializer, paged=True)(
        SentBackView.list_sent
    )
    post = operation(
        "Send a judgement back", body=JudgementSendBackBody, result=JudgementSendBackSerializer, status=201
    )(SentBackView.send)


class SendBackWithdrawal(SentBackView):
    desk = REVIEWS
    post = operation("Withdraw a request to look again", status=204)(SentBackView.withdraw)


class JudgementSendBackWithdrawal(SentBackView):
    desk = JUDGEMENTS
    post = operation("Withdraw a request to judge again", status=204)(SentBackView.withdraw)


class OwnSentBackView(ApiView):
    order = ("id",)
    kind: ClassVar[type[SentBack]]

    def list_own(self) -> object:
        """Those that I can still amend, oldest first."""
        return self.page(sent_back_to(self.person, self.kind))


class OwnSendBacks(OwnSentBackView):
    kind = SendBack
    get = operation("List my reviews that were sent back", result=OwnSendBackSerializer, paged=True)(
        OwnSentBackView.list_own
    )


class OwnJudgementSendBacks(OwnSentBackView):
    kind = JudgementSendBack
    get = operation("List my judgements that were sent back", result=OwnSendBackSerializer, paged=True)(
        OwnSentBackView.list_own
    )
