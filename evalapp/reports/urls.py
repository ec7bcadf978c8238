from django.urls import path

from evalapp.reports import views

urlpatterns = [
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/reports/",
        views.campaign_reports,
        name="campaign_reports",
    ),
    path("projects/<slug:slug>/results/reports/<int:report_id>/", views.report_detail, name="report_detail"),
    path(
        "projects/<slug:slug>/results/reports/<int:report_id>/files/<str:name>",
        views.report_file,
        name="report_file",
    ),
]
