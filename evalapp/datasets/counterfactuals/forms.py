from collections.abc import Sequence
from typing import Any, NamedTuple

from django import forms

from evalapp.core.errors import InvalidError
from evalapp.core.names import LONGEST_NAME
from evalapp.datasets.counterfactuals.lists import LONGEST_LISTS, own_lists, perturbations_in
from evalapp.datasets.counterfactuals.perturbation import Perturbation
from evalapp.datasets.counterfactuals.services import DEFAULT_SEED, CounterfactualPlan
from evalapp.datasets.counterfactuals.variants import Chosen
from evalapp.datasets.models import DatasetVersion, Split


class OfferedValue(NamedTuple):
    """An offered value. ``lists``: its word lists, each with heading and words."""

    chosen: Chosen
    is_checked: bool
    lists: list[tuple[str, str]]


class OfferedPerturbation(NamedTuple):
    perturbation: Perturbation
    values: list[OfferedValue]


class CounterfactualForm(forms.Form):
    """The choice of perturbations and their lists."""

    name = forms.CharField(
        max_length=LONGEST_NAME, label="Name of the new dataset",
        help_text="A counterfactual dataset of this name gets its next version.",
    )  # fmt: skip
    splits = forms.MultipleChoiceField(
        choices=Split.choices, widget=forms.CheckboxSelectMultiple, label="Rows of",
        help_text="Rows keep their split. Variants of training rows say little: the model has seen them.",
    )  # fmt: skip
    at_most = forms.IntegerField(
        required=False, min_value=1, max_value=2**31, label="Most original rows",
        help_text=(
            "Each adds one row for every variant. Limit them here, not in the campaign, so that pairs stay"
            " complete. Empty: all."
        ),
    )  # fmt: skip
    seed = forms.IntegerField(
        min_value=0,
        max_value=2**31,
        initial=DEFAULT_SEED,
        help_text="Decides which rows are taken if there are more.",
    )
    variants = forms.MultipleChoiceField(label="Perturbations", choices=())
    lists = forms.CharField(
        required=False, max_length=LONGEST_LISTS, label="Rules and word lists (TOML)", strip=False,
        widget=forms.Textarea(attrs={"rows": 18, "class": "code", "spellcheck": "false"}),
        help_text="Edit them, or paste lists of your own, for another language for example.",
    )  # fmt: skip

    def __init__(self, data: Any = None, *, version: DatasetVersion) -> None:
        super().__init__(data, initial=_initial(version))
        self.perturbations: Sequence[Perturbation] = perturbations_in("")
        self._problem = ""
        if data is not None:
            try:
                self.perturbations = perturbations_in(_lists(data.get("lists", "")))
            except InvalidError as error:
                self._problem = error.message
        masks = version.dataset.project.masks_personal_data
        self.perturbations = [each for each in self.perturbations if not (masks and each.key == "name")]
        choices = [
            (Chosen(each, value).key, value.label) for each in self.perturbations for value in each.values
        ]
        self.fields["variants"] = forms.MultipleChoiceField(
            label="Perturbations",
            choices=choices,
            error_messages={"required": "Choose at least one perturbation."},
        )

    def clean_lists(self) -> str:
        if self._problem:
            raise forms.ValidationError(self._problem)
        return _lists(self.cleaned_data["lists"])

    @property
    def offered(self) -> list[OfferedPerturbation]:
        """All perturbations with their values, for the page."""
        checked = set(self["variants"].value() or ())
        return [
            OfferedPerturbation(
                each,
                [
                    OfferedValue(chosen, chosen.key in checked, each.lists(value.key))
                    for value in each.values
                    for chosen in (Chosen(each, value),)
                ],
            )
            for each in self.perturbations
        ]

    def plan(self) -> CounterfactualPlan:
        return CounterfactualPlan(**self.cleaned_data)


def _lists(text: str) -> str:
    """The submitted lists as a plan stores them: "" for the product's own."""
    plain = text.replace("\r\n", "\n").strip()
    return "" if plain == own_lists().strip() else plain


def _initial(version: DatasetVersion) -> dict[str, Any]:
    held = [split for split in (Split.TEST, Split.VALIDATION) if version.counts.get(split)]
    return {
        "name": f"{version.dataset.name[: LONGEST_NAME - 20]} counterfactuals",
        "splits": held[:1] or [split for split, count in version.counts.items() if count][:1],
        "lists": own_lists(),
        "variants": [],
    }
