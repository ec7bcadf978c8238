from django.urls import path

from evalapp.adjudication.views import appeals, change_requests, desk, discussions

_CAMPAIGN = "projects/<slug:slug>/results/<int:campaign_id>"
_MINE = "reviews/<uuid:key>/<int:slot>"

urlpatterns = [
    path(f"{_CAMPAIGN}/adjudication/", desk.adjudication_list, name="adjudication_list"),
    path(f"{_CAMPAIGN}/adjudication/next/", desk.adjudication_next, name="adjudication_next"),
    path(
        f"{_CAMPAIGN}/adjudication/<int:item_output_id>/",
        desk.adjudication_output,
        name="adjudication_output",
    ),
    path(
        f"{_CAMPAIGN}/adjudication/change-requests/",
        change_requests.change_request_list,
        name="change_request_list",
    ),
    path(
        f"{_CAMPAIGN}/adjudication/change-requests/<int:change_request_id>/withdraw/",
        change_requests.change_request_withdraw,
        name="change_request_withdraw",
    ),
    path(
        f"{_CAMPAIGN}/adjudication/reviews/<int:review_id>/request-changes/",
        change_requests.change_request_new,
        name="change_request_new",
    ),
    path(
        f"{_CAMPAIGN}/adjudication/comparisons/<int:comparison_id>/",
        desk.adjudication_comparison,
        name="adjudication_comparison",
    ),
    path(
        f"{_CAMPAIGN}/adjudication/comparisons/<int:comparison_id>/discussion/",
        discussions.comparison_discussion,
        name="comparison_discussion",
    ),
    path(f"{_CAMPAIGN}/adjudication/appeals/", appeals.appeal_list, name="appeal_list"),
    path(f"{_CAMPAIGN}/adjudication/appeals/<int:appeal_id>/", appeals.appeal_detail, name="appeal_detail"),
    path(
        f"{_CAMPAIGN}/adjudication/<int:item_output_id>/discussion/",
        discussions.output_discussion,
        name="output_discussion",
    ),
    path(f"{_MINE}/discussion/", discussions.review_discussion, name="review_discussion"),
    path(f"{_MINE}/appeal/", discussions.review_appeal, name="review_appeal"),
]
