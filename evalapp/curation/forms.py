from typing import Any

from django import forms

from evalapp.core.word_changes import WordChanges, word_changes
from evalapp.curation.bulk_edits import BulkAction, BulkEdit, BulkField
from evalapp.curation.models import RowEdit
from evalapp.datasets.models import Example, Split
from evalapp.datasets.row_changes import field_label, text_at, with_changes
from evalapp.datasets.rows import example_row

LONGEST_REASON = 2_000
LONGEST_NOTE = 2_000
LONGEST_PATTERN = 1_000


class BulkEditForm(forms.Form):
    action = forms.ChoiceField(choices=BulkAction.choices, label="Do")
    field = forms.ChoiceField(choices=BulkField.choices, label="Look in")
    pattern = forms.CharField(
        max_length=LONGEST_PATTERN, strip=False, label="Regular expression",
        help_text="(?i) at the start ignores capitals; look-around and back-references are not available.",
    )  # fmt: skip
    replacement = forms.CharField(
        required=False, max_length=LONGEST_REASON, strip=False, label="Replacement",
        help_text="\\1 is what the first group matched.",
    )  # fmt: skip
    to_split = forms.ChoiceField(
        required=False, choices=[("", "None"), *Split.choices], label="Split to move to"
    )
    only_split = forms.ChoiceField(
        required=False, choices=[("", "All splits"), *Split.choices], label="In split"
    )
    reason = forms.CharField(
        required=False, max_length=LONGEST_REASON, label="Reason", help_text="Shown in the rows' history."
    )

    def bulk_edit(self) -> BulkEdit:
        return BulkEdit(**self.cleaned_data)


class RowForm(forms.Form):
    """The texts of a row, its label and its split, as in the draft."""

    reason = forms.CharField(
        max_length=LONGEST_REASON, required=False, label="Reason",
        help_text="Shown in the row's history.",
    )  # fmt: skip
    revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, example: Example, edit: RowEdit | None) -> None:
        self._example = example
        before = example_row(example)
        row = with_changes(before, edit.changes) if edit is not None else before
        names = [f"messages.{number}" for number in range(len(row.messages))]
        names += [f"references.{number}" for number in range(max(1, len(row.references)))]
        names += ["context"] if row.context else []
        names += [f"pairs.{n}.{part}" for n in range(len(row.pairs)) for part in ("chosen", "rejected")]
        self.shown = {name: text_at(row, name) for name in names}
        self.shown |= {"label": row.label, "split": row.split}
        revision = edit.revision if edit is not None else 0
        initial = {**self.shown, "revision": revision, "reason": edit.reason if edit is not None else ""}
        super().__init__(data, initial=initial)
        for name in names:
            self.fields[name] = forms.CharField(
                label=field_label(row, name),
                required=name.startswith("messages"),
                strip=False,
                widget=forms.Textarea(attrs={"rows": 6}),
            )
        self.fields["label"] = forms.CharField(label="Label", required=False, max_length=200)
        self.fields["split"] = forms.ChoiceField(label="Split", choices=Split.choices)
        self.order_fields([*names, "label", "split", "reason", "revision"])

    def beside(self, edit: RowEdit | None) -> "RowForm":
        """The form with the entered values, to save them over another person's edit of the row."""
        now = RowForm(example=self._example, edit=edit)
        typed = {name: self.data[name] for name in self.fields if name in self.data}
        revision = edit.revision if edit is not None else 0
        form = RowForm({**now.shown, **typed, "revision": revision}, example=self._example, edit=edit)
        form.full_clean()
        return form

    def differences(self) -> list[tuple[str, WordChanges]]:
        """The changes that saving makes to the row in the draft: field, and its texts word by word."""
        return [
            (str(self.fields[name].label), word_changes(self.shown[name], text))
            for name, text in self.changes().items()
        ]

    def changes(self) -> dict[str, Any]:
        """The fields whose text has changed, ignoring line-end styles."""
        return {
            name: value.replace("\r\n", "\n")
            for name, value in self.cleaned_data.items()
            if name in self.shown and value.replace("\r\n", "\n") != self.shown[name].replace("\r\n", "\n")
        }
