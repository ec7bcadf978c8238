from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import campaigns_of, is_reviewing_blind
from evalapp.core.errors import MissingError, ProblemError
from evalapp.core.http import RefusalsOn, get_or_missing, number_of, status_of
from evalapp.core.paging import keyset_page
from evalapp.gates.attestations import attest_training_data, attestations_needed
from evalapp.gates.evaluation import evaluate_gate
from evalapp.gates.forms import ApplyGateForm, GateForm
from evalapp.gates.measuring import why_unusable
from evalapp.gates.models import CampaignGate, Gate
from evalapp.gates.power import power_of_gate
from evalapp.gates.queries import (
    applied_gates,
    candidate_named,
    choices_of,
    evaluations_of,
    gates_of,
    has_reviews,
    ledger_of,
    ledger_rows,
)
from evalapp.gates.reach import unreachable_conditions
from evalapp.gates.reviews_needed import reviews_needed_of
from evalapp.gates.services import apply_gate, save_gate
from evalapp.rubrics.models import Rubric

MOST_SHOWN = 50


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def gate_list(request: MemberRequest) -> HttpResponse:
    page = keyset_page(gates_of(request.project), request)
    context = {"page": page, "rubrics": _rubrics(request)}
    return render(request, "gates/list.html", context)


def _rubrics(request: MemberRequest) -> list[Rubric]:
    """The rubrics with criteria that conditions can use."""
    return list(request.project.rubrics.filter(versions__criteria__isnull=False).distinct().order_by("name"))


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def gate_new(request: MemberRequest) -> HttpResponse:
    """The form over one rubric's criteria: the one in the URL, else the first. With a campaign in the URL,
    saving continues to the campaign's gate page.
    """
    rubrics = _rubrics(request)
    rubric = next((each for each in rubrics if str(each.pk) == request.GET.get("rubric")), None)
    rubric = rubric or (rubrics[0] if rubrics else None)
    if rubric is None:
        return render(request, "gates/new.html", {"rubrics": [], "form": None, "gate": None})
    form = GateForm(request.POST or None, rubric=rubric)
    return _render_or_save(request, form, {"rubrics": rubrics, "rubric": rubric, "gate": None})


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def gate_edit(request: MemberRequest, gate_id: int) -> HttpResponse:
    gate = _gate(request, gate_id)
    form = GateForm(request.POST or None, rubric=gate.rubric, gate=gate)
    return _render_or_save(request, form, {"rubrics": [], "rubric": gate.rubric, "gate": gate})


def _render_or_save(request: MemberRequest, form: GateForm, context: dict[str, Any]) -> HttpResponse:
    """The form, or after saving a redirect to the gate's page."""
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            gate = save_gate(project=request.project, plan=form.plan(), by=request.user, gate=form.gate)
            messages.success(request, f"{gate} is saved. Applying it to a campaign freezes it.")
            campaign = number_of(request.GET.get("campaign", ""))
            if campaign is not None and campaigns_of(request.project).filter(pk=campaign).exists():
                address = reverse("campaign_gate", args=[request.project.slug, campaign])
                return redirect(f"{address}?gate={gate.pk}#apply")
            return redirect("gate_detail", request.project.slug, gate.pk)
    return render(request, "gates/new.html", {"form": form, **context}, status=status_of(form))


def _gate(request: MemberRequest, gate_id: int) -> Gate:
    return get_or_missing(gates_of(request.project), pk=gate_id)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def gate_detail(request: MemberRequest, gate_id: int) -> HttpResponse:
    gate = _gate(request, gate_id)
    context = {
        "gate": gate,
        "versions": request.project.gates.filter(name=gate.name).order_by("-version"),
        "applications": gate.applications.select_related("campaign").order_by("-id")[:MOST_SHOWN],
    }
    return render(request, "gates/detail.html", context)


