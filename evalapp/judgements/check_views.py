"""The page of gold and repeats where answers are compared: known verdicts in, each reviewer's results out."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.models import Campaign, CampaignState, Method
from evalapp.campaigns.queries import campaigns_of
from evalapp.core.errors import InvalidError, MissingError, ProblemError
from evalapp.core.http import get_or_missing
from evalapp.judgements.checks import comparison_checks
from evalapp.judgements.gold import (
    OUTCOMES,
    VerdictRow,
    read_verdict_file,
    remove_gold_verdict,
    set_gold_verdicts,
)
from evalapp.judgements.models import GoldVerdict

LARGEST_FILE = 2 * 1024 * 1024
_SHOWN = 500
_OUTCOME_WORDS = (
    "The first is better",
    "The second is better",
    "Both are equally good",
    "Both are bad",
)


class VerdictForm(forms.Form):
    """One known verdict; of a ranking its best candidate only."""

    row = forms.IntegerField(min_value=1, label="Row of the data")
    candidate = forms.ChoiceField(label="First candidate")
    against = forms.ChoiceField(label="Second candidate")
    outcome = forms.ChoiceField(
        choices=list(zip(OUTCOMES, _OUTCOME_WORDS, strict=True)), label="What is known"
    )
    tie_counts = forms.BooleanField(
        required=False, label="“Equally good” is right, too", help_text="Where one of the two is better."
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = campaign.candidates.values_list("model_version__label", flat=True)
        choices = [(label, label) for label in labels]
        self.fields["candidate"].choices = choices  # type: ignore[attr-defined]
        self.fields["against"].choices = choices  # type: ignore[attr-defined]
        if campaign.method == Method.RANKING:
            self.fields["candidate"].label = "The best of all"
            for name in ("against", "outcome", "tie_counts"):
                del self.fields[name]
        elif len(choices) > 1:
            self.fields["against"].initial = choices[1][0]


class VerdictFileForm(forms.Form):
    file = forms.FileField(label="CSV file")

    def __init__(self, *args: Any, is_ranking: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        outcomes = f"row, candidate, against, outcome ({', '.join(OUTCOMES)}); tie_counts (yes, no) if wanted"
        self.fields["file"].help_text = f"Columns: {'row, candidate (the best)' if is_ranking else outcomes}."


def _comparing(request: MemberRequest, pk: int) -> Campaign:
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    if not campaign.compares:
        raise MissingError("This campaign rates answers one by one: see its own page of gold and repeats.")
    return campaign


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def comparison_checks_page(request: MemberRequest, pk: int) -> HttpResponse:
    """Known verdicts, one by one or from a file, and how each reviewer does on them and on repeats."""
    campaign = _comparing(request, pk)
    is_ranking = campaign.method == Method.RANKING
    is_file = bool(request.FILES) or request.POST.get("add") == "file"
    one = request.POST if request.method == "POST" and not is_file else None
    form = VerdictForm(one, campaign=campaign)
    uploaded = (request.POST, request.FILES) if is_file else ()
    file_form = VerdictFileForm(*uploaded, is_ranking=is_ranking)
    problem: ProblemError | None = None
    status = 200
    if request.method == "POST":
        status = 400
        try:
            rows = _rows_from_file(file_form, is_ranking=is_ranking) if is_file else _row_from_form(form)
            stored = set_gold_verdicts(campaign=campaign, rows=rows, by=request.user) if rows else 0
        except ProblemError as error:
            problem, status = error, error.status
        else:
            if rows:
                messages.success(request, f"{stored:,} known verdict{'s' if stored != 1 else ''} stored.")
                return redirect("comparison_checks", slug=request.project.slug, pk=pk)
    verdicts = campaign.gold_verdicts.select_related("example", "candidate", "against")
    context = {
        "campaign": campaign,
        "is_ranking": is_ranking,
        "form": form,
        "file_form": file_form,
        "problem": problem,
        "verdicts": list(verdicts.order_by("example__row_number", "pk")[:_SHOWN]),
        "verdicts_total": verdicts.count(),
        "people": comparison_checks(campaign) if campaign.state != CampaignState.DRAFT else [],
        "station": "campaigns",
    }
    return render(request, "judgements/checks.html", context, status=status)


def _row_from_form(form: VerdictForm) -> list[VerdictRow]:
    if not form.is_valid():
        return []
    given = form.cleaned_data
    return [
        VerdictRow(
            "Your entry",
            str(given["row"]),
            given["candidate"],
            given.get("against", ""),
            given.get("outcome", ""),
            "yes" if given.get("tie_counts") else "",
        )
    ]


def _rows_from_file(form: VerdictFileForm, *, is_ranking: bool) -> list[VerdictRow]:
    if not form.is_valid():
        return []
    file = form.cleaned_data["file"]
    if file.size > LARGEST_FILE:
        message = f"The file is larger than {LARGEST_FILE // 1024 // 1024} MB."
        raise InvalidError(message, fields={"file": [message]})
    return read_verdict_file(file.read(), is_ranking=is_ranking)


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def gold_verdict_remove(request: MemberRequest, pk: int, verdict: int) -> HttpResponse:
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    known = get_or_missing(
        GoldVerdict.objects.select_related("campaign__project", "candidate", "against"),
        pk=verdict,
        campaign=campaign,
    )
    remove_gold_verdict(verdict=known, by=request.user)
    messages.success(request, "The known verdict is taken off.")
    return redirect("comparison_checks", slug=request.project.slug, pk=pk)
