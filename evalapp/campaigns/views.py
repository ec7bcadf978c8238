from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns import services
from evalapp.campaigns.design import problems_of
from evalapp.campaigns.forms import AddReviewersForm, CampaignForm
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.campaigns.queries import (
    ITEM_LISTS,
    assignment_counts,
    campaigns_of,
    cost_of_draft,
    design_of,
    in_state_order,
    items_in_list,
    items_with_progress,
    possible_candidates,
    reviewers_with_assignments,
    usable_datasets,
    usable_rubrics,
)
from evalapp.core.errors import InvalidError, ProblemError
from evalapp.core.http import RefusalsOn, get_or_missing, status_of
from evalapp.core.paging import keyset_page


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def campaign_list(request: MemberRequest) -> HttpResponse:
    # Campaigns of weekly samples are on their stream's page.
    campaigns = campaigns_of(request.project).filter(weekly_sample=None)
    page = keyset_page(in_state_order(campaigns), request, order=("state_order", "-id"))
    return render(request, "campaigns/list.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_new(request: MemberRequest) -> HttpResponse:
    """The design form with its reviewer effort, before anything starts."""
    given = request.POST if request.method == "POST" else None
    form = CampaignForm(given, project=request.project, initial=_proposal(request))
    save = partial(services.create_campaign, project=request.project)
    return _save_design(request, form, save, {"lacking": _missing_requirements(request)})


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_edit(request: MemberRequest, pk: int) -> HttpResponse:
    """The design form for a draft; the design of an opened campaign cannot be changed."""
    campaign = _campaign(request, pk)
    if campaign.state != CampaignState.DRAFT and request.method != "POST":
        return redirect("campaign_detail", slug=request.project.slug, pk=pk)
    saved = design_of(campaign)
    given = request.POST if request.method == "POST" else None
    form = CampaignForm(given, project=request.project, initial=saved)
    cost = CampaignForm(saved, project=request.project).cost()
    save = partial(services.edit_campaign, campaign=campaign)
    return _save_design(request, form, save, {"campaign": campaign, "cost": cost})


def _save_design(
    request: MemberRequest, form: CampaignForm, save: Callable[..., Campaign], context: dict[str, Any]
) -> HttpResponse:
    """The form, or after saving a redirect to the campaign's page."""
    if form.is_bound:
        context["cost"] = form.cost()
    saves = request.method == "POST" and "preview" not in request.POST
    if saves:
        if form.is_valid():
            with RefusalsOn(form):
                campaign = save(design=form.design(), by=request.user)
                messages.success(
                    request, "The design is saved. Check the reviewer effort, then open the campaign."
                )
                return redirect("campaign_detail", slug=request.project.slug, pk=campaign.pk)
        else:
            unread, draft = set(form.errors), context.get("campaign")
            found = problems_of(form.design(), request.project, draft=draft, unread=unread)
            for name, texts in found.items():
                form.add_error(name, texts)
    context |= {"form": form, "rubric_version": form.rating_rubric}
    return render(request, "campaigns/new.html", context, status=status_of(form) if saves else 200)


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_discard(request: MemberRequest, pk: int) -> HttpResponse:
    campaign = _campaign(request, pk)
    try:
        services.discard_campaign(campaign=campaign, by=request.user)
    except ProblemError as error:
        return _render_detail(request, _campaign(request, pk), problem=error)
    messages.success(request, f"The draft “{campaign}” is discarded.")
    return redirect("campaign_list", slug=request.project.slug)


def _proposal(request: MemberRequest) -> dict[str, Any]:
    """Initial values from the URL: data, candidates, reviewers and calibration round
    (``?dataset_version=3&split=test&candidates=4``).
    """
    proposed: dict[str, Any] = {
        name: request.GET[name]
        for name in ("dataset_version", "split", "rubric_version", "overlap", "calibration_items")
        if name in request.GET
    }
    for name in {"candidates", "reviewers"} & request.GET.keys():
        proposed[name] = [each for each in request.GET.getlist(name) if each.isdigit()]
    return proposed


def _missing_requirements(request: MemberRequest) -> list[str]:
    """The missing requirements for a project's first campaign."""
    steps = (
        (usable_rubrics(request.project), "a rubric with criteria"),
        (usable_datasets(request.project), "a dataset version"),
        (possible_candidates(request.project), "answers of at least one candidate"),
    )
    return [words for queryset, words in steps if not queryset.exists()]


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_cost(request: MemberRequest) -> HttpResponse:
    """The reviewer effort of the design in the form: reviews, hours, each person's share."""
    form = CampaignForm(request.POST or request.GET, project=request.project)
    context = {"cost": form.cost(), "rubric_version": form.rating_rubric}
    return render(request, "campaigns/cost.html", context)


def _campaign(request: MemberRequest, pk: int) -> Campaign:
    return get_or_missing(campaigns_of(request.project), pk=pk)


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def campaign_detail(request: MemberRequest, pk: int) -> HttpResponse:
    campaign = _campaign(request, pk)
    return _render_detail(request, campaign)


def _render_detail(
    request: MemberRequest,
    campaign: Campaign,
    *,
    form: AddReviewersForm | None = None,
    problem: ProblemError | None = None,
) -> HttpResponse:
    candidates = list(campaign.candidates.select_related("model_version__model"))
    has_positions = campaign.names_are_positions
    campaign_reviewers = [] if has_positions else list(reviewers_with_assignments(campaign))
    context: dict[str, Any] = {
        "campaign": campaign,
        "candidates": candidates,
        "campaign_reviewers": campaign_reviewers,
        "reviewer_names": campaign.reviewers.count() if has_positions else 0,
        "assignments": assignment_counts(campaign),
        "form": form or AddReviewersForm(campaign=campaign),
        "problem": problem,
        "is_running": campaign.state in (CampaignState.OPEN, CampaignState.PAUSED),
        "skips": campaign.skips.filter(is_lapse=False).count(),
    }
    if campaign.state == CampaignState.DRAFT:
        context["cost"] = cost_of_draft(campaign)
        context["rubric_version"] = None if campaign.compares else campaign.rubric_version
    return render(request, "campaigns/detail.html", context, status=problem.status if problem else 200)


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def campaign_design(request: MemberRequest, pk: int) -> HttpResponse:
    campaign = _campaign(request, pk)
    context = {
        "campaign": campaign,
        "candidates": list(campaign.candidates.select_related("model_version__model")),
        "is_running": campaign.state in (CampaignState.OPEN, CampaignState.PAUSED),
    }
    return render(request, "campaigns/design.html", context)


@require_safe
@project_view(Permission.VIEW_CAMPAIGNS)
def campaign_items(request: MemberRequest, pk: int) -> HttpResponse:
    """The progress of each item, and reasons why reviewers skipped it."""
    campaign = _campaign(request, pk)
    chosen = request.GET.get("list", "")
    if chosen and chosen not in ITEM_LISTS:
        raise InvalidError(f"There is no list of that name. Use one of {', '.join(ITEM_LISTS)}.")
    page = keyset_page(items_in_list(items_with_progress(campaign), chosen), request, order=("id",))
    filters = [
        {"label": label, "href": f"?list={name}" if name else "?", "on": chosen == name}
        for name, label in {"": "All", **ITEM_LISTS}.items()
    ]
    context = {"campaign": campaign, "page": page, "filters": filters, "chosen": chosen}
    return render(request, "campaigns/items.html", context)


def _action_view(service: Callable[..., Campaign], words: str) -> Callable[..., HttpResponse]:
    @require_POST
    @project_view(Permission.EDIT_CAMPAIGNS)
    def view(request: MemberRequest, pk: int) -> HttpResponse:
        campaign = _campaign(request, pk)
        try:
            service(campaign=campaign, by=request.user)
        except ProblemError as error:
            return _render_detail(request, _campaign(request, pk), problem=error)
        messages.success(request, words)
        return redirect("campaign_detail", slug=request.project.slug, pk=pk)

    view.__name__ = service.__name__
    return view


campaign_open = _action_view(
    services.open_campaign, "The campaign is open. Its reviewers see it under “Review”."
)
campaign_pause = _action_view(
    services.pause_campaign, "Paused: reviewers get no more items until you resume."
)
campaign_resume = _action_view(services.resume_campaign, "Resumed.")
campaign_close = _action_view(services.close_campaign, "Closed: its reviews cannot be changed any more.")


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_reviewers_add(request: MemberRequest, pk: int) -> HttpResponse:
    campaign = _campaign(request, pk)
    form = AddReviewersForm(request.POST, campaign=campaign)
    if not form.is_valid():
        return _render_detail(request, campaign, form=form)
    added = services.add_reviewers(
        campaign=campaign, reviewers=list(form.cleaned_data["reviewers"]), by=request.user
    )
    messages.success(request, f"{added} added.")
    return redirect("campaign_detail", slug=request.project.slug, pk=pk)


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_reviewer_remove(request: MemberRequest, pk: int, campaign_reviewer: int) -> HttpResponse:
    campaign = _campaign(request, pk)
    leaving = get_or_missing(
        CampaignReviewer.objects.select_related("user", "campaign__project"),
        pk=campaign_reviewer,
        campaign=campaign,
    )
    services.remove_reviewer(campaign_reviewer=leaving, by=request.user)
    messages.success(request, f"{leaving.user} has left; what they submitted stays.")
    return redirect("campaign_detail", slug=request.project.slug, pk=pk)
