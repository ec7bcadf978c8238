from collections.abc import Mapping
from functools import partial
from typing import Any

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import operation
from evalapp.api.serializers.campaigns import (
    AddAssignmentsBody,
    AddedToSerializer,
    CalibrationSerializer,
    ChecksSerializer,
    ProgressSerializer,
    RoundBody,
)
from evalapp.api.serializers.reviews import FlagSerializer
from evalapp.campaigns.api.campaigns import CampaignView
from evalapp.campaigns.calibration import start_round
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import assignment_counts
from evalapp.campaigns.running import add_assignments
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.reviews.admission import admit_by_name, admit_by_number
from evalapp.reviews.differing import comparable_criteria, items_that_differ
from evalapp.reviews.flags import flags_of, resolve_flag
from evalapp.reviews.named import under_names
from evalapp.reviews.preferences.calibration import people_in_round
from evalapp.reviews.preferences.checks import checks_of
from evalapp.reviews.preferences.differing import items_with_differing_preferences
from evalapp.reviews.progress import team_progress
from evalapp.rubrics.models import Criterion


class CampaignAddAssignments(CampaignView):
    @operation("Add reviewers where they differ", body=AddAssignmentsBody, result=AddedToSerializer)
    def post(self, campaign_id: int) -> object:
        """More reviewers for each item whose answers to a criterion lie apart, or whose preferences differ."""
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
    problems = {name: ["This campaign's method needs it."] for name in sorted(wanted - values.keys())}
    for name in sorted((of - wanted) & values.keys()):
        problems[name] = ["This campaign's method has no use for it. Leave it out."]
    if problems:
        named = ", ".join(sorted(wanted))
        raise InvalidError(f"Say where people differ by {named}.", fields=problems)


def _criterion(campaign: Campaign, key: str) -> Criterion:
    criteria = {criterion.key: criterion for criterion in comparable_criteria(campaign)}
    if key not in criteria:
        message = f"There is no criterion “{key}” to compare. Known: {', '.join(criteria)}."
        raise InvalidError(message, fields={"criterion": [message]})
    return criteria[key]


class CampaignChecks(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Read how reviewers do on checks", result=ChecksSerializer)
    def get(self, campaign_id: int) -> object:
        """Gold answers within their tolerance, and repeats answered as before, by person."""
        campaign = self.campaign(campaign_id)
        return {"people": under_names(campaign, checks_of(campaign))}


def _round_of(campaign: Campaign) -> dict[str, Any]:
    return {"people": under_names(campaign, people_in_round(campaign))}


class CampaignCalibration(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Read the calibration", result=CalibrationSerializer)
    def get(self, campaign_id: int) -> object:
        """Who has rated the items of the round, how far from the others, and who is admitted."""
        return _round_of(self.campaign(campaign_id))

    @operation("Start another round", body=RoundBody, result=CalibrationSerializer)
    def post(self, campaign_id: int) -> object:
        """Further items for everybody who is not admitted yet."""
        campaign = self.campaign(campaign_id)
        start_round(campaign=campaign, wanted=self.body()["items"], by=self.person)
        return _round_of(campaign)


class CampaignAdmit(CampaignView):
    @operation("Admit a reviewer", result=CalibrationSerializer)
    def post(self, campaign_id: int, person_id: int) -> object:
        """They get the campaign's items from here on. 409 where they have been admitted, or left; also where
        the project shows no names and they have begun the round: admit them by number then.
        """
        campaign_reviewer = self.campaign_reviewer(campaign_id, person_id)
        self.body()
        admit_by_name(campaign_reviewer=campaign_reviewer, by=self.person)
        return _round_of(campaign_reviewer.campaign)


class CampaignAdmitNumbered(CampaignView):
    @operation("Admit a reviewer by number", result=CalibrationSerializer)
    def post(self, campaign_id: int, number: int) -> object:
        """By the pseudonym's number, as the calibration lists it: for projects that show no names."""
        campaign = self.campaign(campaign_id)
        self.body()
        admit_by_number(campaign=campaign, number=number, by=self.person)
        return _round_of(campaign)


class CampaignProgress(CampaignView):
    @operation("Read a campaign's progress", result=ProgressSerializer)
    def get(self, campaign_id: int) -> object:
        """Assignments, how each reviewer gets on, with active seconds a review, and when the last one will be in."""
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


class FlagList(CampaignView):
    @operation("List a campaign's flags", result=FlagSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """What reviewers say is wrong with items, latest first."""
        return self.page(flags_of(self.campaign(campaign_id)))


class FlagResolve(CampaignView):
    @operation("Resolve a flag", status=204)
    def post(self, campaign_id: int, flag_id: int) -> object:
        """409 where somebody has resolved it before."""
        flags = self.campaign(campaign_id).flags.select_related("campaign__project")
        flag = get_or_missing(flags, pk=flag_id)
        self.body()
        resolve_flag(flag=flag, by=self.person)
        return None
