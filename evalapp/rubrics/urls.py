from django.urls import path

from evalapp.rubrics import views

_RUBRICS = "projects/<slug:slug>/campaigns/rubrics/"
_RUBRIC = f"{_RUBRICS}<int:rubric_id>/"

urlpatterns = [
    path(_RUBRICS, views.rubric_list, name="rubric_list"),
    path(f"{_RUBRICS}new/", views.rubric_new, name="rubric_new"),
    path(f"{_RUBRICS}import/", views.rubric_import, name="rubric_import"),
    path(f"{_RUBRICS}sample/", views.rubric_sample, name="rubric_sample"),
    path(_RUBRIC, views.rubric_detail, name="rubric_detail"),
    path(f"{_RUBRIC}v<int:number>/", views.rubric_detail, name="rubric_version"),
    path(f"{_RUBRIC}v<int:number>/file/", views.rubric_file, name="rubric_file"),
    path(f"{_RUBRIC}edit/", views.rubric_edit, name="rubric_edit"),
    path(f"{_RUBRIC}rename/", views.rubric_rename, name="rubric_rename"),
]
