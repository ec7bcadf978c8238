"""Forms of addresses whose models answer as candidates."""

from typing import Any

from django import forms

from evalapp.core.outgoing_fields import address_field, key_field
from evalapp.registry.endpoints import LONGEST_MODEL, MOST_PARALLEL
from evalapp.registry.forms import WordsForm


class EndpointForm(forms.Form):
    name = forms.CharField(max_length=60, help_text="Its candidates stand under this name in the registry.")
    address = address_field("An OpenAI-compatible one, such as https://models.example.org/v1")
    secret = key_field("Stored encrypted and never shown again. Leave empty where the address needs none.")
    parallel = forms.IntegerField(
        min_value=1, max_value=MOST_PARALLEL, initial=4, label="Requests at once",
        help_text="As many as its rate limit bears.",
    )  # fmt: skip


class EndpointChangeForm(EndpointForm):
    secret = key_field("Leave empty to keep the key; of another address it is entered again.")

    field_order = ("address", "secret", "parallel")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["name"]


class EndpointModelForm(WordsForm):
    """A model at an address, as it is or with other words around the prompt."""

    label = forms.CharField(max_length=80, label="Label", help_text="What people call the candidate.")
    model = forms.CharField(max_length=LONGEST_MODEL, help_text="As the address calls it.")
    request = forms.JSONField(
        required=False, label="More fields of its requests", widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A JSON object, for instance {“reasoning_effort”: “low”}. A field that is null is left out, "
        "for addresses that do not take it.",
    )  # fmt: skip

    field_order = ("label", "model", "system_prompt", "prompt_template", "request")

    def clean_request(self) -> dict[str, Any]:
        request = self.cleaned_data["request"]
        if request is None:
            return {}
        if not isinstance(request, dict):
            message = "Write one JSON object, in braces."
            raise forms.ValidationError(message)
        return request
