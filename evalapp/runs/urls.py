from django.urls import path

from evalapp.runs import (
    comparison_views,
    contamination_views,
    new_run_views,
    queue_views,
    sweep_views,
    views,
)

urlpatterns = [
    path(
        "projects/<slug:slug>/data/<int:dataset_id>/v<int:number>/contamination/",
        contamination_views.contamination,
        name="contamination",
    ),
    path("projects/<slug:slug>/runs/", views.run_list, name="run_list"),
    path("projects/<slug:slug>/runs/queue/", queue_views.run_queue, name="run_queue"),
    path("projects/<slug:slug>/runs/new/", new_run_views.run_new, name="run_new"),
    path("projects/<slug:slug>/runs/compare/", comparison_views.run_compare, name="run_compare"),
    path("projects/<slug:slug>/runs/sweeps/", sweep_views.sweep_list, name="sweep_list"),
    path(
        "projects/<slug:slug>/runs/sweeps/<int:sweep_id>/cancel/",
        sweep_views.sweep_cancel,
        name="sweep_cancel",
    ),
    path("projects/<slug:slug>/runs/<int:run_id>/", views.run_detail, name="run_detail"),
    path("projects/<slug:slug>/runs/<int:run_id>/start/", views.dry_run_start, name="dry_run_start"),
    path("projects/<slug:slug>/runs/<int:run_id>/half-batch/", views.run_half_batch, name="run_half_batch"),
    path("projects/<slug:slug>/runs/<int:run_id>/loss/", views.run_loss, name="run_loss"),
    path("projects/<slug:slug>/runs/<int:run_id>/samples/", views.run_samples, name="run_samples"),
    path("projects/<slug:slug>/runs/<int:run_id>/outputs/", views.run_outputs, name="run_outputs"),
]
