from typing import Any

from django import forms

from evalapp.monitoring.daily.series import Series
from evalapp.monitoring.daily.thresholds import Threshold

PERCENT = 100


class ThresholdForm(forms.Form):
    """The threshold of a daily metric, in percent for a share. With both fields empty it raises no alerts."""

    least = forms.FloatField(required=False, label="Alert under")
    highest = forms.FloatField(required=False, label="Alert over")

    def __init__(self, data: Any = None, *, series: Series) -> None:
        super().__init__(data)
        self._scale = PERCENT if series.is_share else 1
        for name, value in series.threshold._asdict().items():
            field = self.fields[name]
            field.widget.attrs["step"] = "any"
            if series.is_share:
                field.label = f"{field.label} (%)"
            if value is not None:
                self.initial[name] = f"{round(value * self._scale, 6):g}"

    def threshold(self) -> Threshold:
        values = {name: self.cleaned_data[name] for name in Threshold._fields}
        return Threshold(
            **{
                name: None if value is None else round(value / self._scale, 8)
                for name, value in values.items()
            }
        )
