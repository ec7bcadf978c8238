from collections.abc import Mapping
from typing import Any

from django import forms
from django.db import models
from django.db.models import F, Func, QuerySet, TextField
from django.db.models.functions import Coalesce, Length

from evalapp.datasets.columns import ColumnRole
from evalapp.datasets.field_filter import FieldFilterField
from evalapp.datasets.models import DatasetImport, Example, Split
from evalapp.datasets.options import LONGEST_FIELD_NAME, LONGEST_NOTE, ImportOptions
from evalapp.datasets.search import LONGEST_SEARCH
from evalapp.datasets.splits import DEFAULT_SEED, DEFAULT_SHARES
from evalapp.imports.files import ACCEPTED_ENDINGS, CSV
from evalapp.imports.pages import ImportFileField
from evalapp.imports.source_rows import DELIMITERS

USES = [
    (ColumnRole.PROMPT.value, "Prompt"),
    (ColumnRole.REFERENCE.value, "Reference answer"),
    (ColumnRole.SYSTEM.value, "System prompt"),
    (ColumnRole.CONTEXT.value, "Context (facts)"),
    (ColumnRole.LABEL.value, "Label"),
    (ColumnRole.SPLIT.value, "Split"),
    (ColumnRole.GROUP.value, "Group"),
    (ColumnRole.METADATA.value, "Keep as metadata"),
    (ColumnRole.IGNORE.value, "Leave out"),
]
BY_FIELD, BY_SHARES = "field", "shares"


class DatasetForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="For instance “Investment summaries”.")
    description = forms.CharField(required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}))
    licence = forms.CharField(
        required=False,
        max_length=120,
        help_text="What others may do with the rows, such as “CC BY 4.0” or “Internal use”.",
    )


class UploadForm(forms.Form):
    file = ImportFileField(
        help_text="JSONL or one JSON list (messages as OpenAI, Anthropic or Hugging Face write them, prompt"
        " and completion, Alpaca, ShareGPT, pairs, or fields of your own names), Parquet with the same"
        " fields, the zip that a version is exported as, or CSV with a header row.",
        widget=forms.ClearableFileInput(attrs={"accept": ACCEPTED_ENDINGS}),
    )


