from django.urls import path

from evalapp.reviews import addition_views, calibration_views, check_views, closing_views, views

urlpatterns = [
    path("reviews/", views.review_home, name="review_home"),
    path("reviews/submitted/", views.review_submitted, name="review_submitted"),
    path("reviews/keys/", views.review_keys, name="review_keys"),
    path("reviews/campaigns/<uuid:key>/", views.review_next, name="review_next"),
    path("reviews/campaigns/<uuid:key>/undo/", views.review_undo, name="review_undo"),
    path("reviews/campaigns/<uuid:key>/closing/", closing_views.review_closing, name="review_closing"),
    path(
        "reviews/campaigns/<uuid:key>/calibration/",
        calibration_views.review_calibration,
        name="review_calibration",
    ),
    path("reviews/<uuid:key>/<int:slot>/", views.review_task, name="review_task"),
    path("reviews/<uuid:key>/<int:slot>/draft/", views.review_draft, name="review_draft"),
    path("reviews/<uuid:key>/<int:slot>/skip/", views.review_skip, name="review_skip"),
    path("reviews/<uuid:key>/<int:slot>/flag/", views.review_flag, name="review_flag"),
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
    path("projects/<slug:slug>/campaigns/<int:pk>/flags/", views.campaign_flags, name="campaign_flags"),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/flags/<int:flag_id>/resolve/",
        views.flag_resolve,
        name="flag_resolve",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/progress/", views.campaign_progress, name="campaign_progress"
    ),
]
