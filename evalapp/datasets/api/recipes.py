"""Dataset recipes, and the versions that they write."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from evalapp.api.fields import (
    Body,
    CreatedByField,
    Flag,
    Id,
    List,
    Number,
    Paging,
    ReadOnlySerializer,
    Text,
    Whole,
)
from evalapp.api.operations import operation, route
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.datasets.api.datasets import DatasetView
from evalapp.datasets.field_filter import MOST_VALUES
from evalapp.datasets.models import DatasetRecipe
from evalapp.datasets.recipes import services
from evalapp.datasets.recipes.mixing import LEFT_OUT
from evalapp.datasets.recipes.queries import MOST_ROWS_OF_PREVIEW, preview_of, recipes_of
from evalapp.datasets.recipes.settings import (
    ALL,
    DEFAULT_SEED,
    MOST_SOURCES,
    NEWEST,
    RecipeSettings,
    Source,
)
from evalapp.jobs.api import JobSerializer

_RECIPES = "datasets/<int:dataset_id>/recipes/"
_RECIPE = f"{_RECIPES}<int:recipe_id>/"


class SourceBody(Body):
    dataset = Id()
    version = serializers.RegexField(
        rf"^({NEWEST}|{ALL}|[1-9]\d{{0,8}})$",
        default=NEWEST,
        help_text=(
            "A version number in quotes; `newest`, resolved when the version is written; or `all`: each "
            "row as in the newest version that has it as a training row, without rows that a draft "
            "dropped."
        ),
    )
    from_reviews = Flag(default=False, help_text="Only rows that came from reviewers' feedback.")
    where = serializers.DictField(
        child=List(child=Text(max_length=1_000), min_length=1, max_length=MOST_VALUES),
        default=dict,
        help_text="Field (`label`, `group`, or a name in the metadata) → allowed values.",
    )
    at_most = Whole(required=False, allow_null=True, default=None, min_value=1)
    per_field = Text(
        max_length=200, allow_blank=True, default="", help_text="A field; see `at_most_per_value`."
    )
    at_most_per_value = Whole(
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        help_text="Largest number of rows for each value of `per_field`.",
    )
    share = Number(
        required=False,
        allow_null=True,
        default=None,
        min_value=0.01,
        max_value=100,
        help_text="Percent of the training rows; give it for every source or for none.",
    )


class RecipeBody(Body):
    name = Text(max_length=120)
    sources = List(
        child=SourceBody(),
        min_length=1,
        max_length=MOST_SOURCES,
        help_text=(
            "The first source is the base: its validation, test and feedback rows are taken unchanged. "
            "Other sources add training rows, which replace earlier rows with the same prompt."
        ),
    )
    seed = Whole(default=DEFAULT_SEED)


class RecipeSettingsSerializer(serializers.Serializer[Any]):
    sources = SourceBody(many=True)
    seed = serializers.IntegerField()


class DatasetRecipeSerializer(ReadOnlySerializer):
    """``versions`` are the numbers of versions that the recipe wrote. ``job`` is the latest job that wrote
    one, or tried to.
    """

    dataset = serializers.IntegerField(source="dataset_id")
    settings = serializers.SerializerMethodField()
    versions = serializers.SerializerMethodField()
    job = JobSerializer(allow_null=True)
    created_by = CreatedByField()

    class Meta:
        model = DatasetRecipe
        fields = ("id", "dataset", "name", "settings", "versions", "job", "created_by", "created_at")

    @extend_schema_field(RecipeSettingsSerializer)
    def get_settings(self, recipe: DatasetRecipe) -> dict[str, Any]:
        sources = [{**each, "version": str(each["version"])} for each in recipe.settings["sources"]]
        return {**recipe.settings, "sources": sources}

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_versions(self, recipe: DatasetRecipe) -> list[int]:
        return list(recipe.versions.order_by("version__number").values_list("version__number", flat=True))


class SourceAccountSerializer(serializers.Serializer[Any]):
    """``rows`` = ``taken`` + the sum of ``left_out``. ``version`` is null if all versions are read."""

    dataset = serializers.IntegerField()
    dataset_name = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    rows = serializers.IntegerField()
    taken = serializers.IntegerField()
    left_out = serializers.DictField(
        child=serializers.IntegerField(),
        help_text=f"Rows by reason: {'; '.join(f'`{key}`, {words}' for key, words in LEFT_OUT.items())}.",
    )


class RecipePreviewSerializer(serializers.Serializer[Any]):
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows by split.")
    sources = SourceAccountSerializer(many=True)


def settings_from(values: Mapping[str, Any]) -> RecipeSettings:
    sources = [
        Source(
            **{**each, "version": int(each["version"]) if each["version"].isdecimal() else each["version"]}
        )
        for each in values["sources"]
    ]
    return RecipeSettings(sources, values["seed"])


class RecipeView(DatasetView):
    def recipe(self, dataset_id: int, recipe_id: int) -> DatasetRecipe:
        return get_or_missing(recipes_of(self.project), dataset=dataset_id, pk=recipe_id)


@route(_RECIPES, "api_dataset_recipes")
class RecipeList(RecipeView):
    @operation("List dataset recipes", query=Paging, result=DatasetRecipeSerializer, paged=True)
    def get(self, dataset_id: int) -> object:
        return self.page(recipes_of(self.project).filter(dataset=self.dataset(dataset_id)))

    @operation("Create a dataset recipe", body=RecipeBody, result=DatasetRecipeSerializer, status=201)
    def post(self, dataset_id: int) -> object:
        """Nothing is written yet; use `preview/` and `versions/`."""
        dataset, values = self.dataset(dataset_id), self.body()
        return services.create_recipe(
            dataset=dataset, name=values["name"], settings=settings_from(values), by=self.person
        )


@route(_RECIPE, "api_dataset_recipe")
class RecipeDetail(RecipeView):
    @operation("Read a dataset recipe", result=DatasetRecipeSerializer)
    def get(self, dataset_id: int, recipe_id: int) -> object:
        return self.recipe(dataset_id, recipe_id)

    @operation("Change a dataset recipe", body=RecipeBody, result=DatasetRecipeSerializer)
    def put(self, dataset_id: int, recipe_id: int) -> object:
        """Existing versions keep the settings they were written with."""
        recipe, values = self.recipe(dataset_id, recipe_id), self.body()
        return services.change_recipe(
            recipe=recipe, name=values["name"], settings=settings_from(values), by=self.person
        )

    @operation("Delete a dataset recipe", status=204)
    def delete(self, dataset_id: int, recipe_id: int) -> object:
        """The recipe's versions stay. 409 while a version is being written."""
        services.delete_recipe(recipe=self.recipe(dataset_id, recipe_id), by=self.person)
        return Response(status=204)


