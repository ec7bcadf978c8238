"""The page on what tokens cost."""

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.models import Project
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.registry.models import ModelVersion
from evalapp.registry.prices import HIGHEST_PRICE, PLACES, remove_price, set_price


class PriceForm(forms.Form):
    model_version = forms.ModelChoiceField(
        queryset=ModelVersion.objects.none(), required=False, label="Of",
        empty_label="Every version without a price of its own",
    )  # fmt: skip
    input_price = forms.DecimalField(
        min_value=0, max_value=HIGHEST_PRICE, decimal_places=PLACES, label="A million tokens of prompt"
    )
    output_price = forms.DecimalField(
        min_value=0, max_value=HIGHEST_PRICE, decimal_places=PLACES, label="A million tokens of answer"
    )
    currency = forms.CharField(
        min_length=3, max_length=3, initial="EUR", label="Currency", help_text="Three letters, such as EUR."
    )

    def __init__(self, *args: object, project: Project, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # a form's own arguments
        versions = ModelVersion.objects.filter(project=project).order_by("label", "pk")
        self.fields["model_version"].queryset = versions  # type: ignore[attr-defined]  # the field's own type


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_MODELS, post=Permission.EDIT_MODELS)
def token_prices(request: MemberRequest) -> HttpResponse:
    form = PriceForm(request.POST or None, project=request.project)
    if request.method == "POST" and form.is_valid():
        try:
            set_price(project=request.project, by=request.user, **form.cleaned_data)
        except ProblemError as error:
            show_problem(form, error)
        else:
            messages.success(request, "The price is set. Comparisons use it from now on.")
            return redirect("token_prices", slug=request.project.slug)
    prices = request.project.token_prices.select_related("model_version").order_by(
        "model_version__label", "pk"
    )
    context = {"station": "models", "form": form, "prices": prices}
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "registry/token_prices.html", context, status=status)


@require_POST
@project_view(Permission.EDIT_MODELS)
def token_price_remove(request: MemberRequest, price_id: int) -> HttpResponse:
    price = get_or_missing(
        request.project.token_prices.select_related("project", "model_version"), pk=price_id
    )
    remove_price(price=price, by=request.user)
    messages.success(request, "The price is removed.")
    return redirect("token_prices", slug=request.project.slug)
