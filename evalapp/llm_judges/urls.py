from django.urls import path

from evalapp.llm_judges import views

_JUDGE = "projects/<slug:slug>/settings/llm-judges/<int:judge_id>/"
_CAMPAIGN = "projects/<slug:slug>/results/<int:campaign_id>/llm-judges/<int:judge_id>/"

urlpatterns = [
    path("projects/<slug:slug>/settings/llm-judges/", views.judge_list, name="judge_list"),
    path(_JUDGE, views.judge_detail, name="judge_detail"),
    path(f"{_JUDGE}key/", views.judge_key, name="judge_key"),
    path(f"{_JUDGE}delete/", views.judge_delete, name="judge_delete"),
    path(_CAMPAIGN, views.judge_campaign, name="judge_campaign"),
    path(f"{_CAMPAIGN}tables/<slug:name>.csv", views.judge_table_csv, name="judge_table_csv"),
    path(f"{_CAMPAIGN}tables/<slug:name>.md", views.judge_table_markdown, name="judge_table_markdown"),
    path(f"{_CAMPAIGN}start/", views.judge_start, name="judge_start"),
    path(f"{_CAMPAIGN}again/", views.judge_again, name="judge_again"),
]
