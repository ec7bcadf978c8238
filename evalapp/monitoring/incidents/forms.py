from django import forms

from evalapp.monitoring.incidents.models import LONGEST_REASON


class AcceptForm(forms.Form):
    """The dataset version of the feedback that the page showed."""

    dataset_version = forms.IntegerField(required=False)


class CloseForm(forms.Form):
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        label="Reason for closing the incident",
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Give the reason for closing the incident."},
    )
