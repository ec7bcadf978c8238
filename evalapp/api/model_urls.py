"""URLs of models, what is kept of them, and runs; part of `evalapp.api.urls`."""

from django.urls import URLPattern, path

from evalapp.api.views import artifacts, decisions, endpoints, registry, runs, sweeps

_PROJECT = "projects/<slug:slug>"
_MODEL = f"{_PROJECT}/models/<int:version_id>"
_MERGED = f"{_PROJECT}/models/merged/<int:merged_id>"
_RUN = f"{_PROJECT}/runs/<int:run_id>"
_ENDPOINT = f"{_PROJECT}/models/endpoints/<int:endpoint_id>"

model_urls: list[URLPattern] = [
    path(f"{_PROJECT}/models/", registry.ModelList.as_view(), name="api_models"),
    path(f"{_PROJECT}/models/folders/", registry.ModelFolders.as_view(), name="api_model_folders"),
    path(f"{_PROJECT}/models/base/", registry.BaseRegistration.as_view(), name="api_model_base"),
    path(f"{_PROJECT}/models/prompt/", registry.PromptRegistration.as_view(), name="api_model_prompt"),
    path(f"{_PROJECT}/models/adapter/", registry.AdapterRegistration.as_view(), name="api_model_adapter"),
    path(
        f"{_PROJECT}/models/adapter/upload/",
        registry.AdapterUpload.as_view(),
        name="api_model_adapter_upload",
    ),
    path(f"{_PROJECT}/models/imported/", registry.ImportedRegistration.as_view(), name="api_model_imported"),
    path(f"{_PROJECT}/models/endpoints/", endpoints.EndpointList.as_view(), name="api_endpoints"),
    path(f"{_ENDPOINT}/", endpoints.EndpointDetail.as_view(), name="api_endpoint"),
    path(
        f"{_ENDPOINT}/candidates/", endpoints.EndpointModelRegistration.as_view(), name="api_endpoint_model"
    ),
    path(f"{_MODEL}/", registry.ModelDetail.as_view(), name="api_model"),
    path(f"{_MODEL}/alias/", registry.ModelAlias.as_view(), name="api_model_alias"),
    path(f"{_MODEL}/lineage/", decisions.ModelLineage.as_view(), name="api_model_lineage"),
    path(f"{_MODEL}/card/", artifacts.ModelCard.as_view(), name="api_model_card"),
    path(f"{_MODEL}/archive/", artifacts.ModelArchive.as_view(), name="api_model_archive"),
    path(f"{_MODEL}/files/", artifacts.ModelFiles.as_view(), name="api_model_files"),
    path(f"{_MODEL}/files/<str:name>", artifacts.ModelFile.as_view(), name="api_model_file"),
    path(f"{_MODEL}/merge/", artifacts.MergeStart.as_view(), name="api_model_merge"),
    path(f"{_PROJECT}/models/merged/", artifacts.MergedExportList.as_view(), name="api_merged_exports"),
    path(f"{_MERGED}/", artifacts.MergedExportDetail.as_view(), name="api_merged_export"),
    path(f"{_MERGED}/archive/", artifacts.MergedExportArchive.as_view(), name="api_merged_archive"),
    path(f"{_MERGED}/files/", artifacts.MergedExportFiles.as_view(), name="api_merged_files"),
    path(f"{_MERGED}/files/<str:name>", artifacts.MergedExportFile.as_view(), name="api_merged_file"),
    path(f"{_PROJECT}/models/hub/", artifacts.HubDownloadList.as_view(), name="api_hub_downloads"),
    path(
        f"{_PROJECT}/models/hub/<int:download_id>/",
        artifacts.HubDownloadDetail.as_view(),
        name="api_hub_download",
    ),
    path(f"{_PROJECT}/artifacts/", artifacts.ArtifactList.as_view(), name="api_artifacts"),
    path(
        f"{_PROJECT}/artifacts/set-aside/",
        artifacts.ArtifactSetAside.as_view(),
        name="api_artifact_set_aside",
    ),
    path(f"{_PROJECT}/artifacts/keep/", artifacts.ArtifactKeep.as_view(), name="api_artifact_keep"),
    path(f"{_PROJECT}/artifacts/remove/", artifacts.ArtifactRemove.as_view(), name="api_artifact_remove"),
    path(f"{_PROJECT}/runs/", runs.RunList.as_view(), name="api_runs"),
    path(f"{_PROJECT}/runs/training/", runs.TrainingStart.as_view(), name="api_run_training"),
    path(f"{_PROJECT}/runs/training/dry-run/", runs.DryRunStart.as_view(), name="api_dry_run"),
    path(f"{_PROJECT}/runs/generation/", runs.GenerationStart.as_view(), name="api_run_generation"),
    path(f"{_PROJECT}/runs/generation/batch-file/", runs.BatchFile.as_view(), name="api_batch_file"),
    path(f"{_PROJECT}/runs/outputs/", runs.OutputsImport.as_view(), name="api_run_import"),
    path(f"{_PROJECT}/runs/outputs/upload/", runs.OutputsUpload.as_view(), name="api_run_upload"),
    path(f"{_RUN}/", runs.RunDetail.as_view(), name="api_run"),
    path(f"{_RUN}/half-batch/", runs.RunHalfBatch.as_view(), name="api_run_half_batch"),
    path(f"{_RUN}/usage/", runs.RunUsage.as_view(), name="api_run_usage"),
    path(f"{_PROJECT}/sweeps/", sweeps.SweepList.as_view(), name="api_sweeps"),
    path(f"{_PROJECT}/sweeps/<int:sweep_id>/", sweeps.SweepDetail.as_view(), name="api_sweep"),
    path(f"{_PROJECT}/sweeps/<int:sweep_id>/curve/", sweeps.SweepCurve.as_view(), name="api_sweep_curve"),
    path(f"{_PROJECT}/sweeps/<int:sweep_id>/cancel/", sweeps.SweepCancel.as_view(), name="api_sweep_cancel"),
    path(f"{_RUN}/samples/", runs.RunSamples.as_view(), name="api_run_samples"),
    path(f"{_RUN}/drawn-rows/", runs.RunDrawnRows.as_view(), name="api_run_drawn_rows"),
    path(f"{_RUN}/points/", runs.RunPoints.as_view(), name="api_run_points"),
    path(f"{_RUN}/outputs/", runs.RunOutputs.as_view(), name="api_run_outputs"),
    path(f"{_RUN}/score/", runs.RunScoring.as_view(), name="api_run_score"),
]
