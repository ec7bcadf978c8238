"""The calibration round: as its reviewers see it, and as those who run the campaign do."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Text, Whole
from evalapp.api.operations import Answer, operation, route
from evalapp.campaigns.api.campaigns import CampaignView
from evalapp.campaigns.calibration import LONGEST_NOTE, add_note, start_round
from evalapp.campaigns.design import MOST_CALIBRATION_ITEMS
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.core.errors import ConflictError, MissingError
from evalapp.reviews.admission import admit_by_name, admit_by_number
from evalapp.reviews.api.checks import NamedSerializer
from evalapp.reviews.api.tasks import ReviewView
from evalapp.reviews.calibration import has_finished_own_round, item_in_round
from evalapp.reviews.named_results import with_reviewer_names
from evalapp.reviews.preferences.calibration import calibration_progress_of, round_of


class CalibratingSerializer(NamedSerializer):
    is_admitted = serializers.SerializerMethodField()
    items_done = serializers.IntegerField(source="done")
    items_wanted = serializers.IntegerField(source="wanted")
    distance = serializers.FloatField(
        allow_null=True,
        help_text=(
            "Mean distance in levels from the median of the others; if answers are compared, the share "
            "of the others' preferences that differ."
        ),
    )

    def get_is_admitted(self, each: Any) -> bool:
        return each.campaign_reviewer.admitted_at is not None


class CalibrationSerializer(serializers.Serializer[Any]):
    people = CalibratingSerializer(many=True)


class RoundBody(Body):
    items = Whole(min_value=1, max_value=MOST_CALIBRATION_ITEMS)


class CalibrationAnswersSerializer(serializers.Serializer[Any]):
    """Answers of one person, in the order of ``columns``; empty where a criterion was not answered."""

    name = serializers.CharField(help_text="“You”, or a pseudonym.")
    answers = serializers.ListField(child=serializers.CharField(allow_blank=True))
    comment = serializers.CharField(allow_blank=True)


class ShownTextSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()
    text = serializers.CharField(allow_blank=True)


class CalibrationPartSerializer(serializers.Serializer[Any]):
    """A rated answer, or compared answers in the order in which I saw them."""

    heading = serializers.CharField()
    shown = ShownTextSerializer(many=True)
    given = CalibrationAnswersSerializer(many=True)


class CalibrationNoteSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    text = serializers.CharField()
    written_at = serializers.DateTimeField()


class CalibrationItemSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="Number by which notes refer to the item.")
    request = serializers.CharField(source="item.example.prompt_text", allow_blank=True)
    parts = CalibrationPartSerializer(many=True)
    notes = CalibrationNoteSerializer(many=True)


class OwnCalibrationSerializer(serializers.Serializer[Any]):
    """``items`` are empty until I have submitted all my answers, so that others cannot influence mine."""

    is_done = serializers.BooleanField()
    columns = serializers.ListField(child=serializers.CharField())
    items = CalibrationItemSerializer(many=True)


class CalibrationNoteBody(Body):
    item = Whole(min_value=1, help_text="Number of the item in the round.")
    text = Text(max_length=LONGEST_NOTE)


def _round_of(campaign: Campaign) -> dict[str, Any]:
    return {"people": with_reviewer_names(campaign, calibration_progress_of(campaign))}


@route("campaigns/<int:campaign_id>/calibration/", "api_campaign_calibration")
class CampaignCalibration(CampaignView):
    required_permission = Permission.EDIT_CAMPAIGNS

    @operation("Read the calibration", result=CalibrationSerializer)
    def get(self, campaign_id: int) -> object:
        """Reviewers with their progress in the round, their distance from the others, and whether they are
        admitted.
        """
        return _round_of(self.campaign(campaign_id))

    @operation("Start another round", body=RoundBody, result=CalibrationSerializer)
    def post(self, campaign_id: int) -> object:
        """Adds calibration items for every reviewer who is not admitted yet."""
        campaign = self.campaign(campaign_id)
        start_round(campaign=campaign, wanted=self.body()["items"], by=self.person)
        return _round_of(campaign)


@route("campaigns/<int:campaign_id>/reviewers/<int:person_id>/admit/", "api_campaign_admit")
class CampaignAdmit(CampaignView):
    @operation("Admit a reviewer", result=CalibrationSerializer)
    def post(self, campaign_id: int, person_id: int) -> object:
        """From now on the reviewer gets the campaign's items. 409 if they are already admitted or have left.
        Also 409 if the project hides names and they have started the round: then admit them by number.
        """
        campaign_reviewer = self.campaign_reviewer(campaign_id, person_id)
        self.body()
        admit_by_name(campaign_reviewer=campaign_reviewer, by=self.person)
        return _round_of(campaign_reviewer.campaign)


@route("campaigns/<int:campaign_id>/calibration/<int:number>/admit/", "api_campaign_admit_numbered")
class CampaignAdmitNumbered(CampaignView):
    @operation("Admit a reviewer by number", result=CalibrationSerializer)
    def post(self, campaign_id: int, number: int) -> object:
        """For projects that hide names: ``number`` is that of the pseudonym in the calibration."""
        campaign = self.campaign(campaign_id)
        self.body()
        admit_by_number(campaign=campaign, number=number, by=self.person)
        return _round_of(campaign)


class CalibrationView(ReviewView):
    def calibrating_campaign_reviewer(self, key: UUID) -> CampaignReviewer:
        campaign_reviewer = self.campaign_reviewer(key)
        if not campaign_reviewer.campaign.calibration_items:
            raise MissingError("There is no calibration in this campaign, or it is not yours.")
        return campaign_reviewer

    def shown(self, campaign_reviewer: CampaignReviewer) -> dict[str, Any]:
        found = round_of(campaign_reviewer.campaign, self.person, is_manager=False)
        is_done = has_finished_own_round(campaign_reviewer)
        return {
            "is_done": is_done,
            "columns": found.columns,
            "items": found.items() if is_done else [],
        }


@route("reviews/campaigns/<uuid:key>/calibration/", "api_my_calibration")
class OwnCalibration(CalibrationView):
    @operation("Read my calibration round", result=OwnCalibrationSerializer)
    def get(self, key: UUID) -> object:
        """All reviewers' answers to the calibration items, after I have submitted mine."""
        return self.shown(self.calibrating_campaign_reviewer(key))


@route("reviews/campaigns/<uuid:key>/calibration/notes/", "api_my_calibration_notes")
class OwnCalibrationNotes(CalibrationView):
    @operation(
        "Discuss a calibration item", body=CalibrationNoteBody, result=OwnCalibrationSerializer, status=201
    )
    def post(self, key: UUID) -> object:
        """Everybody who has reviewed the item can read it. 409 until I have submitted all my answers."""
        campaign_reviewer = self.calibrating_campaign_reviewer(key)
        values = self.body()
        if not has_finished_own_round(campaign_reviewer):
            raise ConflictError(
                "Review all calibration items first; then you see the others' answers and can discuss them.",
                code="round_not_done",
            )
        item = item_in_round(campaign_reviewer.campaign, values["item"], given_to=self.person)
        add_note(item=item, author=self.person, text=values["text"])
        return Answer(self.shown(campaign_reviewer), 201)
