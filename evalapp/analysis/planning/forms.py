"""The form of a plan: a design, and the expected result on each criterion."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from evalapp.accounts.models import ResultsApplyTo
from evalapp.analysis.planning.planner import Aim, CriterionVariance, Variance
from evalapp.rubrics.models import Criterion
from evalapp.stats.planning import PARTS, Design, Spread
from evalapp.stats.populations import Population

MOST_ITEMS = 100_000
MOST_REVIEWERS = 1_000
MOST_AIMS = 100
LARGEST = 1_000_000
SPREAD_LABELS = {
    "item": "SD between items",
    "reviewer": "SD between reviewers",
    "rest": "Residual SD",
    "group": "SD between groups",
}
#: Without these three there is no plan.
NEEDED = ("item", "reviewer", "rest")
KINDS = [
    ("", "Leave out"),
    ("difference", "A difference"),
    ("floor", "A mean above a minimum"),
]


def _finite(value: float) -> None:
    if not math.isfinite(value):
        raise ValidationError("This must be a finite number.")


def _number(label: str, *, least: float = -LARGEST, help_text: str = "") -> forms.FloatField:
    return forms.FloatField(
        label=label,
        required=False,
        min_value=least,
        max_value=LARGEST,
        validators=[_finite],
        help_text=help_text,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )


class PlanForm(forms.Form):
    """Fields of a criterion are named by its key, such as ``tone-expected``."""

    items = forms.IntegerField(min_value=2, max_value=MOST_ITEMS)
    reviewers = forms.IntegerField(min_value=1, max_value=MOST_REVIEWERS)
    overlap = forms.IntegerField(
        min_value=1,
        max_value=MOST_REVIEWERS,
        required=False,
        label="Reviewers per item",
        help_text="Empty: every reviewer does every item.",
    )
    groups = forms.IntegerField(
        min_value=2,
        max_value=MOST_ITEMS,
        required=False,
        label="Groups of items",
        help_text="Documents, clients or conversations of the items. Empty: each item is its own group.",
    )
    population = forms.ChoiceField(label="Results apply to", choices=ResultsApplyTo.choices, required=False)
    level = forms.FloatField(
        min_value=0.0001,
        max_value=0.4999,
        initial=0.05,
        validators=[_finite],
        label="Chance of a false release",
        help_text="One-sided, per criterion: 0.05, or less if a test set is used again.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )

    def __init__(
        self,
        *args: Any,
        criteria: Sequence[Criterion],
        variances: Mapping[str, CriterionVariance],
        population: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["population"].initial = self.default_population = population
        self.criteria, self.variances = criteria, variances
        for criterion in criteria:
            key = criterion.key
            self.fields[f"{key}-kind"] = forms.ChoiceField(choices=KINDS, required=False, label="Aim")
            self.fields[f"{key}-expected"] = _number(
                "Expected", help_text="The difference or mean that you expect."
            )
            self.fields[f"{key}-bound"] = _number(
                "Margin or minimum", help_text="Non-inferiority margin, or the minimum mean."
            )
            self.fields[f"{key}-champion"] = _number(
                "Champion’s mean", help_text="For a margin. Empty: as in the reviews, if there are any."
            )
            for part, label in SPREAD_LABELS.items():
                self.fields[f"{key}-{part}"] = _number(label, least=0)

    @property
    def of_criteria(self) -> list[dict[str, Any]]:
        """The fields of each criterion, for the page."""
        return [
            {
                "criterion": criterion,
                "main": [
                    self[f"{criterion.key}-{name}"] for name in ("kind", "expected", "bound", "champion")
                ],
                "parts": [self[f"{criterion.key}-{name}"] for name in PARTS],
            }
            for criterion in self.criteria
        ]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        overlap, reviewers = given.get("overlap"), given.get("reviewers")
        if overlap and reviewers and overlap > reviewers:
            self.add_error("overlap", f"There are only {reviewers} reviewers: give at most {reviewers}.")
        groups, items = given.get("groups"), given.get("items")
        if groups and items and groups > items:
            self.add_error("groups", f"There are only {items} items: give at most {items}.")
        for criterion in self.criteria:
            if given.get(f"{criterion.key}-kind"):
                self._clean_aim(criterion, given)
        return given

    def _clean_aim(self, criterion: Criterion, given: Mapping[str, Any]) -> None:
        key, kind = criterion.key, given[f"{criterion.key}-kind"]
        if given.get(f"{key}-expected") is None and f"{key}-expected" not in self.errors:
            self.add_error(f"{key}-expected", "Enter what you expect.")
        bound = given.get(f"{key}-bound")
        if kind == "floor" and bound is None and f"{key}-bound" not in self.errors:
            self.add_error(f"{key}-bound", "Give the minimum that the mean must exceed.")
        if kind == "difference" and bound is not None and bound < 0:
            self.add_error(f"{key}-bound", "Give the non-inferiority margin: 0 or more.")
        self._clean_places(criterion, kind, given)
        typed = [given.get(f"{key}-{part}") for part in NEEDED]
        if any(value is None for value in typed) and self._known(key, kind).spread is None:
            reason = self._known(key, kind).reason
            self.add_error(f"{key}-item", f"The variance is unknown ({reason}): enter the first three.")
        elif all(value == 0 for value in typed) and not given.get(f"{key}-group"):
            self.add_error(f"{key}-item", "All are 0, so there is nothing to plan.")

    def _clean_places(self, criterion: Criterion, kind: str, given: Mapping[str, Any]) -> None:
        """Check that means lie on the scale, and differences between two of its levels."""
        low, high = criterion.rules.range
        on_scale = ["champion", *(("expected", "bound") if kind == "floor" else ())]
        for name in on_scale:
            value = given.get(f"{criterion.key}-{name}")
            if value is not None and not low <= value <= high:
                self.add_error(f"{criterion.key}-{name}", f"Give a mean on the scale, from {low} to {high}.")
        for name in ("expected", "bound") if kind == "difference" else ():
            value = given.get(f"{criterion.key}-{name}")
            if value is not None and abs(value) > high - low:
                self.add_error(
                    f"{criterion.key}-{name}", f"Two means on this scale differ by {high - low} at most."
                )

    def _known(self, key: str, kind: str) -> Variance:
        variance = self.variances.get(key)
        if variance is None:
            return Variance(None, "no campaign chosen")
        return variance.differences if kind == "difference" else variance.scores

    def _champion(self, key: str) -> float | None:
        typed: float | None = self.cleaned_data[f"{key}-champion"]
        known = self.variances.get(key)
        return known.champion if typed is None and known is not None else typed

    @property
    def design(self) -> Design:
        given = self.cleaned_data
        return Design(
            items=given["items"],
            reviewers=given["reviewers"],
            overlap=given["overlap"],
            groups=given["groups"],
            population=Population(given["population"] or self.default_population),
        )

    @property
    def aims(self) -> list[Aim]:
        """The plan's aims, with entered standard deviations in place of the campaign's."""
        given, found = self.cleaned_data, []
        for criterion in self.criteria:
            key, kind = criterion.key, given[f"{criterion.key}-kind"]
            if not kind:
                continue
            known = self._known(key, kind).spread
            # Without groups in the design, their standard deviation is not needed.
            parts = {
                part: getattr(known, part, 0.0) if given[f"{key}-{part}"] is None else given[f"{key}-{part}"]
                for part in PARTS
            }
            found.append(
                Aim(
                    key,
                    criterion.name,
                    kind,
                    given[f"{key}-expected"],
                    given[f"{key}-bound"] or 0.0,
                    Spread(**parts),
                    ends=criterion.rules.range,
                    champion=self._champion(key),
                )
            )
        return found
