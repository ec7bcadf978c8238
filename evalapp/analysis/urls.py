from django.urls import path

from evalapp.analysis.views import (
    agreement,
    cases,
    classification,
    finder,
    help_pages,
    metrics,
    planner,
    preferences,
    quality,
    results,
    rubric_links,
    severity,
    stored_results,
    sweeps,
    tables,
    tuning,
    versions,
)

urlpatterns = [
    path("help/", help_pages.help_list, name="help_list"),
    path("help/<slug:name>/", help_pages.help_topic, name="help_topic"),
    path(
        "projects/<slug:slug>/campaigns/rubrics/<int:rubric_id>/links/",
        rubric_links.rubric_link,
        name="rubric_link",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/quality/",
        quality.campaign_quality,
        name="campaign_quality",
    ),
    path("projects/<slug:slug>/runs/sweeps/<int:sweep_id>/", sweeps.sweep_detail, name="sweep_detail"),
    path(
        "projects/<slug:slug>/runs/sweeps/<int:sweep_id>/progress/",
        sweeps.sweep_progress,
        name="sweep_progress",
    ),
    path(
        "projects/<slug:slug>/data/<int:dataset_id>/progress/",
        versions.dataset_progress,
        name="dataset_progress",
    ),
    path("projects/<slug:slug>/campaigns/plan/", planner.planner, name="planner"),
    path(
        "projects/<slug:slug>/campaigns/plan/tables/<slug:name>.csv",
        planner.planner_table_csv,
        name="planner_table_csv",
    ),
    path(
        "projects/<slug:slug>/campaigns/plan/tables/<slug:name>.md",
        planner.planner_table_markdown,
        name="planner_table_markdown",
    ),
    path("projects/<slug:slug>/results/", results.result_list, name="result_list"),
    path("projects/<slug:slug>/results/tuning/", tuning.tuning, name="tuning"),
    path("projects/<slug:slug>/results/<int:campaign_id>/", results.result_detail, name="result_detail"),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/who-is-better/",
        results.who_is_better,
        name="who_is_better",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/can-i-trust-it/",
        results.can_i_trust_it,
        name="can_i_trust_it",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/what-to-fix/",
        results.what_to_fix,
        name="what_to_fix",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/table.csv",
        results.comparison_csv,
        name="comparison_csv",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/tables/<slug:name>.csv",
        tables.table_csv,
        name="analysis_table_csv",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/tables/<slug:name>.md",
        tables.table_markdown,
        name="analysis_table_markdown",
    ),
    path("projects/<slug:slug>/runs/<int:run_id>/metrics/", metrics.run_metrics, name="run_metrics"),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/metrics/",
        metrics.campaign_metrics,
        name="campaign_metrics",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/labels/",
        classification.campaign_classification,
        name="campaign_classification",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/compute/",
        stored_results.analysis_compute,
        name="analysis_compute",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/severity/",
        severity.campaign_severity,
        name="campaign_severity",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/agreement/",
        agreement.campaign_agreement,
        name="campaign_agreement",
    ),
    path("projects/<slug:slug>/results/<int:campaign_id>/finder/", finder.finder, name="finder"),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/finder/campaign/",
        finder.finder_campaign,
        name="finder_campaign",
    ),
    path("projects/<slug:slug>/results/<int:campaign_id>/cases/", cases.case_list, name="case_list"),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/cases/<int:item_id>/",
        cases.case_detail,
        name="case_detail",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/pairs/",
        preferences.pair_results_page,
        name="pair_results",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/preferences/",
        preferences.preference_list,
        name="preference_list",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/preferences/differing/",
        preferences.differing_preferences_page,
        name="differing_preferences",
    ),
    path(
        "projects/<slug:slug>/results/<int:campaign_id>/preferences.csv",
        preferences.preference_file,
        name="preference_file",
    ),
]
