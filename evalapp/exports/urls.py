from django.urls import path

from evalapp.exports import correction_views, finder_views, views

urlpatterns = [
    path("projects/<slug:slug>/data/proposed-rows/", views.export_list, name="export_list"),
    path("projects/<slug:slug>/data/proposed-rows/new/", views.export_new, name="export_new"),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/finder/proposed-rows/",
        finder_views.finder_propose,
        name="finder_propose",
    ),
    path(
        "projects/<slug:slug>/data/proposed-rows/<int:export_id>/", views.export_detail, name="export_detail"
    ),
    path(
        "projects/<slug:slug>/data/proposed-rows/<int:export_id>/accept-all/",
        views.export_accept_all,
        name="export_accept_all",
    ),
    path(
        "projects/<slug:slug>/data/proposed-rows/<int:export_id>/finish/",
        views.export_finish,
        name="export_finish",
    ),
    path(
        "projects/<slug:slug>/data/proposed-rows/<int:export_id>/rows/<int:row_id>/",
        views.export_row,
        name="export_row",
    ),
    path(
        "projects/<slug:slug>/data/proposed-rows/<int:export_id>/files/<str:name>",
        views.export_file,
        name="export_file",
    ),
    path("projects/<slug:slug>/data/lineage/<int:review_id>/", views.lineage_review, name="lineage_review"),
    path("projects/<slug:slug>/models/<int:version_id>/lineage/", views.lineage_model, name="lineage_model"),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/corrections/",
        correction_views.campaign_corrections,
        name="campaign_corrections",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/corrections/measure/",
        correction_views.corrections_measure,
        name="corrections_measure",
    ),
]
