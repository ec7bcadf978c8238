from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.urls import reverse

from evalapp.accounts.models import Project, ResultsApplyTo
from evalapp.campaigns.models import Campaign
from evalapp.core.form_fields import RowField, row_field
from evalapp.core.http import number_of
from evalapp.core.names import LONGEST_NAME
from evalapp.gates.conditions import (
    AGAINST_CHAMPION,
    LARGEST_COUNT,
    MOST_CHALLENGERS,
    TOTAL,
    Condition,
    ConditionKind,
)
from evalapp.gates.models import Gate
from evalapp.gates.services import GatePlan
from evalapp.registry.models import ModelAlias, ModelVersion
from evalapp.rubrics.kinds.scale import ends_in_points
from evalapp.rubrics.models import Criterion, Rubric

CHAMPION_COMPARISONS = (
    ("", "no condition"),
    (ConditionKind.NON_INFERIORITY.value, "not worse"),
    (ConditionKind.SUPERIORITY.value, "better"),
)
FLOOR, SHARE = "Mean at least (lower bound)", "Share at most, in percent (upper bound)"
CHAMPION, MARGIN = "Against the champion", "Margin, in points"
FAIRNESS = "Counterfactual margin, in points"
COLUMNS = {
    FLOOR: ("floor",),
    SHARE: ("low", "veto"),
    CHAMPION: ("against",),
    MARGIN: ("margin",),
    FAIRNESS: ("counterfactual",),
}
PERCENT = 100
STANDARD, SEQUENTIAL = "once", "repeatedly"
EVALUATION_MODES = (
    (STANDARD, "Once, when all planned reviews are in (standard)"),
    (SEQUENTIAL, "Repeatedly, as reviews come in (sequential)"),
)
DEFAULT_CHALLENGERS = 5


