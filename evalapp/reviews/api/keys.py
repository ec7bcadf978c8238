"""The letters by which a reviewer rates."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.forms import ProfileForm
from evalapp.accounts.models import User
from evalapp.accounts.people import update_profile
from evalapp.accounts.review_keys import REVIEW_KEYS, keys_of, letters_of
from evalapp.api.fields import Body, Fields, Flag, Text
from evalapp.api.operations import ApiView, operation, route
from evalapp.core.errors import InvalidError
from evalapp.core.http import field_errors

_ACTIONS = ", ".join(key.action for key in REVIEW_KEYS)


class ReviewKeysSerializer(serializers.Serializer[Any]):
    """My single-letter keys, by action. If they are switched off, the letters are kept. Scores are given with
    digits.
    """

    enabled = serializers.BooleanField()
    keys = serializers.DictField(child=serializers.CharField())


class ReviewKeysBody(Body):
    enabled = Flag()
    keys = Fields(
        child=Text(max_length=1),
        default=dict,
        help_text=(
            "Letters by action; use each letter once. Actions that are left out keep their letters. "
            f"Actions: {_ACTIONS}."
        ),
    )


@route("reviews/keys/", "api_my_keys")
class ReviewKeys(ApiView):
    @operation("Read my review keys", result=ReviewKeysSerializer)
    def get(self) -> object:
        return _keys(self.person)

    @operation("Set my review keys", body=ReviewKeysBody, result=ReviewKeysSerializer)
    def put(self) -> object:
        """Switches single-letter keys on or off, or changes them."""
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
        message = f"Unknown action. Known actions: {', '.join(actions)}."
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
