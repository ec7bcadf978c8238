from django.urls import path

from evalapp.artifacts import hub_views, new_model_views, push_views, storage_views, views

_MODELS = "projects/<slug:slug>/models/"
_VERSION = f"{_MODELS}<int:version_id>/"
_MERGED = f"{_MODELS}merged/<int:merged_id>/"

urlpatterns = [
    path(f"{_MODELS}new/", new_model_views.model_new, name="model_new"),
    path(f"{_MODELS}hub/<int:download_id>/", hub_views.hub_download, name="hub_download"),
    path(
        "projects/<slug:slug>/data/<int:dataset_id>/v<int:number>/push/",
        push_views.dataset_push,
        name="dataset_push",
    ),
    path("projects/<slug:slug>/settings/storage/", storage_views.project_storage, name="project_storage"),
    path("storage/", storage_views.installation_storage, name="installation_storage"),
    path(_VERSION, views.model_version, name="model_version"),
    path(f"{_VERSION}card/", views.model_card, name="model_card"),
    path(f"{_VERSION}card/README.md", views.model_card_file, name="model_card_file"),
    path(f"{_VERSION}archive.zip", views.model_archive, name="model_archive"),
    path(f"{_VERSION}files/<str:name>", views.model_file, name="model_file"),
    path(f"{_VERSION}merge/", views.merge_start, name="merge_start"),
    path(_MERGED, views.merged_export, name="merged_export"),
    path(f"{_MERGED}archive.zip", views.merged_archive, name="merged_archive"),
    path(f"{_MERGED}files/<str:name>", views.merged_file, name="merged_file"),
]
