from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from evalapp.accounts.models import Project, User
from evalapp.campaigns.queries import usable_rubrics
from evalapp.datasets.models import DatasetVersion, VersionState
from evalapp.imports.files import CSV
from evalapp.imports.pages import ImportFileField
from evalapp.imports.source_rows import DELIMITERS
from evalapp.ratings import formats
from evalapp.ratings.formats.base import ColumnRole
from evalapp.ratings.models import RatingsImport
from evalapp.ratings.options import BY_FIELD, BY_PROMPT, BY_ROW, LEFT_OUT, SCALE_ENDS, RatingsOptions
from evalapp.ratings.plan import suggested_drafts
from evalapp.registry.models import ModelVersion
from evalapp.rubrics import kinds
from evalapp.rubrics.kinds import with_mean
from evalapp.rubrics.kinds.scale import ends_in_points
from evalapp.rubrics.models import Criterion, RubricVersion

USES = [
    (ColumnRole.ITEM.value, "Item"),
    (ColumnRole.CANDIDATE.value, "Candidate (model)"),
    (ColumnRole.REVIEWER.value, "Reviewer"),
    (ColumnRole.CRITERION.value, "Criterion"),
    (ColumnRole.VALUE.value, "Value of the criterion"),
    (ColumnRole.SCORE.value, "Score: the column is a criterion"),
    (ColumnRole.CANDIDATE_SCORE.value, "Score: the column is a candidate"),
    (ColumnRole.COMMENT.value, "Comment"),
    (ColumnRole.CORRECTION.value, "Corrected answer"),
    (ColumnRole.SPANS.value, "Span labels"),
    (ColumnRole.SECONDS.value, "Time in seconds"),
    (ColumnRole.SUBMITTED.value, "Date and time"),
    (ColumnRole.PROMPT.value, "Prompt"),
    (ColumnRole.ANSWER.value, "Answer that was rated"),
    (ColumnRole.REFERENCE.value, "Reference answer"),
    (ColumnRole.CONTEXT.value, "Context (facts)"),
    (ColumnRole.GROUP.value, "Group of items (document, client)"),
    (ColumnRole.IGNORE.value, "Leave out"),
]
_FIELDS_OF_COUNT = ("rubric_version", "dataset_version", "items_by", "item_field", "reference_candidate")
BOOLEAN_FIELDS = ("is_blind", "names_are_positions", "skips_invalid")
# Not a possible slug of a criterion.
AS_NAMED = "="
# Further names follow the rule for unmapped names.
MOST_SHOWN = 100
_AVERAGES_HINT = ". Averages of several people? Each counts as one reviewer’s score."


def _of_criterion(name: str, label: str) -> SafeString:
    """A label with the criterion's name for screen readers only; others see it in the row."""
    return format_html('<span class="visually-hidden">{}: </span>{}', name, label)


class RatingsUploadForm(forms.Form):
    file = ImportFileField()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        labels = [label for _, label in formats.choices()]
        self.fields["file"].help_text = f"In UTF-8: {'; '.join(labels)}."


