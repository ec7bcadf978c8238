"""Change requests in the API: request changes, see what came of it, and what I am asked to change."""

from evalapp.accounts.permissions import Permission
from evalapp.adjudication.change_requests import require_reader, reviews_to_change
from evalapp.analysis.api.shared import AnalysisView
from evalapp.api.operations import ApiView, chosen, operation
from evalapp.api.serializers.change_requests import (
    ChangeRequestBody,
    ChangeRequestSerializer,
    OwnChangeRequestSerializer,
)
from evalapp.campaigns.models import Campaign
from evalapp.core.http import get_or_missing
from evalapp.reviews.change_requests import (
    WAITING_FIRST,
    change_requests_of,
    change_requests_to,
    request_changes,
    withdraw_change_request,
)


class ChangeRequestView(AnalysisView):
    required_permission = Permission.ADJUDICATE
    order = WAITING_FIRST

    def campaign(self, campaign_id: int) -> Campaign:
        campaign = super().campaign(campaign_id)
        require_reader(self.person, campaign)
        return campaign


class ChangeRequestList(ChangeRequestView):
    @operation("List change requests", result=ChangeRequestSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Those that wait for their reviewer first."""
        return self.page(change_requests_of(self.campaign(campaign_id)))

    @operation(
        "Request changes to a review", body=ChangeRequestBody, result=ChangeRequestSerializer, status=201
    )
    def post(self, campaign_id: int) -> object:
        """Its reviewer is asked to look again. It counts as it is until they amend it. 409 after the end."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        review = chosen(reviews_to_change(campaign), values["review"], "review", "review with id")
        require_reader(self.person, campaign, review)
        return request_changes(review=review, by=self.person, reason=values["reason"])


class ChangeRequestWithdrawal(ChangeRequestView):
    @operation("Withdraw a change request", status=204)
    def post(self, campaign_id: int, change_request_id: int) -> object:
        """409 where it was resubmitted, or the request withdrawn, already."""
        change_requests = change_requests_of(self.campaign(campaign_id))
        change_request = get_or_missing(change_requests, pk=change_request_id)
        self.body()
        withdraw_change_request(change_request=change_request, by=self.person)
        return None


class OwnChangeRequests(ApiView):
    order = ("id",)

    @operation("List changes requested of my reviews", result=OwnChangeRequestSerializer, paged=True)
    def get(self) -> object:
        """Those that I can still amend, oldest first."""
        return self.page(change_requests_to(self.person))
