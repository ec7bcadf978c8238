from django.urls import path

from evalapp.ratings import views

_CAMPAIGNS = "projects/<slug:slug>/campaigns/"
_IMPORTS = f"{_CAMPAIGNS}ratings/"
_IMPORT = f"{_IMPORTS}<int:import_id>/"

urlpatterns = [
    path(_IMPORTS, views.ratings_list, name="ratings_list"),
    path(f"{_IMPORTS}new/", views.ratings_upload, name="ratings_upload"),
    path(_IMPORT, views.ratings_import, name="ratings_import"),
    path(f"{_IMPORT}problems.csv", views.ratings_problems, name="ratings_problems"),
    path(
        f"{_CAMPAIGNS}<int:campaign_id>/label-studio.json",
        views.label_studio_tasks,
        name="label_studio_tasks",
    ),
    path(
        f"{_CAMPAIGNS}<int:campaign_id>/label-studio.xml",
        views.label_studio_config,
        name="label_studio_config",
    ),
]
