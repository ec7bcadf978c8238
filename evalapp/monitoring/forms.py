import datetime as dt
from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.design import MOST_OVERLAP
from evalapp.campaigns.queries import possible_reviewers
from evalapp.core.form_fields import RowsField, choice_field, row_field
from evalapp.imports.pages import ImportFileField
from evalapp.monitoring.key_figures import metric_choices, usual_key_figures
from evalapp.monitoring.models import KeyFigureRole, Sampling, Stream
from evalapp.monitoring.services import LONGEST_STREAM_NAME, MOST_PER_WEEK, StreamPlan
from evalapp.rubrics.models import Criterion, RubricVersion

LOCAL_TIME = "%Y-%m-%dT%H:%M"
PERCENT = 100
MOST_BYTES = 200 * 2**20
_MONDAY = 0


def next_monday(now: dt.datetime) -> dt.datetime:
    """The start of the next Monday (UTC), so that a week consists of whole days, as daily metrics do."""
    day = now + dt.timedelta(days=(_MONDAY - now.weekday()) % 7)
    timestamp = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return timestamp if timestamp > now else timestamp + dt.timedelta(days=7)


class StreamForm(forms.Form):
    """The plan of a stream over one rubric version's criteria; an empty threshold raises no alerts."""

    name = forms.CharField(max_length=LONGEST_STREAM_NAME)
    description = forms.CharField(required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}))
    outputs_per_week = forms.IntegerField(
        min_value=1,
        max_value=MOST_PER_WEEK,
        initial=50,
        label="Outputs per week",
        help_text=(
            "A random sample of the week's events. Fewer than 30 reviews a week are not enough for an alert."
        ),
    )
    stratify_by = forms.CharField(
        required=False,
        max_length=100,
        label="Stratify by",
        help_text=(
            "A field of the events, such as topic: each of its values gives at least one output. Empty: a"
            " simple random sample."
        ),
    )
    reviewers = RowsField(
        User.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one reviewer."},
    )
    overlap = forms.IntegerField(min_value=1, max_value=MOST_OVERLAP, initial=1, label="Reviewers per output")
    next_sample_at = forms.DateTimeField(
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=LOCAL_TIME),
        input_formats=[LOCAL_TIME],
        label="End of the first week",
        help_text=(
            "UTC. The seven days before are sampled then, and every seven days after that. Where the time has"
            " passed, the weeks since then are sampled at once."
        ),
    )
    sampling = forms.ChoiceField(choices=Sampling.choices, initial=Sampling.PROPORTIONAL)
    error_criterion = forms.ChoiceField(
        required=False,
        label="Question that finds material errors",
        help_text="Its undesired answers or highlights give the material-error rate.",
    )
    baseline_weeks = forms.IntegerField(
        min_value=8,
        max_value=52,
        initial=12,
        label="Weeks of the baseline",
        help_text="The first weeks set the baseline; the control chart tests the weeks after them.",
    )

    follows_champion = forms.BooleanField(
        required=False,
        initial=True,
        label="Follows the champion",
        help_text="When a version becomes the project’s champion, its deployment here is recorded.",
    )

    def __init__(
        self,
        data: Any = None,
        *,
        project: Project,
        rubric_version: RubricVersion,
        stream: Stream | None = None,
    ) -> None:
        self.rubric_version = rubric_version
        self.criteria: list[Criterion] = list(rubric_version.criteria.all())
        initial = _initial(stream) if stream is not None else {"next_sample_at": next_monday(timezone.now())}
        super().__init__(data, initial=initial)
        row_field(self, "reviewers").queryset = possible_reviewers(project)
        errors = [(each.key, each.name) for each in self.criteria if each.rules.finds_errors]
        choice_field(self, "error_criterion").choices = [("", "None"), *errors]
        if stream is None and errors:
            critical = [each.key for each in self.criteria if each.is_critical and each.rules.finds_errors]
            self.initial["error_criterion"] = (critical or [errors[0][0]])[0]
        if stream is not None:
            self.fields["next_sample_at"].label = "End of the next week"
        self._add_key_figures(stream)
        for criterion in self._thresholds():
            self.fields[f"threshold-{criterion.key}"] = _threshold(criterion)

    def _add_key_figures(self, stream: Stream | None) -> None:
        scales = [("", "None")] + [(each.key, each.name) for each in self.criteria if each.rules.has_mean]
        errors = [(each.key, each.name) for each in self.criteria if each.rules.finds_errors]
        metrics = [("", "None"), *metric_choices(stream)]
        error_criterion = self.initial.get("error_criterion", "")
        chosen = stream.key_figures if stream else usual_key_figures(self.criteria, error_criterion)
        for role in KeyFigureRole:
            choices = [*scales, *errors] if role == KeyFigureRole.HALLUCINATION else scales
            for part, options in (("criterion", choices), ("metric", metrics)):
                label = f"{role.label}: {'criterion' if part == 'criterion' else 'metric of all outputs'}"
                name = f"{role}-{part}"
                self.fields[name] = forms.ChoiceField(label=label, required=False, choices=options)
                self.initial[name] = chosen.get(role, {}).get(part, "")

    @property
    def key_figures(self) -> list[Any]:
        return [self[f"{role}-{part}"] for role in KeyFigureRole for part in ("criterion", "metric")]

    def _thresholds(self) -> Iterator[Criterion]:
        for criterion in self.criteria:
            if criterion.rules.has_mean or criterion.rules.finds_errors:
                yield criterion

    @property
    def thresholds(self) -> list[Any]:
        return [self[f"threshold-{criterion.key}"] for criterion in self._thresholds()]

    def clean_next_sample_at(self) -> dt.datetime:
        # The field shows whole minutes: do not drop the seconds of the stored time.
        timestamp: dt.datetime = self.cleaned_data["next_sample_at"]
        before = self.initial.get("next_sample_at")
        return (
            before
            if before is not None and before.strftime(LOCAL_TIME) == timestamp.strftime(LOCAL_TIME)
            else timestamp
        )

    def _is_scale(self, key: str) -> bool:
        return any(each.key == key and each.rules.has_mean for each in self.criteria)

    def plan(self) -> StreamPlan:
        values = dict(self.cleaned_data)
        thresholds = {}
        for criterion in self._thresholds():
            value = values.pop(f"threshold-{criterion.key}")
            if value is None:
                continue
            is_rate = not criterion.rules.has_mean
            if is_rate and criterion.key != values["error_criterion"]:
                continue
            thresholds[criterion.key] = round(value / PERCENT, 8) if is_rate else value
        key_figures = {
            role.value: {part: values.pop(f"{role}-{part}") for part in ("criterion", "metric")}
            for role in KeyFigureRole
        }
        found = key_figures[KeyFigureRole.HALLUCINATION]
        if found["criterion"] != values["error_criterion"] and not self._is_scale(found["criterion"]):
            found["criterion"] = values["error_criterion"]
        return StreamPlan(
            rubric_version=self.rubric_version,
            thresholds=thresholds,
            key_figures=key_figures,
            **{**values, "reviewers": list(values["reviewers"])},
        )


