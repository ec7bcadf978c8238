"""How far a campaign is, and more reviewers where they differ."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, MeasureSerializer, Text, Whole
from evalapp.api.operations import operation, route
from evalapp.campaigns.api.campaigns import CampaignView
from evalapp.campaigns.design import MOST_OVERLAP
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import assignment_counts
from evalapp.campaigns.running import add_assignments
from evalapp.core.errors import InvalidError
from evalapp.reviews.differing_items import comparable_criteria, items_that_differ
from evalapp.reviews.preferences.differing_items import items_with_differing_preferences
from evalapp.reviews.progress import TeamMember, team_progress
from evalapp.rubrics.models import Criterion


class AddAssignmentsBody(Body):
    """Send ``criterion`` and ``least`` if answers are rated, ``agreement`` if they are compared."""

    criterion = Text(max_length=120, required=False, help_text="Key of a criterion of the rubric.")
    least = Whole(
        min_value=1,
        required=False,
        help_text="The smallest difference between answers; for a category, any difference.",
    )
    agreement = Whole(
        min_value=0,
        max_value=99,
        required=False,
        help_text="Adds reviewers if at most this percentage of pairs of preferences agree.",
    )
    more = Whole(min_value=1, max_value=MOST_OVERLAP, default=1, help_text="Reviewers added to each item.")


class AddedToSerializer(serializers.Serializer[Any]):
    differing = serializers.IntegerField()
    added = serializers.IntegerField()


class AssignmentCountsSerializer(serializers.Serializer[Any]):
    available = serializers.IntegerField()
    in_progress = serializers.IntegerField()
    submitted = serializers.IntegerField()


class PersonProgressSerializer(serializers.Serializer[Any]):
    """``reviewer`` is the number for filtering cases; null before the first review. Unless the project shows
    reviewers' names, ``person`` is null and ``name`` reads "Reviewer 2".
    """

    reviewer = serializers.IntegerField(source="number", allow_null=True)
    person = serializers.SerializerMethodField()
    name = serializers.CharField()
    is_simulated = serializers.BooleanField(source="progress.campaign_reviewer.user.is_simulated")
    has_left = serializers.SerializerMethodField()
    reviews = serializers.IntegerField(source="progress.reviews")
    share = serializers.IntegerField(
        allow_null=True, help_text="The reviewer's even share of all reviews; null for reviewers who left."
    )
    left = serializers.IntegerField(help_text="Reviews left of that share.")
    pace = MeasureSerializer(help_text="Reviews per day over the last whole days.")
    in_progress = serializers.IntegerField(source="progress.in_progress")
    mean_seconds = serializers.FloatField(source="progress.mean_seconds", allow_null=True)
    median_seconds = serializers.FloatField(source="progress.median_seconds", allow_null=True)
    last_at = serializers.DateTimeField(source="progress.last_at", allow_null=True)

    def get_has_left(self, member: TeamMember) -> bool:
        return member.progress.campaign_reviewer.left_at is not None

    def get_person(self, member: TeamMember) -> int | None:
        return (
            member.progress.campaign_reviewer.user_id
            if self.context["view"].project.shows_reviewer_names
            else None
        )


class ForecastSerializer(serializers.Serializer[Any]):
    """The date of the last review at the pace of the last days. A date is null if it cannot be estimated."""

    pace = MeasureSerializer(source="forecast.pace")
    days = MeasureSerializer(source="forecast.days")
    left = serializers.IntegerField()
    done_at = serializers.DateTimeField(allow_null=True)
    soonest = serializers.DateTimeField(allow_null=True)
    latest = serializers.DateTimeField(allow_null=True)
    deadline = serializers.DateTimeField(allow_null=True)
    days_late = serializers.IntegerField(
        help_text="Days after the deadline; 0 if the deadline will be met or there is none."
    )


class ProgressSerializer(serializers.Serializer[Any]):
    reviews_done = serializers.IntegerField()
    reviews_total = serializers.IntegerField()
    items_total = serializers.IntegerField()
    assignments = AssignmentCountsSerializer()
    people = PersonProgressSerializer(many=True)
    forecast = ForecastSerializer(
        allow_null=True, help_text="Null unless the campaign is open and has reviews left."
    )


@route("campaigns/<int:campaign_id>/assignments/", "api_campaign_add_assignments")
class CampaignAddAssignments(CampaignView):
    @operation("Add reviewers where they differ", body=AddAssignmentsBody, result=AddedToSerializer)
    def post(self, campaign_id: int) -> object:
        """Adds reviewers to each item on which answers to a criterion, or preferences, differ."""
        campaign = self.campaign(campaign_id)
        values = self.body()
        wanted = {"agreement"} if campaign.compares else {"criterion", "least"}
        _require_only(values, wanted, of={"criterion", "least", "agreement"})
        if campaign.compares:
            differing = partial(items_with_differing_preferences, campaign, most=values["agreement"] / 100)
        else:
            criterion = _criterion(campaign, values["criterion"])
            differing = partial(items_that_differ, campaign, criterion, least=values["least"])
        added = add_assignments(campaign=campaign, differing=differing, more=values["more"], by=self.person)
        return {"differing": added.differing, "added": added.items}


def _require_only(values: Mapping[str, object], wanted: set[str], *, of: set[str]) -> None:
    """InvalidError for a field of ``of`` that the campaign's method needs and lacks, or cannot use."""
    problems = {
        name: ["This field is required for the campaign's method."] for name in sorted(wanted - values.keys())
    }
    for name in sorted((of - wanted) & values.keys()):
        problems[name] = ["This campaign's method does not use it. Leave it out."]
    if problems:
        named = ", ".join(sorted(wanted))
        raise InvalidError(f"Give {named} to choose where reviewers differ.", fields=problems)


def _criterion(campaign: Campaign, key: str) -> Criterion:
    criteria = {criterion.key: criterion for criterion in comparable_criteria(campaign)}
    if key not in criteria:
        raise InvalidError(
            f"There is no criterion “{key}” to compare. Known: {', '.join(criteria)}.", field="criterion"
        )
    return criteria[key]


@route("campaigns/<int:campaign_id>/progress/", "api_campaign_progress")
class CampaignProgress(CampaignView):
    @operation("Read a campaign's progress", result=ProgressSerializer)
    def get(self, campaign_id: int) -> object:
        """Assignments, each reviewer's progress with active seconds per review, and a forecast of the end."""
        campaign = self.campaign(campaign_id)
        team = team_progress(campaign, reader_id=self.person.pk)
        return {
            "reviews_done": team.done,
            "reviews_total": campaign.reviews_total,
            "items_total": campaign.items_total,
            "assignments": assignment_counts(campaign),
            "people": team.members,
            "forecast": team.forecast,
        }
