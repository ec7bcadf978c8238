"""Addresses of the machine API, version 1. Names begin with ``api_``."""

from django.urls import URLPattern, path, re_path

from evalapp.api.schema import SchemaView, no_such_address
from evalapp.api.views import (
    accounts,
    adjudication,
    analysis,
    campaigns,
    datasets,
    decisions,
    exports,
    gold_verdicts,
    jobs,
    judgements,
    ratings,
    registry,
    reviews,
    rubrics,
    runs,
    scoring,
    webhooks,
)

_PROJECT = "projects/<slug:slug>"
_DATASET = f"{_PROJECT}/datasets/<int:dataset_id>"
_VERSION = f"{_DATASET}/versions/<int:number>"
_IMPORT = f"{_DATASET}/imports/<int:import_id>"
_RUBRIC = f"{_PROJECT}/rubrics/<int:rubric_id>"
_MODEL = f"{_PROJECT}/models/<int:version_id>"
_RUN = f"{_PROJECT}/runs/<int:run_id>"
_JOB = f"{_PROJECT}/jobs/<int:job_id>"
_CAMPAIGN = f"{_PROJECT}/campaigns/<int:campaign_id>"
_RATINGS = f"{_PROJECT}/ratings-imports"
_EXPORT = f"{_PROJECT}/exports/<int:export_id>"
_WEBHOOK = f"{_PROJECT}/webhooks/<int:endpoint_id>"
_TASK = "reviews/<uuid:key>/<int:slot>"
_COMPARISON = "judgements/<uuid:key>/<int:slot>"

