from django.urls import path

from evalapp.reviews import closing_views, views

urlpatterns = [
    path("reviews/", views.review_home, name="review_home"),
    path("reviews/submitted/", views.review_submitted, name="review_submitted"),
    path("reviews/keys/", views.review_keys, name="review_keys"),
    path("reviews/campaigns/<uuid:key>/", views.review_next, name="review_next"),
    path("reviews/campaigns/<uuid:key>/undo/", views.review_undo, name="review_undo"),
    path("reviews/campaigns/<uuid:key>/closing/", closing_views.review_closing, name="review_closing"),
    path("reviews/<uuid:key>/<int:slot>/", views.review_task, name="review_task"),
    path("reviews/<uuid:key>/<int:slot>/draft/", views.review_draft, name="review_draft"),
    path("reviews/<uuid:key>/<int:slot>/skip/", views.review_skip, name="review_skip"),
    path("reviews/<uuid:key>/<int:slot>/flag/", views.review_flag, name="review_flag"),
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
