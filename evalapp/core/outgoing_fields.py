"""Form fields for the URL of outgoing requests and their API key."""

from django import forms

from evalapp.core.outgoing import LONGEST_URL
from evalapp.core.sealing import LONGEST_KEY


def url_field(help_text: str) -> forms.CharField:
    return forms.CharField(
        max_length=LONGEST_URL,
        help_text=help_text,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "inputmode": "url", "spellcheck": "false", "autocapitalize": "none"}
        ),
    )


def key_field(help_text: str) -> forms.CharField:
    return forms.CharField(
        max_length=LONGEST_KEY,
        required=False,
        label="API key",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=help_text,
    )
