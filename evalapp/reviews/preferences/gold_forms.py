"""Forms and files for gold: known answers to criteria or, in campaigns that compare outputs, known
preferences.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms

from evalapp.accounts.models import User
from evalapp.campaigns.gold import GoldRow, possible_gold_rows, read_gold_file, set_gold
from evalapp.campaigns.models import Campaign, Method
from evalapp.core.errors import InvalidError
from evalapp.core.form_fields import choice_field
from evalapp.reviews.differing_items import comparable_criteria
from evalapp.reviews.preferences.gold import (
    OUTCOMES,
    GoldPreferenceRow,
    read_preference_file,
    set_gold_preferences,
)

LARGEST_FILE = 2 * 1024 * 1024
_ENTRY_PLACE = "Your entry"
_OUTCOME_WORDS = (
    "The first is better",
    "The second is better",
    "Both are equally good",
    "Both are bad",
)


class KnownAnswerForm(forms.Form):
    """One known answer; ``noun``: the word for it, ``columns``: those of a file."""

    noun: ClassVar[str]
    row = forms.IntegerField(min_value=1, label="Row of the data")

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        self.fields["row"].help_text = possible_gold_rows(campaign)
        labels = campaign.candidates.values_list("model_version__label", flat=True)
        self.candidates = [(label, label) for label in labels]

    def rows(self) -> Sequence[Any]:
        """The entry as a list with one row; empty if it is invalid."""
        return [self.read()] if self.is_valid() else []

    @property
    @abstractmethod
    def columns(self) -> str: ...

    @abstractmethod
    def read(self) -> Any: ...

    @abstractmethod
    def read_file(self, data: bytes) -> Sequence[Any]: ...

    @abstractmethod
    def store(self, rows: Sequence[Any], *, by: User) -> int: ...


class AnswerForm(KnownAnswerForm):
    """One known answer."""

    noun = "answer"
    columns = "row, criterion, value; tolerance and candidate if wanted"
    criterion = forms.ChoiceField()
    value = forms.CharField(
        max_length=200, label="Right answer", help_text="A level, yes or no, or an option."
    )
    tolerance = forms.IntegerField(
        min_value=0, initial=0, required=False, help_text="How many levels off still count as right."
    )
    candidate = forms.ChoiceField(
        required=False,
        help_text=(
            "The candidate that this answer is for. Choose all if the right answer is the same for every"
            " candidate."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        criteria = [(each.key, each.name) for each in comparable_criteria(self.campaign)]
        choice_field(self, "criterion").choices = criteria
        choice_field(self, "candidate").choices = [("", "Every candidate's"), *self.candidates]

    def read(self) -> GoldRow:
        given = self.cleaned_data
        tolerance = str(given["tolerance"] or 0)
        return GoldRow(
            _ENTRY_PLACE,
            str(given["row"]),
            given["criterion"],
            given["value"],
            tolerance,
            given["candidate"],
        )

    def read_file(self, data: bytes) -> list[GoldRow]:
        return read_gold_file(data)

    def store(self, rows: Sequence[GoldRow], *, by: User) -> int:
        return set_gold(campaign=self.campaign, rows=rows, by=by)


class PreferenceForm(KnownAnswerForm):
    """One known preference; for a ranking only its best candidate."""

    noun = "preference"
    candidate = forms.ChoiceField(label="First candidate")
    against = forms.ChoiceField(label="Second candidate")
    outcome = forms.ChoiceField(
        choices=list(zip(OUTCOMES, _OUTCOME_WORDS, strict=True)), label="What is known"
    )
    tie_counts = forms.BooleanField(
        required=False,
        label="“Equally good” also counts as right",
        help_text="Only if one of the two is better.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice_field(self, "candidate").choices = self.candidates
        choice_field(self, "against").choices = self.candidates
        if self.is_ranking:
            self.fields["candidate"].label = "The best candidate"
            for name in ("against", "outcome", "tie_counts"):
                del self.fields[name]
        elif len(self.candidates) > 1:
            self.fields["against"].initial = self.candidates[1][0]

    @property
    def is_ranking(self) -> bool:
        return self.campaign.method == Method.RANKING

    @property
    def columns(self) -> str:
        if self.is_ranking:
            return "row, candidate (the best)"
        return f"row, candidate, against, outcome ({', '.join(OUTCOMES)}); tie_counts (yes, no) if wanted"

    def read(self) -> GoldPreferenceRow:
        given = self.cleaned_data
        pair = (given.get("against", ""), given.get("outcome", ""), "yes" if given.get("tie_counts") else "")
        return GoldPreferenceRow(_ENTRY_PLACE, str(given["row"]), given["candidate"], *pair)

    def read_file(self, data: bytes) -> list[GoldPreferenceRow]:
        return read_preference_file(data, is_ranking=self.is_ranking)

    def store(self, rows: Sequence[GoldPreferenceRow], *, by: User) -> int:
        return set_gold_preferences(campaign=self.campaign, rows=rows, by=by)


class KnownAnswersFileForm(forms.Form):
    """A file of known answers, with the columns of the campaign's ``KnownAnswerForm``."""

    file = forms.FileField(label="CSV file")

    def __init__(self, *args: Any, of: KnownAnswerForm, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.of = of
        self.fields["file"].help_text = f"Columns: {of.columns}."

    def rows(self) -> Sequence[Any]:
        """The rows of the file; empty without a file. Raises InvalidError for an invalid one."""
        if not self.is_valid():
            return []
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise InvalidError(f"The file is larger than {LARGEST_FILE // 1024 // 1024} MB.", field="file")
        return self.of.read_file(file.read())
