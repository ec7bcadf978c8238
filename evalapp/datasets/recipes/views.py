from typing import Any

from django.contrib import messages
from django.forms import BaseFormSet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, number_of, show_problem
from evalapp.datasets.models import Dataset, DatasetRecipe, Split
from evalapp.datasets.recipes import services
from evalapp.datasets.recipes.forms import (
    RecipeForm,
    SourceForm,
    SourceForms,
    initial_of,
    settings_of,
    source_choices,
)
from evalapp.datasets.recipes.queries import MOST_ROWS_OF_PREVIEW, preview_of, recipes_of, shown_accounts
from evalapp.datasets.recipes.settings import ALL, RecipeSettings, Source

VERSIONS_SHOWN = 20


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_DATA)
def dataset_recipe_new(request: MemberRequest, dataset_id: int) -> HttpResponse:
    dataset = get_or_missing(request.project.datasets.select_related("project"), pk=dataset_id)
    return _recipe_page(request, dataset, None)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_DATA, post=Permission.EDIT_DATA)
def dataset_recipe(request: MemberRequest, dataset_id: int, recipe_id: int) -> HttpResponse:
    """A recipe, a preview of its next version, and the versions that it wrote; a POST changes it or writes a
    version.
    """
    recipe = get_or_missing(recipes_of(request.project), dataset=dataset_id, pk=recipe_id)
    action = request.POST.get("action") if request.method == "POST" else ""
    if action == "delete":
        services.delete_recipe(recipe=recipe, by=request.user)
        messages.success(request, f"The recipe “{recipe}” was deleted; its versions stay.")
        return redirect("dataset_detail", request.project.slug, dataset_id)
    if action == "write":
        services.start_writing(recipe=recipe, by=request.user)
        return redirect("dataset_recipe", request.project.slug, dataset_id, recipe_id)
    return _recipe_page(request, recipe.dataset, recipe)


def _recipe_page(request: MemberRequest, dataset: Dataset, recipe: DatasetRecipe | None) -> HttpResponse:
    action = request.POST.get("action", "save") if request.method == "POST" else ""
    form, sources = _forms(request, dataset, recipe, action)
    context: dict[str, Any] = {
        "dataset": dataset,
        "recipe": recipe,
        "form": form,
        "sources": sources,
        "job": recipe.job if recipe is not None else None,
        "most": MOST_ROWS_OF_PREVIEW,
    }
    is_wrong = False
    if action in ("save", "preview"):
        is_wrong = not all([form.is_valid(), sources.is_valid()])
        try:
            if not is_wrong and action == "preview":
                context |= _preview(dataset, settings_of(form, sources))
            elif not is_wrong:
                return _saved(request, dataset, recipe, form, sources)
        except ProblemError as error:
            show_problem(form, error)
            is_wrong = True
    if recipe is not None:
        versions = recipe.versions.select_related("version__dataset").order_by("-version__number")
        context["written"] = versions[:VERSIONS_SHOWN]
        if not action:
            try:
                context |= _preview(dataset, RecipeSettings.from_json(recipe.settings))
            except ProblemError as error:
                context["problem"] = error.message
    return render(request, "datasets/recipe.html", context, status=400 if is_wrong else 200)


def _forms(
    request: MemberRequest, dataset: Dataset, recipe: DatasetRecipe | None, action: str
) -> tuple[RecipeForm, "BaseFormSet[SourceForm]"]:
    data = request.POST.copy() if action else None
    total = number_of(data.get("sources-TOTAL_FORMS", "")) if data is not None else None
    if data is not None and action == "add" and total is not None:
        data["sources-TOTAL_FORMS"] = str(total + 1)
    settings = recipe.settings if recipe else _first_settings(request, dataset).as_json()
    sources = SourceForms(
        data,
        prefix="sources",
        initial=[initial_of(source) for source in settings["sources"]],
        form_kwargs={"choices": source_choices(request.project)},
    )
    return RecipeForm(data, initial={**settings, "name": recipe.name if recipe else ""}), sources


def _first_settings(request: MemberRequest, dataset: Dataset) -> RecipeSettings:
    """The newest version; with ``?corrections=`` also the rows from reviews in all versions of that
    dataset.
    """
    sources = [Source(dataset.pk)]
    corrections = number_of(request.GET.get("corrections", ""))
    if corrections is not None:
        sources.append(Source(corrections, ALL, from_reviews=True))
    return RecipeSettings(sources)


def _preview(dataset: Dataset, settings: RecipeSettings) -> dict[str, Any]:
    found = preview_of(dataset, settings)
    if found is None:
        return {"is_too_large": True}
    return {
        "accounts": shown_accounts(found.accounts),
        "counts": [(label, found.counts.get(split, 0)) for split, label in Split.choices],
        "total": len(found.rows),
    }


def _saved(
    request: MemberRequest,
    dataset: Dataset,
    recipe: DatasetRecipe | None,
    form: RecipeForm,
    sources: "BaseFormSet[SourceForm]",
) -> HttpResponse:
    values = {"name": form.cleaned_data["name"], "settings": settings_of(form, sources), "by": request.user}
    if recipe is None:
        recipe = services.create_recipe(dataset=dataset, **values)
    else:
        services.change_recipe(recipe=recipe, **values)
    messages.success(request, "Saved.")
    return redirect("dataset_recipe", request.project.slug, dataset.pk, recipe.pk)
