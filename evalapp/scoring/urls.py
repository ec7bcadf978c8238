from django.urls import path

from evalapp.scoring import external_views, label_views, views

urlpatterns = [
    path("projects/<slug:slug>/settings/rule-checks/", views.rule_list, name="rule_list"),
    path("projects/<slug:slug>/settings/rule-checks/new/<str:kind>/", views.rule_new, name="rule_new"),
    path("projects/<slug:slug>/settings/rule-checks/<int:rule_id>/", views.rule_edit, name="rule_edit"),
    path("projects/<slug:slug>/settings/rule-checks/<int:rule_id>/use/", views.rule_use, name="rule_use"),
    path("projects/<slug:slug>/runs/<int:run_id>/score/", views.run_score, name="run_score"),
    path(
        "projects/<slug:slug>/data/<int:dataset_id>/label-parser/",
        label_views.label_parser,
        name="label_parser",
    ),
    path(
        "projects/<slug:slug>/settings/external-metrics/",
        external_views.external_metric_list,
        name="external_metric_list",
    ),
    path(
        "projects/<slug:slug>/settings/external-metrics/<int:metric_id>/",
        external_views.external_metric,
        name="external_metric",
    ),
    path(
        "projects/<slug:slug>/settings/external-metrics/<int:metric_id>/delete/",
        external_views.external_metric_delete,
        name="external_metric_delete",
    ),
]