class GateForm(forms.Form):
    """A gate over a rubric's latest criteria, with one row of fields for each; an empty field adds no
    condition.
    """

    columns = tuple(COLUMNS)

    name = forms.CharField(max_length=LONGEST_NAME)
    evaluated = forms.ChoiceField(
        label="Evaluated",
        choices=EVALUATION_MODES,
        widget=forms.RadioSelect,
        help_text=(
            "Once has the most power. Repeatedly stops early for a clear result, and several candidates can"
            " be tested on the same examples in turn."
        ),
    )
    alpha = forms.FloatField(
        label="Level, in percent",
        initial=5,
        min_value=0.01,
        max_value=20,
        widget=forms.NumberInput(attrs={"step": "any"}),
        help_text=(
            "The chance of releasing a candidate that does not deserve it, over all evaluations of all"
            " candidates. 5 is usual."
        ),
    )
    planned_reviews = forms.IntegerField(
        label="Planned reviews of a candidate", required=False, min_value=1, max_value=LARGEST_COUNT,
        help_text="Empty: as many as the campaign plans.",
    )  # fmt: skip
    challengers = forms.IntegerField(
        label="Candidates, if evaluated repeatedly", initial=DEFAULT_CHALLENGERS, required=False, min_value=1,
        max_value=MOST_CHALLENGERS,
        help_text=(
            "They share the level. After that many candidates, the test examples count as development"
            " data."
        ),
    )  # fmt: skip
    population = forms.ChoiceField(
        label="Conditions apply to",
        choices=ResultsApplyTo.choices,
        widget=forms.RadioSelect,
        help_text=(
            "These reviewers: the result is about their scores of new items. Reviewers like these: it is"
            " also about other people’s scores, which usually takes five reviewers or more."
        ),
    )
    items = forms.IntegerField(label="Minimum items", required=False, min_value=1)
    reviewers = forms.IntegerField(label="Minimum reviewers", required=False, min_value=1)
    contamination = forms.BooleanField(
        label="No test prompt in the training data", required=False, initial=True
    )

    def __init__(self, data: Any = None, *, rubric: Rubric, gate: Gate | None = None) -> None:
        self.rubric = rubric
        self.gate = gate
        latest = rubric.versions.order_by("-number").first()
        self.criteria = (
            [each for each in latest.criteria.all() if each.is_rated and not each.lower_is_better]
            if latest
            else []
        )
        initial = _initial_of_gate(gate) if gate is not None else _initial_of_new_gate(rubric)
        super().__init__(data, initial=initial)
        if gate is not None:
            del self.fields["name"]
        for key, criterion in self._criteria_by_key():
            self._add_fields(key, criterion)

    def _criteria_by_key(self) -> list[tuple[str, Criterion | None]]:
        scales = [each for each in self.criteria if each.rules.has_mean]
        total = [(TOTAL, None)] if len(scales) > 1 else []
        return [*((each.key, each) for each in self.criteria), *total]

    def _add_fields(self, key: str, criterion: Criterion | None) -> None:
        if criterion is None or criterion.rules.has_mean:
            low, high = criterion.rules.range if criterion else (1, 5)
            self.fields[f"floor-{key}"] = _number(FLOOR, low, high)
            self.fields[f"against-{key}"] = forms.ChoiceField(
                label=CHAMPION, choices=CHAMPION_COMPARISONS, required=False
            )
            self.fields[f"margin-{key}"] = _number(MARGIN, 0, high - low)
            self.fields[f"counterfactual-{key}"] = _number(FAIRNESS, 0, high - low)
        if criterion is None:
            return
        if criterion.rules.has_mean:
            low_scores = f"scores ≤ {_highest_low_score(criterion)}"
            self.fields[f"low-{key}"] = _number(SHARE, 0, PERCENT, hint=low_scores)
        elif criterion.failing_levels:
            levels = "” or “".join(criterion.level_words(each) for each in sorted(criterion.failing_levels))
            self.fields[f"veto-{key}"] = _number(SHARE, 0, PERCENT, hint=f"“{levels}”")

    @property
    def rows(self) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
        """The name of each criterion, with its fields of `COLUMNS` under their labels; None for a field that
        it lacks.
        """
        for key, criterion in self._criteria_by_key():
            cells = [
                (
                    label,
                    next((self[name] for part in parts if (name := f"{part}-{key}") in self.fields), None),
                )
                for label, parts in COLUMNS.items()
            ]
            if any(cell is not None for _, cell in cells):
                yield (criterion.name if criterion else "Total, on 1–5"), cells

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("evaluated") == SEQUENTIAL and not values.get("challengers"):
            self.add_error("challengers", "Give the number of candidates that will be tested.")
        for key, _ in self._criteria_by_key():
            if values.get(f"counterfactual-{key}") == 0:
                self.add_error(f"counterfactual-{key}", "Give a margin above 0.")
            against, margin = values.get(f"against-{key}"), values.get(f"margin-{key}")
            if against == ConditionKind.NON_INFERIORITY and not margin:
                self.add_error(f"margin-{key}", "Give a margin above 0.")
            elif margin and not against:
                self.add_error(f"against-{key}", "Choose “not worse” or “better” for this margin.")
        return values

    def plan(self) -> GatePlan:
        values = self.cleaned_data
        return GatePlan(
            name=self.gate.name if self.gate is not None else values["name"],
            rubric=self.rubric,
            conditions=list(self._conditions()),
            alpha=round(values["alpha"] / PERCENT, 8),
            planned_reviews=values["planned_reviews"],
            challengers=values["challengers"] if values["evaluated"] == SEQUENTIAL else None,
            population=values["population"],
        )

    def _conditions(self) -> Iterator[Condition]:
        values = self.cleaned_data
        for key, criterion in self._criteria_by_key():
            name = criterion.name if criterion else "Total"
            if (floor := values.get(f"floor-{key}")) is not None:
                yield Condition(ConditionKind.FLOOR, key, name, floor)
            if (low := values.get(f"low-{key}")) is not None and criterion is not None:
                share = round(low / PERCENT, 8)
                yield Condition(ConditionKind.LOW_SHARE, key, name, share, _highest_low_score(criterion))
            if against := values.get(f"against-{key}"):
                yield Condition(ConditionKind(against), key, name, values.get(f"margin-{key}") or 0.0)
            if (fairness := values.get(f"counterfactual-{key}")) is not None:
                yield Condition(ConditionKind.COUNTERFACTUAL, key, name, fairness)
            if (veto := values.get(f"veto-{key}")) is not None:
                yield Condition(ConditionKind.VETO, key, name, round(veto / PERCENT, 8))
        for kind in (ConditionKind.ITEMS, ConditionKind.REVIEWERS):
            if values.get(kind.value):
                yield Condition(kind, threshold=values[kind.value])
        if values.get("contamination"):
            yield Condition(ConditionKind.CONTAMINATION)


def _number(label: str, smallest: float, largest: float, *, hint: str = "") -> forms.FloatField:
    return forms.FloatField(
        label=label,
        required=False,
        min_value=smallest,
        max_value=largest,
        help_text=hint,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )


def _highest_low_score(criterion: Criterion) -> int:
    low = ends_in_points(criterion)["low_threshold"]
    return 2 if low is None else low


