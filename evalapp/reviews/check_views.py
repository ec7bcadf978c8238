"""The page of gold and repeats: known answers in, each reviewer's results out."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.gold import GoldRow, read_gold_file, remove_gold, set_gold
from evalapp.campaigns.models import Campaign, CampaignState, GoldAnswer
from evalapp.campaigns.queries import campaigns_of
from evalapp.core.errors import InvalidError, ProblemError
from evalapp.core.http import get_or_missing
from evalapp.reviews.checks import checks_by_reviewer
from evalapp.reviews.differing import comparable_criteria

LARGEST_FILE = 2 * 1024 * 1024


class GoldForm(forms.Form):
    """One known answer."""

    row = forms.IntegerField(min_value=1, label="Row of the data")
    criterion = forms.ChoiceField()
    value = forms.CharField(
        max_length=200, label="Right answer", help_text="A level, yes or no, or an option."
    )
    tolerance = forms.IntegerField(
        min_value=0, initial=0, required=False, help_text="How many levels off still count as right."
    )
    candidate = forms.ChoiceField(
        required=False, help_text="Of whose answer it holds; all, where each deserves the same."
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = campaign.candidates.values_list("model_version__label", flat=True)
        self.fields["criterion"].choices = [(c.key, c.name) for c in comparable_criteria(campaign)]  # type: ignore[attr-defined]
        self.fields["candidate"].choices = [("", "Every candidate's"), *((label, label) for label in labels)]  # type: ignore[attr-defined]


class GoldFileForm(forms.Form):
    file = forms.FileField(
        label="CSV file", help_text="Columns: row, criterion, value; tolerance and candidate if wanted."
    )


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_checks(request: MemberRequest, pk: int) -> HttpResponse:
    """Known answers, one by one or from a file, and how each reviewer does on them and on repeats."""
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    if campaign.compares:
        return redirect("comparison_checks", slug=request.project.slug, pk=pk)
    is_file = bool(request.FILES) or request.POST.get("add") == "file"
    one = request.POST if request.method == "POST" and not is_file else None
    form = GoldForm(one, campaign=campaign)
    file_form = GoldFileForm(request.POST, request.FILES) if is_file else GoldFileForm()
    problem: ProblemError | None = None
    status = 200
    if request.method == "POST":
        status = 400
        try:
            rows = _rows_from_file(file_form) if is_file else _row_from_form(form)
            stored = set_gold(campaign=campaign, rows=rows, by=request.user) if rows else 0
        except ProblemError as error:
            problem, status = error, error.status
        else:
            if rows:
                messages.success(request, f"{stored:,} known answer{'s' if stored != 1 else ''} stored.")
                return redirect("campaign_checks", slug=request.project.slug, pk=pk)
    answers = campaign.gold_answers.select_related("example", "criterion", "candidate")
    context = {
        "campaign": campaign,
        "form": form,
        "file_form": file_form,
        "problem": problem,
        "answers": list(answers.order_by("example__row_number", "criterion__position", "pk")[:500]),
        "answers_total": answers.count(),
        "people": checks_by_reviewer(campaign) if campaign.state != CampaignState.DRAFT else [],
        "station": "campaigns",
    }
    return render(request, "reviews/checks.html", context, status=status)


def _row_from_form(form: GoldForm) -> list[GoldRow]:
    if not form.is_valid():
        return []
    given = form.cleaned_data
    return [
        GoldRow(
            "Your entry",
            str(given["row"]),
            given["criterion"],
            given["value"],
            str(given["tolerance"] or 0),
            given["candidate"],
        )
    ]


def _rows_from_file(form: GoldFileForm) -> list[GoldRow]:
    if not form.is_valid():
        return []
    file = form.cleaned_data["file"]
    if file.size > LARGEST_FILE:
        message = f"The file is larger than {LARGEST_FILE // 1024 // 1024} MB."
        raise InvalidError(message, fields={"file": [message]})
    return read_gold_file(file.read())


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_gold_remove(request: MemberRequest, pk: int, answer: int) -> HttpResponse:
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    known = get_or_missing(
        GoldAnswer.objects.select_related("campaign__project"), pk=answer, campaign=campaign
    )
    remove_gold(answer=known, by=request.user)
    messages.success(request, "The known answer is taken off.")
    return redirect("campaign_checks", slug=request.project.slug, pk=pk)
