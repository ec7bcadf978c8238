from django import forms

from evalapp.data_protection.services import LONGEST_REASON, LONGEST_TEXT, MOST_TEXTS


class ErasureForm(forms.Form):
    texts = forms.CharField(
        label="Texts that identify the person",
        max_length=MOST_TEXTS * (LONGEST_TEXT + 2),
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "autocomplete": "off"}),
        help_text=(
            f"One per line, up to {MOST_TEXTS}: every spelling of the name, also its parts if nobody else"
            " has them; e-mail address, phone number, customer number. Capitals and white space do not"
            " matter. Other spellings are not found."
        ),
    )
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For the receipt, such as the number of the person's request. Do not name the person.",
    )

    def clean_texts(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["texts"].splitlines() if line.strip()]


class ConfirmForm(forms.Form):
    confirm = forms.BooleanField(
        label="Erase it for good: only a backup could bring it back",
        error_messages={"required": "Tick this box to erase."},
    )
