"""The page that adds items to a running campaign, or reviewers to items with differing reviews, for ratings
and comparisons.
"""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.design import MOST_OVERLAP
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.opening import strata_of_campaign
from evalapp.campaigns.queries import campaigns_of
from evalapp.campaigns.running import RUNNING, add_assignments, add_items
from evalapp.core.errors import InvalidError
from evalapp.core.form_fields import RowField, row_field
from evalapp.core.http import RefusalsOn, get_or_missing, status_of
from evalapp.reviews.differing_items import comparable_criteria, items_that_differ
from evalapp.reviews.preferences.differing_items import items_with_differing_preferences
from evalapp.rubrics.models import Criterion


class AddItemsForm(forms.Form):
    items = forms.IntegerField(
        required=False, min_value=1, label="How many examples", help_text="Empty for all that are left."
    )


def _name_of(criterion: Criterion) -> str:
    return criterion.name


class AddAssignmentsForm(forms.Form):
    """More reviewers for items on which people differ; ``where``: the field with the threshold."""

    where = ""
    more = forms.IntegerField(
        min_value=1, max_value=MOST_OVERLAP, initial=1, label="Further reviewers for each item"
    )
    field_order = ("criterion", "least", "agreement", "more")

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = campaign

    def differing(self) -> set[int]:
        """The items whose reviews differ by the form's threshold."""
        raise NotImplementedError


class WhereScoresDifferForm(AddAssignmentsForm):
    where = "least"
    criterion = RowField(Criterion.objects.none(), empty_label=None, name_of=_name_of)
    least = forms.IntegerField(
        min_value=1,
        initial=2,
        label="Minimum difference between the answers",
        help_text="In levels; 1 for yes or no. For a category, any two different answers count.",
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, campaign=campaign, **kwargs)
        chosen = [criterion.pk for criterion in comparable_criteria(campaign)]
        row_field(self, "criterion").queryset = Criterion.objects.filter(pk__in=chosen).order_by("position")

    def differing(self) -> set[int]:
        return items_that_differ(
            self.campaign, self.cleaned_data["criterion"], least=self.cleaned_data["least"]
        )


class WherePreferencesDifferForm(AddAssignmentsForm):
    where = "agreement"
    agreement = forms.IntegerField(
        min_value=0,
        max_value=99,
        initial=50,
        label="Highest agreement of the preferences, in percent",
        help_text=(
            "Agreement: of all pairs of preferences on the same two answers of an item, the share that is"
            " the same."
        ),
    )

    def differing(self) -> set[int]:
        return items_with_differing_preferences(self.campaign, most=self.cleaned_data["agreement"] / 100)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_additions(request: MemberRequest, pk: int) -> HttpResponse:
    """Add items, or reviewers to items with differing reviews; ``show`` only counts those items."""
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    asked = request.POST.get("add", "")
    items_form = AddItemsForm(request.POST if asked == "items" else None)
    form_of = WherePreferencesDifferForm if campaign.compares else WhereScoresDifferForm
    assignments_form = form_of(request.POST if asked in ("assignments", "show") else None, campaign=campaign)
    context: dict[str, Any] = {
        "campaign": campaign,
        "items_form": items_form,
        "assignments_form": assignments_form,
        "left": sum(strata_of_campaign(campaign).values()),
        "is_running": campaign.state in RUNNING,
    }
    form: forms.Form = items_form if asked == "items" else assignments_form
    if form.is_valid():
        with RefusalsOn(form):
            message = _add_items(request, campaign, items_form) if asked == "items" else ""
            if asked == "assignments":
                message = _add_assignments(request, campaign, assignments_form)
            if message:
                messages.success(request, message)
                return redirect("campaign_additions", slug=request.project.slug, pk=pk)
            context["differing"] = len(assignments_form.differing())
    return render(request, "reviews/additions.html", context, status=status_of(form))


def _add_items(request: MemberRequest, campaign: Campaign, form: AddItemsForm) -> str:
    added = add_items(campaign=campaign, wanted=form.cleaned_data["items"], by=request.user)
    return f"{added:,} item{'s' if added > 1 else ''} added; they come after the existing items."


def _add_assignments(request: MemberRequest, campaign: Campaign, form: AddAssignmentsForm) -> str:
    more = form.cleaned_data["more"]
    added = add_assignments(campaign=campaign, differing=form.differing, more=more, by=request.user)
    if not added.differing:
        raise InvalidError(
            "No item has differences that large, or those that do already have added reviewers.",
            field=form.where,
        )
    left = added.differing - added.items
    left_out = f" {left:,} need more reviewers than the campaign has." if left else ""
    return f"{added.items:,} of {added.differing:,} items go to more reviewers.{left_out}"
