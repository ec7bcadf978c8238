"""Form field for a chat template, uploaded as a file."""

from typing import Any

from django import forms

from evalapp.core.errors import InvalidError
from evalapp.registry.chat_templates import checked_template
from hub.spec import MOST_TEMPLATE_CHARACTERS


class ChatTemplateForm(forms.Form):
    template_file = forms.FileField(
        required=False, label="Chat template, if the model has none",
        help_text=(
            "The file chat_template.jinja that the model was tuned with. It replaces the model's own"
            " template. Leave empty if the model has one."
        ),
    )  # fmt: skip

    def clean_template_file(self) -> Any:
        """The template's text; empty without a file."""
        given = self.cleaned_data["template_file"]
        if not given:
            return ""
        content = given.read(4 * MOST_TEMPLATE_CHARACTERS + 1)
        try:
            return checked_template(content.decode())
        except UnicodeDecodeError as error:
            raise forms.ValidationError(
                f"The file is not UTF-8 (byte {error.start:,}). Save it as UTF-8."
            ) from error
        except InvalidError as error:
            raise forms.ValidationError(error.message) from error
