from typing import Any

from django import forms
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import LEASE_MINUTES, LONGEST_INSTRUCTIONS, MOST_OVERLAP, CampaignDesign
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.opening import coverage_of
from evalapp.campaigns.queries import (
    Cost,
    possible_candidates,
    possible_reviewers,
    usable_datasets,
    usable_rubrics,
)
from evalapp.core.marks import marked
from evalapp.core.names import LONGEST_NAME
from evalapp.datasets.models import DatasetVersion, Split
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import RubricVersion


class _Versions(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic at run time
    def label_from_instance(self, obj: Any) -> str:
        if not isinstance(obj, DatasetVersion):
            return str(obj)
        counts = ", ".join(f"{split} {count:,}" for split, count in obj.counts.items() if count)
        return marked(f"{obj} ({counts})", obj)


class _Candidates(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # likewise
    def label_from_instance(self, obj: Any) -> str:
        return marked(f"{obj.label} · {obj.get_kind_display()}", obj)


class _Reviewers(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # likewise
    def label_from_instance(self, obj: Any) -> str:
        return marked(str(obj), obj)


class CampaignForm(forms.Form):
    """The design of a campaign; the services check what spans several fields."""

    name = forms.CharField(max_length=LONGEST_NAME)
    rubric_version = forms.ModelChoiceField(
        RubricVersion.objects.none(),
        label="Rubric",
        empty_label=None,
        help_text="Frozen when the campaign opens.",
    )
    dataset_version = _Versions(DatasetVersion.objects.none(), label="Dataset version", empty_label=None)
    split = forms.ChoiceField(
        choices=Split.choices,
        initial=Split.TEST,
        help_text="Test is sealed: its corrections never become training data. Feedback can be exported.",
    )
    candidates = _Candidates(
        ModelVersion.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        help_text="The latest answer of each to every example is reviewed.",
        error_messages={"required": "Choose at least one candidate."},
    )
    leaves_out_incomplete = forms.BooleanField(
        required=False, label="Leave out examples that a candidate has not answered"
    )
    reviewers = _Reviewers(
        User.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one reviewer."},
    )
    overlap = forms.IntegerField(
        min_value=1,
        max_value=MOST_OVERLAP,
        initial=3,
        label="Reviewers per item",
        help_text="Each rates all answers to the item. Two or more make agreement measurable.",
    )
    is_blind = forms.BooleanField(
        required=False, initial=True, label="Blind: reviewers do not see which model wrote an answer"
    )
    shows_reference = forms.BooleanField(
        required=False, label="Show the reference answer (raters tend to follow it)"
    )
    allows_corrections = forms.BooleanField(
        required=False, initial=True, label="Reviewers may write the answer as it should have been"
    )
    instructions = forms.CharField(
        required=False,
        max_length=LONGEST_INSTRUCTIONS,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Shown above the first item. Markdown.",
    )
    deadline = forms.DateTimeField(
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M"],
        help_text="Shown to reviewers (UTC). The campaign stays open until you close it.",
    )
    lease_minutes = forms.IntegerField(
        min_value=LEASE_MINUTES.start,
        max_value=LEASE_MINUTES.stop - 1,
        initial=30,
        label="Minutes an item is held without activity",
        help_text="Then it goes to somebody else; what was typed is kept.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        choices = {
            "rubric_version": usable_rubrics(project),
            "dataset_version": usable_datasets(project),
            "candidates": possible_candidates(project),
            "reviewers": possible_reviewers(project),
        }
        for name, queryset in choices.items():
            self.fields[name].queryset = queryset  # type: ignore[attr-defined]

    def clean_deadline(self) -> Any:
        deadline = self.cleaned_data["deadline"]
        if deadline is not None and deadline <= timezone.now():
            raise forms.ValidationError("The deadline is in the past. Choose a later one, or none.")
        return deadline

    def design(self) -> CampaignDesign:
        """The valid form's design; candidates in the order of their making."""
        given = dict(self.cleaned_data)
        given["candidates"] = sorted(given["candidates"], key=lambda candidate: candidate.pk)
        return CampaignDesign(**given)

    def cost(self) -> Cost | None:
        """What the design costs as far as it is filled in; None while data or candidates are open."""
        self.is_valid()
        given = getattr(self, "cleaned_data", {})
        version, candidates = given.get("dataset_version"), given.get("candidates")
        if version is None or not candidates or not given.get("split"):
            return None
        coverage = coverage_of(
            dataset_version_id=version.pk,
            split=given["split"],
            candidate_ids=[candidate.pk for candidate in candidates],
        )
        return Cost(
            items=coverage.complete,
            left_out=coverage.examples - coverage.complete,
            candidates=len(candidates),
            overlap=given.get("overlap") or 0,
            people=len(given.get("reviewers") or ()),
        )


class AddReviewersForm(forms.Form):
    reviewers = _Reviewers(User.objects.none(), widget=forms.CheckboxSelectMultiple, label="Add reviewers")

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        seated = campaign.reviewers.filter(left_at=None).values("user")
        self.fields["reviewers"].queryset = possible_reviewers(campaign.project).exclude(pk__in=seated)  # type: ignore[attr-defined]
