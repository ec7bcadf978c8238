"""The page with the prices of tokens and trainings."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.models import Project
from evalapp.accounts.permissions import Permission
from evalapp.core.form_fields import row_field
from evalapp.core.http import RefusalsOn, get_or_missing
from evalapp.registry.models import ModelVersion
from evalapp.registry.prices import (
    HIGHEST_PRICE,
    PLACES,
    machine_price_of,
    remove_machine_price,
    remove_price,
    set_machine_price,
    set_price,
)


def currency_field() -> forms.CharField:
    return forms.CharField(
        min_length=3, max_length=3, initial="EUR", label="Currency", help_text="Three letters, such as EUR."
    )


class PriceForm(forms.Form):
    model_version = forms.ModelChoiceField(
        queryset=ModelVersion.objects.none(), required=False, label="Of",
        empty_label="All other versions",
    )  # fmt: skip
    input_price = forms.DecimalField(
        min_value=0, max_value=HIGHEST_PRICE, decimal_places=PLACES, label="A million tokens of prompt"
    )
    output_price = forms.DecimalField(
        min_value=0, max_value=HIGHEST_PRICE, decimal_places=PLACES, label="A million tokens of answer"
    )
    currency = currency_field()

    def __init__(self, *args: object, project: Project, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # the base form's arguments
        versions = ModelVersion.objects.filter(project=project).order_by("label", "pk")
        row_field(self, "model_version").queryset = versions


class MachinePriceForm(forms.Form):
    hour_price = forms.DecimalField(
        min_value=0, max_value=HIGHEST_PRICE, decimal_places=PLACES, label="An hour of training",
        help_text="Price of the training machine, for instance the rent of its GPU.",
    )  # fmt: skip
    currency = currency_field()


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_MODELS, post=Permission.EDIT_MODELS)
def token_prices(request: MemberRequest) -> HttpResponse:
    form = PriceForm(request.POST or None, project=request.project)
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            set_price(project=request.project, by=request.user, **form.cleaned_data)
            messages.success(request, "The price is set. Results use it from now on.")
            return redirect("token_prices", slug=request.project.slug)
    return _price_page(request, form, MachinePriceForm(prefix="machine"))


def _price_page(request: MemberRequest, form: PriceForm, machine_form: MachinePriceForm) -> HttpResponse:
    prices = request.project.token_prices.select_related("model_version")
    context = {
        "form": form,
        "prices": prices.order_by("model_version__label", "pk"),
        "machine_price": machine_price_of(request.project),
        "machine_form": machine_form,
    }
    is_wrong = any(each.is_bound and each.errors for each in (form, machine_form))
    return render(request, "registry/token_prices.html", context, status=400 if is_wrong else 200)


@require_POST
@project_view(Permission.EDIT_MODELS)
def machine_price(request: MemberRequest) -> HttpResponse:
    """Set the price of an hour of training, or delete it with "remove"."""
    if "remove" in request.POST:
        if (price := machine_price_of(request.project)) is not None:
            remove_machine_price(price=price, by=request.user)
            messages.success(request, "The price is removed.")
        return redirect("token_prices", slug=request.project.slug)
    form = MachinePriceForm(request.POST, prefix="machine")
    if form.is_valid():
        with RefusalsOn(form):
            set_machine_price(project=request.project, by=request.user, **form.cleaned_data)
            messages.success(request, "The price is set. Training costs use it from now on.")
            return redirect("token_prices", slug=request.project.slug)
    return _price_page(request, PriceForm(project=request.project), form)


@require_POST
@project_view(Permission.EDIT_MODELS)
def token_price_remove(request: MemberRequest, price_id: int) -> HttpResponse:
    price = get_or_missing(
        request.project.token_prices.select_related("project", "model_version"), pk=price_id
    )
    remove_price(price=price, by=request.user)
    messages.success(request, "The price is removed.")
    return redirect("token_prices", slug=request.project.slug)
