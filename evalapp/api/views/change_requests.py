"""Change requests in the API: request changes, see what came of it, and what I am asked to change.

How it goes is the same for every kind; what changes may be requested to, and by whom, its ``desk`` says.
"""

from typing import ClassVar

from evalapp.accounts.permissions import Permission
from evalapp.adjudication.change_requests import JUDGEMENTS, REVIEWS, ChangeRequestDesk
from evalapp.analysis.api.shared import AnalysisView
from evalapp.api.operations import ApiView, chosen, operation
from evalapp.api.serializers.change_requests import (
    ChangeRequestBody,
    ChangeRequestSerializer,
    JudgementChangeRequestBody,
    JudgementChangeRequestSerializer,
    OwnChangeRequestSerializer,
)
from evalapp.campaigns.models import Campaign
from evalapp.core.http import get_or_missing
from evalapp.judgements.models import JudgementChangeRequest
from evalapp.reviews.change_requests import (
    WAITING_FIRST,
    change_requests_of,
    change_requests_to,
    request_changes,
    withdraw_change_request,
)
from evalapp.reviews.models import BaseChangeRequest, ChangeRequest


class ChangeRequestView(AnalysisView):
    required_permission = Permission.ADJUDICATE
    order = WAITING_FIRST
    desk: ClassVar[ChangeRequestDesk]

    def campaign(self, campaign_id: int) -> Campaign:
        campaign = super().campaign(campaign_id)
        self.desk.require(self.person, campaign)
        return campaign

    def list_requests(self, campaign_id: int) -> object:
        """Those that wait for their reviewer first."""
        return self.page(change_requests_of(self.campaign(campaign_id), self.desk.kind))

    def send(self, campaign_id: int) -> object:
        """Its reviewer is asked to look again. It counts as it is until they amend it. 409 after the end."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        about = self.desk.kind.about
        given = chosen(self.desk.given(campaign), values[about], about, f"{about} with id")
        self.desk.require(self.person, campaign, given)
        return request_changes(given=given, by=self.person, reason=values["reason"])

    def withdraw(self, campaign_id: int, change_request_id: int) -> object:
        """409 where it was resubmitted, or the request withdrawn, already."""
        change_request = get_or_missing(
            change_requests_of(self.campaign(campaign_id), self.desk.kind), pk=change_request_id
        )
        self.body()
        withdraw_change_request(change_request=change_request, by=self.person)
        return None


class ChangeRequestList(ChangeRequestView):
    desk = REVIEWS
    get = operation("List change requests", result=ChangeRequestSerializer, paged=True)(
        ChangeRequestView.list_requests
    )
    post = operation(
        "Request changes to a review", body=ChangeRequestBody, result=ChangeRequestSerializer, status=201
    )(ChangeRequestView.send)


class JudgementChangeRequestList(ChangeRequestView):
    desk = JUDGEMENTS
    get = operation(
        "List change requests to judgements", result=JudgementChangeRequestSerializer, paged=True
    )(ChangeRequestView.list_requests)
    post = operation(
        "Request changes to a judgement",
        body=JudgementChangeRequestBody,
        result=JudgementChangeRequestSerializer,
        status=201,
    )(ChangeRequestView.send)


class ChangeRequestWithdrawal(ChangeRequestView):
    desk = REVIEWS
    post = operation("Withdraw a change request", status=204)(ChangeRequestView.withdraw)


class JudgementChangeRequestWithdrawal(ChangeRequestView):
    desk = JUDGEMENTS
    post = operation("Withdraw a change request to a judgement", status=204)(ChangeRequestView.withdraw)


class OwnChangeRequestsView(ApiView):
    order = ("id",)
    kind: ClassVar[type[BaseChangeRequest]]

    def list_own(self) -> object:
        """Those that I can still amend, oldest first."""
        return self.page(change_requests_to(self.person, self.kind))


class OwnChangeRequests(OwnChangeRequestsView):
    kind = ChangeRequest
    get = operation("List changes requested of my reviews", result=OwnChangeRequestSerializer, paged=True)(
        OwnChangeRequestsView.list_own
    )


class OwnJudgementChangeRequests(OwnChangeRequestsView):
    kind = JudgementChangeRequest
    get = operation("List changes requested of my judgements", result=OwnChangeRequestSerializer, paged=True)(
        OwnChangeRequestsView.list_own
    )
