from django.urls import path

from evalapp.analysis import (
    agreement_views,
    classification_views,
    finder_views,
    help_views,
    metric_views,
    planner_views,
    preference_views,
    quality_views,
    severity_views,
    stored_result_views,
    sweep_views,
    table_views,
    tuning_views,
    views,
)

urlpatterns = [
    path("help/", help_views.help_list, name="help_list"),
    path("help/<slug:key>/", help_views.help_topic, name="help_topic"),
    path(
        "projects/<slug:slug>/campaigns/rubrics/<int:rubric_id>/links/",
        views.rubric_link,
        name="rubric_link",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/quality/",
        quality_views.campaign_quality,
        name="campaign_quality",
    ),
    path("projects/<slug:slug>/runs/sweeps/<int:sweep_id>/", sweep_views.sweep_detail, name="sweep_detail"),
    path(
        "projects/<slug:slug>/runs/sweeps/<int:sweep_id>/progress/",
        sweep_views.sweep_progress,
        name="sweep_progress",
    ),
    path("projects/<slug:slug>/campaigns/plan/", planner_views.planner, name="planner"),
    path(
        "projects/<slug:slug>/campaigns/plan/tables/<slug:name>.csv",
        planner_views.planner_table_csv,
        name="planner_table_csv",
    ),
    path(
        "projects/<slug:slug>/campaigns/plan/tables/<slug:name>.md",
        planner_views.planner_table_markdown,
        name="planner_table_markdown",
    ),
    path("projects/<slug:slug>/results/", views.result_list, name="result_list"),
    path("projects/<slug:slug>/results/tuning/", tuning_views.tuning, name="tuning"),
    path("projects/<slug:slug>/results/<int:campaign_id>/", views.result_detail, name="result_detail"),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/table.csv",
        views.comparison_csv,
        name="comparison_csv",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/tables/<slug:name>.csv",
        table_views.table_csv,
        name="analysis_table_csv",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/tables/<slug:name>.md",
        table_views.table_markdown,
        name="analysis_table_markdown",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/metrics/",
        metric_views.campaign_metrics,
        name="campaign_metrics",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/labels/",
        classification_views.campaign_classification,
        name="campaign_classification",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/compute/",
        stored_result_views.analysis_compute,
        name="analysis_compute",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/severity/",
        severity_views.campaign_severity,
        name="campaign_severity",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/agreement/",
        agreement_views.campaign_agreement,
        name="campaign_agreement",
    ),
    path("projects/<slug:slug>/results/<int:campaign_id>/finder/", finder_views.finder, name="finder"),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/finder/campaign/",
        finder_views.finder_campaign,
        name="finder_campaign",
    ),
    path("projects/<slug:slug>/results/<int:campaign_id>/cases/", views.case_list, name="case_list"),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/cases/<int:item_id>/",
        views.case_detail,
        name="case_detail",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/pairs/",
        preference_views.pair_results_page,
        name="pair_results",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/preferences/",
        preference_views.preference_list,
        name="preference_list",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/preferences/differing/",
        preference_views.differing_preferences_page,
        name="differing_preferences",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/preferences.csv",
        preference_views.preference_file,
        name="preference_file",
    ),
]
