from collections.abc import Iterable

from django import forms
from django.http import QueryDict

from evalapp.adjudication.models import Outcome
from evalapp.adjudication.services import Ruling
from evalapp.reviews.words import LONGEST_MESSAGE, LONGEST_REASON
from evalapp.rubrics.fields import NOT_APPLICABLE
from evalapp.rubrics.models import Criterion


def _words(
    label: str, *, longest: int = LONGEST_REASON, help_text: str = "", rows: int = 3
) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=longest,
        help_text=help_text,
        widget=forms.Textarea(attrs={"rows": rows}),
    )


class SendBackForm(forms.Form):
    reason = _words("What should be looked at again?", help_text="The reviewer reads this. It names nobody.")


class MessageForm(forms.Form):
    text = _words(
        "Your message", longest=LONGEST_MESSAGE, help_text="Markdown works. It cannot be changed afterwards."
    )


class AppealForm(forms.Form):
    """``against``: "request", or "decision:" and the key of the criterion."""

    against = forms.CharField(max_length=60, widget=forms.HiddenInput)
    reason = _words("Why do you not agree?", rows=2)


class AnswerForm(forms.Form):
    """The answer to an appeal; against a decision it can give another ``value``."""

    outcome = forms.ChoiceField(label="Outcome", choices=Outcome.choices, widget=forms.RadioSelect)
    value = forms.ChoiceField(
        label="The new value", required=False, help_text="Only where the decision changes."
    )
    answer = _words("Your answer", help_text="The reviewer reads this.")

    def __init__(self, data: QueryDict | None, *, criterion: Criterion | None) -> None:
        super().__init__(data)
        if criterion is None:
            del self.fields["value"]
            return
        levels = [(str(level), criterion.level_words(level)) for level in criterion.levels]
        if criterion.allows_not_applicable:
            levels.append((NOT_APPLICABLE, "N/A"))
        self.fields["value"].choices = [("", "as it was decided"), *levels]  # type: ignore[attr-defined]

    def value_given(self) -> int | str | None:
        return read_level(self.cleaned_data.get("value", ""))


def read_level(text: str) -> int | str | None:
    """A level, "na", or None where nothing was chosen; what is neither stays as it is, to be refused."""
    if not text:
        return None
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 10 else text


def rulings_from(form: QueryDict, criteria: Iterable[Criterion]) -> dict[str, Ruling]:
    """What was decided on the desk, by criterion; one with neither value nor reason is left for later."""
    rulings = {}
    for criterion in criteria:
        value = read_level(form.get(f"criterion-{criterion.key}", ""))
        reason = form.get(f"reason-{criterion.key}", "")
        if value is None and not reason.strip():
            continue
        revision = read_level(form.get(f"revision-{criterion.key}", "0"))
        rulings[criterion.key] = Ruling(value, reason, revision if isinstance(revision, int) else 0)
    return rulings