def _initial_of_new_gate(rubric: Rubric) -> dict[str, Any]:
    return {"population": rubric.project.population, "evaluated": STANDARD}


def _initial_of_gate(gate: Gate) -> dict[str, Any]:
    values: dict[str, Any] = {
        "alpha": round(gate.alpha * PERCENT, 6),
        "planned_reviews": gate.planned_reviews,
        "evaluated": SEQUENTIAL if gate.is_sequential else STANDARD,
        "challengers": gate.challengers or DEFAULT_CHALLENGERS,
        "population": gate.population,
        "contamination": False,
    }
    for each in gate.parsed_conditions:
        share = round((each.threshold or 0) * PERCENT, 6)
        match each.kind:
            case ConditionKind.FLOOR:
                values[f"floor-{each.criterion}"] = each.threshold
            case ConditionKind.LOW_SHARE:
                values[f"low-{each.criterion}"] = share
            case ConditionKind.VETO:
                values[f"veto-{each.criterion}"] = share
            case ConditionKind.COUNTERFACTUAL:
                values[f"counterfactual-{each.criterion}"] = each.threshold
            case ConditionKind.CONTAMINATION:
                values["contamination"] = True
            case ConditionKind.ITEMS | ConditionKind.REVIEWERS:
                values[each.kind.value] = int(each.threshold or 1)
            case _:
                values[f"against-{each.criterion}"] = each.kind.value
                values[f"margin-{each.criterion}"] = each.threshold
    return values


def _name_of(row: Gate | ModelVersion) -> str:
    return row.label if isinstance(row, ModelVersion) else str(row)


class ApplyGateForm(forms.Form):
    gate = RowField(Gate.objects.none(), empty_label=None, name_of=_name_of)
    champion = RowField(
        ModelVersion.objects.none(),
        required=False,
        empty_label="The project's champion, if it is a candidate here",
        help_text="Conditions with “not worse” or “better” compare the other candidates with it.",
        name_of=_name_of,
    )

    def __init__(
        self,
        data: Any = None,
        *,
        campaign: Campaign,
        project: Project,
        chosen: Mapping[str, str] | None = None,
    ) -> None:
        """``chosen``: ids of the ``gate`` and ``champion`` offered first."""
        earlier = campaign.applied_gates.exclude(champion=None).order_by("-id").first()
        champion = earlier.champion_id if earlier is not None else None
        super().__init__(data, initial={"champion": champion, **(chosen or {})})
        newest = project.gates.order_by("name", "-version").distinct("name").values("pk")
        applied = campaign.applied_gates.values("gate")
        gates = project.gates.filter(pk__in=newest).exclude(pk__in=applied).order_by("name")
        row_field(self, "gate").queryset = gates
        candidates = ModelVersion.objects.filter(campaign_entries__campaign=campaign)
        row_field(self, "champion").queryset = candidates
        address = reverse("campaign_gate", args=[project.slug, campaign.pk])
        # The requirements shown belong to the chosen gate and champion.
        for field in self.fields.values():
            field.widget.attrs.update(
                {
                    "hx-get": address,
                    "hx-include": "#id_gate, #id_champion",
                    "hx-target": "#gate-apply",
                    "hx-select": "#gate-apply",
                    "hx-swap": "outerHTML",
                }
            )
        self._gates, self._candidates = gates, candidates
        if not candidates.filter(alias=ModelAlias.CHAMPION).exists():
            needed = self._compares_with_champion()
            self.fields["champion"].required = needed
            row_field(self, "champion").empty_label = "Choose a candidate" if needed else "None"

    def _compares_with_champion(self) -> bool:
        gate = self.offered
        return gate is not None and any(each.kind in AGAINST_CHAMPION for each in gate.parsed_conditions)

    @property
    def offered(self) -> Gate | None:
        """The gate shown as chosen; None if there is none to apply."""
        chosen = number_of(str(self["gate"].value() or ""))
        named = self._gates.filter(pk=chosen).first() if chosen is not None else None
        return named or self._gates.first()

    @property
    def offered_champion(self) -> ModelVersion | None:
        """The champion that the offered gate would have here, or None; any candidate if it needs one that is
        still to be chosen.
        """
        candidates = self._candidates.order_by("pk")
        chosen = number_of(str(self["champion"].value() or ""))
        named = candidates.filter(pk=chosen).first() if chosen is not None else None
        if named is not None or not self._compares_with_champion():
            return named
        return candidates.filter(alias=ModelAlias.CHAMPION).first() or candidates.first()
