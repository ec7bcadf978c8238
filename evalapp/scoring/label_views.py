from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.http import RefusalsOn, get_or_missing
from evalapp.datasets.models import Example
from evalapp.runs.models import TRAINING_KINDS
from evalapp.scoring.labels import LONGEST_FIELD, LONGEST_PATTERN, delete_label_parser, save_label_parser
from evalapp.scoring.models import LabelParser, ParserKind

RUNS_SHOWN = 20


class LabelParserForm(forms.Form):
    """How a label is read from an output."""

    kind = forms.ChoiceField(choices=ParserKind.choices, label="The label is")
    pattern = forms.CharField(
        max_length=LONGEST_PATTERN,
        required=False,
        strip=False,
        help_text=r"For a regular expression (RE2's syntax); its first group is the label: label:\s*(\w+)",
    )
    field = forms.CharField(
        max_length=LONGEST_FIELD, required=False, help_text="For a JSON object: the field's name."
    )
    ignore_case = forms.BooleanField(required=False, initial=True, label="Ignore case")
    labels = forms.CharField(
        required=False,
        max_length=30_000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="One a line; leave empty for the labels of the dataset's examples.",
    )

    def clean_labels(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["labels"].splitlines() if line.strip()]


def _initial(parser: LabelParser | None) -> dict[str, Any]:
    if parser is None:
        return {}
    return {
        "kind": parser.kind,
        "pattern": parser.pattern,
        "field": parser.field,
        "ignore_case": parser.ignore_case,
        "labels": "\n".join(parser.labels),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS, post=Permission.EDIT_DATA)
def label_parser(request: MemberRequest, dataset_id: int) -> HttpResponse:
    """A dataset's label parser; a POST saves or deletes it."""
    dataset = get_or_missing(request.project.datasets.select_related("project"), pk=dataset_id)
    parser = LabelParser.objects.filter(dataset=dataset).first()
    form = LabelParserForm(request.POST if request.method == "POST" else None, initial=_initial(parser))
    if request.POST.get("action") == "delete":
        delete_label_parser(dataset=dataset, by=request.user)
        messages.success(request, "The label parser and the labels it read are deleted.")
        return redirect("label_parser", request.project.slug, dataset.pk)
    if form.is_valid():
        with RefusalsOn(form):
            save_label_parser(dataset=dataset, by=request.user, **form.cleaned_data)
            messages.success(request, "Saved. Score the runs below again to read their labels.")
            return redirect("label_parser", request.project.slug, dataset.pk)
    context = {
        "dataset": dataset,
        "parser": parser,
        "form": form,
        "has_labels": Example.objects.filter(version__dataset=dataset).exclude(label="").exists(),
        "runs": request.project.runs.filter(dataset_version__dataset=dataset)
        .exclude(kind__in=TRAINING_KINDS)
        .order_by("-pk")[:RUNS_SHOWN],
    }
    return render(request, "scoring/label_parser.html", context, status=400 if form.errors else 200)