class ImportForm(forms.Form):
    """How a file becomes a version; initial values come from the upload or the last attempt."""

    delimiter = forms.ChoiceField(choices=list(DELIMITERS.items()), label="Columns are separated by")
    split_by = forms.ChoiceField(
        label="Split assignment",
        choices=[(BY_FIELD, "By a field of each row"), (BY_SHARES, "By shares, whole groups together")],
        widget=forms.RadioSelect,
    )
    split_field = forms.CharField(
        max_length=LONGEST_FIELD_NAME,
        required=False,
        label="Field with the split",
        help_text="Its values: train, validation, test, feedback.",
    )
    group_field = forms.CharField(
        max_length=LONGEST_FIELD_NAME,
        required=False,
        label="Field with the group",
        help_text="Rows of one group (a client, a document) stay in one split. Without it, equal prompts do.",
    )
    seed = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31,
        help_text="The same seed puts the same groups into the same splits, in any file.",
    )
    skips_invalid = forms.BooleanField(
        required=False,
        label="Skip invalid rows",
        help_text=(
            "The version shows how many. Otherwise one invalid row stops the import, and all invalid rows"
            " are listed."
        ),
    )
    note = forms.CharField(
        required=False, max_length=LONGEST_NOTE, widget=forms.Textarea(attrs={"rows": 2}), label="Note"
    )

    def __init__(self, data: Any = None, *, dataset_import: DatasetImport) -> None:
        self.start = ImportOptions(**dataset_import.options)
        self.is_csv = self.start.file_format == CSV
        super().__init__(data, initial=self._initial())
        for split, label in Split.choices:
            self.fields[f"share_{split}"] = forms.FloatField(
                label=label, min_value=0, max_value=1_000_000, required=False
            )
        for number, column in enumerate(self.start.mapping):
            self.fields[f"column_{number}"] = forms.ChoiceField(
                choices=USES, label=column, initial=self.start.mapping[column]
            )
        if self.start.mapping:
            del self.fields["split_field"], self.fields["group_field"]
        if not self.is_csv:
            del self.fields["delimiter"]

    def _initial(self) -> dict[str, Any]:
        start = self.start
        shares = start.shares or DEFAULT_SHARES
        return {
            "delimiter": start.delimiter,
            "split_by": BY_FIELD if start.shares is None else BY_SHARES,
            "split_field": start.split_field,
            "group_field": start.group_field,
            "seed": start.seed,
            "skips_invalid": start.skips_invalid,
            "note": start.note,
            **{f"share_{split}": shares.get(split, 0) for split in Split.values},
        }

    @property
    def share_fields(self) -> list[forms.BoundField]:
        return [self[f"share_{split}"] for split in Split.values]

    @property
    def column_fields(self) -> list[forms.BoundField]:
        return [self[f"column_{number}"] for number in range(len(self.start.mapping))]

    def show_samples(self, samples: Mapping[str, str]) -> None:
        """Show the first values of each column below the choice of its use."""
        for number, column in enumerate(self.start.mapping):
            self.fields[f"column_{number}"].help_text = samples.get(column, "nothing in the first rows")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("split_by") == BY_SHARES and not any(
            values.get(f"share_{split}") for split in Split.values
        ):
            self.add_error("share_train", "Give at least one split a share above 0.")
        return values

    def options(self) -> ImportOptions:
        """The options from a valid form."""
        values = self.cleaned_data
        shares = {split: values.get(f"share_{split}") or 0.0 for split in Split.values}
        seed = values.get("seed")
        return ImportOptions(
            encoding=self.start.encoding,
            file_format=self.start.file_format,
            delimiter=values.get("delimiter", self.start.delimiter),
            mapping={column: values[f"column_{number}"] for number, column in enumerate(self.start.mapping)},
            split_field=values.get("split_field") or "split",
            shares=shares if values["split_by"] == BY_SHARES else None,
            seed=DEFAULT_SEED if seed is None else seed,
            group_field=values.get("group_field") or "group",
            skips_invalid=values["skips_invalid"],
            note=values["note"],
        )


class RowSort(models.TextChoices):
    LONGEST_PROMPT = "longest_prompt", "Longest prompt"
    LONGEST_REFERENCE = "longest_reference", "Longest reference"
    SHORTEST_REFERENCE = "shortest_reference", "Shortest reference"


_TEXTS = {
    "prompt_length": Func(
        F("messages"), template="(%(expressions)s -> -1 ->> 'content')", output_field=TextField()
    ),
    "reference_length": Func(F("references"), template="(%(expressions)s ->> 0)", output_field=TextField()),
}
_ORDERS = {
    RowSort.LONGEST_PROMPT: "-prompt_length",
    RowSort.LONGEST_REFERENCE: "-reference_length",
    RowSort.SHORTEST_REFERENCE: "reference_length",
}


class RowsForm(forms.Form):
    """Filters and order of a version's rows; a large version keeps its own order."""

    search = forms.CharField(
        required=False,
        max_length=LONGEST_SEARCH,
        label="Words",
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    where = FieldFilterField(
        label="Fields", widget=forms.TextInput(attrs={"placeholder": "topic = claims, travel; label = yes"})
    )
    sort = forms.ChoiceField(
        required=False, choices=[("", "Row number"), *RowSort.choices], label="Sorted by"
    )

    def __init__(self, data: Any, *, is_large: bool) -> None:
        super().__init__(data)
        if is_large:
            del self.fields["sort"]

    @property
    def kept(self) -> dict[str, str]:
        """The chosen values for the URL."""
        return {name: value for name in self.fields if (value := str(self[name].value() or ""))}

    def sorted(self, rows: QuerySet[Example]) -> tuple[QuerySet[Example], tuple[str, ...]]:
        """The rows with the annotation that they are sorted by, and the order."""
        sort = self.cleaned_data.get("sort") if self.is_valid() else ""
        if not sort:
            return rows, ("row_number",)
        order = _ORDERS[RowSort(sort)]
        name = order.removeprefix("-")
        return rows.annotate(**{name: Coalesce(Length(_TEXTS[name]), 0)}), (order, "row_number")