def _campaign(request: MemberRequest, campaign_id: int) -> Campaign:
    return get_or_missing(campaigns_of(request.project), pk=campaign_id)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def campaign_gate(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """The recorded verdicts of the campaign's gates. Evaluating is a separate request, because it spends
    budget.
    """
    return _render(request, _campaign(request, campaign_id))


def _render(
    request: MemberRequest,
    campaign: Campaign,
    *,
    form: ApplyGateForm | None = None,
    problem: ProblemError | None = None,
) -> HttpResponse:
    ledger = ledger_of(campaign)
    parts = [_applied_gate_context(campaign_gate) for campaign_gate in applied_gates(campaign)]
    form = form or ApplyGateForm(campaign=campaign, project=request.project, chosen=request.GET.dict())
    rows = ledger_rows(ledger) if ledger is not None else []
    context = {
        "campaign": campaign,
        "parts": parts,
        "ledger": ledger,
        # A single standard evaluation spends the whole level, which its table shows already.
        "ledger_rows": rows if len(rows) > 1 or any(_is_sequential(part) for part in parts) else [],
        "ledger_campaigns": len({row.campaign for row in rows}),
        "form": form,
        "offered": _requirements_of_offered(campaign, form) if not parts or "gate" in request.GET else None,
        "problem": problem,
        "attestations": campaign.attestations.select_related("candidate", "attested_by").order_by("pk"),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    status = problem.status if problem else 400 if form.is_bound else 200
    return render(request, "gates/campaign.html", context, status=status)


def _applied_gate_context(campaign_gate: CampaignGate) -> dict[str, Any]:
    """An applied gate with its evaluations; before the first one, with what can and cannot be met here."""
    evaluations = list(evaluations_of(campaign_gate)[:MOST_SHOWN])
    # A standard gate evaluates each candidate only once.
    gate, done = campaign_gate.gate, {each.candidate_id for each in evaluations if each.may_be_signed}
    choices = [each for each in choices_of(campaign_gate) if gate.is_sequential or each.pk not in done]
    return {
        "campaign_gate": campaign_gate,
        "evaluations": evaluations,
        "choices": choices,
        "unattested": attestations_needed(campaign_gate),
        "waiting": None if evaluations else reviews_needed_of(campaign_gate),
        "needs": None if evaluations else _requirements(campaign_gate),
    }


def _is_sequential(part: dict[str, Any]) -> bool:
    return bool(part["campaign_gate"].gate.is_sequential)


def _requirements(campaign_gate: CampaignGate) -> dict[str, Any]:
    """Requirements for meeting the conditions in this campaign, and the conditions that cannot be met."""
    return {
        "out_of_reach": unreachable_conditions(campaign_gate),
        "power": power_of_gate(campaign_gate),
    }


def _requirements_of_offered(campaign: Campaign, form: ApplyGateForm) -> dict[str, Any] | None:
    """Like `_requirements`, for the gate chosen in the form, if it can still be frozen for the campaign."""
    gate = form.offered
    if gate is None or campaign.compares or has_reviews(campaign):
        return None
    criteria = {each.key: each for each in campaign.rubric_version.criteria.all()}
    if any(why_unusable(each, criteria.get(each.criterion)) for each in gate.parsed_conditions):
        return None
    return _requirements(CampaignGate(campaign=campaign, gate=gate, champion=form.offered_champion))


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_gate_apply(request: MemberRequest, campaign_id: int) -> HttpResponse:
    campaign = _campaign(request, campaign_id)
    form = ApplyGateForm(request.POST, campaign=campaign, project=request.project)
    if form.is_valid():
        try:
            campaign_gate = apply_gate(campaign=campaign, by=request.user, **form.cleaned_data)
        except ProblemError as error:
            return _render(request, campaign, form=form, problem=error)
        kind = (
            "It is exploratory, because there are reviews already."
            if campaign_gate.is_exploratory
            else "It is frozen."
        )
        messages.success(request, f"{campaign} has the gate {campaign_gate.gate} now. {kind}")
        return redirect("campaign_gate", request.project.slug, campaign.pk)
    return _render(request, campaign, form=form)


@require_POST
@project_view(Permission.DECIDE)
def campaign_gate_evaluate(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Record an evaluation of the gate and candidate that the form names."""
    campaign = _campaign(request, campaign_id)
    campaign_gate = _campaign_gate(request, campaign)
    try:
        candidate = candidate_named(campaign_gate, request.POST.get("candidate", ""))
        found = evaluate_gate(campaign_gate=campaign_gate, candidate=candidate, by=request.user)
    except ProblemError as error:
        return _render(request, campaign, problem=error)
    verdict = found.evaluation.get_verdict_display().lower()
    if found.is_new:
        messages.success(request, f"Recorded for {candidate.label}: {verdict}.")
    else:
        messages.info(
            request, f"There are no new reviews since the last evaluation; its verdict remains: {verdict}."
        )
    return redirect("campaign_gate", request.project.slug, campaign.pk)


@require_POST
@project_view(Permission.DECIDE)
def campaign_gate_attest(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Record an attestation that a candidate trained elsewhere has not seen the test prompts."""
    campaign = _campaign(request, campaign_id)
    campaign_gate = _campaign_gate(request, campaign)
    try:
        candidate = candidate_named(campaign_gate, request.POST.get("candidate", ""))
        statement = request.POST.get("statement", "")
        attest_training_data(campaign=campaign, candidate=candidate, statement=statement, by=request.user)
    except ProblemError as error:
        return _render(request, campaign, problem=error)
    messages.success(request, f"Attested for {candidate.label}. The next evaluation counts it.")
    return redirect("campaign_gate", request.project.slug, campaign.pk)


def _campaign_gate(request: MemberRequest, campaign: Campaign) -> CampaignGate:
    """The gate that the form names, else the campaign's own. Raises MissingError if none is applied."""
    named = request.POST.get("campaign_gate", "")
    for campaign_gate in applied_gates(campaign):
        if not named or str(campaign_gate.pk) == named:
            return campaign_gate
    raise MissingError(f"{campaign} does not have this gate.")
