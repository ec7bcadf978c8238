"""The page of gold and repeats: known answers, and each reviewer's results."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.checks import known_answers
from evalapp.campaigns.gold import remove_known
from evalapp.campaigns.models import CampaignState, Method
from evalapp.campaigns.queries import campaigns_of
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing
from evalapp.core.uploads import takes_imports
from evalapp.reviews.named_results import with_reviewer_names
from evalapp.reviews.preferences.checks import checks_of
from evalapp.reviews.preferences.gold_forms import AnswerForm, KnownAnswersFileForm, PreferenceForm

_SHOWN = 500


@takes_imports
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_checks(request: MemberRequest, pk: int) -> HttpResponse:
    """Known answers, added one by one or from a file, and each reviewer's results on them and on repeats."""
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    is_file = bool(request.FILES) or request.POST.get("add") == "file"
    one = request.POST if request.method == "POST" and not is_file else None
    form = (PreferenceForm if campaign.compares else AnswerForm)(one, campaign=campaign)
    uploaded = (request.POST, request.FILES) if is_file else ()
    file_form = KnownAnswersFileForm(*uploaded, of=form)
    problem: ProblemError | None = None
    status = 200
    if request.method == "POST":
        status = 400
        try:
            rows = file_form.rows() if is_file else form.rows()
            stored = form.store(rows, by=request.user) if rows else 0
        except ProblemError as error:
            problem, status = error, error.status
        else:
            if rows:
                messages.success(request, f"{stored:,} known {form.noun}{'s' if stored != 1 else ''} stored.")
                return redirect("campaign_checks", slug=request.project.slug, pk=pk)
    further, then = ("against", ()) if campaign.compares else ("criterion", ("criterion__position",))
    known = known_answers(campaign).select_related("example", "candidate", further)
    context = {
        "campaign": campaign,
        "is_ranking": campaign.method == Method.RANKING,
        "form": form,
        "file_form": file_form,
        "problem": problem,
        "known": list(known.order_by("example__row_number", *then, "pk")[:_SHOWN]),
        "known_total": known.count(),
        "people": with_reviewer_names(campaign, checks_of(campaign))
        if campaign.state != CampaignState.DRAFT
        else [],
    }
    return render(request, "reviews/checks.html", context, status=status)


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_gold_remove(request: MemberRequest, pk: int, answer: int) -> HttpResponse:
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    known = get_or_missing(known_answers(campaign).select_related("campaign__project"), pk=answer)
    remove_known(known=known, by=request.user)
    messages.success(request, "Removed from the gold list.")
    return redirect("campaign_checks", slug=request.project.slug, pk=pk)
