from django.urls import path

from evalapp.judgements import addition_views, calibration_views, check_views, views

urlpatterns = [
    path("judgements/submitted/", views.judgement_submitted, name="judgement_submitted"),
    path("judgements/campaigns/<uuid:key>/", views.judgement_next, name="judgement_next"),
    path("judgements/campaigns/<uuid:key>/undo/", views.judgement_undo, name="judgement_undo"),
    path(
        "judgements/campaigns/<uuid:key>/calibration/",
        calibration_views.judgement_calibration,
        name="judgement_calibration",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/additions/",
        addition_views.campaign_additions,
        name="campaign_additions",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/comparison-checks/",
        check_views.comparison_checks_page,
        name="comparison_checks",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/comparison-checks/<int:verdict>/remove/",
        check_views.gold_verdict_remove,
        name="gold_verdict_remove",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/comparison-calibration/",
        calibration_views.comparison_calibration,
        name="comparison_calibration",
    ),
    path("judgements/<uuid:key>/<int:slot>/", views.judgement_task, name="judgement_task"),
    path("judgements/<uuid:key>/<int:slot>/draft/", views.judgement_draft, name="judgement_draft"),
    path("judgements/<uuid:key>/<int:slot>/skip/", views.judgement_skip, name="judgement_skip"),
    path("judgements/<uuid:key>/<int:slot>/flag/", views.judgement_flag, name="judgement_flag"),
]
