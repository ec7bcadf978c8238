from django.urls import path

from evalapp.datasets import views
from evalapp.datasets.counterfactuals import views as counterfactual_views
from evalapp.datasets.recipes import views as recipe_views

_DATA = "projects/<slug:slug>/data/"
_DATASET = f"{_DATA}<int:dataset_id>/"
_IMPORT = f"{_DATASET}imports/<int:import_id>/"
_VERSION = f"{_DATASET}v<int:number>/"
_ROW = f"{_VERSION}rows/<int:row_number>/"

urlpatterns = [
    path(_DATA, views.dataset_list, name="dataset_list"),
    path(f"{_DATA}new/", views.dataset_new, name="dataset_new"),
    path(f"{_DATA}versions/<int:version_id>/", views.dataset_version_by_id, name="dataset_version"),
    path(_DATASET, views.dataset_detail, name="dataset_detail"),
    path(f"{_DATASET}edit/", views.dataset_edit, name="dataset_edit"),
    path(f"{_DATASET}upload/", views.dataset_upload, name="dataset_upload"),
    path(f"{_DATASET}recipes/new/", recipe_views.dataset_recipe_new, name="dataset_recipe_new"),
    path(f"{_DATASET}recipes/<int:recipe_id>/", recipe_views.dataset_recipe, name="dataset_recipe"),
    path(_IMPORT, views.dataset_import, name="dataset_import"),
    path(f"{_IMPORT}errors.csv", views.dataset_import_errors, name="dataset_import_errors"),
    path(_VERSION, views.dataset_version, name="dataset_version"),
    path(f"{_VERSION}delete/", views.dataset_version_delete, name="dataset_version_delete"),
    path(f"{_VERSION}files/", views.dataset_files, name="dataset_files"),
    path(f"{_VERSION}diff/", views.dataset_diff, name="dataset_diff"),
    path(
        f"{_VERSION}counterfactuals/",
        counterfactual_views.dataset_counterfactuals,
        name="dataset_counterfactuals",
    ),
    path(_ROW, views.dataset_row, name="dataset_row"),
    path(
        f"{_VERSION}rows/<int:row_number>/originals/",
        views.dataset_row_originals,
        name="dataset_row_originals",
    ),
    path(f"{_VERSION}export/originals/", views.dataset_export_originals, name="dataset_export_originals"),
    path(f"{_VERSION}export/", views.dataset_export, name="dataset_export"),
]
