"""A running campaign: its items, reviewers, deadline and assignments."""

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from evalapp.api.fields import Body, Id, List, Paging, Whole
from evalapp.api.operations import chosen, chosen_all, operation, route
from evalapp.campaigns import services
from evalapp.campaigns.api.campaigns import CampaignSerializer, CampaignView
from evalapp.campaigns.models import Item
from evalapp.campaigns.queries import ITEM_LISTS, items_in_list, items_with_progress, possible_reviewers
from evalapp.campaigns.running import add_items, reassign, release_claimed, set_deadline, set_quota


class DeadlineBody(Body):
    deadline = serializers.DateTimeField(allow_null=True, help_text="null: no deadline.")


class QuotaBody(Body):
    quota = Whole(min_value=1, allow_null=True, help_text="null: the campaign's quota.")


class QuotaSerializer(serializers.Serializer[Any]):
    person = serializers.IntegerField(source="user_id")
    quota = serializers.IntegerField(allow_null=True)


class ReassignBody(Body):
    source = Id(allow_null=True, help_text="Reviewer from whom items are moved; null: from the shared queue.")
    target = Id(allow_null=True, help_text="Reviewer to whom items are moved; null: to the shared queue.")
    most = Whole(min_value=1, required=False, allow_null=True, default=None, help_text="Null: all.")


class MovedSerializer(serializers.Serializer[Any]):
    moved = serializers.IntegerField(
        allow_null=True, help_text="Number of items moved; null unless the project shows reviewers' names."
    )


class ReleasedSerializer(serializers.Serializer[Any]):
    released = serializers.IntegerField(
        allow_null=True, help_text="Number of items released; null unless the project shows reviewers' names."
    )


class AddItemsBody(Body):
    items = Whole(
        min_value=1,
        required=False,
        allow_null=True,
        default=None,
        help_text="Number of items to add; null: all that are left.",
    )


class ReviewersBody(Body):
    reviewers = List(child=Id(), min_length=1, max_length=1_000)


class ItemListQuery(Paging):
    list = serializers.ChoiceField(choices=sorted(ITEM_LISTS), required=False, default="")


class CampaignItemSerializer(serializers.Serializer[Any]):
    """``submitted`` and ``in_progress`` count the item's assignments, ``overlap`` of them in total.
    ``skipped`` lists reasons, without names.
    """

    id = serializers.IntegerField()
    row_number = serializers.IntegerField(source="example.row_number")
    sample_index = serializers.IntegerField(help_text="Which of several outputs per example, from 0.")
    overlap = serializers.IntegerField()
    submitted = serializers.IntegerField()
    in_progress = serializers.IntegerField()
    reviews_done = serializers.IntegerField()
    skipped = serializers.SerializerMethodField()

    def get_skipped(self, item: Item) -> list[str]:
        return [skip.reason for skip in item.skips_given]  # type: ignore[attr-defined]  # annotated by the query


class AddedSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()


@route("campaigns/<int:campaign_id>/reviewers/", "api_campaign_reviewers")
class CampaignReviewers(CampaignView):
    @operation("Add reviewers", body=ReviewersBody, result=AddedSerializer)
    def post(self, campaign_id: int) -> object:
        """More people share the same assignments."""
        campaign = self.campaign(campaign_id)
        people = chosen_all(
            possible_reviewers(self.project), self.body()["reviewers"], "reviewers", "reviewer with id"
        )
        return {"added": services.add_reviewers(campaign=campaign, reviewers=people, by=self.person)}


@route("campaigns/<int:campaign_id>/reviewers/<int:person_id>/", "api_campaign_reviewer")
class CampaignReviewerDetail(CampaignView):
    @operation("Let a reviewer leave", status=204)
    def delete(self, campaign_id: int, person_id: int) -> object:
        """Their assignments in progress go to others; their submitted reviews stay. 409 if they have already
        left.
        """
        services.remove_reviewer(
            campaign_reviewer=self.campaign_reviewer(campaign_id, person_id), by=self.person
        )
        return Response(status=204)


@route("campaigns/<int:campaign_id>/deadline/", "api_campaign_deadline")
class CampaignDeadline(CampaignView):
    @operation("Move the deadline", body=DeadlineBody, result=CampaignSerializer)
    def post(self, campaign_id: int) -> object:
        """After the deadline reviewers get no new items. 409 unless the campaign is open or paused."""
        set_deadline(campaign=self.campaign(campaign_id), deadline=self.body()["deadline"], by=self.person)
        return self.campaign(campaign_id)


@route("campaigns/<int:campaign_id>/reviewers/<int:person_id>/quota/", "api_campaign_quota")
class CampaignQuota(CampaignView):
    @operation("Set a reviewer's quota", body=QuotaBody, result=QuotaSerializer)
    def post(self, campaign_id: int, person_id: int) -> object:
        """Largest number of items for this person; items that they already have are kept."""
        campaign_reviewer = self.campaign_reviewer(campaign_id, person_id)
        return set_quota(campaign_reviewer=campaign_reviewer, quota=self.body()["quota"], by=self.person)


@route("campaigns/<int:campaign_id>/reviewers/<int:person_id>/release/", "api_campaign_release")
class CampaignRelease(CampaignView):
    @operation("Release a reviewer's assignments", result=ReleasedSerializer)
    def post(self, campaign_id: int, person_id: int) -> object:
        """The assignments in progress go to others; submitted reviews stay. 409 unless the campaign is open
        or paused.
        """
        released = release_claimed(
            campaign_reviewer=self.campaign_reviewer(campaign_id, person_id), by=self.person
        )
        # How many somebody had tells which number of the progress they are.
        return {"released": released if self.project.shows_reviewer_names else None}


@route("campaigns/<int:campaign_id>/reassign/", "api_campaign_reassign")
class CampaignReassign(CampaignView):
    @operation("Reassign work", body=ReassignBody, result=MovedSerializer)
    def post(self, campaign_id: int) -> object:
        """Moves assignments that nobody has started, last in the order first; nobody gets an item twice."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        people = possible_reviewers(self.project)
        for name in ("source", "target"):
            if values[name] is not None:
                values[name] = chosen(people, values[name], name, "reviewer with id")
        moved = reassign(campaign=campaign, by=self.person, **values)
        # How much somebody had left tells which number of the progress they are.
        return {"moved": moved if self.project.shows_reviewer_names else None}


@route("campaigns/<int:campaign_id>/items/", "api_campaign_items")
class CampaignItems(CampaignView):
    order = ("id",)

    @operation("List a campaign's items", query=ItemListQuery, result=CampaignItemSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """Progress of each item, and reasons for skips; gold and calibration items are left out."""
        return self.page(items_in_list(items_with_progress(self.campaign(campaign_id)), self.query["list"]))

    @operation("Add items", body=AddItemsBody, result=AddedSerializer)
    def post(self, campaign_id: int) -> object:
        """Adds examples that were not chosen, sampled like the campaign's items; they come last in
        the order.
        """
        campaign = self.campaign(campaign_id)
        return {"added": add_items(campaign=campaign, wanted=self.body()["items"], by=self.person)}
