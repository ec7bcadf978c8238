from django.urls import path

from evalapp.decisions import gate_views, saved_view_pages, views

urlpatterns = [
    path("", views.home, name="home"),
    path("projects/", views.project_list, name="project_list"),
    path("projects/new/", views.project_new, name="project_new"),
    path("projects/<slug:slug>/", views.project_home, name="project_home"),
    path("projects/<slug:slug>/settings/delete/", views.project_delete, name="project_delete"),
    path("projects/<slug:slug>/models/<int:version_id>/alias/", gate_views.model_alias, name="model_alias"),
    path("projects/<slug:slug>/results/views/", saved_view_pages.saved_view_list, name="saved_view_list"),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/views/new/",
        saved_view_pages.saved_view_new,
        name="saved_view_new",
    ),
    path(
        "projects/<slug:slug>/results/views/<int:view_id>/",
        saved_view_pages.saved_view_open,
        name="saved_view_open",
    ),
    path(
        "projects/<slug:slug>/results/views/<int:view_id>/edit/",
        saved_view_pages.saved_view_edit,
        name="saved_view_edit",
    ),
    path(
        "projects/<slug:slug>/results/views/<int:view_id>/delete/",
        saved_view_pages.saved_view_delete,
        name="saved_view_delete",
    ),
    path("projects/<slug:slug>/results/<int:campaign_id>/decide/", views.decision_new, name="decision_new"),
    path(
        "projects/<slug:slug>/results/decisions/<int:decision_id>/",
        gate_views.decision_detail,
        name="decision_detail",
    ),
    path(
        "projects/<slug:slug>/results/decisions/<int:decision_id>/dossier/",
        gate_views.decision_dossier,
        name="decision_dossier",
    ),
    path(
        "projects/<slug:slug>/results/gate-evaluations/<int:evaluation_id>/sign/",
        gate_views.decision_sign,
        name="decision_sign",
    ),
]
