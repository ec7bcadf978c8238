from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from evalapp.accounts.models import Project
from evalapp.datasets.field_filter import FieldFilterField, written_fields
from evalapp.datasets.queries import datasets_of
from evalapp.datasets.recipes.settings import (
    ALL,
    DEFAULT_SEED,
    MOST_SOURCES,
    NEWEST,
    RecipeSettings,
    Source,
    version_named,
)

_VERSIONS_OFFERED = 50
_LIMITS = ("where", "at_most", "share", "per_field", "at_most_per_value")


class RecipeForm(forms.Form):
    name = forms.CharField(max_length=120, label="Name")
    seed = forms.IntegerField(
        min_value=0, max_value=2**31, initial=DEFAULT_SEED,
        help_text="Decides which rows a limit keeps. The same seed keeps the same rows.",
    )  # fmt: skip


class SourceForm(forms.Form):
    """One source; without chosen rows it is ignored."""

    rows = forms.ChoiceField(label="Rows of", required=False)
    from_reviews = forms.BooleanField(
        required=False, label="Only rows from reviews",
        help_text="Corrections and well-rated answers that an export turned into training rows.",
    )  # fmt: skip
    where = FieldFilterField(
        label="Only rows with",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=(
            "One field and its values on each line, such as “topic = claims, travel”. “label” and “group”"
            " are fields too."
        ),
    )
    at_most = forms.IntegerField(required=False, min_value=1, max_value=2**31, label="At most")
    per_field = forms.CharField(
        required=False, max_length=200, label="Limit for each value of", help_text="A field, such as client."
    )
    at_most_per_value = forms.IntegerField(
        required=False, min_value=1, max_value=2**31, label="At most for each"
    )
    share = forms.FloatField(
        required=False, min_value=0.01, max_value=100, label="Share in percent",
        help_text="Share of the training rows. Give every source a share, or none of them.",
    )  # fmt: skip

    def __init__(self, *args: Any, choices: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rows"] = forms.ChoiceField(label="Rows of", required=False, choices=choices)

    @property
    def is_limited(self) -> bool:
        """Whether a filter or limit is set or invalid."""
        return any(self[name].value() or self[name].errors for name in _LIMITS)

    @property
    def source(self) -> Source | None:
        """The source from a valid form; None if no rows are chosen."""
        values = dict(self.cleaned_data)
        chosen = values.pop("rows")
        if not chosen:
            return None
        dataset, _, version = chosen.partition(":")
        return Source(dataset=int(dataset), version=version_named(version), **values)


SourceForms = forms.formset_factory(SourceForm, extra=0, max_num=MOST_SOURCES, absolute_max=MOST_SOURCES)


def source_choices(project: Project) -> list[Any]:
    """The choices by dataset: newest version, all versions, each of the latest versions."""
    choices: list[Any] = [("", "None")]
    for dataset in datasets_of(project):
        versions = dataset.versions.all()
        if not versions:
            continue
        of = [(f"{dataset.pk}:{NEWEST}", f"{dataset.name}: newest version (v{versions[0].number} now)")]
        of.append((f"{dataset.pk}:{ALL}", f"{dataset.name}: all versions"))
        of += [
            (f"{dataset.pk}:{each.number}", f"{each}, {rows:,} row{'' if rows == 1 else 's'}")
            for each in versions[:_VERSIONS_OFFERED]
            for rows in [sum(each.counts.values())]
        ]
        choices.append((dataset.name, of))
    return choices


def initial_of(source: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `SourceForm` for a stored source."""
    where = written_fields(source["where"] or {})
    return {**source, "rows": f"{source['dataset']}:{source['version']}", "where": where}


def settings_of(form: RecipeForm, sources: "forms.BaseFormSet[SourceForm]") -> RecipeSettings:
    """The settings from valid forms."""
    chosen = [source for each in sources if (source := each.source) is not None]
    return RecipeSettings(chosen, form.cleaned_data["seed"])
