from django.urls import path

from evalapp.curation import views

_DATASET = "projects/<slug:slug>/data/<int:dataset_id>/"
_VERSION = f"{_DATASET}v<int:number>/"
_ROW = f"{_VERSION}rows/<int:row_number>/"

urlpatterns = [
    path(f"{_VERSION}health/", views.dataset_health, name="dataset_health"),
    path(f"{_VERSION}health/<slug:kind>/", views.dataset_findings, name="dataset_findings"),
    path(f"{_VERSION}card/", views.dataset_card, name="dataset_card"),
    path(f"{_VERSION}draft/", views.dataset_draft_new, name="dataset_draft_new"),
    path(f"{_DATASET}drafts/<int:draft_id>/", views.dataset_draft, name="dataset_draft"),
    path(f"{_DATASET}drafts/<int:draft_id>/bulk-edit/", views.dataset_bulk_edit, name="dataset_bulk_edit"),
    path(f"{_ROW}edit/", views.dataset_row_edit, name="dataset_row_edit"),
    path(f"{_ROW}history/", views.dataset_row_history, name="dataset_row_history"),
]
