from django.urls import path

from evalapp.judgements import addition_views, calibration_views, check_views, views

urlpatterns = [
    path(
        "reviews/campaigns/<uuid:key>/calibration/",
        calibration_views.review_calibration,
        name="review_calibration",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/calibration/",
        calibration_views.campaign_calibration,
        name="campaign_calibration",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/reviewers/<int:campaign_reviewer>/admit/",
        calibration_views.campaign_admit,
        name="campaign_admit",
    ),
    path("judgements/submitted/", views.judgement_submitted, name="judgement_submitted"),
    path("judgements/campaigns/<uuid:key>/", views.judgement_next, name="judgement_next"),
    path("judgements/campaigns/<uuid:key>/undo/", views.judgement_undo, name="judgement_undo"),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/additions/",
        addition_views.campaign_additions,
        name="campaign_additions",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/checks/", check_views.campaign_checks, name="campaign_checks"
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/checks/<int:answer>/remove/",
        check_views.campaign_gold_remove,
        name="campaign_gold_remove",
    ),
    path("judgements/<uuid:key>/<int:slot>/", views.judgement_task, name="judgement_task"),
    path("judgements/<uuid:key>/<int:slot>/draft/", views.judgement_draft, name="judgement_draft"),
    path("judgements/<uuid:key>/<int:slot>/skip/", views.judgement_skip, name="judgement_skip"),
    path("judgements/<uuid:key>/<int:slot>/flag/", views.judgement_flag, name="judgement_flag"),
]
