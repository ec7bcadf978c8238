from django.urls import path

from evalapp.runs.views import comparison, contamination, new_run, queues, runs, sweeps

urlpatterns = [
    path(
        "projects/<slug:slug>/data/<int:dataset_id>/v<int:number>/contamination/",
        contamination.contamination,
        name="contamination",
    ),
    path("projects/<slug:slug>/runs/", runs.run_list, name="run_list"),
    path("projects/<slug:slug>/runs/queue/", queues.run_queue, name="run_queue"),
    path("projects/<slug:slug>/runs/new/", new_run.run_new, name="run_new"),
    path("projects/<slug:slug>/runs/compare/", comparison.run_compare, name="run_compare"),
    path("projects/<slug:slug>/runs/sweeps/", sweeps.sweep_list, name="sweep_list"),
    path(
        "projects/<slug:slug>/runs/sweeps/<int:sweep_id>/cancel/",
        sweeps.sweep_cancel,
        name="sweep_cancel",
    ),
    path("projects/<slug:slug>/runs/<int:run_id>/", runs.run_detail, name="run_detail"),
    path("projects/<slug:slug>/runs/<int:run_id>/start/", runs.dry_run_start, name="dry_run_start"),
    path("projects/<slug:slug>/runs/<int:run_id>/half-batch/", runs.run_half_batch, name="run_half_batch"),
    path("projects/<slug:slug>/runs/<int:run_id>/loss/", runs.run_loss, name="run_loss"),
    path("projects/<slug:slug>/runs/<int:run_id>/samples/", runs.run_samples, name="run_samples"),
    path("projects/<slug:slug>/runs/<int:run_id>/outputs/", runs.run_outputs, name="run_outputs"),
]
