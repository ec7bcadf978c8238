from rest_framework import serializers

from evalapp.api.fields import Body, Fields, Shown, Text, Whole
from evalapp.api.serializers.registry import ShowingBody
from evalapp.core.outgoing import LONGEST_URL
from evalapp.core.sealing import LONGEST_KEY
from evalapp.registry.endpoints import LONGEST_MODEL, MOST_PARALLEL
from evalapp.registry.models import Endpoint


class EndpointSerializer(Shown):
    """An OpenAI-compatible endpoint; it is shown without its path, the API key never."""

    url = serializers.CharField(source="origin")
    has_key = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = ("id", "name", "url", "has_key", "parallel", "created_at")

    def get_has_key(self, endpoint: Endpoint) -> bool:
        return bool(endpoint.sealed_key)


class EndpointChangeBody(Body):
    url = Text(max_length=LONGEST_URL, help_text="OpenAI-compatible, up to /v1.")
    secret = Text(
        max_length=LONGEST_KEY, required=False, allow_blank=True, default="", help_text="The API key."
    )
    parallel = Whole(
        min_value=1, max_value=MOST_PARALLEL, required=False, default=4, help_text="Requests at once."
    )


class EndpointBody(EndpointChangeBody):
    name = Text(max_length=60)


class EndpointModelBody(ShowingBody):
    label = Text(max_length=80)
    model = Text(max_length=LONGEST_MODEL, help_text="The endpoint's name for the model.")
    system_prompt = Text(max_length=20_000, allow_blank=True, required=False, default="")
    prompt_template = Text(max_length=20_000, allow_blank=True, required=False, default="")
    request = Fields(
        required=False, default=dict, help_text="More fields of its requests; one that is null is left out."
    )
