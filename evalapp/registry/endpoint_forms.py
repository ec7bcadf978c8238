"""Forms of endpoints whose models serve as candidates. The form of such candidates shows rows, so it is in
runs.
"""

from typing import Any

from django import forms

from evalapp.core.outgoing_fields import key_field, url_field
from evalapp.registry.endpoints import MOST_PARALLEL


class EndpointForm(forms.Form):
    name = forms.CharField(max_length=60, help_text="Its candidates have this name in the registry.")
    url = url_field("An OpenAI-compatible one, such as https://models.example.org/v1")
    secret = key_field("Stored encrypted and never shown again. Leave empty where the endpoint needs none.")
    parallel = forms.IntegerField(
        min_value=1, max_value=MOST_PARALLEL, initial=4, label="Requests at once",
        help_text="As many as its rate limit allows.",
    )  # fmt: skip


class EndpointChangeForm(EndpointForm):
    secret = key_field("Empty: keep the key. A new URL needs the key again.")

    field_order = ("url", "secret", "parallel")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["name"]
