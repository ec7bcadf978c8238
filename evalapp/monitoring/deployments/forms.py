from typing import Any

from django import forms

from evalapp.accounts.models import Project
from evalapp.monitoring.deployments.models import LONGEST_SERVED_AS
from evalapp.monitoring.deployments.services import LONGEST_NOTE
from evalapp.monitoring.models import Stream
from evalapp.registry.models import ModelVersion

PERCENT = 100


class DeploymentForm(forms.Form):
    """A model version that serves a stream from now on."""

    stream = forms.ModelChoiceField(Stream.objects.none())
    version = forms.ModelChoiceField(ModelVersion.objects.none(), label="Model version")
    percent = forms.IntegerField(
        label="Share of traffic, in percent",
        min_value=1,
        max_value=PERCENT,
        initial=PERCENT,
        help_text="With 100 it takes the place of every other version in the stream.",
    )
    served_as = forms.CharField(
        label="Name in the events",
        required=False,
        max_length=LONGEST_SERVED_AS,
        help_text="What production calls the model, where it is not the version’s label.",
    )
    note = forms.CharField(required=False, max_length=LONGEST_NOTE)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        streams: Any = self.fields["stream"]
        streams.queryset = project.streams.filter(ended_at=None).order_by("name")
        streams.initial = streams.queryset.first()
        versions: Any = self.fields["version"]
        versions.queryset = (
            ModelVersion.objects.filter(project=project, set_aside_at=None, stream=None)
            .select_related("model")
            .order_by("-pk")
        )

    def values(self) -> dict[str, Any]:
        """The arguments for `record_deployment`."""
        given = dict(self.cleaned_data)
        share = given.pop("percent") / PERCENT
        return {**given, "share": share}


class RollBackForm(forms.Form):
    reason = forms.CharField(max_length=LONGEST_NOTE, widget=forms.Textarea(attrs={"rows": 2}))
