"""A project's LLM judges and their agreement with people."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.views.tables import as_csv, as_markdown
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import NotAllowedError
from evalapp.core.http import RefusalsOn, get_or_missing
from evalapp.core.outgoing import policy
from evalapp.core.tables import Table, table_of
from evalapp.llm_judges import queries, services
from evalapp.llm_judges.agreement import judge_agreement
from evalapp.llm_judges.forms import JudgeForm, KeyForm
from evalapp.llm_judges.models import LLMJudge
from evalapp.llm_judges.tables import JUDGE_TABLES, JudgeResults

SHOWN_UNUSABLE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(Permission.VIEW_ANALYSIS, post=Permission.MANAGE_WEBHOOKS)
def judge_list(request: MemberRequest) -> HttpResponse:
    """The judges; a POST creates one."""
    form = JudgeForm(request.POST if request.method == "POST" else None, project=request.project)
    if form.is_valid():
        with RefusalsOn(form):
            judge = services.create_judge(project=request.project, by=request.user, **form.cleaned_data)
            messages.success(request, "Created. Choose a campaign to score next.")
            return redirect("judge_detail", request.project.slug, judge.pk)
    context = {
        "judges": list(queries.judges_of(request.project).order_by("name")),
        "form": form,
        "nothing_allowed": policy().is_closed,
        "has_criteria": queries.askable_criteria(request.project).exists(),
    }
    return render(request, "llm_judges/list.html", context, status=400 if form.errors else 200)


@require_safe
@never_cache
@project_view(Permission.VIEW_ANALYSIS)
def judge_detail(request: MemberRequest, judge_id: int) -> HttpResponse:
    return _detail(request, _judge(request, judge_id), KeyForm())


@require_POST
@never_cache
@project_view(Permission.MANAGE_WEBHOOKS)
def judge_key(request: MemberRequest, judge_id: int) -> HttpResponse:
    judge = _judge(request, judge_id)
    form = KeyForm(request.POST)
    if form.is_valid():
        with RefusalsOn(form):
            services.replace_key(judge=judge, secret=form.cleaned_data["secret"], by=request.user)
            messages.success(request, "The API key is replaced.")
            return redirect("judge_detail", request.project.slug, judge.pk)
    return _detail(request, judge, form, status=400)


@require_POST
@project_view(Permission.MANAGE_WEBHOOKS)
def judge_delete(request: MemberRequest, judge_id: int) -> HttpResponse:
    judge = _judge(request, judge_id)
    services.delete_judge(judge=judge, by=request.user)
    messages.success(request, f"“{judge.name}” and its scores are deleted.")
    return redirect("judge_list", request.project.slug)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def judge_campaign(request: MemberRequest, judge_id: int, campaign_id: int) -> HttpResponse:
    """A judge's scores of a campaign's outputs, compared with people's."""
    judge = _judge(request, judge_id)
    campaign = _campaign(judge, campaign_id)
    unusable = queries.unusable_scores(judge, campaign)
    context = {
        "judge": judge,
        "campaign": campaign,
        "found": judge_agreement(judge, load_scores(campaign)),
        "going": services.active_job_of(judge),
        "unusable": list(unusable[:SHOWN_UNUSABLE]),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "llm_judges/campaign.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def judge_table_csv(request: MemberRequest, judge_id: int, campaign_id: int, name: str) -> HttpResponse:
    return as_csv(_table(request, judge_id, campaign_id, name), f"judge-{judge_id}-{name}-{campaign_id}")


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def judge_table_markdown(request: MemberRequest, judge_id: int, campaign_id: int, name: str) -> HttpResponse:
    return as_markdown(_table(request, judge_id, campaign_id, name))


@require_POST
@project_view(Permission.START_RUNS)
def judge_start(request: MemberRequest, judge_id: int, campaign_id: int) -> HttpResponse:
    judge = _judge(request, judge_id)
    job = services.start_judging(judge=judge, campaign=_campaign(judge, campaign_id), by=request.user)
    return redirect("job_detail", request.project.slug, job.pk)


@require_POST
@project_view(Permission.START_RUNS)
def judge_again(request: MemberRequest, judge_id: int, campaign_id: int) -> HttpResponse:
    """Score again the output named, or all that failed or were unparsed."""
    judge = _judge(request, judge_id)
    named = request.POST.get("output", "")
    output_id = int(named) if named.isdecimal() and len(named) <= 18 else None
    job = services.ask_again(
        judge=judge, campaign=_campaign(judge, campaign_id), by=request.user, output_id=output_id
    )
    return redirect("job_detail", request.project.slug, job.pk)


def _judge(request: MemberRequest, judge_id: int) -> LLMJudge:
    return get_or_missing(queries.judges_of(request.project), pk=judge_id)


def _campaign(judge: LLMJudge, campaign_id: int) -> Campaign:
    return get_or_missing(queries.campaigns_of(judge), pk=campaign_id)


def _table(request: MemberRequest, judge_id: int, campaign_id: int, name: str) -> Table:
    """A table of the judge's page. Raises NotAllowedError for people who still review blind."""
    judge = _judge(request, judge_id)
    campaign = _campaign(judge, campaign_id)
    if is_reviewing_blind(campaign, request.user):
        raise NotAllowedError(
            "You review this campaign blind; copy the judge’s tables when your part is done."
        )
    return table_of(
        JUDGE_TABLES, JudgeResults(judge, judge_agreement(judge, load_scores(campaign))), name, owner="judge"
    )


def _detail(request: MemberRequest, judge: LLMJudge, form: KeyForm, *, status: int = 200) -> HttpResponse:
    context = {
        "judge": judge,
        "form": form,
        "campaigns": list(queries.campaigns_of(judge)),
    }
    return render(request, "llm_judges/detail.html", context, status=status)
