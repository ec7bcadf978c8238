"""The reviewer's desk by machine, beside its items: undo, keys, and the calibration round."""

from typing import Any
from uuid import UUID

from evalapp.accounts.forms import ProfileForm
from evalapp.accounts.models import User
from evalapp.accounts.people import update_profile
from evalapp.accounts.review_keys import REVIEW_KEYS, keys_of, letters_of
from evalapp.api.fields import Nothing
from evalapp.api.operations import Answer, ApiView, operation
from evalapp.api.serializers.desk import (
    CalibrationNoteBody,
    OwnCalibrationSerializer,
    ReviewKeysBody,
    ReviewKeysSerializer,
)
from evalapp.api.serializers.reviews import ReviewSerializer
from evalapp.api.views.reviews import ReviewView, shown_review
from evalapp.campaigns.calibration import add_note
from evalapp.campaigns.models import CampaignReviewer
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.core.http import field_errors
from evalapp.reviews.calibration import item_in_round, own_round_is_done
from evalapp.reviews.preferences.calibration import round_of
from evalapp.reviews.services import undo_last


class UndoReview(ReviewView):
    @operation("Find my last review to change it", body=Nothing, result=ReviewSerializer)
    def post(self, key: UUID) -> object:
        """Nothing that was acknowledged is taken away: amend what this names. 404 before my first."""
        campaign_reviewer = self.campaign_reviewer(key)
        self.body()
        latest = undo_last(reviewer=campaign_reviewer.user, campaign=campaign_reviewer.campaign)
        latest.campaign = campaign_reviewer.campaign
        return shown_review(latest)


class ReviewKeys(ApiView):
    @operation("Read my review keys", result=ReviewKeysSerializer)
    def get(self) -> object:
        return _keys(self.person)

    @operation("Set my review keys", body=ReviewKeysBody, result=ReviewKeysSerializer)
    def put(self) -> object:
        """Switch the single letters off, or choose others."""
        values = self.body()
        update_profile(
            user=self.person,
            by=self.person,
            name=self.person.name,
            review_keys=_checked_keys(self.person, enabled=values["enabled"], letters=values["keys"]),
        )
        return _keys(self.person)


def _keys(person: User) -> dict[str, Any]:
    return {"enabled": bool(keys_of(person)), "keys": letters_of(person)}


def _checked_keys(person: User, *, enabled: bool, letters: dict[str, str]) -> dict[str, object]:
    """What the profile stores, by the profile's own rules. InvalidError names ``keys.<action>``."""
    actions = [key.action for key in REVIEW_KEYS]
    if unknown := [action for action in letters if action not in actions]:
        message = f"There is no such action. Known: {', '.join(actions)}."
        raise InvalidError(message, fields={f"keys.{action[:80]}": [message] for action in unknown})
    if not letters:
        return {**(person.review_keys or {}), "enabled": enabled}
    chosen = {f"key_{action}": letter for action, letter in {**letters_of(person), **letters}.items()}
    form = ProfileForm({"name": person.name, "keys_enabled": enabled, **chosen}, user=person)
    if not form.is_valid():
        found = field_errors(form)
        fields = {name.replace("key_", "keys.", 1): texts for name, texts in found.items()}
        raise InvalidError(next(iter(found.values()))[0], fields=fields)
    return form.review_keys()


class CalibrationView(ReviewView):
    def calibrating_campaign_reviewer(self, key: UUID) -> CampaignReviewer:
        campaign_reviewer = self.campaign_reviewer(key)
        if not campaign_reviewer.campaign.calibration_items:
            raise MissingError("There is no calibration in this campaign, or it is not yours.")
        return campaign_reviewer

    def shown(self, campaign_reviewer: CampaignReviewer) -> dict[str, Any]:
        found = round_of(campaign_reviewer.campaign, self.person, is_manager=False)
        is_done = own_round_is_done(campaign_reviewer)
        return {
            "is_done": is_done,
            "columns": found.columns,
            "items": found.items() if is_done else [],
        }


class OwnCalibration(CalibrationView):
    @operation("Read my calibration round", result=OwnCalibrationSerializer)
    def get(self, key: UUID) -> object:
        """Everybody's answers to the calibration items, side by side, once I have given all of mine."""
        return self.shown(self.calibrating_campaign_reviewer(key))


class OwnCalibrationNotes(CalibrationView):
    @operation(
        "Discuss a calibration item", body=CalibrationNoteBody, result=OwnCalibrationSerializer, status=201
    )
    def post(self, key: UUID) -> object:
        """Everybody who has done the item reads it. 409 until I have given all of mine."""
        campaign_reviewer = self.calibrating_campaign_reviewer(key)
        values = self.body()
        if not own_round_is_done(campaign_reviewer):
            raise ConflictError(
                "Give your answers to all calibration items first; then you see the others' and can discuss.",
                code="round_not_done",
            )
        item = item_in_round(campaign_reviewer.campaign, values["item"], given_to=self.person)
        add_note(item=item, author=self.person, text=values["text"])
        return Answer(self.shown(campaign_reviewer), 201)
