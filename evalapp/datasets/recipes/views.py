from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.datasets.models import Dataset, DatasetRecipe, Split
from evalapp.datasets.recipes import services
from evalapp.datasets.recipes.forms import (
    RecipeForm,
    SourceForms,
    initial_of,
    settings_of,
    source_choices,
)
from evalapp.datasets.recipes.queries import MOST_ROWS_OF_PREVIEW, preview_of, recipes_of, shown_accounts
from evalapp.datasets.recipes.settings import NEWEST, Source

VERSIONS_SHOWN = 20


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_DATA)
def dataset_recipe_new(request: MemberRequest, dataset_id: int) -> HttpResponse:
    dataset = get_or_missing(request.project.datasets.select_related("project"), pk=dataset_id)
    return _recipe_page(request, dataset, None)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_DATA, post=Permission.EDIT_DATA)
def dataset_recipe(request: MemberRequest, dataset_id: int, recipe_id: int) -> HttpResponse:
    """A recipe, what it would take now, and the versions that it wrote; a POST changes it or writes one."""
    recipe = get_or_missing(recipes_of(request.project), dataset=dataset_id, pk=recipe_id)
    if request.method == "POST" and request.POST.get("action") == "delete":
        services.delete_recipe(recipe=recipe, by=request.user)
        messages.success(request, f"The recipe “{recipe}” was deleted; its versions stay.")
        return redirect("dataset_detail", request.project.slug, dataset_id)
    return _recipe_page(request, recipe.dataset, recipe)


def _recipe_page(request: MemberRequest, dataset: Dataset, recipe: DatasetRecipe | None) -> HttpResponse:
    data = request.POST.copy() if request.method == "POST" else None
    action = request.POST.get("action", "")
    if data is not None and action == "add" and (total := data.get("sources-TOTAL_FORMS", "")).isdecimal():
        data["sources-TOTAL_FORMS"] = str(int(total) + 1)
    form = RecipeForm(data, initial={"name": recipe.name, **recipe.settings} if recipe else None)
    sources = SourceForms(
        data,
        prefix="sources",
        initial=_initial_sources(dataset, recipe),
        form_kwargs={"choices": source_choices(request.project)},
    )
    context: dict[str, Any] = {
        "dataset": dataset,
        "recipe": recipe,
        "form": form,
        "sources": sources,
        "job": recipe.job if recipe is not None else None,
        "most": MOST_ROWS_OF_PREVIEW,
    }
    if data is not None and action != "add" and all([form.is_valid(), sources.is_valid()]):
        try:
            if response := _act(request, context):
                return response
        except ProblemError as error:
            show_problem(form, error)
    if recipe is not None:
        versions = recipe.versions.select_related("version__dataset").order_by("-version__number")
        context["written"] = versions[:VERSIONS_SHOWN]
    is_wrong = data is not None and action != "add" and (form.errors or not sources.is_valid())
    return render(request, "datasets/recipe.html", context, status=400 if is_wrong else 200)


def _initial_sources(dataset: Dataset, recipe: DatasetRecipe | None) -> list[dict[str, Any]]:
    if recipe is not None:
        return [initial_of(source) for source in recipe.settings["sources"]]
    return [initial_of(Source(dataset.pk, NEWEST).as_json())]


def _act(request: MemberRequest, context: dict[str, Any]) -> HttpResponse | None:
    """Preview into ``context``, or save and go to the recipe's page."""
    dataset: Dataset = context["dataset"]
    recipe: DatasetRecipe | None = context["recipe"]
    form: RecipeForm = context["form"]
    settings = settings_of(form, context["sources"])
    if request.POST.get("action") == "preview":
        found = preview_of(dataset, settings)
        context["is_previewed"] = True
        if found is not None:
            context["accounts"] = shown_accounts(found.accounts)
            context["counts"] = [(label, found.counts.get(split, 0)) for split, label in Split.choices]
            context["total"] = len(found.rows)
        return None
    name = form.cleaned_data["name"]
    if recipe is None:
        recipe = services.create_recipe(dataset=dataset, name=name, settings=settings, by=request.user)
    else:
        services.change_recipe(recipe=recipe, name=name, settings=settings, by=request.user)
    if request.POST.get("action") == "write":
        services.start_writing(recipe=recipe, by=request.user)
    else:
        messages.success(request, "Saved.")
    return redirect("dataset_recipe", request.project.slug, dataset.pk, recipe.pk)