urlpatterns: list[URLPattern] = [
    path("schema/", SchemaView.as_view(), name="api_schema"),
    path("me/", accounts.Me.as_view(), name="api_me"),
    path("projects/", accounts.ProjectList.as_view(), name="api_projects"),
    path(f"{_PROJECT}/", accounts.ProjectDetail.as_view(), name="api_project"),
    path(f"{_PROJECT}/members/", accounts.MemberList.as_view(), name="api_members"),
    path(f"{_PROJECT}/datasets/", datasets.DatasetList.as_view(), name="api_datasets"),
    path(f"{_DATASET}/", datasets.DatasetDetail.as_view(), name="api_dataset"),
    path(f"{_DATASET}/versions/", datasets.VersionList.as_view(), name="api_dataset_versions"),
    path(f"{_VERSION}/", datasets.VersionDetail.as_view(), name="api_dataset_version"),
    path(f"{_VERSION}/examples/", datasets.ExampleList.as_view(), name="api_examples"),
    path(f"{_DATASET}/imports/", datasets.ImportList.as_view(), name="api_imports"),
    path(f"{_IMPORT}/", datasets.ImportDetail.as_view(), name="api_import"),
    path(f"{_IMPORT}/start/", datasets.ImportStart.as_view(), name="api_import_start"),
    path(f"{_PROJECT}/rubrics/", rubrics.RubricList.as_view(), name="api_rubrics"),
    path(f"{_PROJECT}/rubrics/templates/", rubrics.RubricTemplates.as_view(), name="api_rubric_templates"),
    path(f"{_RUBRIC}/", rubrics.RubricDetail.as_view(), name="api_rubric"),
    path(f"{_RUBRIC}/versions/", rubrics.RubricVersionList.as_view(), name="api_rubric_versions"),
    path(
        f"{_RUBRIC}/versions/<int:number>/", rubrics.RubricVersionDetail.as_view(), name="api_rubric_version"
    ),
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
    path(f"{_MODEL}/", registry.ModelDetail.as_view(), name="api_model"),
    path(f"{_MODEL}/alias/", registry.ModelAlias.as_view(), name="api_model_alias"),
    path(f"{_MODEL}/lineage/", decisions.ModelLineage.as_view(), name="api_model_lineage"),
    path(f"{_PROJECT}/runs/", runs.RunList.as_view(), name="api_runs"),
    path(f"{_PROJECT}/runs/training/", runs.TrainingStart.as_view(), name="api_run_training"),
    path(f"{_PROJECT}/runs/generation/", runs.GenerationStart.as_view(), name="api_run_generation"),
    path(f"{_PROJECT}/runs/outputs/", runs.OutputsImport.as_view(), name="api_run_import"),
    path(f"{_PROJECT}/runs/outputs/upload/", runs.OutputsUpload.as_view(), name="api_run_upload"),
    path(f"{_RUN}/", runs.RunDetail.as_view(), name="api_run"),
    path(f"{_RUN}/points/", runs.RunPoints.as_view(), name="api_run_points"),
    path(f"{_RUN}/outputs/", runs.RunOutputs.as_view(), name="api_run_outputs"),
    path(f"{_RUN}/score/", runs.RunScoring.as_view(), name="api_run_score"),
    path(f"{_PROJECT}/jobs/", jobs.JobList.as_view(), name="api_jobs"),
    path(f"{_JOB}/", jobs.JobDetail.as_view(), name="api_job"),
    path(f"{_JOB}/events/", jobs.JobEvents.as_view(), name="api_job_events"),
    path(f"{_JOB}/cancel/", jobs.JobCancel.as_view(), name="api_job_cancel"),
    path(f"{_JOB}/retry/", jobs.JobRetry.as_view(), name="api_job_retry"),
    path(f"{_PROJECT}/rules/", scoring.RuleList.as_view(), name="api_rules"),
    path(f"{_PROJECT}/rules/<int:rule_id>/", scoring.RuleDetail.as_view(), name="api_rule"),
    path(f"{_PROJECT}/campaigns/", campaigns.CampaignList.as_view(), name="api_campaigns"),
    path(f"{_CAMPAIGN}/", campaigns.CampaignDetail.as_view(), name="api_campaign"),
    path(f"{_CAMPAIGN}/open/", campaigns.CampaignOpen.as_view(), name="api_campaign_open"),
    path(f"{_CAMPAIGN}/pause/", campaigns.CampaignPause.as_view(), name="api_campaign_pause"),
    path(f"{_CAMPAIGN}/resume/", campaigns.CampaignResume.as_view(), name="api_campaign_resume"),
    path(f"{_CAMPAIGN}/close/", campaigns.CampaignClose.as_view(), name="api_campaign_close"),
    path(f"{_CAMPAIGN}/reviewers/", campaigns.CampaignReviewers.as_view(), name="api_campaign_reviewers"),
    path(
        f"{_CAMPAIGN}/reviewers/<int:person_id>/quota/",
        campaigns.CampaignQuota.as_view(),
        name="api_campaign_quota",
    ),
    path(f"{_CAMPAIGN}/deadline/", campaigns.CampaignDeadline.as_view(), name="api_campaign_deadline"),
    path(f"{_CAMPAIGN}/reassign/", campaigns.CampaignReassign.as_view(), name="api_campaign_reassign"),
    path(f"{_CAMPAIGN}/items/", campaigns.CampaignAddItems.as_view(), name="api_campaign_add_items"),
    path(f"{_CAMPAIGN}/places/", campaigns.CampaignAddPlaces.as_view(), name="api_campaign_add_places"),
    path(f"{_CAMPAIGN}/gold/", campaigns.CampaignGold.as_view(), name="api_campaign_gold"),
    path(
        f"{_CAMPAIGN}/gold-verdicts/",
        gold_verdicts.CampaignGoldVerdicts.as_view(),
        name="api_campaign_gold_verdicts",
    ),
    path(f"{_CAMPAIGN}/checks/", campaigns.CampaignChecks.as_view(), name="api_campaign_checks"),
    path(
        f"{_CAMPAIGN}/calibration/",
        campaigns.CampaignCalibration.as_view(),
        name="api_campaign_calibration",
    ),
    path(
        f"{_CAMPAIGN}/reviewers/<int:person_id>/admit/",
        campaigns.CampaignAdmit.as_view(),
        name="api_campaign_admit",
    ),
    path(f"{_CAMPAIGN}/progress/", campaigns.CampaignProgress.as_view(), name="api_campaign_progress"),
    path(f"{_CAMPAIGN}/flags/", campaigns.FlagList.as_view(), name="api_flags"),
    path(
        f"{_CAMPAIGN}/flags/<int:flag_id>/resolve/", campaigns.FlagResolve.as_view(), name="api_flag_resolve"
    ),
    path(f"{_CAMPAIGN}/comparison/", analysis.ComparisonDetail.as_view(), name="api_comparison"),
    path(f"{_CAMPAIGN}/differences/", analysis.DifferenceList.as_view(), name="api_differences"),
    path(f"{_CAMPAIGN}/agreement/", analysis.AgreementDetail.as_view(), name="api_agreement"),
    path(f"{_CAMPAIGN}/quality/", analysis.QualityDetail.as_view(), name="api_quality"),
    path(f"{_CAMPAIGN}/cases/", analysis.CaseList.as_view(), name="api_cases"),
    path(f"{_CAMPAIGN}/cases/<int:item_id>/", analysis.CaseDetail.as_view(), name="api_case"),
    path(f"{_CAMPAIGN}/disagreements/", adjudication.DisagreementList.as_view(), name="api_disagreements"),
    path(f"{_CAMPAIGN}/adjudications/", adjudication.AdjudicationList.as_view(), name="api_adjudications"),
    path(f"{_CAMPAIGN}/sent-back/", adjudication.SendBackList.as_view(), name="api_send_backs"),
    path(
        f"{_CAMPAIGN}/sent-back/<int:send_back_id>/withdraw/",
        adjudication.SendBackWithdrawal.as_view(),
        name="api_send_back_withdraw",
    ),
    path(f"{_CAMPAIGN}/appeals/", adjudication.AppealList.as_view(), name="api_appeals"),
    path(
        f"{_CAMPAIGN}/appeals/<int:appeal_id>/answer/",
        adjudication.AppealAnswer.as_view(),
        name="api_appeal_answer",
    ),
    path(
        f"{_CAMPAIGN}/outputs/<int:item_output_id>/discussion/",
        adjudication.Discussion.as_view(),
        name="api_discussion",
    ),
    path(f"{_CAMPAIGN}/pairs/", judgements.PairResultsDetail.as_view(), name="api_pair_results"),
    path(f"{_CAMPAIGN}/judgements/", judgements.JudgementList.as_view(), name="api_judgements"),
    path(f"{_RATINGS}/", ratings.RatingsImportList.as_view(), name="api_ratings_imports"),
    path(f"{_RATINGS}/<int:import_id>/", ratings.RatingsImportDetail.as_view(), name="api_ratings_import"),
    path(
        f"{_RATINGS}/<int:import_id>/problems/",
        ratings.RatingsProblemList.as_view(),
        name="api_ratings_problems",
    ),
    path(
        f"{_RATINGS}/<int:import_id>/check/",
        ratings.RatingsImportCheck.as_view(),
        name="api_ratings_import_check",
    ),
    path(
        f"{_RATINGS}/<int:import_id>/start/",
        ratings.RatingsImportStart.as_view(),
        name="api_ratings_import_start",
    ),
    path(
        f"{_CAMPAIGN}/label-studio/tasks/",
        ratings.LabelStudioTasks.as_view(),
        name="api_label_studio_tasks",
    ),
    path(
        f"{_CAMPAIGN}/label-studio/config/",
        ratings.LabelStudioConfig.as_view(),
        name="api_label_studio_config",
    ),
    path(f"{_PROJECT}/exports/", exports.ExportList.as_view(), name="api_exports"),
    path(f"{_EXPORT}/", exports.ExportDetail.as_view(), name="api_export"),
    path(f"{_EXPORT}/rows/", exports.ExportRows.as_view(), name="api_export_rows"),
    path(f"{_EXPORT}/rows/decide/", exports.ExportDecisions.as_view(), name="api_export_decide"),
    path(
        f"{_EXPORT}/rows/<int:row_id>/decision/",
        exports.ExportRowDecision.as_view(),
        name="api_export_row_decide",
    ),
    path(f"{_EXPORT}/finish/", exports.ExportFinish.as_view(), name="api_export_finish"),
    path(f"{_EXPORT}/files/<str:name>/", exports.ExportFile.as_view(), name="api_export_file"),
    path(f"{_PROJECT}/decisions/", decisions.DecisionList.as_view(), name="api_decisions"),
    path(
        f"{_PROJECT}/reviews/<int:review_id>/lineage/",
        decisions.ReviewLineage.as_view(),
        name="api_review_lineage",
    ),
    path(f"{_PROJECT}/webhooks/", webhooks.WebhookList.as_view(), name="api_webhooks"),
    path(f"{_WEBHOOK}/", webhooks.WebhookDetail.as_view(), name="api_webhook"),
    path(f"{_WEBHOOK}/secret/", webhooks.WebhookSecret.as_view(), name="api_webhook_secret"),
    path(f"{_WEBHOOK}/enable/", webhooks.WebhookEnable.as_view(), name="api_webhook_enable"),
    path(f"{_WEBHOOK}/disable/", webhooks.WebhookDisable.as_view(), name="api_webhook_disable"),
    path(f"{_WEBHOOK}/deliveries/", webhooks.WebhookDeliveries.as_view(), name="api_webhook_deliveries"),
    path(
        f"{_WEBHOOK}/deliveries/<int:delivery_id>/redeliver/",
        webhooks.WebhookRedelivery.as_view(),
        name="api_webhook_redeliver",
    ),
    path("reviews/", reviews.SeatList.as_view(), name="api_my_campaigns"),
    path("reviews/submitted/", reviews.SubmittedList.as_view(), name="api_my_reviews"),
    path("reviews/sent-back/", adjudication.OwnSendBacks.as_view(), name="api_my_sent_back"),
    path("reviews/campaigns/<uuid:key>/", reviews.SeatDetail.as_view(), name="api_my_campaign"),
    path("reviews/campaigns/<uuid:key>/next/", reviews.NextTask.as_view(), name="api_my_next"),
    path("reviews/campaigns/<uuid:key>/closing/", reviews.ClosingQuestion.as_view(), name="api_my_closing"),
    path(f"{_TASK}/", reviews.TaskDetail.as_view(), name="api_my_task"),
    path(f"{_TASK}/draft/", reviews.DraftDetail.as_view(), name="api_my_draft"),
    path(f"{_TASK}/skip/", reviews.SkipTask.as_view(), name="api_my_skip"),
    path(f"{_TASK}/discussion/", adjudication.OwnDiscussion.as_view(), name="api_my_discussion"),
    path(f"{_TASK}/appeals/", adjudication.OwnAppeals.as_view(), name="api_my_appeals"),
    path("judgements/submitted/", judgements.MyJudgementList.as_view(), name="api_my_judgements"),
    path(
        "judgements/campaigns/<uuid:key>/next/",
        judgements.NextComparison.as_view(),
        name="api_my_next_comparison",
    ),
    path(f"{_COMPARISON}/", judgements.ComparisonDetail.as_view(), name="api_my_comparison"),
    path(f"{_COMPARISON}/draft/", judgements.VerdictDraftDetail.as_view(), name="api_my_verdict_draft"),
    path(f"{_COMPARISON}/skip/", judgements.SkipComparison.as_view(), name="api_my_comparison_skip"),
    path(f"{_TASK}/flag/", reviews.FlagTask.as_view(), name="api_my_flag"),
    re_path(r"^.*$", no_such_address, name="api_missing"),
]
