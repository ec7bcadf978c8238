from django.urls import path

from evalapp.campaigns import running_views, views

urlpatterns = [
    path("projects/<slug:slug>/campaigns/", views.campaign_list, name="campaign_list"),
    path("projects/<slug:slug>/campaigns/new/", views.campaign_new, name="campaign_new"),
    path("projects/<slug:slug>/campaigns/new/cost/", views.campaign_cost, name="campaign_cost"),
    path("projects/<slug:slug>/campaigns/<int:pk>/", views.campaign_detail, name="campaign_detail"),
    path("projects/<slug:slug>/campaigns/<int:pk>/design/", views.campaign_design, name="campaign_design"),
    path("projects/<slug:slug>/campaigns/<int:pk>/edit/", views.campaign_edit, name="campaign_edit"),
    path("projects/<slug:slug>/campaigns/<int:pk>/discard/", views.campaign_discard, name="campaign_discard"),
    path("projects/<slug:slug>/campaigns/<int:pk>/items/", views.campaign_items, name="campaign_items"),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/reviewers/",
        views.campaign_reviewers_add,
        name="campaign_reviewers_add",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/reviewers/<int:campaign_reviewer>/remove/",
        views.campaign_reviewer_remove,
        name="campaign_reviewer_remove",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/assignments/",
        running_views.campaign_assignments,
        name="campaign_assignments",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/reviewers/<int:campaign_reviewer>/quota/",
        running_views.campaign_quota,
        name="campaign_quota",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/reviewers/<int:campaign_reviewer>/release/",
        running_views.campaign_release,
        name="campaign_release",
    ),
    path(
        "projects/<slug:slug>/campaigns/<int:pk>/deadline/",
        running_views.campaign_deadline,
        name="campaign_deadline",
    ),
    path("projects/<slug:slug>/campaigns/<int:pk>/open/", views.campaign_open, name="campaign_open"),
    path("projects/<slug:slug>/campaigns/<int:pk>/pause/", views.campaign_pause, name="campaign_pause"),
    path("projects/<slug:slug>/campaigns/<int:pk>/resume/", views.campaign_resume, name="campaign_resume"),
    path("projects/<slug:slug>/campaigns/<int:pk>/close/", views.campaign_close, name="campaign_close"),
]