class RatingsForm(forms.Form):
    """How a file of ratings becomes a campaign: its columns first, then the meaning of its names."""

    delimiter = forms.ChoiceField(choices=list(DELIMITERS.items()), label="Columns are separated by")
    name = forms.CharField(max_length=120, label="Name of the campaign")
    rubric_version = forms.ModelChoiceField(
        RubricVersion.objects.none(),
        required=False,
        label="Rubric",
        empty_label="Create from the file",
        help_text="After another choice, check again: the criteria below follow it.",
    )
    dataset_version = forms.ModelChoiceField(
        DatasetVersion.objects.none(),
        required=False,
        label="Prompts and answers",
        empty_label="They are in the file",
        help_text=(
            "With a dataset version, items are its rows, and answers missing in the file are taken from"
            " there."
        ),
    )
    items_by = forms.ChoiceField(
        label="Items are identified by",
        choices=[(BY_ROW, "Row number"), (BY_PROMPT, "Prompt"), (BY_FIELD, "Field of its metadata")],
        required=False,
    )
    item_field = forms.CharField(required=False, max_length=200, label="Metadata field")
    reference_candidate = forms.ChoiceField(
        required=False,
        label="Candidate that is the reference",
        help_text="Its answers become the references of items without one, so that metrics can be computed."
        " It is compared like the others, and left out where a metric compares with the reference.",
    )
    is_blind = forms.BooleanField(
        required=False,
        label="Reviewers did not know which model had answered",
        help_text="The results say so, or say that models were shown.",
    )
    names_are_positions = forms.BooleanField(
        required=False,
        label="Reviewer names are positions that different people filled",
        help_text=(
            "Such as “rater 1” to “rater 3” of a crowdsourced set. Intervals then rest on items alone, and"
            " there are no results for single reviewers. More than 1,000 names are always read as"
            " positions."
        ),
    )
    skips_invalid = forms.BooleanField(
        required=False,
        label="Leave out records that cannot be used",
        help_text="They are counted and listed. Otherwise one of them stops the import.",
    )

    def __init__(self, data: Any = None, *, ratings_import: RatingsImport) -> None:
        self.start = RatingsOptions(**ratings_import.options)
        self._format = formats.format_named(self.start.file_format)
        census = ratings_import.census
        self.is_counted = census.get("layout") == self.start.layout_json
        self._census: Mapping[str, Any] = census if self.is_counted else {}
        super().__init__(data, initial=self._initial())
        self._project: Project = ratings_import.project
        self._add_columns()
        if self.is_counted:
            self._add_choices()
            self._add_names()
            self._add_criteria()
        else:
            for field in (*_FIELDS_OF_COUNT, *BOOLEAN_FIELDS):
                del self.fields[field]

    def _initial(self) -> dict[str, Any]:
        own = ("delimiter", "name", *_FIELDS_OF_COUNT, *BOOLEAN_FIELDS)
        return {name: getattr(self.start, name) for name in own}

    def _add_columns(self) -> None:
        uses = [(use, label) for use, label in USES if self._format is None or use in self._format.uses]
        for number, column in enumerate(self.start.mapping):
            field = forms.ChoiceField(choices=uses, label=column, initial=self.start.mapping[column])
            self.fields[f"column_{number}"] = field
        if self._format is None or self._format.source_format != CSV:
            del self.fields["delimiter"]

    def _add_choices(self) -> None:
        rubrics, versions = self.fields["rubric_version"], self.fields["dataset_version"]
        assert isinstance(rubrics, forms.ModelChoiceField)
        assert isinstance(versions, forms.ModelChoiceField)
        rubrics.queryset = usable_rubrics(self._project)
        versions.queryset = (
            DatasetVersion.objects.filter(dataset__project=self._project, state=VersionState.READY)
            .select_related("dataset")
            .order_by("-id")
        )

    def _add_names(self) -> None:
        versions = ModelVersion.objects.filter(project=self._project).order_by("-id")
        names = [name for name, _ in self._census["candidates"]]
        reference = self.fields["reference_candidate"]
        assert isinstance(reference, forms.ChoiceField)
        reference.choices = [("", "None"), *((name, name) for name in names)]
        candidates = [(AS_NAMED, "As its label says"), ("0", "A new candidate")]
        candidates += [(str(version.pk), f"{version.label}") for version in versions]
        for number, (name, count) in enumerate(self._first_names("candidates")):
            self.fields[f"candidate_{number}"] = forms.ChoiceField(
                choices=candidates,
                label=name,
                initial=self.start.candidates.get(name, AS_NAMED),
                help_text=f"{count:,} records",
            )
        members = User.objects.filter(memberships__project=self._project, is_simulated=False)
        people = [(AS_NAMED, "As named, else recorded"), ("0", "A recorded reviewer")]
        people += [(str(member.pk), f"{member}") for member in members.order_by("name", "email")]
        for number, (name, count) in enumerate(self._first_names("reviewers")):
            self.fields[f"reviewer_{number}"] = forms.ChoiceField(
                choices=people,
                label=name,
                initial=self.start.reviewers.get(name, AS_NAMED),
                help_text=f"{count:,} records",
            )

    def _add_criteria(self) -> None:
        if self.start.rubric_version is not None:
            self._add_uses()
            return
        drafts = suggested_drafts(self.start, self._census)
        for number, described in enumerate(self._census["criteria"]):
            name, draft = described["name"], drafts.get(described["name"])
            shown = ", ".join(described["values"])
            has_steps = draft is not None and draft.steps_per_point > 1
            self.fields[f"criterion_{number}_kind"] = forms.ChoiceField(
                choices=[
                    *(
                        (kind.name, kind.label)
                        for kind in kinds.KINDS
                        if kind.reads_values and (described["options"] or not kind.has_options)
                    ),
                    (LEFT_OUT, "Leave out"),
                ],
                label=name,
                initial=draft.kind if draft else LEFT_OUT,
                help_text=f"{described['count']:,} values: {shown}{_AVERAGES_HINT if has_steps else ''}",
            )
            ends = {**described, **ends_in_points(draft)} if draft else described
            labels = ("Lowest", "Highest", "Steps per point")
            for end, label in zip(SCALE_ENDS, labels, strict=True):
                self.fields[f"criterion_{number}_{end}"] = forms.IntegerField(
                    label=_of_criterion(name, label),
                    initial=ends[end],
                )
            self.fields[f"criterion_{number}_lower_is_better"] = forms.BooleanField(
                required=False,
                label=_of_criterion(name, "Lower is better"),
                initial=draft.lower_is_better if draft else described.get("lower_is_better", False),
            )

    def _add_uses(self) -> None:
        criteria = Criterion.objects.filter(version=self.start.rubric_version)
        choices = [(AS_NAMED, "Criterion of that name"), (LEFT_OUT, "Leave out")]
        choices += [(criterion.key, criterion.name) for criterion in criteria]
        for number, described in enumerate(self._census["criteria"]):
            name = described["name"]
            self.fields[f"criterion_{number}_use"] = forms.ChoiceField(
                choices=choices,
                label=name,
                initial=self.start.criteria.get(name, {}).get("use", AS_NAMED),
                help_text=f"{described['count']:,} values: {', '.join(described['values'])}",
            )

    def _first_names(self, what: str) -> list[tuple[str, int]]:
        return [(name, count) for name, count in self._census[what]][:MOST_SHOWN]

    def _bound_fields(self, prefix: str) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(prefix)]

    @property
    def column_fields(self) -> list[forms.BoundField]:
        return self._bound_fields("column_")

    @property
    def candidate_fields(self) -> list[forms.BoundField]:
        return self._bound_fields("candidate_")

    @property
    def reviewer_fields(self) -> list[forms.BoundField]:
        return self._bound_fields("reviewer_")

    @property
    def criterion_rows(self) -> list[list[forms.BoundField]]:
        """The fields of each criterion: its use, or its kind, lowest and highest level, and direction."""
        numbers = range(len(self._census.get("criteria", [])))
        return [self._bound_fields(f"criterion_{number}_") for number in numbers]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        for number in range(len(self._census.get("criteria", []))):
            kind, field = given.get(f"criterion_{number}_kind"), f"criterion_{number}_lower_is_better"
            if given.get(field) and kind not in (*with_mean(), LEFT_OUT):
                self.add_error(field, "“Lower is better” is for scales only.")
        return given

    def options(self) -> RatingsOptions:
        """The options from a valid form."""
        values = self.cleaned_data
        mapping = {column: values[f"column_{number}"] for number, column in enumerate(self.start.mapping)}
        options = replace(
            self.start,
            delimiter=values.get("delimiter") or self.start.delimiter,
            mapping=mapping,
            name=values["name"],
        )
        if not self.is_counted:
            return options
        rubric, data = values["rubric_version"], values["dataset_version"]
        return replace(
            options,
            rubric_version=rubric.pk if rubric else None,
            dataset_version=data.pk if data else None,
            items_by=values["items_by"] or BY_ROW,
            item_field=values["item_field"] or "item",
            reference_candidate=values["reference_candidate"],
            **{flag: values[flag] for flag in BOOLEAN_FIELDS},
            candidates=self._chosen("candidate", "candidates"),
            reviewers=self._chosen("reviewer", "reviewers"),
            criteria=self._chosen_criteria(),
        )

    def _chosen(self, prefix: str, what: str) -> dict[str, int]:
        shown = [
            (name, self.cleaned_data.get(f"{prefix}_{n}"))
            for n, (name, _) in enumerate(self._first_names(what))
        ]
        return {name: int(value) for name, value in shown if value not in (None, AS_NAMED)}

    def _chosen_criteria(self) -> dict[str, dict[str, Any]]:
        chosen: dict[str, dict[str, Any]] = {}
        for number, described in enumerate(self._census["criteria"]):
            own = {
                name: self.cleaned_data.get(f"criterion_{number}_{name}")
                for name in ("use", "kind", *SCALE_ENDS, "lower_is_better")
            }
            if own["kind"] == LEFT_OUT or own["use"] == LEFT_OUT:
                chosen[described["name"]] = {"use": LEFT_OUT}
            elif own["kind"]:
                bounds = {name: own[name] for name in SCALE_ENDS if own[name] is not None}
                is_scale = own["kind"] in with_mean()
                of_scale = bounds | {"lower_is_better": own["lower_is_better"]}
                chosen[described["name"]] = {"kind": own["kind"], **(of_scale if is_scale else {})}
            elif own["use"] not in (None, AS_NAMED):
                chosen[described["name"]] = {"use": own["use"]}
        return chosen
