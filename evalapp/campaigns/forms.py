from typing import Any

from django import forms

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import (
    LEASE_MINUTES,
    LONGEST_INSTRUCTIONS,
    MOST_CALIBRATION_ITEMS,
    MOST_CHECK_SHARE,
    MOST_OVERLAP,
    CampaignDesign,
)
from evalapp.campaigns.models import Campaign, Distribution, ItemChoice, Method
from evalapp.campaigns.queries import (
    Cost,
    CostInputs,
    answered_data,
    cost_of,
    possible_candidates,
    possible_reviewers,
    usable_datasets,
    usable_rubrics,
)
from evalapp.core.form_fields import RowField, RowsField, row_field
from evalapp.core.names import LONGEST_NAME
from evalapp.datasets.models import DatasetVersion, Split
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import RubricVersion
from evalapp.runs.services import MOST_SAMPLES


def _name_of_version(version: DatasetVersion | RubricVersion) -> str:
    if not isinstance(version, DatasetVersion):
        return str(version)
    counts = ", ".join(f"{split} {count:,}" for split, count in version.counts.items() if count)
    return f"{version} ({counts})"


def _label_of(version: ModelVersion) -> str:
    return version.label


def _name_of_candidate(version: ModelVersion) -> str:
    return f"{version.label} · {version.get_kind_display()}"


class _Method(forms.ChoiceField):
    def clean(self, value: Any) -> Any:
        """Without a value the method is pointwise."""
        return super().clean(value or Method.POINTWISE)


_MORE = {
    "Examples and outputs": ("item_choice", "examples_wanted", "stratify_by", "samples"),
    "More reviewers for a share of the items": ("overlap_share", "overlap_more"),
    "Distribution, quotas and lease": ("distribution", "quota", "lease_minutes"),
    "Review quality: gold, repeats, calibration": (
        "gold_share",
        "repeat_share",
        "calibration_items",
    ),
}


