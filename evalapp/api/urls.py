"""URLs of operations on reviews, part of `evalapp.api_urls`."""

from django.urls import URLPattern, path

from evalapp.api.views import (
    adjudication,
    analysis,
    campaigns,
    change_requests,
    comparison_adjudications,
    desk,
    discussions,
    gold_preferences,
    preferences,
    reviews,
)

_PROJECT = "projects/<slug:slug>"
_CAMPAIGN = f"{_PROJECT}/campaigns/<int:campaign_id>"
_TASK = "reviews/<uuid:key>/<int:slot>"

urlpatterns: list[URLPattern] = [
    path(
        f"{_CAMPAIGN}/assignments/",
        campaigns.CampaignAddAssignments.as_view(),
        name="api_campaign_add_assignments",
    ),
    path(
        f"{_CAMPAIGN}/gold-preferences/<int:preference>/",
        gold_preferences.CampaignGoldPreference.as_view(),
        name="api_campaign_gold_preference",
    ),
    path(
        f"{_CAMPAIGN}/gold-preferences/",
        gold_preferences.CampaignGoldPreferences.as_view(),
        name="api_campaign_gold_preferences",
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
    path(
        f"{_CAMPAIGN}/calibration/<int:number>/admit/",
        campaigns.CampaignAdmitNumbered.as_view(),
        name="api_campaign_admit_numbered",
    ),
    path(f"{_CAMPAIGN}/progress/", campaigns.CampaignProgress.as_view(), name="api_campaign_progress"),
    path(f"{_CAMPAIGN}/flags/", campaigns.FlagList.as_view(), name="api_flags"),
    path(
        f"{_CAMPAIGN}/flags/<int:flag_id>/resolve/", campaigns.FlagResolve.as_view(), name="api_flag_resolve"
    ),
    path(f"{_CAMPAIGN}/quality/", analysis.QualityDetail.as_view(), name="api_quality"),
    path(f"{_CAMPAIGN}/cases/<int:item_id>/", analysis.CaseDetail.as_view(), name="api_case"),
    path(f"{_CAMPAIGN}/disagreements/", adjudication.DisagreementList.as_view(), name="api_disagreements"),
    path(f"{_CAMPAIGN}/adjudications/", adjudication.AdjudicationList.as_view(), name="api_adjudications"),
    path(
        f"{_CAMPAIGN}/change-requests/",
        change_requests.ChangeRequestList.as_view(),
        name="api_change_requests",
    ),
    path(
        f"{_CAMPAIGN}/change-requests/<int:change_request_id>/withdraw/",
        change_requests.ChangeRequestWithdrawal.as_view(),
        name="api_change_request_withdraw",
    ),
    path(f"{_CAMPAIGN}/appeals/", adjudication.AppealList.as_view(), name="api_appeals"),
    path(
        f"{_CAMPAIGN}/appeals/<int:appeal_id>/answer/",
        adjudication.AppealAnswer.as_view(),
        name="api_appeal_answer",
    ),
    path(
        f"{_CAMPAIGN}/outputs/<int:item_output_id>/discussion/",
        discussions.Discussion.as_view(),
        name="api_discussion",
    ),
    path(
        f"{_CAMPAIGN}/comparisons/disputed/",
        comparison_adjudications.DisputedComparisonList.as_view(),
        name="api_disputed_comparisons",
    ),
    path(
        f"{_CAMPAIGN}/comparisons/<int:comparison_id>/",
        comparison_adjudications.ComparedDetail.as_view(),
        name="api_compared",
    ),
    path(
        f"{_CAMPAIGN}/comparisons/<int:comparison_id>/discussion/",
        discussions.ComparisonDiscussion.as_view(),
        name="api_comparison_discussion",
    ),
    path(
        f"{_CAMPAIGN}/comparison-adjudications/",
        comparison_adjudications.ComparisonAdjudicationList.as_view(),
        name="api_comparison_adjudications",
    ),
    path(f"{_CAMPAIGN}/pairs/", preferences.PairResultsDetail.as_view(), name="api_pair_results"),
    path(f"{_CAMPAIGN}/preferences/", preferences.PreferenceList.as_view(), name="api_preferences"),
    path(
        f"{_CAMPAIGN}/preferences/differing/",
        preferences.DifferingPreferencesList.as_view(),
        name="api_differing_preferences",
    ),
    path("reviews/", reviews.SeatList.as_view(), name="api_my_campaigns"),
    path("reviews/submitted/", reviews.SubmittedList.as_view(), name="api_my_reviews"),
    path(
        "reviews/change-requests/", change_requests.OwnChangeRequests.as_view(), name="api_my_change_requests"
    ),
    path("reviews/campaigns/<uuid:key>/", reviews.SeatDetail.as_view(), name="api_my_campaign"),
    path("reviews/campaigns/<uuid:key>/next/", reviews.NextTask.as_view(), name="api_my_next"),
    path("reviews/campaigns/<uuid:key>/closing/", reviews.ClosingQuestion.as_view(), name="api_my_closing"),
    path("reviews/keys/", desk.ReviewKeys.as_view(), name="api_my_keys"),
    path("reviews/campaigns/<uuid:key>/undo/", desk.UndoReview.as_view(), name="api_my_undo"),
    path(
        "reviews/campaigns/<uuid:key>/calibration/", desk.OwnCalibration.as_view(), name="api_my_calibration"
    ),
    path(
        "reviews/campaigns/<uuid:key>/calibration/notes/",
        desk.OwnCalibrationNotes.as_view(),
        name="api_my_calibration_notes",
    ),
    path(f"{_TASK}/", reviews.TaskDetail.as_view(), name="api_my_task"),
    path(f"{_TASK}/draft/", reviews.DraftDetail.as_view(), name="api_my_draft"),
    path(f"{_TASK}/skip/", reviews.SkipTask.as_view(), name="api_my_skip"),
    path(f"{_TASK}/discussion/", discussions.OwnDiscussion.as_view(), name="api_my_discussion"),
    path(f"{_TASK}/appeals/", discussions.OwnAppeals.as_view(), name="api_my_appeals"),
    path(f"{_TASK}/flag/", reviews.FlagTask.as_view(), name="api_my_flag"),
]
