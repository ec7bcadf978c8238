"""The page on which a running campaign is given more items, or more reviewers where they differ."""

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
from evalapp.campaigns.running import RUNNING, add_items, add_places
from evalapp.core.errors import InvalidError, ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.reviews.differing import comparable_criteria, items_that_differ
from evalapp.rubrics.models import Criterion


class AddItemsForm(forms.Form):
    items = forms.IntegerField(
        required=False, min_value=1, label="How many items", help_text="Empty for all that are left."
    )


class _Criteria(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic at run time
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.name)


class AddPlacesForm(forms.Form):
    """More reviewers for the items whose reviews differ."""

    criterion = _Criteria(Criterion.objects.none(), empty_label=None)
    least = forms.IntegerField(
        min_value=1,
        initial=2,
        label="Where the answers lie at least so far apart",
        help_text="In levels; 1 for yes or no. Of a category any two different answers count.",
    )
    more = forms.IntegerField(
        min_value=1, max_value=MOST_OVERLAP, initial=1, label="Further reviewers for each item"
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = [criterion.pk for criterion in comparable_criteria(campaign)]
        self.fields["criterion"].queryset = Criterion.objects.filter(pk__in=chosen).order_by("position")  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_additions(request: MemberRequest, pk: int) -> HttpResponse:
    """More items, or more reviewers where they differ; ``show`` counts those items first."""
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    asked = request.POST.get("add", "")
    items_form = AddItemsForm(request.POST if asked == "items" else None)
    places_form = AddPlacesForm(request.POST if asked in ("places", "show") else None, campaign=campaign)
    context: dict[str, Any] = {
        "campaign": campaign,
        "items_form": items_form,
        "places_form": places_form,
        "left": sum(strata_of_campaign(campaign).values()),
        "is_running": campaign.state in RUNNING,
        "station": "campaigns",
    }
    status = 200
    if request.method == "POST":
        form = items_form if asked == "items" else places_form
        status = 400
        if form.is_valid():
            try:
                said = _add_items(request, campaign, items_form) if asked == "items" else ""
                if asked == "places":
                    said = _add_places(request, campaign, places_form)
            except ProblemError as error:
                show_problem(form, error)
                status = error.status
            else:
                if said:
                    messages.success(request, said)
                    return redirect("campaign_additions", slug=request.project.slug, pk=pk)
                context["differing"] = len(_differing(campaign, places_form))
                status = 200
    return render(request, "reviews/additions.html", context, status=status)


def _differing(campaign: Campaign, form: AddPlacesForm) -> set[int]:
    return items_that_differ(campaign, form.cleaned_data["criterion"], least=form.cleaned_data["least"])


def _add_items(request: MemberRequest, campaign: Campaign, form: AddItemsForm) -> str:
    added = add_items(campaign=campaign, wanted=form.cleaned_data["items"], by=request.user)
    return f"{added:,} item{'s' if added > 1 else ''} added; they come after what is there."


def _add_places(request: MemberRequest, campaign: Campaign, form: AddPlacesForm) -> str:
    items = _differing(campaign, form)
    if not items:
        message = "No item's reviews lie so far apart, or those that do wait for reviewers added before."
        raise InvalidError(message, fields={"least": [message]})
    added = add_places(campaign=campaign, items=items, more=form.cleaned_data["more"], by=request.user)
    left_out = f" {len(items) - added:,} need more people than review here." if added < len(items) else ""
    return f"{added:,} of {len(items):,} items go to more reviewers.{left_out}"