def _threshold(criterion: Criterion) -> forms.FloatField:
    is_rate = not criterion.rules.has_mean
    low, high = (0, PERCENT) if is_rate else criterion.rules.range
    side = "over" if criterion.lower_is_better else "under"
    label = f"{criterion.name}: {'rate over, in percent' if is_rate else f'mean {side}'}"
    return forms.FloatField(
        label=label,
        required=False,
        min_value=low,
        max_value=high,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )


def _initial(stream: Stream) -> dict[str, Any]:
    own = (
        "name", "description", "outputs_per_week", "stratify_by", "sampling", "overlap", "next_sample_at",
        "error_criterion",
        "baseline_weeks", "follows_champion",
    )  # fmt: skip
    found: dict[str, Any] = {name: getattr(stream, name) for name in own}
    found["reviewers"] = list(stream.stream_reviewers.values_list("user", flat=True))
    for key, threshold in stream.thresholds.items():
        is_rate = key == stream.error_criterion
        found[f"threshold-{key}"] = round(threshold * PERCENT, 6) if is_rate else threshold
    return found


class StreamTokenForm(forms.Form):
    name = forms.CharField(
        label="Token name",
        max_length=80,
        help_text="What will use it, for instance “claims assistant”. You see the token once.",
    )


class EventsForm(forms.Form):
    file = ImportFileField(
        most_bytes=MOST_BYTES,
        help_text="JSONL or CSV. All rows are stored, or none where one has a problem.",
    )
