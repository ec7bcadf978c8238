"""Change requests: those of a campaign, and those for my own reviews."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.adjudication.change_requests import require_reader, reviews_to_change
from evalapp.api.fields import Body, Id, Text
from evalapp.api.operations import ApiView, chosen, operation, route
from evalapp.campaigns.api.campaigns import OpenedCampaignView
from evalapp.campaigns.models import Campaign
from evalapp.core.http import get_or_missing
from evalapp.reviews.change_requests import (
    WAITING_FIRST,
    change_requests_of,
    change_requests_to,
    request_changes,
    withdraw_change_request,
)
from evalapp.reviews.words import LONGEST_REASON

STATES = ("changes_requested", "resubmitted", "withdrawn")


class ChangeRequestSerializer(serializers.Serializer[Any]):
    """A request to change a review. ``state`` is changes_requested, resubmitted or withdrawn; the review
    counts in every state.
    """

    id = serializers.IntegerField()
    review = serializers.IntegerField(source="review_id")
    revision = serializers.IntegerField()
    reason = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    created_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resubmitted_revision = serializers.IntegerField(allow_null=True)


class ChangeRequestBody(Body):
    review = Id()
    reason = Text(max_length=LONGEST_REASON, help_text="The reviewer reads it.")


class OwnChangeRequestSerializer(serializers.Serializer[Any]):
    """A review of mine that I am asked to change: amend it at its assignment and slot."""

    campaign = serializers.UUIDField(source="review.campaign.key")
    assignment = serializers.UUIDField(source="review.assignment.key")
    slot = serializers.IntegerField(source="review.slot")
    revision = serializers.IntegerField(source="review.revision")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()


class ChangeRequestView(OpenedCampaignView):
    required_permission = Permission.ADJUDICATE
    order = WAITING_FIRST

    def campaign(self, campaign_id: int) -> Campaign:
        campaign = super().campaign(campaign_id)
        require_reader(self.person, campaign)
        return campaign


@route("campaigns/<int:campaign_id>/change-requests/", "api_change_requests")
class ChangeRequestList(ChangeRequestView):
    @operation("List change requests", result=ChangeRequestSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Requests that still wait for the reviewer come first."""
        return self.page(change_requests_of(self.campaign(campaign_id)))

    @operation(
        "Request changes to a review", body=ChangeRequestBody, result=ChangeRequestSerializer, status=201
    )
    def post(self, campaign_id: int) -> object:
        """Asks the reviewer to change the review. Until they amend it, the review counts as it is. 409 if the
        campaign is closed.
        """
        campaign = self.campaign(campaign_id)
        values = self.body()
        review = chosen(reviews_to_change(campaign), values["review"], "review", "review with id")
        require_reader(self.person, campaign, review)
        return request_changes(review=review, by=self.person, reason=values["reason"])


@route(
    "campaigns/<int:campaign_id>/change-requests/<int:change_request_id>/withdraw/",
    "api_change_request_withdraw",
)
class ChangeRequestWithdrawal(ChangeRequestView):
    @operation("Withdraw a change request", status=204)
    def post(self, campaign_id: int, change_request_id: int) -> object:
        """409 if the review was resubmitted or the request is already withdrawn."""
        change_requests = change_requests_of(self.campaign(campaign_id))
        change_request = get_or_missing(change_requests, pk=change_request_id)
        self.body()
        withdraw_change_request(change_request=change_request, by=self.person)
        return None


@route("reviews/change-requests/", "api_my_change_requests")
class OwnChangeRequests(ApiView):
    order = ("id",)

    @operation("List change requests for my reviews", result=OwnChangeRequestSerializer, paged=True)
    def get(self) -> object:
        """Requests that I can still answer by amending my review, oldest first."""
        return self.page(change_requests_to(self.person))