@route(f"{_RECIPE}preview/", "api_dataset_recipe_preview")
class RecipePreview(RecipeView):
    @operation("Preview a dataset recipe", result=RecipePreviewSerializer)
    def get(self, dataset_id: int, recipe_id: int) -> object:
        """Rows that a version would contain now, and rows left out by reason."""
        recipe = self.recipe(dataset_id, recipe_id)
        found = preview_of(recipe.dataset, RecipeSettings.from_json(recipe.settings))
        if found is None:
            raise InvalidError(
                f"These sources have more than {MOST_ROWS_OF_PREVIEW:,} rows, too many for a preview. Write "
                "the version; its card shows what was taken."
            )
        return {"counts": found.counts, "sources": [each._asdict() for each in found.accounts]}


@route(f"{_RECIPE}versions/", "api_dataset_recipe_versions")
class RecipeVersions(RecipeView):
    @operation("Write a version from its recipe", result=DatasetRecipeSerializer, status=202)
    def post(self, dataset_id: int, recipe_id: int) -> object:
        """Queues the job that writes the dataset's next version. The job fails if a version with exactly
        these rows exists.
        """
        services.start_writing(recipe=self.recipe(dataset_id, recipe_id), by=self.person)
        return self.recipe(dataset_id, recipe_id)