class CampaignForm(forms.Form):
    """The design of a campaign; the services check conditions across fields."""

    name = forms.CharField(max_length=LONGEST_NAME)
    rubric_version = forms.ModelChoiceField(
        RubricVersion.objects.none(),
        label="Rubric",
        empty_label=None,
        help_text="Frozen when the campaign opens.",
    )
    dataset_version = RowField(
        DatasetVersion.objects.none(), label="Dataset version", empty_label=None, name_of=_name_of_version
    )
    split = forms.ChoiceField(
        choices=Split.choices,
        initial=Split.TEST,
        help_text="Test is held out: its corrections never become training data. Feedback can be exported.",
    )
    candidates = RowsField(
        ModelVersion.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        help_text="The latest output of each candidate for every example is reviewed.",
        error_messages={"required": "Choose at least one candidate."},
        name_of=_name_of_candidate,
    )
    method = _Method(
        choices=Method.choices,
        initial=Method.POINTWISE,
        label="What reviewers do",
        widget=forms.RadioSelect,
        help_text=(
            "In comparisons, outputs stand side by side in balanced positions, and the rubric is a guide."
        ),
    )
    baseline = RowField(
        ModelVersion.objects.none(),
        required=False,
        label="Compare all with",
        empty_label="All with each other",
        help_text="Preferences only: compare one candidate with each other one, to save reviews.",
        name_of=_label_of,
    )
    leaves_out_incomplete = forms.BooleanField(
        required=False, label="Leave out examples that a candidate has not answered"
    )
    item_choice = forms.ChoiceField(
        required=False,
        choices=ItemChoice.choices,
        initial=ItemChoice.ALL,
        widget=forms.RadioSelect,
        label="Examples",
        help_text="A sample is drawn at random. More examples can be added while the campaign runs.",
    )
    examples_wanted = forms.IntegerField(
        required=False, min_value=1, label="Number of examples in the sample"
    )
    stratify_by = forms.CharField(
        required=False,
        max_length=100,
        label="Stratify by",
        help_text=(
            "A metadata field of the examples, such as topic. Each of its values gives at least one example."
        ),
    )
    samples = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_SAMPLES,
        initial=1,
        label="Outputs per example",
        help_text=(
            "More than 1 if the runs wrote several. Each is an item of its own. In results, the items of one"
            " example are one group, because they are similar."
        ),
    )
    reviewers = RowsField(
        User.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one reviewer."},
    )
    overlap = forms.IntegerField(
        min_value=1,
        max_value=MOST_OVERLAP,
        initial=3,
        label="Reviewers per item",
        help_text="Each rates all outputs of the item. Agreement needs at least two.",
    )
    overlap_share = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=99,
        label="Share of items with more reviewers, in percent",
        help_text=(
            "For example 1 reviewer for each item and 3 for 20 percent of the items. This measures"
            " agreement with fewer reviews."
        ),
    )
    overlap_more = forms.IntegerField(
        required=False, min_value=2, max_value=MOST_OVERLAP, label="Reviewers for each item of that share"
    )
    distribution = forms.ChoiceField(
        required=False,
        choices=Distribution.choices,
        initial=Distribution.SHARED,
        widget=forms.RadioSelect,
        label="Distribution of items",
        help_text=(
            "Manual assignment divides the items evenly at the launch. Items not started can be reassigned."
        ),
    )
    quota = forms.IntegerField(
        required=False,
        min_value=1,
        label="Quota: most items per reviewer",
        help_text="A reviewer's own quota can be set on the campaign's page.",
    )
    gold_share = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MOST_CHECK_SHARE,
        label="Gold items for each reviewer, in percent",
        help_text=(
            "Examples whose right answers you know; they look like any other. Enter the answers before you"
            " open the campaign."
        ),
    )
    repeat_share = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MOST_CHECK_SHARE,
        label="Hidden repeats, in percent",
        help_text=(
            "Items that a reviewer sees again later, with the outputs in another order; two answers swap"
            " sides."
        ),
    )
    calibration_items = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MOST_CALIBRATION_ITEMS,
        label="Items of a calibration round",
        help_text=(
            "All reviewers rate these first, then see each other's reviews. You then admit each reviewer"
            " to the campaign."
        ),
    )
    is_blind = forms.BooleanField(
        required=False, initial=True, label="Blind: reviewers do not see which model wrote an answer"
    )
    shows_reference = forms.BooleanField(
        required=False, label="Show the reference answer (raters tend to follow it)"
    )
    allows_corrections = forms.BooleanField(
        required=False, initial=True, label="Reviewers may correct the answer"
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
        help_text="UTC. No more items are given out after it. The campaign stays open until you close it.",
    )
    lease_minutes = forms.IntegerField(
        min_value=LEASE_MINUTES.start,
        max_value=LEASE_MINUTES.stop - 1,
        initial=30,
        label="Lease in minutes, renewed by activity",
        help_text="Afterwards the item becomes available to others; the draft is kept.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        versions = usable_datasets(project)
        choices = {
            "rubric_version": usable_rubrics(project),
            "dataset_version": versions,
            "candidates": possible_candidates(project),
            "baseline": possible_candidates(project),
            "reviewers": possible_reviewers(project),
        }
        for name, queryset in choices.items():
            row_field(self, name).queryset = queryset
        newest = versions.first()
        if (answered := answered_data(project)) is not None:
            self.fields["dataset_version"].initial, self.fields["split"].initial = answered
        elif newest is not None and not newest.counts.get(Split.TEST):
            held = (split for split in (Split.FEEDBACK, Split.VALIDATION) if newest.counts.get(split))
            self.fields["split"].initial = next(held, Split.TEST)

    @property
    def more(self) -> list[dict[str, Any]]:
        """Groups of fields that most designs leave unchanged; ``is_open`` if a value differs from the default
        or has an error.
        """
        return [
            {
                "title": title,
                "fields": [self[name] for name in names],
                "is_open": any(map(self._is_used, names)),
            }
            for title, names in _MORE.items()
        ]

    def _is_used(self, name: str) -> bool:
        usual = self.fields[name].initial
        return bool(self[name].errors) or self[name].value() not in (None, "", 0, "0", usual, str(usual))

    @property
    def rating_rubric(self) -> RubricVersion | None:
        """The rubric version that the form's design rates by; None for comparisons, whose rubric is only a
        guide.
        """
        if self["method"].value() not in (None, "", Method.POINTWISE):
            return None
        field: Any = self.fields["rubric_version"]
        chosen = self["rubric_version"].value()
        if chosen in (None, ""):
            # A browser shows the first choice if none is selected.
            first: RubricVersion | None = field.queryset.first()
            return first
        try:
            version: RubricVersion | None = field.to_python(chosen)
        except forms.ValidationError:
            return None
        return version

    def design(self) -> CampaignDesign:
        """The form's design, candidates in order of creation; None for fields that are invalid."""
        given: dict[str, Any] = {name: self.cleaned_data.get(name) for name in self.fields}
        given["candidates"] = sorted(given["candidates"] or (), key=lambda candidate: candidate.pk)
        given["item_choice"] = given["item_choice"] or ItemChoice.ALL
        given["distribution"] = given["distribution"] or Distribution.SHARED
        given["samples"] = given["samples"] or 1
        for name in ("overlap_share", "gold_share", "repeat_share", "calibration_items"):
            given[name] = given[name] or 0
        return CampaignDesign(**given)

    def cost(self) -> Cost | None:
        """The reviewer effort as far as the form is filled in; None without data or candidates."""
        self.is_valid()
        given = getattr(self, "cleaned_data", {})
        version, candidates = given.get("dataset_version"), given.get("candidates")
        if version is None or not candidates or not given.get("split"):
            return None
        is_some = given.get("item_choice") in (ItemChoice.RANDOM, ItemChoice.STRATIFIED)
        return cost_of(
            CostInputs(
                dataset_version_id=version.pk,
                split=given["split"],
                candidate_ids=[candidate.pk for candidate in candidates],
                people=len(given.get("reviewers") or ()),
                overlap=given.get("overlap") or 0,
                overlap_share=given.get("overlap_share") or 0,
                overlap_more=given.get("overlap_more"),
                quota=given.get("quota"),
                examples_wanted=given.get("examples_wanted") if is_some else None,
                stratify_by=given.get("stratify_by") or "" if is_some else "",
                samples=given.get("samples") or 1,
                method=given.get("method") or Method.POINTWISE,
                has_baseline=bool(given.get("baseline")),
                gold_share=given.get("gold_share") or 0,
                repeat_share=given.get("repeat_share") or 0,
                calibration_items=given.get("calibration_items") or 0,
            )
        )


class AddReviewersForm(forms.Form):
    reviewers = RowsField(User.objects.none(), widget=forms.CheckboxSelectMultiple, label="Add reviewers")

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        present = campaign.reviewers.filter(left_at=None).values("user")
        row_field(self, "reviewers").queryset = possible_reviewers(campaign.project).exclude(pk__in=present)


class DeadlineForm(forms.Form):
    deadline = forms.DateTimeField(
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M"],
        label="New deadline",
        help_text="UTC. Empty for none.",
    )


class QuotaForm(forms.Form):
    quota = forms.IntegerField(required=False, min_value=1, max_value=10_000_000, label="Most items")


class ReassignForm(forms.Form):
    """From whom to whom assignments move; the empty choice is the shared queue."""

    source = RowField(User.objects.none(), required=False, label="From", empty_label="Shared queue")
    target = RowField(User.objects.none(), required=False, label="To", empty_label="Shared queue: anybody")
    most = forms.IntegerField(
        required=False,
        min_value=1,
        label="Most items",
        help_text="Leave empty for all items that nobody has started.",
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        campaign_reviewers = campaign.reviewers.filter(left_at=None)
        people = User.objects.filter(pk__in=campaign_reviewers.values("user")).order_by(
            "is_simulated", "name", "email"
        )
        for name in ("source", "target"):
            row_field(self, name).queryset = people
