"""Form for a sweep: the varied settings and the shared ones."""

from typing import Any

from django import forms

from evalapp.core.errors import InvalidError
from evalapp.runs.forms.runs import TrainingForm
from evalapp.runs.sweeps.services import MOST_LETTERS
from evalapp.runs.training.axes import AXES, MOST_RUNS, SEED, SHARE, combinations_of, in_words, read_values

GRID = [(name, axis.label) for name, axis in AXES.items() if name not in (SEED, SHARE)]


class SweepForm(TrainingForm):
    """Settings of a sweep. ``axes`` and ``hyperparameters`` of a valid form are those of ``start_sweep``."""

    seeds = forms.CharField(
        max_length=300, required=False, label="Seeds",
        help_text="“1, 2, 3” trains each setting three times; differences between seeds are chance.",
    )  # fmt: skip
    shares = forms.CharField(
        max_length=300, required=False, label="Shares of the training rows",
        help_text="“25%, 50%, 100%” gives a learning curve, which shows whether more examples would help."
        " Smaller shares are parts of larger ones, sources stay whole, and the held-out rows stay the same.",
    )  # fmt: skip
    grid_1 = forms.ChoiceField(choices=[("", "–"), *GRID], required=False, label="A setting")
    grid_1_values = forms.CharField(
        max_length=300, required=False, label="Its values",
        help_text=(
            "For example “1e-4, 2e-4, 4e-4”; for dataset versions “v1, v2”, with the same “max steps” for"
            " all, to compare quality with quantity."
        ),
    )  # fmt: skip
    grid_2 = forms.ChoiceField(choices=[("", "–"), *GRID], required=False, label="Another setting")
    grid_2_values = forms.CharField(
        max_length=300, required=False, label="Its values", help_text="Every pair of values is trained."
    )

    DIFFERS = ("seeds", "shares", "grid_1", "grid_1_values", "grid_2", "grid_2_values")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.axes: dict[str, list[Any]] = {}
        self.fields["name"].widget.attrs["maxlength"] = MOST_LETTERS
        self.fields["name"].help_text = "Prefix of the names of the trainings and their model versions."
        self.fields["seed"].label = "Seed, if seeds are not varied"
        self.fields[
            "validation_seed"
        ].help_text = "One for all, so that all are validated on the same rows. Empty: the seed."
        del self.fields["data_share"]

    @property
    def differing(self) -> list[forms.BoundField]:
        return [self[name] for name in self.DIFFERS]

    @property
    def more(self) -> list[forms.BoundField]:
        return [bound for bound in super().more if bound.name not in self.DIFFERS]

    @property
    def hyperparameters(self) -> dict[str, Any]:
        return {name: value for name, value in super().hyperparameters.items() if name not in self.DIFFERS}

    @property
    def names(self) -> list[str]:
        """The differing settings of each training in words."""
        return [in_words(each) for each in combinations_of(self.axes)]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        axes: dict[str, list[Any]] = {}
        for name, field in ((SEED, "seeds"), (SHARE, "shares")):
            self._read(axes, name, field)
        for field in ("grid_1", "grid_2"):
            setting = cleaned.get(field)
            if setting in axes:
                self.add_error(field, "This setting is already chosen above.")
            elif setting:
                self._read(axes, setting, f"{field}_values", needed=True)
            elif cleaned.get(f"{field}_values", "").strip():
                self.add_error(field, "Choose the setting that has these values.")
        if not self.errors:
            try:
                combinations_of(axes)
            except InvalidError as error:
                self.add_error(None, error.message)
        self.axes = axes
        return cleaned

    def _read(self, axes: dict[str, list[Any]], name: str, field: str, *, needed: bool = False) -> None:
        text = self.cleaned_data.get(field, "")
        try:
            values = read_values(name, text)
        except InvalidError as error:
            self.add_error(field, error.message)
            return
        if values:
            axes[name] = values
        elif needed:
            self.add_error(field, f"Give “{AXES[name].label}” its values, {MOST_RUNS} trainings at most.")
