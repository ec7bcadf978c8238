from django import forms


class ViewForm(forms.Form):
    """A saved view's name, and whether it is shared with the project."""

    name = forms.CharField(max_length=80, label="Name")
    is_shared = forms.BooleanField(
        required=False, label="Shared with the project",
        help_text="Everybody who can see results in this project can open it.",
    )  # fmt: skip


class NewViewForm(ViewForm):
    query = forms.CharField(widget=forms.HiddenInput, max_length=4_000)
