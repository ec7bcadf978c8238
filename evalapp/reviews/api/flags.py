"""Flags: problems with items that reviewers report, and their resolution."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from evalapp.api.fields import Body, Text
from evalapp.api.operations import operation, route
from evalapp.campaigns.api.campaigns import CampaignView
from evalapp.core.http import get_or_missing
from evalapp.reviews.api.tasks import ReviewView
from evalapp.reviews.flags import LONGEST_NOTE, flag_item, flags_of, resolve_flag


class FlagBody(Body):
    note = Text(max_length=LONGEST_NOTE)


class FlagSerializer(serializers.Serializer[Any]):
    """A problem with an item that a reviewer reports, without the reviewer's name; open until ``resolved_at``
    is set.
    """

    id = serializers.IntegerField()
    item = serializers.IntegerField(source="item_id")
    note = serializers.CharField()
    created_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)


@route("reviews/<uuid:key>/<int:slot>/flag/", "api_my_flag")
class FlagTask(ReviewView):
    @operation("Flag an item", body=FlagBody, status=204)
    def post(self, key: UUID, slot: int) -> object:
        """Reports a problem to the manager; the item stays yours. A second flag replaces the note."""
        flag_item(review_context=self.review_context(key, slot), by=self.person, note=self.body()["note"])
        return None


@route("campaigns/<int:campaign_id>/flags/", "api_flags")
class FlagList(CampaignView):
    @operation("List a campaign's flags", result=FlagSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Problems that reviewers reported, latest first."""
        return self.page(flags_of(self.campaign(campaign_id)))


@route("campaigns/<int:campaign_id>/flags/<int:flag_id>/resolve/", "api_flag_resolve")
class FlagResolve(CampaignView):
    @operation("Resolve a flag", status=204)
    def post(self, campaign_id: int, flag_id: int) -> object:
        """409 if the flag is already resolved."""
        flags = self.campaign(campaign_id).flags.select_related("campaign__project")
        flag = get_or_missing(flags, pk=flag_id)
        self.body()
        resolve_flag(flag=flag, by=self.person)
        return None
