"""Pages for signing a gate's verdict, a decision and its dossier, and setting an alias by hand."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.accounts.queries import role_at
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import InvalidError, ProblemError
from evalapp.core.http import download, get_or_missing, show_problem
from evalapp.decisions.champions import set_alias_by_hand
from evalapp.decisions.dossiers import dossier_lines
from evalapp.decisions.forms import SigningForm
from evalapp.decisions.models import Decision
from evalapp.decisions.review_changes import review_changes_since
from evalapp.decisions.services import decide
from evalapp.decisions.signing import newest_signing_decision, trainer_of, why_not_signed_by
from evalapp.gates.models import GateEvaluation
from evalapp.registry.forms import AliasForm
from evalapp.registry.queries import versions_of


def _decision(request: MemberRequest, decision_id: int) -> Decision:
    decisions = request.project.decisions.select_related(
        "campaign", "candidate", "decided_by", "evaluation__campaign_gate__gate", "evaluation__candidate"
    ).defer("evaluation__reviews")
    return get_or_missing(decisions, pk=decision_id)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def decision_detail(request: MemberRequest, decision_id: int) -> HttpResponse:
    decision = _decision(request, decision_id)
    context = {
        "decision": decision,
        "evaluation": decision.evaluation,
        "role": role_at(request.project, decision.decided_by, decision.created_at)
        if decision.decided_by
        else "",
        "since": review_changes_since(decision.evaluation) if decision.evaluation is not None else None,
        "campaign": decision.campaign,
        "is_reviewing": is_reviewing_blind(decision.campaign, request.user),
    }
    return render(request, "decisions/decision.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def decision_dossier(request: MemberRequest, decision_id: int) -> HttpResponseBase:
    lines = dossier_lines(_decision(request, decision_id))
    return download(f"dossier-{decision_id}.jsonl", "application/jsonl; charset=utf-8", lines)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS, post=Permission.DECIDE)
def decision_sign(request: MemberRequest, evaluation_id: int) -> HttpResponse:
    evaluation = get_or_missing(
        GateEvaluation.objects.select_related(
            "campaign_gate__gate",
            "campaign_gate__campaign__project",
            "campaign_gate__campaign__rubric_version",
            "candidate__project",
            "ledger__dataset_version__dataset",
        ).defer("reviews"),
        pk=evaluation_id,
        campaign_gate__campaign__project=request.project,
    )
    campaign = evaluation.campaign_gate.campaign
    standing = newest_signing_decision(evaluation)
    form = SigningForm(request.POST or None, evaluation=evaluation, standing=standing)
    status = 400 if form.is_bound else 200
    if request.method == "POST" and form.is_valid():
        try:
            decision = decide(
                campaign=campaign,
                candidate=evaluation.candidate,
                evaluation=evaluation,
                by=request.user,
                **form.cleaned_data,
            )
        except ProblemError as error:
            show_problem(form, error)
            status = error.status
            # The page now shows the current decision, so signing again confirms that it was seen.
            standing = newest_signing_decision(evaluation)
            form.data = {**request.POST.dict(), "replaces": standing.pk if standing is not None else ""}
        else:
            messages.success(request, f"Signed: {decision}. Its dossier can be downloaded here.")
            return redirect("decision_detail", request.project.slug, decision.pk)
    context = {
        "evaluation": evaluation,
        "campaign": campaign,
        "form": form,
        "standing": standing,
        "refusal": why_not_signed_by(evaluation, request.user),
        "trainer": trainer_of(evaluation.candidate),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "decisions/sign.html", context, status=status)


@require_POST
@project_view(Permission.EDIT_MODELS)
def model_alias(request: MemberRequest, version_id: int) -> HttpResponse:
    version = get_or_missing(versions_of(request.project), pk=version_id)
    form = AliasForm(request.POST)
    if not form.is_valid():
        raise InvalidError("Choose champion, challenger or none.")
    set_alias_by_hand(version=version, alias=form.cleaned_data["alias"], by=request.user)
    messages.success(
        request, f"“{version.label}” is now {version.get_alias_display() or 'without an alias'}."
    )
    return redirect("model_version", slug=request.project.slug, version_id=version.pk)
