from django.urls import path

from evalapp.decisions import views

urlpatterns = [
    path("", views.home, name="home"),
    path("projects/", views.project_list, name="project_list"),
    path("projects/new/", views.project_new, name="project_new"),
    path("projects/<slug:slug>/", views.project_home, name="project_home"),
    path("projects/<slug:slug>/delete/", views.project_delete, name="project_delete"),
    path("projects/<slug:slug>/compare/<int:campaign_id>/decide/", views.decision_new, name="decision_new"),
]
