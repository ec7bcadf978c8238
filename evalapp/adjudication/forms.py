from collections.abc import Iterable

from django import forms
from django.http import QueryDict

from evalapp.adjudication.models import Adjudication, ComparisonAdjudication, Outcome
from evalapp.adjudication.services import AdjudicatedScore
from evalapp.reviews.answers import Answer
from evalapp.reviews.forms import number_in, preference_from_form
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.models import Choice
from evalapp.reviews.preferences.tasks import LETTERS
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


class ChangeRequestForm(forms.Form):
    reason = _words(
        "What should be checked again?", help_text="The reviewer reads this. Your name is not shown."
    )


class MessageForm(forms.Form):
    text = _words(
        "Your message", longest=LONGEST_MESSAGE, help_text="Markdown. A message cannot be changed afterwards."
    )


class AppealForm(forms.Form):
    """``against``: "request"; "decision:" and the criterion's key; or "decision" for a comparison.
    ``revision``: the revision of the decision that the reviewer read.
    """

    against = forms.CharField(max_length=60, widget=forms.HiddenInput)
    revision = forms.IntegerField(min_value=1, required=False, widget=forms.HiddenInput)
    reason = _words("Why do you disagree?", rows=2)


AS_DECIDED = ("", "as it was decided")


class AnswerForm(forms.Form):
    """The answer to an appeal; for a decision, it can change the value or the preference."""

    outcome = forms.ChoiceField(label="Outcome", choices=Outcome.choices, widget=forms.RadioSelect)
    answer = _words("Your answer", help_text="The reviewer reads this.")

    def __init__(
        self, data: QueryDict | None, *, decision: Adjudication | ComparisonAdjudication | None
    ) -> None:
        super().__init__(data)
        self._sent = data if data is not None else QueryDict()
        self.decision = decision
        if isinstance(decision, Adjudication):
            self._add("value", "New value", _levels(decision.criterion))
        elif decision is not None and decision.ranks is None:
            self._add("choice", "New preference", Choice.choices)
        elif decision is not None:
            ranks = [(str(rank), str(rank)) for rank in range(1, len(decision.outputs) + 1)]
            for position, letter in enumerate(LETTERS[: len(ranks)]):
                self._add(f"rank-{position}", f"New rank of {letter}", ranks)
        changing = [name for name in self.fields if name not in ("outcome", "answer")]
        if changing:
            self.fields[changing[-1]].help_text = "Only if the decision changes."
        self.order_fields(["outcome", *(name for name in self.fields if name != "answer"), "answer"])

    def _add(self, name: str, label: str, choices: Iterable[tuple[str, str]]) -> None:
        self.fields[name] = forms.ChoiceField(
            label=label,
            required=False,
            choices=[AS_DECIDED, *choices],
        )

    def value_given(self) -> Answer | PreferenceAnswers | None:
        if isinstance(self.decision, ComparisonAdjudication):
            return self._preference(self.decision)
        return read_level(self.cleaned_data.get("value", ""))

    def _preference(self, adjudication: ComparisonAdjudication) -> PreferenceAnswers:
        """The preference; fields left at "as it was decided" keep the decision."""
        given = preference_from_form(self._sent, outputs=len(adjudication.outputs))
        if adjudication.ranks is None:
            return PreferenceAnswers(given.choice or adjudication.choice)
        ranks = zip(given.ranks or adjudication.ranks, adjudication.ranks, strict=True)
        return PreferenceAnswers("", [new or decided for new, decided in ranks])


def _levels(criterion: Criterion) -> list[tuple[str, str]]:
    levels = [
        (str(criterion.rules.number(level)), criterion.level_words(level)) for level in criterion.levels
    ]
    return [*levels, (NOT_APPLICABLE, "N/A")] if criterion.allows_not_applicable else levels


def read_level(text: str) -> Answer | None:
    """A number, "na", or None without a choice; other text unchanged, for later validation to refuse."""
    return number_in(text) if text else None


def adjudicated_scores_from(form: QueryDict, criteria: Iterable[Criterion]) -> dict[str, AdjudicatedScore]:
    """The decisions from the desk, by criterion; criteria with neither value nor reason are skipped."""
    scores = {}
    for criterion in criteria:
        value = read_level(form.get(f"criterion-{criterion.key}", ""))
        reason = form.get(f"reason-{criterion.key}", "")
        if value is None and not reason.strip():
            continue
        revision = read_level(form.get(f"revision-{criterion.key}", "0"))
        scores[criterion.key] = AdjudicatedScore(value, reason, revision if isinstance(revision, int) else 0)
    return scores
